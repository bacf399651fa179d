"""Plans that costs would not choose, so that all of them are held to the law."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from labelstudio_orm._engine.plans import plan
from labelstudio_orm._engine.plans.costs import DATABASES, Costs
from labelstudio_orm._engine.reading import weighing

EQUAL = dict.fromkeys(DATABASES["sqlite"].rows, 1.0)
NARROW = {**EQUAL, "ids": 0.001, **{name: 0.01 for name in EQUAL if name.startswith("some ")}}


class Everything(frozenset[str]):
    """A set that has every text."""

    def __contains__(self, _: object) -> bool:
        return True


def _costs(rows: Mapping[str, float], filters: float = 0.0) -> Costs:
    columns = {f"* {kind}": filters for kind in ("compare", "contains", "empty", "in_list")}
    return Costs(0.0, 0.0, rows, columns, {})


PLANS: Mapping[str, Costs] = {
    "filtered": _costs(EQUAL),
    "scanned": _costs(EQUAL, 1e6),
    "two-stages": _costs(NARROW),
    "scanned-in-two-stages": _costs(NARROW, 1e6),
}
"""Costs that lead to a plan: the server filters all it can, or as little as it may; of each row
that does not match as little as possible is read."""


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Let these plans be chosen; "chosen" leaves the choice to the costs."""
    with ExitStack() as stack:
        if name != "chosen":
            stack.enter_context(patch.object(weighing, "costs_of", lambda _: PLANS[name]))
            stack.enter_context(patch.object(plan, "DEAR", Everything()))
        yield
