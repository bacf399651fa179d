"""Edits of a labelling config: the config says what was meant, and the rest of the text stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest
from attrs import frozen
from hypothesis import assume, given
from hypothesis import strategies as st

from labelstudio_orm._config.editing import LabelTag, copied, label_tags, merged, stored_names
from labelstudio_orm.config import LabelConfig, UnknownControl

XML = """<View>
  <!-- Car > here -->
  <Image name="img" value="$image"/>
  <RectangleLabels name="box" toName="img">
    <Label value='Car' background="red"  hotkey='c'/>

    <Label value="Big &amp; &quot;Bus&quot;" alias="bus" /> <!-- inline --> <Label value="Van"/>
  </RectangleLabels>
  <TextArea name="why" toName="img" whenTagName="box" whenLabelValue="Car, bus"/>
  <TextArea name="why2" toName="img" whenTagName="scene" whenChoiceValue='Car'/>
  <Choices name="scene" toName="img"><Choice value="Car"/></Choices>
  <Choices name="empty" toName="img" />
  <Taxonomy name="kind" toName="img">
    <Choice value="Animal" alias="a">
      <Choice value="Dog"><Choice value="Poodle"/></Choice>
    </Choice>
  </Taxonomy>
</View>
"""
CONFIG = LabelConfig.parse(XML)
CAR = "    <Label value='Car' background=\"red\"  hotkey='c'/>"
WHY = '  <TextArea name="why" toName="img" whenTagName="box" whenLabelValue="Car, bus"/>'


def difference(after: LabelConfig) -> tuple[list[str], list[str]]:
    """The lines of ``XML`` that are gone, and those that came."""
    old, new = XML.split("\n"), after.xml.split("\n")
    gone = [line for line in old if line not in new]
    come = [line for line in new if line not in old]
    assert [line for line in old if line not in gone] == [line for line in new if line not in come]
    return gone, come


def paths(config: LabelConfig, control: str) -> list[tuple[str, ...]]:
    """The labels of a control as they are stored."""
    return [label.path for label in config[control].label_tags]


# -- examples -------------------------------------------------------------------------------------


def test_a_renamed_label_keeps_its_place_its_attributes_and_their_quotes() -> None:
    gone, come = difference(CONFIG.renamed("Car", "Vehicle", "box"))
    assert gone == [CAR, WHY]
    assert come == [CAR.replace("Car", "Vehicle"), WHY.replace("Car", "Vehicle")]


def test_a_label_with_an_alias_is_named_by_either() -> None:
    assert paths(CONFIG.renamed("bus", "coach"), "box") == [("Car",), ("coach",), ("Van",)]
    shown = CONFIG.renamed('Big & "Bus"', "It's a <bus>")
    assert [label.value for label in shown["box"].label_tags] == ["Car", "It's a <bus>", "Van"]
    assert paths(shown, "box") == paths(CONFIG, "box")


@pytest.mark.parametrize("new", ["Hound", ("Animal", "Hound"), ["a", "Hound"]])
def test_a_branch_is_renamed_with_what_is_beneath_it(new: Any) -> None:
    renamed = CONFIG.renamed(("a", "Dog"), new)
    assert paths(renamed, "kind") == [("a",), ("a", "Hound"), ("a", "Hound", "Poodle")]
    gone, come = difference(renamed)
    assert come == [gone[0].replace("Dog", "Hound")]


def test_a_new_label_stands_at_the_end_or_behind_another() -> None:
    gone, come = difference(CONFIG.with_label("Bike", "box", background="blue", hotkey=4))
    assert come == [f'{gone[0]} <Label value="Bike" background="blue" hotkey="4"/>']
    gone, come = difference(CONFIG.with_label("Bike", "box", after="Car", alias="b"))
    assert (gone, come) == ([], ['    <Label value="Bike" alias="b"/>'])


def test_the_branches_on_the_way_are_made() -> None:
    more = CONFIG.with_label(("Animal", "Dog", "Hound", "Beagle"), "kind", hint="small")
    assert paths(more, "kind")[-2:] == [("a", "Dog", "Hound"), ("a", "Dog", "Hound", "Beagle")]
    assert more["kind"].label_tags[-1].hint == "small"
    assert paths(CONFIG.with_label(["Plant", "Tree"], "kind"), "kind")[-1] == ("Plant", "Tree")


def test_a_control_without_labels_gets_its_first() -> None:
    gone, come = difference(CONFIG.with_label("One", "empty"))
    assert gone == ['  <Choices name="empty" toName="img" />']
    assert come == [
        '  <Choices name="empty" toName="img" >',
        '    <Choice value="One"/>',
        "  </Choices>",
    ]
    assert paths(CONFIG.with_label("One", "empty"), "empty") == [("One",)]


def test_a_label_leaves_with_its_line_and_its_conditions() -> None:
    gone, come = difference(CONFIG.without_label("Car", "box"))
    assert (gone, come) == ([CAR, WHY], [WHY.replace("Car,", "")])
    assert paths(CONFIG.without_label(("Animal", "Dog")), "kind") == [("a",)]


def test_the_last_of_a_condition_stays() -> None:
    """Without the attribute the tag would depend on no label at all."""
    assert "whenChoiceValue='Car'" in CONFIG.without_label("Car", "scene").xml


def test_line_ends_stay_as_they_are() -> None:
    dos = LabelConfig.parse(XML.replace("\n", "\r\n"))
    for edited in (dos.with_label("Bike", "box", after="Car"), dos.without_label("Car", "box")):
        assert "\n" not in edited.xml.replace("\r\n", "")


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (
            lambda: CONFIG.renamed("Car", "Van", "box"),
            ValueError,
            "already has a label 'Van'; merge",
        ),
        (lambda: CONFIG.renamed("Car", "Bike"), ValueError, "'box' and 'scene'.*control="),
        (lambda: CONFIG.renamed("Cra", "Bike", "box"), ValueError, "did you mean 'Car'"),
        (lambda: CONFIG.renamed("Cra", "Bike"), ValueError, "no control has.*'Car'"),
        (lambda: CONFIG.renamed("Car", "Bike", "bx"), UnknownControl, "box"),
        (lambda: CONFIG.renamed(("a", "Dog"), ("b", "Dog")), ValueError, "another branch"),
        (lambda: CONFIG.renamed("Car", " ", "box"), ValueError, "must have a name"),
        (lambda: CONFIG.renamed("Car", 5, "box"), TypeError, "str"),  # type: ignore[arg-type]
        (lambda: CONFIG.with_label("Bike"), ValueError, "give control="),
        (lambda: CONFIG.with_label("bus", "box"), ValueError, "already has a label 'bus'"),
        (
            lambda: CONFIG.with_label("Coach", "box", alias="Van"),
            ValueError,
            "already has a label 'Van'",
        ),
        (lambda: CONFIG.with_label(("a", "Bike"), "box"), ValueError, "no branches"),
        (lambda: CONFIG.with_label("Bike", "why"), ValueError, "not a control with labels"),
        (lambda: CONFIG.with_label("Bike", "box", value="x"), ValueError, "'value'"),
        (lambda: CONFIG.with_label("Bike", "box", **{"a b": "x"}), ValueError, "'a b'"),
        (lambda: CONFIG.with_label("Bike", "box", hint=["x"]), TypeError, "hint"),
        (lambda: CONFIG.with_label(("a", "Cat"), "kind", after="Animal"), ValueError, "branch"),
        (lambda: CONFIG.without_label("Bike", "box"), ValueError, "no label 'Bike'"),
    ],
)
def test_what_cannot_be_is_refused(
    edit: Callable[[], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        edit()


def test_two_edits_together() -> None:
    renamed, added = CONFIG.renamed("Car", "Vehicle", "box"), CONFIG.with_label("Fish", "kind")
    both = merged(XML, renamed.xml, added.xml)
    assert both == renamed.with_label("Fish", "kind").xml
    assert merged(both or "", XML, both or "") == XML
    assert merged(renamed.xml, XML, both or "") == added.xml
    assert merged(XML, renamed.xml, CONFIG.renamed("Car", "Auto", "box").xml) is None


# -- laws -----------------------------------------------------------------------------------------

SPACE = st.sampled_from(["", " ", "\n", "\r\n  ", "\n\n\t", " <!-- <Label value='x'/> -> -->\n"])
NAME = st.text(st.sampled_from("abcÄ語🚗 <>&'\"=/-\t\n"), min_size=1, max_size=6).filter(str.strip)
COMMENT = st.sampled_from(["", "<!-- > -->", "<!--\"'/>-->", "<?x ' ?>"])


@frozen
class Made:
    """A config of one control, and its labels as they are: (value, alias, hint)."""

    config: LabelConfig
    labels: list[tuple[str, str | None, str | None]]


def _attribute(draw: Any, name: str, value: str) -> str:
    quote = draw(st.sampled_from("\"'"))
    text = escape(
        value, {quote: "&#34;" if quote == '"' else "&apos;", "\n": "&#xA;", "\t": "&#9;"}
    )
    equals = draw(st.sampled_from(["=", " = ", "=\n"]))
    return f"{draw(st.sampled_from([' ', chr(10), '  ']))}{name}{equals}{quote}{text}{quote}"


@st.composite
def configs(draw: Any) -> Made:
    """Labels in all the ways that they can be written in."""
    names = draw(st.lists(NAME, min_size=1, max_size=10, unique=True))
    labels, inside = [], draw(SPACE)
    while names:
        value = names.pop()
        alias = names.pop() if names and draw(st.booleans()) else None
        hint = draw(st.none() | NAME)
        labels.append((value, alias, hint))
        written = [("value", value), ("alias", alias), ("hint", hint)]
        given_ = draw(st.permutations([(n, v) for n, v in written if v is not None]))
        text = "<Label" + "".join(_attribute(draw, name, v) for name, v in given_)
        text += draw(st.sampled_from(["/>", " />", "></Label>", "> </Label\n>"]))
        inside += draw(COMMENT) + text + draw(SPACE)
    xml = (
        f"<View><Text name='t' value='$t'/>{draw(SPACE)}<Labels toName='t' name='c'>{inside}"
        f"</Labels>{draw(SPACE)}<Choices name='d' toName='t'>"
        f"<Choice{_attribute(draw, 'value', labels[0][0])}/></Choices></View>"
    )
    return Made(LabelConfig.parse(xml), labels)


def said(config: LabelConfig) -> list[tuple[str, str | None, str | None]]:
    """What the config says of its labels."""
    return [(one.value, one.alias, one.hint) for one in config["c"].label_tags]


def only_within(tag: LabelTag, before: str, after: str) -> bool:
    """Is all that stands around a start tag the same?"""
    start, end = tag.tag.start, tag.tag.opened
    return after.startswith(before[:start]) and after.endswith(before[end:])


def is_taken(made: Made, name: str) -> bool:
    return any(name in (value, alias) for value, alias, _ in made.labels)


@given(configs())
def test_the_tags_are_those_of_the_labels(made: Made) -> None:
    assert said(made.config) == made.labels
    tags = label_tags(made.config, "c")
    assert [one.stored for one in tags] == [one.path for one in made.config["c"].label_tags]
    for one in tags:
        text = made.config.xml[one.tag.start : one.tag.end]
        assert text.startswith("<Label")
        assert text.endswith(">")
        assert text.count("<Label") == 1


@given(configs(), NAME, st.data())
def test_any_label_can_be_renamed_and_renamed_back(
    made: Made, new: str, data: st.DataObject
) -> None:
    assume(not is_taken(made, new))
    place = data.draw(st.integers(0, len(made.labels) - 1))
    value, alias, hint = made.labels[place]
    by_alias = alias is not None and data.draw(st.booleans())
    after = made.config.renamed(alias if by_alias and alias else value, new, "c")
    wanted = (value, new, hint) if by_alias else (new, alias, hint)
    assert said(after) == [*made.labels[:place], wanted, *made.labels[place + 1 :]]
    assert only_within(label_tags(made.config, "c")[place], made.config.xml, after.xml)
    back = after.renamed(new, alias if by_alias and alias else value, "c")
    assert said(back) == made.labels


@given(configs(), NAME, st.data())
def test_a_copy_beside_it_and_without_the_first_is_a_renaming(
    made: Made, new: str, data: st.DataObject
) -> None:
    assume(not is_taken(made, new))
    value, alias, _ = data.draw(st.sampled_from(made.labels))
    assume(alias is None)
    both = copied(made.config, value, new, "c", "<!--note-->")
    after = LabelConfig(both).without_label(value, "c")
    assert after.xml.replace("<!--note-->", "") == made.config.renamed(value, new, "c").xml
    assert stored_names(made.config, "c", (value,), (new,)) == ((value,), (new,))


@given(configs(), NAME, NAME | st.none(), st.data())
def test_any_label_can_be_added_anywhere(
    made: Made, new: str, hint: str | None, data: st.DataObject
) -> None:
    assume(not is_taken(made, new))
    place = data.draw(st.integers(0, len(made.labels) - 1) | st.none())
    behind = None if place is None else made.labels[place][0]
    attributes = {} if hint is None else {"hint": hint}
    after = made.config.with_label(new, "c", after=behind, **attributes)
    at = len(made.labels) if place is None else place + 1
    assert said(after) == [*made.labels[:at], (new, None, hint), *made.labels[at:]]
    end = label_tags(made.config, "c")[at - 1].tag.end
    assert after.xml.startswith(made.config.xml[:end])
    assert after.xml.endswith(made.config.xml[end:])
    assert after.without_label(new, "c").xml == made.config.xml


@given(configs(), st.data())
def test_any_label_can_be_removed(made: Made, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(made.labels) - 1))
    after = made.config.without_label(made.labels[place][0], "c")
    assert said(after) == [*made.labels[:place], *made.labels[place + 1 :]]
    tag = label_tags(made.config, "c")[place].tag
    before = made.config.xml[: tag.start]
    rest = after.xml.removesuffix(made.config.xml[tag.end :])
    assert after.xml.endswith(made.config.xml[tag.end :])
    assert before.startswith(rest)
    assert before[len(rest) :].strip() == ""
