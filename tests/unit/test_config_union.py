"""Labelling configs joined: what is said of labels is kept, and what is said twice is told."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import Project
from labelstudio_orm._migrate.engine.config_compat import IncompatibleConfigs
from labelstudio_orm.config import LabelConfig
from labelstudio_orm.migrate import merge
from labelstudio_orm.testing import FakeLabelStudio

CONFIG = """\
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image">
    <Label value="Car" background="red" hotkey="c"/>
    <Label value="Bus"/>
  </RectangleLabels>
</View>
"""


def with_labels(*labels: str, config: str = CONFIG) -> str:
    start, end = config.index("    <Label "), config.index("  </RectangleLabels>")
    return config[:start] + "".join(f"    {label}\n" for label in labels) + config[end:]


def labels(config: LabelConfig, control: str = "box") -> dict[Any, dict[str, str]]:
    return {one.path: dict(one.attributes) for one in config[control].label_tags}


def test_labels_keep_all_that_is_said_of_them() -> None:
    van = '<Label value="Van" background="#0f0" hotkey="v" alias="vehicle" hint="a &lt;b&gt;"/>'
    bus = '<Label value="Bus" background="blue" hotkey="b"/>'
    joined = LabelConfig.parse(CONFIG).union(with_labels(bus, van))
    wanted = f'<Label background="blue" hotkey="b" value="Bus"/>\n    {van}'
    assert joined.xml == CONFIG.replace('<Label value="Bus"/>', wanted)
    assert joined.union(CONFIG, with_labels(bus, van)) == joined


def test_the_operator_joins_as_the_method_does() -> None:
    config = LabelConfig.parse(CONFIG)
    other = LabelConfig.parse(with_labels('<Label value="Van"/>'))
    assert config | other == config.union(other)
    with pytest.raises(ValueError, match="the hotkey of 'Car'"):
        _ = config | LabelConfig.parse(with_labels('<Label value="Car" hotkey="d"/>'))
    text: Any = CONFIG
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = config | text


def test_branches_and_controls_come_whole() -> None:
    tree = '<Taxonomy name="t" toName="image">{}</Taxonomy></View>'
    small = CONFIG.replace("</View>", tree.format('<Choice value="A"><Choice value="1"/></Choice>'))
    branch = '<Choice value="B" hint="b"><Choice value="3" alias="x"/></Choice>'
    inside = f'<Choice value="A"><Choice value="2" color="red"/></Choice>{branch}'
    large = CONFIG.replace("</View>", tree.format(inside))
    joined = LabelConfig.parse(small).union(large)
    assert set(labels(joined, "t")) == {("A",), ("A", "1"), ("A", "2"), ("B",), ("B", "x")}
    assert labels(joined, "t")["A", "2"]["color"] == "red"
    assert branch in joined.xml
    assert LabelConfig.parse(CONFIG).union(small)["t"] == LabelConfig.parse(small)["t"]
    empty = LabelConfig.parse("<View><Image name='image' value='$image'/></View>")
    assert list(empty.union(large)) == ["box", "t"]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ('<Label value="Car" background="blue"/>', "the background of 'Car' is 'red'.*'blue'"),
        ('<Label value="Car" hotkey="d"/>', "the hotkey of 'Car' is 'c', in the other one 'd'"),
        ('<Label value="Auto" alias="Car"/>', "the value of 'Car' is 'Car', .* 'Auto'"),
        ('<Label value="Van" hotkey="c"/>', "the hotkey 'c' of 'Van' is that of 'Car'"),
        ('<Label value="Bus" hotkey="c"/>', "the hotkey 'c' of 'Bus' is that of 'Car'"),
    ],
)
def test_conflicts_are_told(label: str, says: str) -> None:
    config, other = LabelConfig.parse(CONFIG), with_labels(label)
    with pytest.raises(ValueError, match=f'{says}.*conflicts="first"'):
        config.union(other)
    joined = config.union(other, conflicts="first")
    assert labels(joined)["Car",] == labels(config)["Car",] | (
        {"alias": "Car"} if "alias" in label else {}
    )
    assert sum("hotkey" in one for one in labels(joined).values()) == 1


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (CONFIG.replace("RectangleLabels", "PolygonLabels"), "is a PolygonLabels in the other one"),
        (with_labels('<Label value="Car" alias="auto"/>'), "stores 'Car', the other one.*'auto'"),
        (
            CONFIG.replace('"image"', '"scan"').replace('"box"', '"x"'),
            "about scan, which this",
        ),
        (CONFIG.replace('"image"', '"scan"'), "is about scan in the other one"),
    ],
)
def test_what_cannot_be_joined(other: str, says: str) -> None:
    for conflicts in ("raise", "first"):
        with pytest.raises(ValueError, match=says):
            LabelConfig.parse(CONFIG).union(other, conflicts=conflicts)


names = st.sampled_from(["a", "b", "ü & <", 'q"', "'"])
label = st.fixed_dictionaries(
    {"value": names},
    optional={
        "alias": st.sampled_from(["x", "y"]),
        "background": st.sampled_from(["red", "blue"]),
        "hotkey": st.sampled_from("1234"),
        "hint": names,
    },
)
some = st.lists(label, max_size=4, unique_by=lambda one: one.get("alias") or one["value"])


@given(some, some)
def test_of_whatever_labels_nothing_is_lost(mine: Any, theirs: Any) -> None:
    def config(labels: Any) -> LabelConfig:
        tags = (
            f"<Label {' '.join(f'{name}={quoteattr(value)}' for name, value in one.items())}/>"
            for one in labels
        )
        return LabelConfig.parse(with_labels(*tags))

    one, other = config(mine), config(theirs)
    try:
        joined = one.union(other, conflicts="first")
    except ValueError:
        names = [{path[0], said["value"]} for path, said in labels(one).items()]
        paths = {path: {path[0], said["value"]} for path, said in labels(other).items()}
        new = [shown for path, shown in paths.items() if path not in labels(one)]
        assert any(mine & shown for mine in names for shown in new)
        return
    keys = {one["hotkey"] for one in mine if "hotkey" in one}
    for path, said in labels(other).items():
        mine_said = labels(one).get(path, {})
        free = {k: v for k, v in said.items() if k != "hotkey" or v not in keys}
        assert labels(joined)[path] == {**free, **mine_said}
    assert set(labels(joined)) == {*labels(one), *labels(other)}


def test_merge_names_the_way_out(fake: FakeLabelStudio) -> None:
    ls = fake.client()
    van = with_labels('<Label value="Van" background="green" hotkey="v"/>')
    into = ls.projects.create(title="Both", label_config=CONFIG)
    other: Project = ls.projects.create(title="Vans", label_config=van)
    other.tasks.create(data={"image": "a.png"})
    with pytest.raises(IncompatibleConfigs, match=r"project\.config\.union\(other\.config\)\.xml"):
        merge([other], into=into)
    into.label_config = into.config.union(other.config).xml
    into.save()
    assert merge([other], into=into).ok
    assert labels(into.config)["Van",]["background"] == "green"
