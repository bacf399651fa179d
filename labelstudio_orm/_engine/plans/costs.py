"""What a plan costs the server, as far as that can be told before it is carried out.

The figures are those of ``measured.py``. They are estimates, and decide between plans that are all
correct: what the server is not asked for is checked on this side.

A page is chosen from the tasks that come behind the one before, and each filter is evaluated for
all of these; then its rows are written. The rows are what most plans cost: one with everything in
it takes the server three to ten times as long as one with its id and data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from math import ceil, prod
from typing import TYPE_CHECKING

import attrs

from ..http.page_sizes import IDS, PAGE
from . import measured
from .columns import RELATION, Item, column_of

if TYPE_CHECKING:
    from ..conditions.tree import Node

RELATIONS: Mapping[str, tuple[str, ...]] = {
    "annotations": ("annotations",),
    "predictions": ("predictions",),
    "both": ("annotations", "predictions"),
}
"""The related rows that a page may bring, and their name in the table of costs."""


def rows_of(some: bool, relations: Collection[str]) -> str:
    """Return the name of how much is read of each row: ``some`` fields, or all that are listed."""
    brought = [name for name in RELATIONS["both"] if name in relations]
    if not relations:
        return "ids" if some else "light"
    return f"{'some' if some else 'whole'} {brought[0] if len(brought) == 1 else 'both'}"


@attrs.frozen
class Costs:
    """What the server does, in seconds of its CPU.

    Attributes:
        request: One page, whatever is in it.
        task: A page, for each task that it is chosen from.
        rows: Each row of a page.
        linear: A filter, for each task that a page is chosen from, by column and kind of operator.
        quadratic: The same where that grows with the project, for each of the project's tasks.
    """

    request: float
    task: float
    rows: Mapping[str, float]
    linear: Mapping[str, float]
    quadratic: Mapping[str, float]

    @classmethod
    def of(cls, database: str) -> Costs:
        """Return the costs on a database, from the table, whose figures are microseconds."""
        found = measured.COSTS[database]
        figures = {
            name: {key: value / 1e6 for key, value in found[name].items()}
            for name in ("rows", "linear", "quadratic")
        }
        return cls(found["base"]["request"] / 1e6, found["base"]["task"] / 1e6, **figures)

    def or_worse(self, other: Costs) -> Costs:
        """Return the higher one of each cost."""

        def higher(one: Mapping[str, float], two: Mapping[str, float]) -> dict[str, float]:
            return {name: max(one.get(name, 0), two.get(name, 0)) for name in {*one, *two}}

        return Costs(
            max(self.request, other.request),
            max(self.task, other.task),
            higher(self.rows, other.rows),
            higher(self.linear, other.linear),
            higher(self.quadratic, other.quadratic),
        )

    def choosing(self, items: Iterable[Item], tasks: float) -> float:
        """Return what filters cost for each of a project's tasks that a page is chosen from."""
        each = self.task
        for item in items:
            kind = kind_of(item)
            each += self.linear.get(kind, self.linear.get(f"* {kind.partition(' ')[2]}", 0))
            each += self.quadratic.get(kind, 0) * tasks
        return each


@attrs.frozen
class Stages:
    """How rows may be read in two stages: what decides of all, and the rest by id.

    Attributes:
        first: What is decided by less of a row than is wanted of it.
        narrow: The seconds that a row takes the server as far as that decides it.
        wide: The seconds that what is wanted of it takes.
        request: The seconds of a request.
    """

    first: Node
    narrow: float
    wide: float
    request: float

    def seconds(self, rows: float, share: float) -> float:
        """Return what rows take of which ``first`` is true for a share."""
        requests = ceil(rows / PAGE) + ceil(rows * share / IDS)
        return requests * self.request + rows * (self.narrow + share * self.wide)

    def pay(self, rows: float, share: float) -> bool:
        """Return whether that is clearly less than to read all that is wanted at once."""
        at_once = ceil(rows / PAGE) * self.request + rows * self.wide
        return self.seconds(rows, share) < GAIN * at_once


GAIN = 0.85
"""Two stages must be expected to take less than this much of one: the share is a guess."""


def kind_of(item: Item) -> str:
    """Return the column and the kind of operator of a line: "annotators contains"."""
    column, operator = column_of(item), str(item["operator"]).removeprefix("not_")
    if column.startswith("data."):
        column = "data.key"
    kind = operator if operator in ("contains", "empty", "in_list") else "compare"
    return f"{column} {kind}"


DATABASES: Mapping[str, Costs] = {name: Costs.of(name) for name in measured.COSTS}
"""The costs by database."""

UNKNOWN = reduce(Costs.or_worse, DATABASES.values())
"""What is reckoned with where it is not known which database a server has."""

DEAR = frozenset(UNKNOWN.quadratic)
"""The filters that may cost more than they save."""


@attrs.frozen
class Size:
    """How much there is to read, as far as it is known.

    Attributes:
        tasks: The tasks of the project.
        annotated: The share of them that has annotations.
        predicted: The share of them that has predictions.
        rows: What is read of a row that matches.
        limit: How many rows are wanted at most.
    """

    tasks: float = 1000
    annotated: float = 0.7
    predicted: float = 0.7
    rows: str = "light"
    limit: int | None = None


def by_id(rows: float, size: Size, costs: Costs) -> float:
    """Return the seconds that so many rows take when they are asked for by their ids."""
    return ceil(rows / IDS) * costs.request + rows * costs.rows[size.rows]


# -- how many rows a condition leaves, where nothing better is known -------------------------------

CHECKED = 0.3
"""The share of rows that a condition which is checked on this side is guessed to leave."""

SHARES = {"equal": 0.2, "in_list": 0.2, "contains": 0.3, "empty": 0.5}
"""The share of tasks that a comparison is guessed to leave, by its operator."""


def share_of(clauses: Sequence[Sequence[Item]], size: Size) -> float:
    """Return the share of a project's tasks that a filter is guessed to leave."""
    return 1 - prod(1 - prod(_share(item, size) for item in clause) for clause in clauses)


def _share(item: Item, size: Size) -> float:
    column, operator = column_of(item), str(item["operator"])
    if column == "id" and operator == "in_list":
        return min(1.0, len(item["value"]) / max(1.0, size.tasks))
    if column == RELATION:
        return size.predicted if operator == "empty" else 1 - size.predicted
    if column == "annotations_ids" and operator == "empty":
        return 1 - size.annotated if item["value"] else size.annotated
    if column == "annotations_ids":
        ids = str(item["value"]).split(",")
        named = min(1.0, len(ids) / max(1.0, size.tasks))
        return named if operator == "contains" else 1 - named
    if operator == "contains" and item["value"] == "":
        return 0.9
    if operator.startswith("not_"):
        return 1 - SHARES.get(operator.removeprefix("not_"), 0.5)
    return SHARES.get(operator, 0.5)
