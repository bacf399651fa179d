"""The page for users of the official client: each line of ours runs and does what it says."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import labelstudio_orm
from labelstudio_orm.testing.fake._checks import contract

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming-from-label-studio-sdk.md"
TEXT = PAGE.read_text(encoding="utf-8")
LAST = "Beyond the reference"

SETTINGS: dict[str, dict[str, Any]] = {
    "azure": {"container": "reviews", "account_name": "reviews", "account_key": "..."},
    "gcs": {"bucket": "reviews"},
    "local": {"path": "/data/reviews"},
    "redis": {"host": "redis.example.com", "path": "reviews"},
    "s3": {"bucket": "reviews"},
    "s3s": {"bucket": "reviews", "role_arn": "arn:aws:iam::1:role/reader"},
}
"""What a storage of each kind is made with."""


@frozen
class Row:
    """One way to do an operation: ``code``, which sends the operation ``sends``."""

    section: str
    operation: str
    code: str
    sends: str


def rows() -> list[Row]:
    """Every line of the tables of operations."""
    found = []
    for part in TEXT.partition("\n## The operations\n")[2].split("\n### ")[1:]:
        title, _, body = part.partition("\n")
        section = title.removesuffix(" (Enterprise)")
        for first, *_, last in re.findall(r"^\| (`.*`) (?:\| .* )?\| (.*) \|$", body, re.MULTILINE):
            operation = re.match(r"`(?:client\.)?([\w.]+)", first)
            assert operation, first
            for code, other in re.findall(r"`([^`]+)`(?: \(by `([\w.]+)`\))?", last):
                found.append(Row(section, operation[1], code, other or operation[1]))
    return found


def blocks() -> list[str]:
    """The examples in front of the tables."""
    return re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def refusals() -> list[tuple[str, str]]:
    """What is refused, and the error."""
    section = TEXT.partition("\n### What is refused on purpose\n")[2].partition("\n### ")[0]
    return re.findall(r"^\| `([^`]+)` \| `(\w+)` \|", section, re.MULTILINE)


def run(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, PAGE.name, "exec"), names)


def used(code: str) -> set[str]:
    """The names that a snippet expects to be there."""
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    return {node.id for node in found} - {
        node.id for node in found if isinstance(node.ctx, ast.Store)
    }


def test_every_operation_has_its_row() -> None:
    official: set[str] = set()
    beyond: set[str] = set()
    for row in rows():
        (beyond if row.section == LAST else official).add(row.operation)
        assert row.section in (LAST, row.operation.rpartition(".")[0]), row
    known = contract.operations()
    assert official == {name for name in known if known[name].reference}
    newer = {name for name in contract.newest() if not known[name].reference}
    assert beyond == known.keys() - official - newer  # which docs/operations.md lists
    assert f"its {len(official)} operations" in TEXT


def test_the_page_says_what_its_names_are() -> None:
    opening = TEXT.partition("\n## The operations\n")[2].partition("\n### ")[0]
    said = set(re.findall(r"`(\w+)`", opening)) | {*labelstudio_orm.__all__, *dir(builtins)}
    assert [row for row in rows() if used(row.code) - said] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{row.operation}: {row.code}", marks=pytest.mark.operation(row.sends))
        for row in rows()
    ],
)
def test_each_row_runs_and_sends_its_operation(row: Row, names: dict[str, Any]) -> None:
    family, _, kind = row.section.partition(".")
    if family in ("import_storage", "export_storage") and kind:
        storages = getattr(getattr(names["project"], f"{family}s"), kind)
        names["storage"] = storages.create(**SETTINGS[kind])
    if "token" in used(row.code):  # a user has one at most, so it is not there for the others
        names["token"] = names["ls"].tokens.create()
    names["fake"].requests.clear()
    run(row.code, names)
    sent = {contract.match(each.method, each.path) for each in names["fake"].requests}
    assert row.sends in sent


def test_the_examples_run_in_order(names: dict[str, Any]) -> None:
    """Those of ours, one after the other, as somebody would type them."""
    ours = [block for block in blocks() if not block.startswith("# label-studio-sdk\n")]
    assert len(ours) == len(blocks()) - len(ours) >= 2
    for block in ours:
        run(block, names)
    assert names["project"].tasks.filter(data__lang="en").count() == 1


@pytest.mark.parametrize(("code", "error"), refusals())
def test_each_refused_line_raises_its_error(code: str, error: str, names: dict[str, Any]) -> None:
    """Before anything is sent."""
    names["fake"].requests.clear()
    expected = getattr(labelstudio_orm, error, None) or getattr(builtins, error)
    with pytest.raises(expected):
        run(code, names)
    assert names["fake"].requests == []
