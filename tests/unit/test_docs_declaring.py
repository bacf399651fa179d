"""The page on declaring resources: its examples run, and it has every word there is."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from labelstudio_orm import orm
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio

PAGE = Path(__file__).resolve().parents[2] / "docs" / "declaring.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module for the page's code, and room for two classes that are no resources afterwards."""
    for name in ("Board", "Hook"):
        monkeypatch.setitem(registry, name, object)
    module = ModuleType("declaring")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.__dict__["ls"] = FakeLabelStudio().client()
    return module


def test_the_examples_run(page: ModuleType) -> None:
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(block, PAGE.name, "exec", dont_inherit=True), page.__dict__)
    assert "X-Key" not in repr(vars(page.__dict__["hook"]))


def test_every_word_is_on_the_page() -> None:
    assert [name for name in orm.__all__ if f"`{name}" not in TEXT and f"@{name}" not in TEXT] == []


def test_the_table_of_the_header_has_arguments_that_there_are() -> None:
    table = TEXT.split("## The header")[1].split("## The fields")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert told < inspect.signature(orm.resource).parameters.keys()
    assert told
