"""Every listing of every resource behind a server or a proxy that does not do as it was told: it
gives what there is, or it raises, within the pages that its count allows.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter

from labelstudio_orm import LabelStudio, LabelStudioError, Q
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.queryset import QuerySet
from labelstudio_orm._engine.pages.keyset import Keyset
from labelstudio_orm._engine.pages.sources import Embedded, Numbered, Plain
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm._engine.values.registry import registry

ROWS, PARENT, OTHER = 250, 7, 8
Params = dict[str, Any]
Lie = Callable[[Params], Params] | Callable[[list[Any]], Any]


class Server(BaseAdapter):
    """A server with ``ROWS`` rows of one resource, and what lies before it."""

    def __init__(self) -> None:
        super().__init__()
        self.queryset: QuerySet[Any] | None = None
        self.asked = 0
        self.of_request: Callable[[Params], Params] = dict
        self.of_rows: Callable[[list[Any]], Any] = list
        self.of_count: Callable[[int], Any] = int

    def client(self) -> LabelStudio:
        session = requests.Session()
        session.mount("http://", self)
        return LabelStudio("http://lying", "0" * 40, session=session, retries=0, page_size=100)

    def close(self) -> None: ...

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = urlsplit(request.url or "")
        answer = requests.Response()
        answer.status_code, found = self.answer(url.path, parse_qs(url.query))
        answer.headers["Content-Type"] = "application/json"
        answer.raw = io.BytesIO(json.dumps(found).encode())
        answer.url, answer.request = request.url or "", request
        return answer

    def answer(self, path: str, params: Params) -> tuple[int, Any]:
        if path == "/api/version":
            return 200, {"release": "2.30.0", "edition": "Enterprise"}
        self.asked += 1
        assert self.asked <= 60, "there is no end"
        assert self.queryset is not None
        pages = options_of(self.queryset.model).pages
        params = self.of_request({name: values[0] for name, values in params.items()})
        if isinstance(pages, (Keyset, Embedded)) and path == "/api/tasks/":
            return self.tasks(params)
        rows = [self.row(n) for n in range(1, ROWS + 1)]
        if isinstance(pages, Embedded):
            return 200, {"id": PARENT, "project": PARENT, pages.key: self.of_rows(rows)}
        if isinstance(pages, Plain):
            return 200, self.of_rows(rows)
        if not params.get("ordering", "-").startswith("-"):
            rows.sort(key=lambda row: row["id"])
        else:
            rows.reverse()
        size, number = int(params["page_size"]), int(params.get("page", 1))
        here = rows[size * (number - 1) : size * number]
        if not here:
            return 404, {"detail": "Invalid page."}
        further = size * number < ROWS or None
        return 200, {"count": self.of_count(ROWS), "next": further, "results": self.of_rows(here)}

    def tasks(self, params: Params) -> tuple[int, Any]:
        query = json.loads(params.get("query") or "{}")
        ids = asked_for(query)
        if query.get("ordering") == ["-tasks:id"]:
            ids.reverse()
        size, number = int(params["page_size"]), int(params.get("page", 1))
        here = ids[size * (number - 1) : size * number]
        if ids and not here:
            return 404, {"detail": "Invalid page."}
        rows: list[Any] = [self.row(n) for n in here]
        assert self.queryset is not None
        inside = getattr(options_of(self.queryset.model).pages, "key", None)
        if inside:
            rows = [
                {"id": n, "project": PARENT, inside: [{**self.row(n), "task": n}]} for n in here
            ]
        return 200, {"tasks": self.of_rows(rows), "total": self.of_count(len(ids))}

    def row(self, number: int) -> dict[str, Any]:
        assert self.queryset is not None
        options = options_of(self.queryset.model)
        row: dict[str, Any] = {"id": number, "type": "s3", "total_annotations": 0}
        key = options.fields[options.key]
        row[key.wire] = f"k{number:04}" if key.annotation is str else number
        for name in query_of(self.queryset).scope:
            relation = options.relations.get(name)
            if relation is not None:
                row[options.fields[relation.id_name].wire] = PARENT
        return row


def items(query: Params) -> list[Any]:
    every = query.get("filters", {}).get("items", ())
    return [one for one in every if one["filter"].endswith(":id")]


def asked_for(query: Params) -> list[int]:
    return [n for n in range(1, ROWS + 1) if all(fits(n, one) for one in items(query))]


def fits(id: int, item: Params) -> bool:
    value = item["value"]
    operators: dict[str, Callable[[], bool]] = {
        "greater": lambda: id > value,
        "less": lambda: id < value,
        "greater_or_equal": lambda: id >= value,
        "less_or_equal": lambda: id <= value,
        "in_list": lambda: id in value,
        "in": lambda: value["min"] <= id <= value["max"],
    }
    return operators[item["operator"]]()


def can_be_listed(queryset: QuerySet[Any]) -> bool:
    options, scope = options_of(queryset.model), set(query_of(queryset).scope)
    needed = set(getattr(options.pages, "scoped_by", ()))
    enough = needed & scope if isinstance(options.pages, Embedded) else needed <= scope
    return bool(options.collection and options.key and (enough or not needed))


def listings(ls: LabelStudio) -> Iterator[tuple[str, QuerySet[Any]]]:
    """Every listing that there is: of all, and of each object that has some."""
    for name, model in registry.items():
        options = options_of(model)
        if not options.collection or not options.key:
            continue
        if "{" not in options.collection and not getattr(options.pages, "scoped_by", ()):
            yield name, ls.all_of(model).all()
        if "{id}" in options.item and "{" not in options.collection:
            parent = ls.all_of(model).ref(
                "7" if options.fields[options.key].annotation is str else 7
            )
            for relation in options.sets:
                found = getattr(parent, relation).all()
                if can_be_listed(found):
                    yield f"{name}.{relation}", found


NAMES = dict.fromkeys(name for name, _ in listings(Server().client()))


def without(name: str) -> Callable[[Params], Params]:
    return lambda params: {key: value for key, value in params.items() if key != name}


def always(value: Any) -> Callable[[Any], Any]:
    return lambda given: value


def with_(name: str, value: Any) -> Callable[[list[Any]], Any]:
    return lambda rows: [{**row, name: value} for row in rows]


def other_scope(rows: list[Any]) -> list[Any]:
    swap = {"project", "task", "organization", "parent_model", "storage", "prompt", "workspace"}
    return [
        {key: OTHER if key in swap and n % 2 else value for key, value in row.items()}
        for n, row in enumerate(rows)
    ]


def other_rows(rows: list[Any]) -> list[Any]:
    """Doubles that say something else."""
    return [*rows, *({**row, "title": "another", "data": {}} for row in rows)]


counter = itertools.count(1000)

ODD_COUNTS: tuple[Any, ...] = (None, "250", -1, 2.5, True, [], {}, 0)
ODD_IDS: tuple[Any, ...] = (None, "1", 1.5, True, [], {}, 10**30, "../1")
LIES: dict[str, dict[str, Callable[[Any], Any]]] = {
    "nothing": {},
    "page": {"of_request": without("page")},
    "order": {"of_request": without("ordering")},
    "query": {"of_request": without("query")},
    "all parameters": {"of_request": lambda params: {"page_size": 100}},
    "size": {"of_request": lambda params: {**params, "page_size": 40}},
    "ends early": {"of_rows": lambda rows: rows[: len(rows) // 2]},
    "nothing there": {"of_rows": lambda rows: []},
    "doubled": {"of_rows": lambda rows: [one for row in rows for one in (row, row)]},
    "doubled otherwise": {"of_rows": other_rows},
    "shuffled": {"of_rows": lambda rows: rows[::2] + rows[1::2]},
    "reversed": {"of_rows": lambda rows: rows[::-1]},
    "same row": {"of_rows": lambda rows: rows[:1] * len(rows)},
    "always new": {"of_rows": lambda rows: [{**row, "id": next(counter)} for row in rows]},
    "other scope": {"of_rows": other_scope},
    "no list": {"of_rows": lambda rows: {"rows": rows}},
    "null": {"of_rows": lambda rows: None},
    "texts": {"of_rows": lambda rows: ["a"] * len(rows)},
    "lists": {"of_rows": lambda rows: [[row] for row in rows]},
    "null among them": {"of_rows": lambda rows: [*rows, None]},
    "count too small": {"of_count": lambda count: count // 2},
    "count too large": {"of_count": lambda count: count + 1000},
    "count is huge": {"of_count": lambda count: 10**30},
    "count never falls": {"of_count": lambda count: ROWS},
    **{f"count {value!r}": {"of_count": always(value)} for value in ODD_COUNTS},
    **{f"id {value!r}": {"of_rows": with_("id", value)} for value in ODD_IDS},
}


def ids(queryset: QuerySet[Any]) -> list[Any]:
    return [obj._key for obj in queryset]


def ways(queryset: QuerySet[Any]) -> dict[str, Callable[[], list[Any]]]:
    found = {
        "all": lambda: ids(queryset),
        "stream": lambda: [obj._key for obj in queryset.iterator()],
        "backwards": lambda: ids(queryset.reverse())[::-1],
        "workers": lambda: [obj._key for obj in queryset.iterator(workers=3)],
    }
    if not isinstance(options_of(queryset.model).pages, (Keyset, Numbered)):
        del found["workers"]
    return found


def is_one_list(queryset: QuerySet[Any]) -> bool:
    is_of_task = (
        isinstance(options_of(queryset.model).pages, Embedded)
        and "task" in query_of(queryset).scope
    )
    return is_of_task or isinstance(options_of(queryset.model).pages, Plain)


QUICK = ("User", "Project.annotations", "Project.webhooks", "Task.predictions", "View")
"""One listing of each way to read one."""


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in NAMES]
)
def test_a_lying_listing_gives_every_row_or_raises(name: str) -> None:
    for lie in LIES:
        gives_what_there_is_or_raises(name, lie)


def gives_what_there_is_or_raises(name: str, lie: str) -> None:
    server = Server()
    queryset = dict(listings(server.client()))[name]
    server.queryset = queryset
    expected = sorted(
        server.row(n)[options_of(queryset.model).key_wire] for n in range(1, ROWS + 1)
    )
    for attribute, change in LIES[lie].items():
        setattr(server, attribute, change)
    for way, read in ways(queryset).items():
        server.asked = 0
        try:
            found = read()
        except LabelStudioError as error:
            refused = str(error)
            found = None
        if found is None:
            assert lie != "nothing", refused
            assert len(refused) < 2000
            assert server.asked <= 30, (lie, way)
        elif is_one_list(queryset) and lie in SMALLER:
            assert found == found[:ROWS]  # a bare list says nothing of its length
        elif lie == "always new":
            assert len(found) == len(set(found)) == ROWS
        else:
            assert found == expected, (lie, way, len(found))


SMALLER = {"ends early", "nothing there", "same row", "always new"} | {
    one for one in LIES if one.startswith("id ")
}


@pytest.mark.parametrize("name", [name for name in NAMES if "project" in name.lower() + "x"])
def test_the_first_one_is_the_first(name: str) -> None:
    for lie in ("nothing", "order", "reversed", "shuffled"):
        server = Server()
        server.queryset = queryset = dict(listings(server.client()))[name]
        first = server.row(1)[options_of(queryset.model).key_wire]
        for attribute, change in LIES[lie].items():
            setattr(server, attribute, change)
        found = None
        with nullcontext() if lie == "nothing" else suppress(LabelStudioError):
            found = queryset.first()
        assert found is None or found._key == first, lie


def test_a_dropped_query_gives_no_other_tasks() -> None:
    server = Server()
    server.queryset = tasks = server.client().projects.ref(PARENT).tasks.all()
    with pytest.raises(LabelStudioError, match="do not match"):
        list(tasks.filter(total_annotations=3))
    server.of_request = without("query")
    with pytest.raises(LabelStudioError, match="was not asked for"):
        list(tasks.filter(id__in=[249, 250]))
    with pytest.raises(LabelStudioError):
        list(tasks.filter(Q(id__gt=200)))


def test_what_another_client_deletes_or_adds_is_no_lie() -> None:
    """Rows come and go between two pages."""
    server = Server()
    server.queryset = tasks = server.client().projects.ref(PARENT).tasks.all()
    gone: set[int] = set()
    server.of_rows = lambda rows: [row for row in rows if row["id"] not in gone]
    truth = server.tasks

    def tasks_now(params: Params) -> tuple[int, Any]:
        status, answer = truth(params)
        query = json.loads(params.get("query") or "{}")
        there = [
            n for n in range(1, ROWS + 1) if n not in gone and all(fits(n, i) for i in items(query))
        ]
        answer["total"] = len(there)
        return status, answer

    server.tasks = tasks_now  # type: ignore[method-assign]
    found = []
    for task in tasks.iterator():
        found.append(task.id)
        if task.id == 30:
            gone |= {*range(5, 20), *range(150, 160)}
    assert found == [n for n in range(1, ROWS + 1) if n not in range(150, 160)]


@pytest.mark.parametrize("lie", ["page", "all parameters"])
def test_counters_of_projects(lie: str) -> None:
    server = Server()
    server.queryset = server.client().projects.all()
    setattr(server, "of_request", LIES[lie]["of_request"])  # noqa: B010
    with pytest.raises(LabelStudioError, match="page 2"):
        server.client().projects.counts()


def test_a_view_that_gives_one_task_again_and_again() -> None:
    server = Server()
    asked = []

    def again(path: str, params: Params) -> tuple[int, Any]:
        asked.append(path)
        row = {"id": 1, "project": PARENT, "data": {}}
        return 200, {"total": 10**30, "tasks": [row], "project": PARENT}

    server.answer = again  # type: ignore[method-assign]
    with pytest.raises(LabelStudioError, match="earlier pages"):
        list(server.client().tasks.filter(project=PARENT, view=3))
    assert len(asked) < 20


def test_counters_of_projects_without_an_end() -> None:
    server = Server()

    def endless(path: str, params: Params) -> tuple[int, Any]:
        page = int(params["page"][0])
        return 200, {"count": 3, "next": "x", "results": [{"id": page, "task_number": 0}]}

    server.answer = endless  # type: ignore[method-assign]
    with pytest.raises(LabelStudioError, match="more than the 3"):
        server.client().projects.counts()


@pytest.mark.parametrize("said", [8, "7", 7.0, True, None, {"id": 8}])
def test_an_answer_about_another_object(said: Any) -> None:
    server = Server()
    server.answer = lambda path, params: (200, {"id": said, "title": "x"})  # type: ignore[method-assign]
    with pytest.raises(LabelStudioError):
        server.client().projects.get(7)
