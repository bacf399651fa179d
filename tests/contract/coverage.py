"""Which operations of the API are reachable, and what each is held by.

    python tests/contract/coverage.py            prints the table, and names what nothing holds

It counts the operations in the recordings of two releases of the official client, which the test
of wire parity replays, and those that tests are marked with, which ``tests/conftest.py`` holds them
to.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labelstudio_orm.testing.fake._checks import contract  # noqa: E402  (after the path to it is known)
from tests.contract.wire.calls import CALLS  # noqa: E402
from tests.contract.wire.newest import OPERATIONS  # noqa: E402

COLUMNS = ("operations", "reachable", "wire parity", "run live", "run in memory")

Found = Mapping[str, set[str]]
"""Operations by column."""


class _Marks:
    """A pytest plugin that notes the operations which the collected tests are marked with."""

    def __init__(self) -> None:
        self.live: set[str] = set()
        self.in_memory: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            named = {name for mark in item.iter_markers("operation") for name in mark.args}
            (self.live if item.get_closest_marker("live") else self.in_memory).update(named)


def found() -> Found:
    """What holds each operation. Collects all tests, and runs none."""
    marks = _Marks()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            [
                "--collect-only",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:xdist",
                str(ROOT / "tests"),
            ],
            plugins=[marks],
        )
    wire = Path(__file__).parent / "wire"
    recorded = set(json.loads((wire / "recorded.json").read_text("utf-8")))
    newest = json.loads((wire / "newest.json").read_text("utf-8"))
    recorded |= {OPERATIONS.get(name, name) for name in newest}
    known = set(contract.operations())
    return {
        "operations": known,
        "reachable": known & (CALLS.keys() | marks.live | marks.in_memory),
        "wire parity": known & recorded & CALLS.keys(),
        "run live": known & marks.live,
        "run in memory": known & marks.in_memory,
    }


def group_of(name: str) -> str:
    """The row of an operation: the storages are one family each, and what the reference lacks is
    apart.
    """
    if not contract.operation(name).reference:
        return "beyond the reference"
    group = name.rpartition(".")[0]
    return re.sub(r"^(import|export)_storage.*", r"\1_storage", group)


def table(columns: Found) -> str:
    """A row for each group, and one for all."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in columns["operations"]:
        groups[group_of(name)].add(name)
    names = [*sorted(groups.keys() - {"beyond the reference"}), "beyond the reference"]
    rows = [(group, groups[group]) for group in names]
    rows.append(("**all**", set(columns["operations"])))
    lines = [f"| group | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
    for group, members in rows:
        counts = [len(members & columns[column]) for column in COLUMNS]
        lines.append(f"| {group} | {' | '.join(str(count or '') for count in counts)} |")
    return "\n".join(lines)


def missing(columns: Found) -> dict[str, set[str]]:
    """What should be held and is not: all by parity, the community edition live, the enterprise
    edition in memory.
    """
    operations = contract.operations()
    by_edition: dict[str, set[str]] = defaultdict(set)
    for name, operation in operations.items():
        by_edition[operation.edition].add(name)
    return {
        "reachable": set(operations) - columns["reachable"],
        "wire parity": set(operations) - columns["wire parity"],
        "run live": by_edition["community"] - columns["run live"],
        "run in memory": by_edition["enterprise"] - columns["run in memory"],
    }


if __name__ == "__main__":
    everything = found()
    print(table(everything))
    print()
    for column, names in missing(everything).items():
        print(f"{column}: {', '.join(sorted(names)) or 'nothing is missing'}")
