"""What `config.problems()` says, held to what the official client says of the same, on every
labelling template that the server ships.

``label_interface/spoilt.py`` has what they are asked, ``differences.py`` all that they may say
differently.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest

from labelstudio_orm import BadRequest, LabelStudio
from labelstudio_orm import config as config_module
from labelstudio_orm._config.markup import elements
from labelstudio_orm.config import LabelConfig, Region
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing import _environments as environments
from labelstudio_orm.testing._releases import VERSION, installed
from tests.contract.label_interface import spoilt
from tests.contract.label_interface.differences import (
    RESULTS,
    TASKS,
    WITHOUT_SAMPLE,
    Difference,
)
from tests.contract.label_interface.spoilt import Spoilt
from tests.helpers import present

HERE = Path(__file__).parent / "label_interface"
OFFICIAL = "label-studio-sdk==2.1.2"
"""The release that the server brings along, by which it judges predictions."""

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def official() -> Iterator[Ask]:
    """Asks the official client: the name of a function of official.py and its arguments."""
    folder = environments.cache_folder() / OFFICIAL.replace("==", "-")
    python = environments.environment(folder, [OFFICIAL], what=OFFICIAL)
    command = [str(python), str(HERE / "official.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    ) as child:
        to, back = present(child.stdin), present(child.stdout)

        def ask(*question: Any) -> Any:
            to.write(json.dumps(question) + "\n")
            to.flush()
            return json.loads(back.readline())

        yield ask
        to.close()


@pytest.fixture(scope="module")
def templates(official: Ask) -> Mapping[str, str]:
    """The labelling templates that the server ships."""
    (folder,) = (
        installed(VERSION).parents[1].glob("lib/*/site-packages/label_studio/annotation_templates")
    )
    found: Mapping[str, str] = official("templates", str(folder))
    assert len(found) > 90
    return found


@pytest.fixture(scope="module")
def samples(official: Ask, templates: Mapping[str, str]) -> Mapping[str, dict[str, Any]]:
    """A task and a result for each template, as the official client makes them up."""
    return {name: official("samples", xml) for name, xml in templates.items()}


class Judged(NamedTuple):
    """What one spoilt thing of a template is said to be wrong with."""

    template: str
    spoilt: Spoilt
    ours: list[str]
    theirs: list[str]

    def __str__(self) -> str:
        where, how, item = self.spoilt
        return (
            f"{where}: {how}, of {self.template}: ours {self.ours}, theirs {self.theirs}: "
            f"{json.dumps(item):.300}"
        )


def disagreements(judged: Iterable[Judged]) -> list[Judged]:
    """One for each thing that is judged in two ways."""
    found: dict[tuple[str, str, bool], Judged] = {}
    for one in judged:
        if bool(one.ours) != bool(one.theirs):
            found.setdefault((*one.spoilt[:2], bool(one.theirs)), one)
    return list(found.values())


def assert_explained(found: Iterable[Judged], known: Sequence[Difference]) -> None:
    """Fails for a disagreement without an entry, and for an entry without a disagreement."""
    used: set[Difference] = set()
    unexplained = []
    for one in found:
        name, says = "{}: {}".format(*one.spoilt), "refuses" if one.theirs else "accepts"
        entries = [
            entry
            for entry in known
            if entry.official == says and any(fnmatchcase(name, n) for n in entry.names)
        ]
        used.update(entries)
        if not entries:
            unexplained.append(one)
    assert not unexplained, "\n".join(map(str, unexplained))
    assert [entry for entry in known if entry not in used] == []


def _ours(xml: str) -> list[str]:
    try:
        return LabelConfig.parse(xml).problems()
    except ValueError as error:
        return [str(error)]


@pytest.mark.slow
def test_each_template_is_a_good_config(official: Ask, templates: Mapping[str, str]) -> None:
    for name, xml in templates.items():
        assert (name, _ours(xml)) == (name, [])
        assert (name, official("config", xml)) == (name, [])


def test_what_the_official_client_makes_up_fits(
    templates: Mapping[str, str], samples: Mapping[str, dict[str, Any]]
) -> None:
    wrong = {}
    for name, xml in templates.items():
        sample = samples[name]
        task = {"data": sample["data"], "annotations": [sample], "predictions": [sample]}
        if found := LabelConfig.parse(xml).problems(task):
            wrong[name] = found
    assert wrong.keys() == WITHOUT_SAMPLE.keys(), wrong


def test_what_is_built_here_fits_both(official: Ask, templates: Mapping[str, str]) -> None:
    tags = set()
    for name, xml in templates.items():
        config = LabelConfig.parse(xml)
        for result in [spoilt.built(config), *spoilt.drawn(config)]:
            assert (name, config.problems(result)) == (name, [])
        tags |= {config[region["from_name"]].tag for region in spoilt.built(config)}
        assert tags >= {one.tag for one in config.controls.values()} - {"Labels"}
    assert "Labels" in tags


def _results(xml: str, sample: list[Region]) -> Iterator[list[Region]]:
    """What the official client makes up for a template, what is built here, and what the labelling
    editor adds beside the values.
    """
    config = LabelConfig.parse(xml)
    for result in (sample, spoilt.built(config), *spoilt.drawn(config)):
        yield result
        yield [{**one, **spoilt.BESIDE, "id": number} for number, one in enumerate(result)]


def test_what_is_read_is_written_back_as_it_was(
    templates: Mapping[str, str], samples: Mapping[str, dict[str, Any]]
) -> None:
    for name, xml in templates.items():
        config = LabelConfig.parse(xml)
        for result in _results(xml, samples[name]["result"]):
            assert (name, config.regions(config.values(result))) == (name, result)


def test_what_is_read_can_be_said_in_new_regions(templates: Mapping[str, str]) -> None:
    """Values of one's own, which remember nothing, say the same once they are written."""
    for name, xml in templates.items():
        config = LabelConfig.parse(xml)
        for one in spoilt.built(config):
            if len(config[one["from_name"]].to_name) > 1 and one["type"] != "pairwise":
                continue  # which object it is has to be said
            said = {str(key): _forgetful(value) for key, value in config.values([one]).items()}
            assert (name, config.values(config.regions(said))) == (name, said)


def _forgetful(value: Any) -> Any:
    if isinstance(value, list):
        return [_forgetful(one) for one in value]
    return attrs.evolve(value, raw=None) if attrs.has(type(value)) else value


@pytest.mark.parametrize(
    ("tags", "mapping"),
    [
        ({"text": "Text", "mood": ["choices", ["good", "bad"], {}]}, {}),
        (
            {
                "image": ["Image", {"value": "$url"}],
                "text": "Text",
                "box": ["labels", ["Car", '"A" & <B>'], {"tag_type": "RectangleLabels"}],
                "stars": ["Rating", {"maxRating": "7"}],
                "note": "TextArea",
            },
            {"note": "text"},
        ),
        (
            {
                "talk": "Paragraphs",
                "tree": ["taxonomy", [["Animal", "Bird", "Cat"], "Stone"], {"toName": "talk"}],
                "many": ["choices", ["A"], {"choice": "multiple"}],
            },
            {},
        ),
    ],
)
def test_short_forms_build_the_same_config(
    official: Ask, tags: dict[str, Any], mapping: dict[str, str]
) -> None:
    forms = {
        name: getattr(config_module, form[0])(form[1], **form[2])
        if isinstance(form, list) and len(form) == 3
        else form
        for name, form in tags.items()
    }
    built = LabelConfig.build(forms, mapping=mapping)
    theirs = elements(official("create", tags, mapping))
    assert [(e.tag, e.attributes) for e in elements(built.xml)] == [
        (e.tag, e.attributes) for e in theirs
    ]


@pytest.mark.slow
def test_they_agree_on_configs(official: Ask, templates: Mapping[str, str]) -> None:
    found = disagreements(
        Judged(name, one, _ours(one.item), official("config", one.item))
        for name, xml in templates.items()
        for one in spoilt.configs(xml)
    )
    assert found == []


@pytest.fixture(scope="module")
def task_disagreements(
    official: Ask, templates: Mapping[str, str], samples: Mapping[str, dict[str, Any]]
) -> list[Judged]:
    return disagreements(
        judged
        for name, xml in templates.items()
        for judged in _judged(
            official,
            "tasks",
            name,
            xml,
            spoilt.tasks(LabelConfig.parse(xml), samples[name]["data"]),
        )
    )


def test_they_agree_on_tasks(task_disagreements: list[Judged]) -> None:
    assert_explained(task_disagreements, TASKS)


@pytest.mark.slow
def test_they_agree_on_results(
    official: Ask, templates: Mapping[str, str], samples: Mapping[str, dict[str, Any]]
) -> None:
    found = disagreements(
        judged
        for name, xml in templates.items()
        for judged in _judged(
            official,
            "results",
            name,
            xml,
            spoilt.results(LabelConfig.parse(xml), samples[name]["result"]),
        )
    )
    assert_explained(found, RESULTS)


def _judged(
    official: Ask, what: str, name: str, xml: str, things: Iterable[Spoilt]
) -> Iterator[Judged]:
    config, things = LabelConfig.parse(xml), list(things)
    theirs = official(what, xml, [one.item for one in things])
    for one, said in zip(things, theirs, strict=True):
        yield Judged(name, one, config.problems(one.item), said)


def test_the_server_sides_with_us_on_tasks(
    ls: LabelStudio, templates: Mapping[str, str], task_disagreements: list[Judged]
) -> None:
    assert len(task_disagreements) > 20
    for one in task_disagreements:
        project = ls.projects.create(title="Template", label_config=templates[one.template])
        with pytest.raises(BadRequest, match=r"is of type|is expected"):
            project.tasks.bulk_create([one.spoilt.item])
        project.delete()


def _says_the_same_of_configs(ls: LabelStudio, templates: Mapping[str, str]) -> None:
    asked: dict[tuple[str, str], str] = {}
    for xml in templates.values():
        for where, how, item in spoilt.configs(xml):
            asked.setdefault((where, how), item)
    for name, xml in asked.items():
        try:
            ls.request("POST", "/api/projects/validate/", json={"label_config": xml})
        except BadRequest as error:
            said = str(error)
        else:
            said = ""
        assert (name, bool(said)) == (name, bool(_ours(xml))), said or _ours(xml)


def test_the_server_says_the_same_of_configs(ls: LabelStudio, templates: Mapping[str, str]) -> None:
    _says_the_same_of_configs(ls, templates)


@pytest.mark.slow
def test_the_server_in_memory_says_the_same_of_configs(
    fake: FakeLabelStudio, templates: Mapping[str, str]
) -> None:
    _says_the_same_of_configs(fake.client(), templates)
