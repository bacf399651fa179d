"""The recipes of the documentation work: each is followed, and its tables are put back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm._cli.commands import COMMANDS
from labelstudio_orm._config.kinds import KINDS as CONTROLS
from labelstudio_orm._engine.conditions.lookups import LOOKUPS
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm._migrate.engine.kinds import KINDS
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake._formats.formats import FORMATS

PATH = Path(__file__).resolve().parents[2] / "docs" / "recipes.md"
TABLES: tuple[Any, ...] = (COMMANDS, CONTROLS, LOOKUPS, KINDS, FORMATS, registry)

TEXT = PATH.read_text("utf-8")
RECIPES = dict(re.findall(r"^## (.*?)\n.*?```python\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL))


@pytest.fixture
def tables() -> Iterator[None]:
    before = [dict(table) for table in TABLES]
    yield
    for table, rows in zip(TABLES, before, strict=True):
        table.clear()
        table.update(rows)


def test_there_are_seven() -> None:
    assert len(RECIPES) == TEXT.count("\n## ") == 7


@pytest.mark.parametrize("title", RECIPES)
@pytest.mark.usefixtures("tables")
def test_a_recipe_works(title: str, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    ls = fake.client()
    project = ls.projects.create(title="Recipes")
    project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    other = FakeLabelStudio("http://other.fake").client()
    names = {"ls": ls, "project": project, "other": other}
    with fake.serve() as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", fake.api_key)
        exec(compile(RECIPES[title], f"{PATH.name}: {title}", "exec"), names)
