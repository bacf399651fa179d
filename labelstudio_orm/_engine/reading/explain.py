"""How a query would be read, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from ..conditions.query import Query
from ..conditions.tree import EVERYTHING, Node, describe, parts_of
from ..http.addresses import names_in
from ..http.page_sizes import FIRST_PAGE
from ..http.paths import at
from ..pages.keyset import TASKS, Keyset
from ..pages.select import Select
from ..pages.sources import Embedded
from ..plans.columns import Item
from ..plans.costs import by_id
from ..values.brief import WIDTH, brief, cut, joined
from ..values.ids import id_of
from .ambiguity import wants_summary
from .counted import is_counted
from .planner import keys_of_data, plan_without_request, plans_without_request, wants_config
from .reader import is_one_page, is_read_at_once, keys_of
from .weighing import asks_for_database, costs_of, size_of

if TYPE_CHECKING:
    from ..plans.plan import Plan


PARTS = 3
"""Conditions that are checked here, of which as many are shown, at most."""


def explain(query: Query) -> str:
    """Return how a query would be read, in lines. No request."""
    return "\n".join(f"{title + ':':<10}{text}" for title, text in _lines(query))


def _lines(query: Query) -> Iterator[tuple[str, str]]:
    yield "query", query.description + _order(query)
    if query.loaded is not None:
        yield "requests", "none: the objects are here already"
        return
    planned = plan_without_request(query.but(is_strict=False))
    if planned.nothing:
        yield "requests", "none: no object can match"
        return
    missing = _missing(query)
    if missing:
        yield "requests", f"refused: {query.options.name}s are listed by {missing}"
        return
    yield "server", _server(query, planned)
    if planned.here is not None:
        parts = parts_of(planned.here)
        width = WIDTH // min(len(parts), PARTS)
        for part in parts[:PARTS]:
            yield "here", f"{cut(describe(part), width)}   ({_why(query, planned, part)})"
        if len(parts) > PARTS:
            yield "here", f"... {len(parts) - PARTS:,} more conditions"
    yield from (("requests", text) for text in _requests(query, planned))
    if query.forward:
        yield "requests", f"the {' and '.join(sorted(query.forward))} of many of them at once"
    yield from (("costs", text) for text in _costs(query, planned))


def _costs(query: Query, planned: Plan) -> Iterator[str]:
    """Yield what the plan will cost the server by a guess, and what others would."""
    size, more = size_of(query, planned), 0.0
    if _is_sorted_first(query, planned):
        rows = min(planned.matching(size), query.stop or inf) - query.start
        more = by_id(max(0.0, rows), size, costs_of(query))
        query = keys_of(query)
        planned = plan_without_request(query)
    for place, one in enumerate(plans_without_request(query, planned)):
        unit = f" of the server's CPU for {size.tasks:,} tasks" if place == 0 else ""
        name = f": {one.name}" if planned.weighed else ""
        yield f"about {one.seconds + more:.2g} s{unit}{name}"


def _is_sorted_first(query: Query, planned: Plan) -> bool:
    """Return whether ids and keys are read of all matches, and then the rows by id."""
    if query.is_by_id or query.options.pages is not TASKS:
        return False
    return not is_read_at_once(query, planned) and not is_one_page(query, planned)


def _order(query: Query) -> str:
    keys = cut(joined(map(str, query.ordering), ", "), 200)
    sliced = f" [{query.start}:{query.stop or ''}]" if query.is_slice else ""
    return (f" by {keys}" if keys else "") + (" reversed" if query.from_end else "") + sliced


def _server(query: Query, planned: Plan) -> str:
    if query.options.pages.filters_tasks:
        return _or(planned.clauses)
    said = {**query.params, **planned.params}
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


def _why(query: Query, planned: Plan, part: Node) -> str:
    if query.is_of_view:
        return "the server drops a query beside a view"
    if planned.clauses == ((),) and not planned.params:
        return "the server cannot say it: every row is read"
    return "the server's answer is a superset, or says nothing of it"


def _missing(query: Query) -> str:
    """Return what a listing cannot do without and the query does not name."""
    options = query.options
    if isinstance(options.pages, Embedded):
        known = options.pages.scoped_by
        return "" if query.scope.keys() & set(known) else " or ".join(known)
    if options.pages is TASKS and query.is_of_view:
        return ""
    needed = dict.fromkeys((*options.pages.scoped_by, *names_in(options.collection)))
    missing = [name for name in needed if _looked_up(query.scope, name) is None]
    return " and ".join(missing)


def _looked_up(scope: Mapping[str, Any], name: str) -> Any:
    """Return what fills an address: ``version.prompt`` is the prompt of the version."""
    first, *further = name.split(".")
    value = scope.get(first)
    for relation in further:
        value = getattr(value, f"{relation}_id", None)
    return value


def _requests(query: Query, planned: Plan) -> Iterator[str]:
    options = query.options
    if planned.weighed and asks_for_database(query):
        yield "GET /api/tasks/: one task, to learn which database the server has"
    if is_counted(query):
        path = at("/api/projects/{}/", id_of(query.scope["project"]))
        yield f"count() and exists() are one request: GET {path} for its counters"
    if isinstance(options.pages, Embedded):
        yield from _of_tasks(query, planned, options.pages.key)
        return
    path = Select.of(query, planned).path if options.collection else options.item
    if not isinstance(options.pages, Keyset):
        yield f"GET {path}: all rows, sorted here" if query.ordering else f"GET {path}"
        return
    if wants_config(query):
        address = at("/api/projects/{}/", id_of(query.scope["project"]))
        yield f"GET {address}: the labelling config, for a closer filter on data"
    if not query.may_be_new and wants_summary(query, keys_of_data(query)):
        address = at("/api/projects/{}/summary/", id_of(query.scope["project"]))
        yield f"GET {address}: which keys of data there are, to warn of unknown ones"
    if query.is_of_view:
        yield "GET /api/tasks/?view=: the ids of the view, 1,000 a request"
        yield "GET /api/tasks/: the rows by id, 300 a request"
    elif query.is_by_id:
        order = " from the highest" if query.is_descending else ""
        rows = query.stop - query.start if query.stop is not None and planned.here is None else 0
        if 0 < rows <= FIRST_PAGE:
            yield f"GET /api/tasks/: one page of {rows} by id{order}"
        else:
            yield f"GET /api/tasks/: pages by id{order}, 100 tasks and then up to 1,000 a request"
    elif is_one_page(query, planned):
        yield "GET /api/tasks/: one page in the server's order"
        further = f" by {joined(map(str, query.ordering[1:]), ', ')}" if query.ordering[1:] else ""
        yield f"GET /api/tasks/: another page{further}, where tasks tie at its end"
    elif is_read_at_once(query, planned):
        yield "GET /api/tasks/: pages by id of all matches, sorted here"
    else:
        yield "GET /api/tasks/: ids and keys of all matches, by id, to be sorted here"
        yield "GET /api/tasks/: the rows by id, 300 a request"
    if planned.stages is not None and query.is_by_id:
        first = cut(describe(planned.stages.first), 60)
        yield f"then by id, where {first} holds for few rows of the first page"
    needed = Select.of(query, planned)
    if needed.relations:
        yield f"with {' and '.join(sorted(needed.relations))} in the same requests"
    elif needed.wanted:
        yield f"which compute {', '.join(sorted(needed.wanted))}"
    if planned.counts:
        yield "count() is one request"
    if query.where == EVERYTHING and not query.all_confirmed and not query.is_slice:
        yield "delete(), update() and perform() are refused without all()"


def _of_tasks(query: Query, planned: Plan, key: str) -> Iterator[str]:
    """Yield how rows inside of tasks are read."""
    sorted_ = ", sorted here" if query.ordering else ""
    if "task" not in query.scope:
        yield f"GET /api/tasks/: pages by id of {_or(planned.clauses)}, with their {key}{sorted_}"
    elif planned.params.get("was_cancelled") is False:
        yield f"GET {Select.of(query, planned).path}{sorted_}"
    else:
        yield f"GET {at('/api/tasks/{}/', id_of(query.scope['task']))}: its {key}{sorted_}"
