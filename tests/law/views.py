"""The law for saved views: one made of a condition has the tasks that fit it, or is refused; one
that somebody made in the browser means here what it means to the server.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from labelstudio_orm import FieldError, NotSupportedByServer
from labelstudio_orm._engine.http.connection import has
from labelstudio_orm._engine.http.releases import PAIRED_FILTERS

from . import model
from .corpus import Row
from .fitting import is_refused
from .law import Case, Outcome
from .queries import Query, _code

NUMBERS = ["equal", "not_equal", "less", "greater", "less_or_equal", "greater_or_equal"]
TEXTS = ["contains", "not_contains", "equal", "not_equal", "regex", "starts_with"]

# Columns, the type that the browser sends for them, and their operators.
COLUMNS: dict[str, tuple[str, list[str]]] = {
    "id": ("Number", [*NUMBERS, "in", "not_in", "in_list"]),
    "inner_id": ("Number", [*NUMBERS, "in", "not_in"]),
    "total_annotations": ("Number", [*NUMBERS, "in", "empty"]),
    "total_predictions": ("Number", [*NUMBERS, "empty"]),
    "cancelled_annotations": ("Number", NUMBERS),
    "created_at": ("Datetime", ["less", "greater", "in", "not_in", "equal"]),
    "updated_at": ("Datetime", ["less", "greater", "in"]),
    "completed_at": ("Datetime", ["less", "greater", "in", "not_in", "empty"]),
    "is_labeled": ("Boolean", ["equal", "not_equal"]),
    "draft_exists": ("Boolean", ["equal"]),
    "annotators": ("List", ["contains", "not_contains", "empty"]),
    "updated_by": ("List", ["contains", "not_contains", "empty"]),
    "avg_lead_time": ("Number", [*NUMBERS, "empty"]),
    "predictions_score": ("Number", [*NUMBERS, "empty"]),
    "data.s": ("String", [*TEXTS, "empty", "in_list", "not_in_list"]),
    "data.n": ("Number", NUMBERS),
    "data.m": ("Number", [*NUMBERS, "in"]),
    "data.d": ("String", ["contains", "empty"]),
    "data.l": ("Unknown", ["contains", "empty"]),
    "annotations_results": ("String", ["contains", "not_contains", "equal"]),
    "predictions_results": ("String", ["contains", "not_contains"]),
    "predictions_model_versions": ("List", ["contains", "not_contains", "empty"]),
    "annotations_ids": ("String", ["contains", "not_contains"]),
    "file_upload": ("String", ["contains", "empty"]),
}
ORDERS = ["tasks:id", "-tasks:id", "-tasks:created_at", "tasks:data.s"]

NO_NUMBER = "invalid input syntax for type double precision"
"""PostgreSQL, where a number is compared with something else under a key of ``data``."""


def run(cases: list[Case], numbers: range, *, most: int = 20) -> Outcome:
    """Try so many views of either kind."""
    outcome = Outcome()
    for number in numbers:
        case = cases[number % len(cases)]
        draw = random.Random(f"view {case.drawer.seed} {number}")
        kind, problems = (_made, _found)[number % 2](case, draw)
        outcome.views[kind] += 1
        if problems:
            text = f"view {number} of seed {case.drawer.seed}\n"
            outcome.broken.append(text + "".join(f"  {line}\n" for line in problems))
        if len(outcome.broken) >= most:
            break
    return outcome


def _ids(case: Case, draw: random.Random) -> tuple[model.Condition, list[int]]:
    """A condition that is not refused, and the tasks that fit it."""
    condition = _answerable(lambda: case.drawer.condition(draw, "tasks"))
    return condition, _fitting(case, condition)


def _answerable(drawn: Callable[[], model.Condition]) -> model.Condition:
    """The first condition that does not ask for what could never be: there is no answer to it."""
    while True:
        condition = drawn()
        if not any(is_refused("tasks", test) for test in model.tests(condition)):
            return condition


def _fitting(case: Case, condition: model.Condition) -> list[int]:
    return [row["id"] for row in case.rows if model.holds("tasks", row, condition)]


def _plain(case: Case, draw: random.Random) -> model.Condition:
    """A condition that a view can often say."""
    fields = [name for name in case.drawer.fields["tasks"] if name in COLUMNS]
    parts: list[model.Condition] = []
    for _ in range(draw.choice([1, 2, 2, 3])):
        test = _answerable(lambda: case.drawer.test_of(draw, "tasks", draw.choice(fields)))
        parts.append(model.Opposite(test) if draw.random() < 0.25 else test)
    return parts[0] if len(parts) == 1 else model.Both(draw.choice(["&", "|"]), tuple(parts))


def _made(case: Case, draw: random.Random) -> tuple[str, list[str]]:
    """A view of a condition, the first of some that is not refused."""
    names = case.names(Query())
    for _ in range(8):
        condition, wanted = _ids(case, draw)
        if draw.random() < 0.8:
            condition = _plain(case, draw)
            wanted = _fitting(case, condition)
        order = draw.choice([None, None, "id", "-id", "-created_at", "inner_id", "data__m"])
        code = f"project.views.create(filters={_code(condition)}, ordering={order!r})"
        try:
            view = eval(code, names)
            break
        except (FieldError, NotSupportedByServer):
            continue
    else:
        return "refused", []
    names["view"] = case.clients[None].views.get(view.id)  # as it comes back
    problems = [
        *_differs("list(view.tasks)", names, wanted, ordered=order in (None, "id")),
        *_differs("list(project.tasks.filter(view.filters))", names, wanted),
        *_further(case, draw, names, wanted),
    ]
    if order and not problems:
        problems = _disorder(case, names, order)
    view.delete()
    return "made", [code, *problems] if problems else []


def _disorder(case: Case, names: dict[str, Any], order: str) -> list[str]:
    """Are the tasks not in this order, ties in any?"""
    rows = {row["id"]: row for row in case.rows}
    got = [rows[task.id] for task in names["view"].tasks]

    def ranks(found: list[Row]) -> list[Any]:
        return [model.shown("tasks", row, order.lstrip("-")) for row in found]

    if ranks(got) == ranks(model.sort("tasks", got, (order,))):
        return []
    return [f"not in the order of {order!r}: {ranks(got)}"]


def _found(case: Case, draw: random.Random) -> tuple[str, list[str]]:
    """A view that was made without this library."""
    paired = has(case.clients[None], PAIRED_FILTERS)  # an older one would ignore a condition
    items = [_item(case, draw, child=paired) for _ in range(draw.choice([1, 1, 2, 3]))]
    filters = {"conjunction": draw.choice(["and", "or"]), "items": items}
    data: Row = {"title": "Found", "filters": filters}
    if draw.random() < 0.4:
        data["ordering"] = [
            draw.choice(["tasks:id", "-tasks:id", "-tasks:created_at", "tasks:data.s"])
        ]
    try:
        body = {"project": case.project, "data": data}
        id = case.plainly("POST", "/api/dm/views/", json=body)["id"]
        listing = {"view": id, "project": case.project, "page_size": 1000}
        rows = case.plainly("GET", "/api/tasks/", params=listing)["tasks"]
    except RuntimeError:
        return "unusable", []  # the server itself says 500 to it
    wanted = list(dict.fromkeys(row["id"] for row in rows))
    left = [row["id"] for row in case.rows if row["id"] not in wanted]
    names = {**case.names(Query()), "view": case.clients[None].views.get(id)}
    problems = [
        *_differs("list(view.tasks)", names, wanted, ordered=len(rows) == len(wanted)),
        # What only the server evaluates cannot be joined with everything; that is said then. And
        # PostgreSQL may meet a text that is no number here, which it did not look at in the view.
        *_differs("list(project.tasks.filter(view.filters))", names, wanted, refusable=True),
        *_differs("list(project.tasks.exclude(view.filters))", names, left, refusable=True),
        *_further(case, draw, names, wanted),
    ]
    names["view"].delete()
    return "found", [str(filters), str(data.get("ordering")), *problems] if problems else []


def _further(
    case: Case, draw: random.Random, names: dict[str, Any], wanted: list[int]
) -> list[str]:
    """A view filtered further, and counted."""
    condition, fit = _ids(case, draw)
    both = [id for id in wanted if id in fit]
    code = f"list(view.tasks.filter({_code(condition)}))"
    problems = _differs(code, names, both)
    count = names["view"].tasks.count()
    return problems + [f"view.tasks.count() is {count}"] * (count != len(wanted))


def _differs(
    code: str,
    names: dict[str, Any],
    wanted: list[int],
    *,
    ordered: bool = False,
    refusable: bool = False,
) -> list[str]:
    try:
        got = [task.id for task in eval(code, names)]
    except Exception as error:
        if refusable and (isinstance(error, FieldError) or NO_NUMBER in str(error)):
            return []
        return [f"{code} raised {error!r}; view.filters is {names['view'].filters!r}"]
    if (got if ordered else sorted(got)) == (wanted if ordered else sorted(wanted)):
        return []
    return [f"{code} is {got}, not {wanted}; view.filters is {names['view'].filters!r}"]


def _item(case: Case, draw: random.Random, child: bool = True) -> Row:
    column = draw.choice(list(COLUMNS))
    type_, operators = COLUMNS[column]
    operator = draw.choice(operators)
    item = {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": type_,
        "value": _value(case, draw, column, operator),
    }
    if child and draw.random() < 0.25:
        item["child_filter"] = _item(case, draw, child=False)
    return item


def _value(case: Case, draw: random.Random, column: str, operator: str) -> Any:
    def one() -> Any:
        row = draw.choice(case.rows)
        if column.startswith("data."):
            found = row["data"].get(column[len("data.") :])
            return str(found or "")[:4] if column != "data.m" else found or 0
        if column in ("annotators", "updated_by"):
            return draw.choice([1, 2, 3])
        if column.endswith("_results"):
            return draw.choice(["Car", "car", '"A"', "[]", "10", "ä"])
        if column == "annotations_ids":
            return str(draw.choice([1, 2, 40]))
        return row.get(column) if row.get(column) is not None else draw.choice([0, 1, "x"])

    if operator == "empty":
        return draw.choice([True, False])
    if operator in ("in", "not_in"):
        return {"min": one(), "max": one()}
    if operator in ("in_list", "not_in_list"):
        return [one(), one()]
    if column == "predictions_model_versions":
        return [draw.choice(["v1", "v2", "V1", "ä"])]
    return one()
