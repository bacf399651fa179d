"""The law on some queries (`make law` tries many more), and that it would notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm._engine.conditions import lookups, ordering
from labelstudio_orm._engine.conditions import q as query
from labelstudio_orm._engine.plans import plan

from . import forced, law, views

pytestmark = pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")


def check(outcome: law.Outcome, queries: int) -> None:
    assert not outcome.broken, "\n".join(["", *outcome.broken])
    assert outcome.total == queries
    assert outcome.empty < queries / 2, "most conditions are true of nothing"
    assert min(outcome.plans[part] for part in ("exact", "superset", "none")) > queries / 25


def check_views(outcome: law.Outcome) -> None:
    assert not outcome.broken, "\n".join(["", *outcome.broken])
    assert min(outcome.views[kind] for kind in ("made", "found")) > 3


@pytest.mark.parametrize(
    ("queries", "tabs"), [(120, 25), pytest.param(1000, 70, marks=pytest.mark.slow)]
)
def test_a_queryset_is_its_predicate(queries: int, tabs: int) -> None:
    with law.server("fake") as make:
        cases = make(seed=1)
        check(law.run(cases, range(queries), most=3), queries)
        check_views(views.run(cases, range(tabs), most=3))


@pytest.mark.slow
@pytest.mark.parametrize("plans", forced.PLANS)
def test_every_plan_that_could_be_chosen_keeps_the_law(plans: str) -> None:
    with law.server("fake") as make, forced.forced(plans):
        outcome = law.run(make(seed=3), range(200), most=3)
    assert not outcome.broken, "\n".join(["", *outcome.broken])
    assert (outcome.plans["superset"] < outcome.plans["none"] / 5) == plans.startswith("scanned")


@pytest.mark.live
def test_a_queryset_is_its_predicate_on_the_real_server() -> None:
    with law.server("sqlite") as make:
        cases = make(seed=2)
        check(law.run(cases, range(120), threads=3, most=3), 120)
        check_views(views.run(cases, range(12), most=3))


def _at_least(found: Any, wanted: Any) -> bool:
    return lookups.LOOKUPS["gte"](found, wanted)


def _believing(real: Callable[..., plan.Plan]) -> Callable[..., plan.Plan]:
    def planned(*arguments: Any) -> plan.Plan:
        made = real(*arguments)
        return made if made.filters() is None else plan.Plan(clauses=made.clauses)

    return planned


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["lookup", "superset taken for exact", "negation", "order"])
def test_the_law_would_notice(monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    if defect == "lookup":
        monkeypatch.setitem(lookups.LOOKUPS, "gt", _at_least)
    elif defect == "superset taken for exact":
        monkeypatch.setattr(plan, "_plan_tasks", _believing(plan._plan_tasks))
    elif defect == "negation":
        monkeypatch.setattr(query, "negation", lambda node: node)
    else:
        monkeypatch.setattr(ordering, "sortable", lambda value: (0, str(value)))
    monkeypatch.setattr(law, "TRIES", 0)
    with law.server("fake") as make:
        assert law.run(make(seed=1), range(400), most=1).broken


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["condition", "order"])
def test_the_law_for_views_would_notice(monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    from labelstudio_orm.resources import views as nouns

    real = getattr(nouns, "view_filters" if defect == "condition" else "view_ordering")
    if defect == "condition":
        other = {"equal": "not_equal", "greater": "less", "contains": "not_contains"}

        def wrong(*arguments: Any) -> Any:
            made = real(*arguments)
            for item in made["items"]:
                item["operator"] = other.get(item["operator"], item["operator"])
            return made

        monkeypatch.setattr(nouns, "view_filters", wrong)
    else:
        monkeypatch.setattr(nouns, "view_ordering", lambda key: real(key).lstrip("-"))
    with law.server("fake") as make:
        assert views.run(make(seed=1), range(0, 200, 2), most=1).broken
