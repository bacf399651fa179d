"""Arguments that make no sense are refused before a request, by an error that names the way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.config import LabelConfig
from labelstudio_orm.migrate import sync, verify
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG

WRONG: Any = "wrong"
"""A word that no parameter takes."""


class Table:
    """A table of Polars, as far as it is told by."""

    columns = ("text",)

    def to_dicts(self) -> list[dict[str, str]]:
        return []


Call = Callable[[Project, LabelStudio], Any]

REFUSED: dict[str, tuple[Call, type[Exception], str]] = {
    "tasks of no project": (
        lambda project, ls: ls.tasks.bulk_create([{"text": "a"}]),
        ValueError,
        r"project\.tasks",
    ),
    "predictions of no project": (
        lambda project, ls: ls.predictions.bulk_create([{"task": 1, "result": []}]),
        ValueError,
        r"project\.predictions\.bulk_create\(\)",
    ),
    "a table instead of items": (
        lambda project, ls: project.tasks.bulk_create(Table()),
        TypeError,
        r"for a table give table\.to_dicts\(\)",
    ),
    "a control character in a query": (
        lambda project, ls: ls.request("GET", "/api/tasks/?page=1\n"),
        ValueError,
        "a control character",
    ),
    "an escape of an escape": (
        lambda project, ls: ls.request("GET", f"/api/%{'25' * 30}41/"),
        ValueError,
        "too many nested ones",
    ),
    "an import of no files": (
        lambda project, ls: project.imports.create(file=[]),
        ValueError,
        "has nothing to import",
    ),
    "an annotation that is a text": (
        lambda project, ls: project.tasks.bulk_create([{"data": {}, "annotations": [WRONG]}]),
        TypeError,
        "must be a dict or an object, not 'wrong'",
    ),
    "an author without an address": (
        lambda project, ls: project.tasks.bulk_create(
            [{"data": {}, "annotations": [{"result": [], "completed_by": {"id": 1}}]}]
        ),
        TypeError,
        "completed_by must be a User, an id or an e-mail",
    ),
    "regions of a removed label": (
        lambda project, ls: project.labels.remove("Positive", regions=WRONG),
        ValueError,
        'regions must be "refuse" or "drop", not \'wrong\'',
    ),
    "a merge of no labels": (
        lambda project, ls: project.labels.merge(["Positive"], "Positive"),
        ValueError,
        "needs labels to merge",
    ),
    "conflicts of configs": (
        lambda project, ls: LabelConfig(CONFIG).union(CONFIG, conflicts=WRONG),
        ValueError,
        'conflicts must be "raise" or "first"',
    ),
    "a config that is a number": (
        lambda project, ls: LabelConfig(5),  # type: ignore[arg-type]
        TypeError,
        "must be a str, not int",
    ),
    "a flat list of two fields": (
        lambda project, ls: project.tasks.values_list("id", "data", flat=True),  # type: ignore[call-overload]
        TypeError,
        "takes exactly one field",
    ),
    "a token that is empty": (
        lambda project, ls: ls.tokens.rotate(""),
        TypeError,
        "the text of a personal access token",
    ),
    "nothing to look for": (
        lambda project, ls: project.tasks.get_or_create({"text": "a"}),
        TypeError,
        "look for something",
    ),
    "two mappings of defaults": (
        lambda project, ls: project.tasks.get_or_create(
            {"meta": {}}, data__text="a", defaults={"meta": {}}
        ),
        TypeError,
        "one mapping of defaults",
    ),
    "an object of another project": (
        lambda project, ls: project.views.create(title="Todo", project=project.id + 1),
        ValueError,
        "is another; go through that one",
    ),
    "conflicts of a sync": (
        lambda project, ls: sync(project, project, journal="none.db", conflicts=WRONG),
        ValueError,
        'conflicts is "report", "source" or "target", not \'wrong\'',
    ),
    "parts of a comparison": (
        lambda project, ls: verify(project, project, parts=[WRONG]),
        ValueError,
        "parts settings, .*, not 'wrong'",
    ),
}


@pytest.fixture
def ls(fake: FakeLabelStudio) -> LabelStudio:
    return fake.client()


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_a_request(
    fake: FakeLabelStudio,
    ls: LabelStudio,
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    call, kind, text = REFUSED[name]
    before = len(fake.requests)
    with pytest.raises(kind, match=text):
        call(project, ls)
    assert [one.method for one in fake.requests[before:] if one.method != "GET"] == []
    assert list(tmp_path.iterdir()) == []
