"""Telling how a queryset would be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..conditions.tree import EVERYTHING, Node, describe, parts_of
from ..fields.options import options_of
from ..http.addresses import names_in
from ..http.paths import at
from ..pages.keyset import TASKS, Keyset
from ..pages.sources import Embedded
from ..plans.columns import Item
from ..values.brief import WIDTH, brief, cut, joined
from ..values.ids import id_of
from .planner import wants_config
from .reader import is_one_page

if TYPE_CHECKING:
    from ..models.queryset import QuerySet
    from ..plans.plan import Plan


PARTS = 3
"""Conditions that are checked here, of which as many are shown, at most."""


def explain(queryset: QuerySet[Any]) -> str:
    """See ``QuerySet.explain``."""
    return "\n".join(f"{title + ':':<10}{text}" for title, text in _lines(queryset))


def _lines(queryset: QuerySet[Any]) -> Iterator[tuple[str, str]]:
    yield "query", queryset._what + _order(queryset)
    if queryset.here is not None:
        yield "requests", "none: the objects are here already"
        return
    planned = queryset._with(is_strict=False)._planned()
    if planned.nothing:
        yield "requests", "none: no object can fit"
        return
    missing = _missing(queryset)
    if missing:
        yield "requests", f"refused: {options_of(queryset.model).name}s are listed by {missing}"
        return
    yield "server", _server(queryset, planned)
    if planned.here is not None:
        parts = parts_of(planned.here)
        width = WIDTH // min(len(parts), PARTS)
        for part in parts[:PARTS]:
            yield "here", f"{cut(describe(part), width)}   ({_why(queryset, planned, part)})"
        if len(parts) > PARTS:
            yield "here", f"... {len(parts) - PARTS:,} more conditions"
    yield from (("requests", text) for text in _requests(queryset, planned))


def _order(queryset: QuerySet[Any]) -> str:
    keys = cut(joined(map(str, queryset.ordering), ", "), 200)
    sliced = f" [{queryset.start}:{queryset.stop or ''}]" if queryset._is_slice else ""
    return (f" by {keys}" if keys else "") + (" reversed" if queryset.turned else "") + sliced


def _server(queryset: QuerySet[Any], planned: Plan) -> str:
    if options_of(queryset.model).pages.filters_tasks:
        return _or(planned.clauses)
    said = {**queryset.params, **planned.params}
    texts = (f"{name}={cut(str(value), 60)}" for name, value in said.items())
    return joined(texts, " and ") or "everything"


def _or(clauses: tuple[tuple[Item, ...], ...]) -> str:
    texts = [cut(joined(map(_item, clause), " and ")) for clause in clauses]
    if len(texts) == 1:
        return texts[0] or "everything"
    return cut(joined((f"({text})" for text in texts), " or "))


def _item(item: Item) -> str:
    column = cut(item["filter"].removeprefix("filter:tasks:"), 100)
    return f"{column} {item['operator']} {brief(item['value'], 60)}"


def _why(queryset: QuerySet[Any], planned: Plan, part: Node) -> str:
    if "view" in queryset.scope:
        return "the server drops a query beside a view"
    if planned.clauses == ((),) and not planned.params:
        return "the server cannot say it: every row is read"
    return "the server's answer is a superset, or says nothing of it"


def _missing(queryset: QuerySet[Any]) -> str:
    """What a listing cannot do without and was not said."""
    options = options_of(queryset.model)
    if isinstance(options.pages, Embedded):
        known = options.pages.scoped_by
        return "" if queryset.scope.keys() & set(known) else " or ".join(known)
    if options.pages is TASKS and "view" in queryset.scope:
        return ""
    needed = dict.fromkeys((*options.pages.scoped_by, *names_in(options.collection)))
    missing = [name for name in needed if _looked_up(queryset.scope, name) is None]
    return " and ".join(missing)


def _looked_up(scope: Mapping[str, Any], name: str) -> Any:
    """What an address is filled in with: ``version.prompt`` is the prompt of the version."""
    first, *further = name.split(".")
    value = scope.get(first)
    for relation in further:
        value = getattr(value, f"{relation}_id", None)
    return value


def _requests(queryset: QuerySet[Any], planned: Plan) -> Iterator[str]:
    options = options_of(queryset.model)
    if isinstance(options.pages, Embedded):
        yield from _of_tasks(queryset, planned, options.pages.key)
        return
    path = queryset._select(planned).path if options.collection else options.item
    if not isinstance(options.pages, Keyset):
        yield f"GET {path}: all rows, sorted here" if queryset.ordering else f"GET {path}"
        return
    if wants_config(queryset):
        address = at("/api/projects/{}/", id_of(queryset.scope["project"]))
        yield f"GET {address}: the labelling config, for a closer filter on data"
    if "view" in queryset.scope:
        yield "GET /api/tasks/?view=: the ids of the view, 1,000 a request"
        yield "GET /api/tasks/: the rows by id, 300 a request"
    elif queryset._in_id_order:
        falling = " from the highest" if queryset._falling_ids else ""
        yield f"GET /api/tasks/: pages by id{falling}, 100 tasks and then up to 1,000 a request"
    elif is_one_page(queryset, planned):
        yield "GET /api/tasks/: one page in the server's order"
        more = "another page" if len(queryset.ordering) == 1 else "ids and keys of all that fit"
        yield f"GET /api/tasks/: {more}, where tasks tie at its end"
    else:
        yield "GET /api/tasks/: ids and keys of all that fit, by id, to be sorted here"
        yield "GET /api/tasks/: the rows by id, 300 a request"
    needed = queryset._select(planned)
    if needed.relations:
        yield f"with {' and '.join(sorted(needed.relations))} in the same requests"
    elif needed.wanted:
        yield f"which compute {', '.join(sorted(needed.wanted))}"
    if planned.counts:
        yield "count() is one request"
    if queryset.where == EVERYTHING and not queryset.said_all and not queryset._is_slice:
        yield "delete(), update() and perform() are refused without all()"


def _of_tasks(queryset: QuerySet[Any], planned: Plan, key: str) -> Iterator[str]:
    """How rows are read that stand inside of tasks."""
    sorted_ = ", sorted here" if queryset.ordering else ""
    if "task" not in queryset.scope:
        yield f"GET /api/tasks/: pages by id of {_or(planned.clauses)}, with their {key}{sorted_}"
    elif planned.params.get("was_cancelled") is False:
        yield f"GET {queryset._select(planned).path}{sorted_}"
    else:
        yield f"GET {at('/api/tasks/{}/', id_of(queryset.scope['task']))}: its {key}{sorted_}"
