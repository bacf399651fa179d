"""Queries to try, drawn from a seed: each knows its Python code and, from `model`, its answer.

Values are mostly taken from the rows, so that conditions are true of something, and sometimes
narrowly miss them.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from . import fitting, model
from .model import (
    JSON,
    KEY,
    LOOKUPS,
    MANY,
    MOMENT,
    Both,
    Condition,
    Handle,
    Made,
    Opposite,
    Row,
    Test,
)

NOUNS = {
    "updated_by": "users", "completed_by": "users", "last_created_by": "users",
    "project": "projects", "task": "tasks", "parent_annotation": "annotations",
    "parent_prediction": "predictions",
}  # fmt: skip

PAGE_SIZES = (None, 3, 7, 20)
TEXT_LOOKUPS = [name for name in LOOKUPS if name.endswith(("contains", "with"))]
PATTERNS = ["", ".", "^", "x|ä", "[a-z]+$", "(?i)X", r"\d", r"^\s", "(?s)^.$", r"\\", "%|_"]

KNOWN = [
    "annotations__completed_by", "annotations__id", "annotations__result__label", "data__s",
    "predictions__model_version", "predictions__score", "annotations__was_cancelled", "data__m",
    "predictions__id",
]  # fmt: skip
"""What the server can filter, beside the fields of a task."""


@dataclass(frozen=True)
class Query:
    """One question to a project.

    ``steps`` are ("filter" | "exclude", condition); ``order`` the keys of ``order_by``, None when
    it is not called; ``cuts`` slices one after the other; ``verb`` and ``names`` what is asked at
    the end.
    """

    kind: str = "tasks"
    steps: tuple[tuple[str, Condition], ...] = ()
    order: tuple[str, ...] | None = None
    reverse: bool = False
    cuts: tuple[tuple[int | None, int | None], ...] = ()
    verb: str = "list"
    names: tuple[Any, ...] = ()
    page_size: int | None = None

    @property
    def queryset(self) -> str:
        """The Python code of the queryset."""
        code = f"project.{self.kind}"
        for step, condition in self.steps:
            code += f".{step}({_arguments(condition)})"
        if self.order is not None:
            code += f".order_by({', '.join(map(_named, self.order))})"
        if self.reverse:
            code += ".reverse()"
        for start, stop in self.cuts:
            code += f"[{'' if start is None else start}:{'' if stop is None else stop}]"
        return code

    def __str__(self) -> str:
        return VERBS[self.verb].format(
            queryset=self.queryset,
            names=", ".join(map(_named, self.names)),
            name=self.names[0] if self.names else None,
        )

    def rows(self, project: list[Row]) -> list[Row]:
        """The rows that fit, in order, sliced."""
        kind = self.kind
        found = project
        if kind != "tasks":
            found = [one for row in project for one in row[kind]]
        for step, condition in self.steps:
            wanted = step == "filter"
            found = [row for row in found if model.holds(kind, row, condition) is wanted]
        keys = self.order or ()
        if self.reverse:
            keys = tuple(key[1:] if key.startswith("-") else f"-{key}" for key in keys or ("id",))
        if keys or kind != "annotations":  # which come by their tasks
            found = model.sort(kind, found, keys)
        for start, stop in self.cuts:
            found = found[start:stop]
        return found

    @property
    def is_refused(self) -> bool:
        """Does it ask for what could never be?"""
        return any(
            fitting.is_refused(self.kind, test)
            for _, condition in self.steps
            for test in model.tests(condition)
        )

    def answer(self, project: list[Row]) -> Any:
        """What the code must give."""
        if self.is_refused:
            return "FieldError"
        found = self.rows(project)
        ids = [row["id"] for row in found]
        if self.verb in LISTS:
            return ids
        if self.verb in ("count", "len"):
            return len(ids)
        if self.verb in ("exists", "bool"):
            return bool(ids)
        if self.verb == "first":
            return ids[0] if ids else None
        if self.verb == "last":
            return ids[-1] if ids else None
        if self.verb == "index":
            return ids[self.names[0]] if self.names[0] < len(ids) else IndexError
        if self.verb == "get":
            return (
                ids[0]
                if len(ids) == 1
                else "DoesNotExist"
                if not ids
                else "MultipleObjectsReturned"
            )
        shown = [tuple(model.shown(self.kind, row, name) for name in self.names) for row in found]
        return [one[0] for one in shown] if self.verb == "flat" else shown


VERBS = {
    "ids": "list({queryset}.values_list('id', flat=True))",
    "list": "[one.id for one in {queryset}]",
    "iterator": "[one.id for one in {queryset}.iterator()]",
    "only": "[one.id for one in {queryset}.only({names})]",
    "workers": "[one.id for one in {queryset}.iterator(workers=3)]",
    "pages": "[one.id for page in {queryset}.pages() for one in page]",
    "partitions": "[one.id for part in {queryset}.partitions(3) for one in part]",
    "count": "{queryset}.count()",
    "len": "len({queryset})",
    "exists": "{queryset}.exists()",
    "bool": "bool({queryset})",
    "first": "getattr({queryset}.first(), 'id', None)",
    "last": "getattr({queryset}.last(), 'id', None)",
    "index": "{queryset}[{name}].id",
    "get": "{queryset}.get().id",
    "values": "list({queryset}.values_list({names}))",
    "flat": "list({queryset}.values_list({names}, flat=True))",
}

LISTS = ("ids", "list", "iterator", "only", "workers", "pages", "partitions")
OFTEN = {"ids": 20, "list": 10, "count": 12, "exists": 6, "first": 6, "last": 6, "index": 5,
         "values": 7, "flat": 4, "iterator": 3}  # fmt: skip


# -- as code ---------------------------------------------------------------------------------------


def _arguments(condition: Condition) -> str:
    """What stands in the parentheses of ``filter``: keywords where that is possible."""
    parts = (
        condition.parts if isinstance(condition, Both) and condition.joint == "&" else (condition,)
    )
    given = [part for part in parts if isinstance(part, Test)]
    if len(given) == len(parts) == 1 and model.is_literal(given[0].key):
        return _expression(given[0])
    keys = [test.key for test in given]
    if len(given) == len(parts) and len(set(keys)) == len(keys):
        return _keywords(given)
    return _code(condition)


def _keywords(given: list[Test]) -> str:
    if all(test.key.isidentifier() for test in given):
        return ", ".join(f"{test.key}={_value(test.value)}" for test in given)
    return "**{" + ", ".join(f"{test.key!r}: {_value(test.value)}" for test in given) + "}"


def _code(condition: Condition) -> str:
    if isinstance(condition, Test):
        literal = model.is_literal(condition.key)
        return f"({_expression(condition)})" if literal else f"Q({_keywords([condition])})"
    if isinstance(condition, Opposite):
        return f"~{_code(condition.part)}"
    return "(" + f" {condition.joint} ".join(map(_code, condition.parts)) + ")"


SIGNS = {"exact": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _expression(test: Test) -> str:
    place, _, lookup = test.key.rpartition("]")
    lookup = lookup.removeprefix("__") or "exact"
    if lookup in SIGNS:
        return f"{place}] {SIGNS[lookup]} {_value(test.value)}"
    value = ", ".join(map(_value, test.value)) if lookup == "range" else _value(test.value)
    return f"{place}].{'isin' if lookup == 'in' else lookup}({value})"


def _named(name: Any) -> str:
    """A field as an argument: an expression as that, others as texts."""
    text = str(name)
    return text if model.is_literal(text.removeprefix("-")) else repr(name)


def _value(value: Any) -> str:
    if isinstance(value, Handle):
        return f"ls.{value.noun}.ref({value.id})"
    if isinstance(value, Made):
        return value.code
    if isinstance(value, datetime):
        return f"datetime.fromisoformat({value.isoformat()!r})"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)


# -- drawing ---------------------------------------------------------------------------------------


class Drawer:
    """Draws queries for one project, ``query(number)`` always the same for the same seed."""

    def __init__(self, rows: list[Row], seed: int, *, project: int, scored: bool) -> None:
        self.rows = {
            "tasks": rows,
            **{
                kind: [one for row in rows for one in row[kind]]
                for kind in model.RELATIONS["tasks"]
            },
        }
        self.seed, self.project = seed, project
        self.all_keys = sorted({key for row in rows for key in row["data"]})
        self.keys = [key for key in self.all_keys if "__" not in key]
        self.fields = {
            kind: [name for name, how in fields.items() if how != JSON and self._known(kind, name)]
            for kind, fields in model.FIELDS.items()
        }
        if not scored:  # the lookup raises where the project has no model version
            self.fields["tasks"].remove("predictions_score")

    def _known(self, kind: str, name: str) -> bool:
        return any(name in row for row in self.rows[kind])

    def query(self, number: int) -> Query:
        """The query of this number."""
        draw = random.Random(f"{self.seed} {number}")
        kind = draw.choices(["tasks", "annotations", "predictions"], [8, 1, 1])[0]
        # Some fields several times, since conditions on the same one, or on those of which the
        # server knows most, are what goes wrong.
        theme = [self._key(draw, kind) for _ in range(2)]
        if kind == "tasks" and draw.random() < 0.4:
            theme = draw.sample([*self.fields[kind], *KNOWN], 3)
        if kind == "tasks" and draw.random() < 0.15:  # about one related object
            relation = draw.choice(model.RELATIONS[kind])
            theme = [f"{relation}__{self._key(draw, relation)}" for _ in range(3)]
            theme.append(f"{relation}__result__{draw.choice(['c', 'stars', 'label', 'score'])}")
        steps = tuple(
            (draw.choices(["filter", "exclude"], [3, 1])[0], self.condition(draw, kind, theme))
            for _ in range(draw.choices([0, 1, 2], [1, 8, 2])[0])
        )
        query = Query(
            kind,
            steps,
            order=self._order(draw, kind),
            reverse=draw.random() < 0.1,
            cuts=self._cuts(draw),
            verb=draw.choices(list(VERBS), [OFTEN.get(verb, 2) for verb in VERBS])[0],
            page_size=draw.choices(PAGE_SIZES, [12, 1, 1, 1])[0],
        )
        names: tuple[Any, ...] = ()
        if query.verb in ("values", "only"):
            names = tuple(self._shown(draw, kind) for _ in range(draw.randint(1, 3)))
        elif query.verb == "flat":
            names = (self._shown(draw, kind),)
        elif query.verb == "index":
            names = (draw.choice([0, 0, 1, 2, 5, 20]),)
        if query.verb == "only":
            names = tuple(re.split(r"__|\[", name)[0] for name in names)
        query = dataclasses.replace(query, names=names)
        if query.verb in ("get", "partitions"):  # refused of a slice
            query = dataclasses.replace(query, cuts=())
        if query.verb == "partitions":  # parts are by id
            query = dataclasses.replace(query, order=("id",) if kind == "annotations" else None)
        return query

    def _order(self, draw: random.Random, kind: str) -> tuple[str, ...] | None:
        if draw.random() < 0.65:
            return None
        return tuple(
            draw.choice(["", "", "-"]) + self._orderable(draw, kind)
            for _ in range(draw.choices([0, 1, 2, 3], [1, 8, 5, 2])[0])
        )

    def _orderable(self, draw: random.Random, kind: str) -> str:
        if kind == "tasks" and draw.random() < 0.35:
            return self._data_path(draw)
        if draw.random() < 0.2:
            return "id"
        plain = [name for name in self.fields[kind] if model.FIELDS[kind][name] != MANY]
        return draw.choice(plain)

    def _shown(self, draw: random.Random, kind: str) -> str:
        if kind == "tasks" and draw.random() < 0.35:
            return draw.choice(["data", "meta", self._data_path(draw)])
        name = draw.choice(self.fields[kind])
        return f"{name}_id" if model.FIELDS[kind][name] == KEY else name

    def _cuts(self, draw: random.Random) -> tuple[tuple[int | None, int | None], ...]:
        if draw.random() < 0.75:
            return ()
        ends = [None, None, 0, 1, 2, 3, 5, 10, 40, 100]
        return tuple(
            (draw.choice(ends[:-1]), draw.choice(ends))
            for _ in range(draw.choices([1, 2], [4, 1])[0])
        )

    def condition(
        self, draw: random.Random, kind: str, theme: Sequence[str] = (), depth: int = 4
    ) -> Condition:
        """A tree of conditions of at most this depth."""
        if depth <= 1 or draw.random() < 0.45:
            return self.test(draw, kind, theme)
        if draw.random() < 0.2:
            return Opposite(self.condition(draw, kind, theme, depth - 1))
        joint: Any = draw.choice("&||")
        parts = [
            self.condition(draw, kind, theme, depth - 1)
            for _ in range(draw.choices([2, 3, 4], [6, 2, 1])[0])
        ]
        return Both(joint, tuple(parts))

    # -- one comparison

    def test(self, draw: random.Random, kind: str, theme: Sequence[str] = ()) -> Test:
        """A field, a lookup and a value for them."""
        again = theme and draw.random() < (0.9 if len(theme) > 2 else 0.4)
        return self.test_of(draw, kind, draw.choice(theme) if again else self._key(draw, kind))

    def test_of(self, draw: random.Random, kind: str, key: str) -> Test:
        """A lookup and a value for this field."""
        relation, _, rest = key.partition("__")
        if relation in model.RELATIONS[kind]:
            test = self.test_of(draw, relation, rest)
            return Test(f"{relation}__{test.key}", test.value)
        name, path = model.place(kind, key)
        how = model.FIELDS[kind][name]
        what = fitting.type_of(kind, name, path)
        found = [
            one for row in self.rows[kind] for one in model.elements(kind, row, name, path)
        ]  # fmt: skip
        refused = draw.random() < 0.005
        while True:
            lookup = self._lookup(draw, how, set(LOOKUPS) if refused else fitting.lookups(what))
            value = self._wanted(draw, lookup, found, how, name)
            suffix = f"__{lookup}"
            if refused or not fitting.is_refused(kind, Test(f"{key}{suffix}", value)):
                break
        value = self._as_people_have_it(draw, value, what)
        if how == KEY:
            key += draw.choice(["", "_id", "__id"])
        # Without its name the lookup is `exact`, unless the last key is called like a lookup.
        bare = key.split("__")[-1] in LOOKUPS and not model.is_literal(key)
        said = lookup != "exact" or bare or draw.random() < 0.2
        return Test(f"{key}__{lookup}" if said else key, value)

    def _key(self, draw: random.Random, kind: str) -> str:
        """A field, or a way into one."""
        if kind == "tasks" and draw.random() < 0.2:
            relation = draw.choice(model.RELATIONS[kind])
            return f"{relation}__{self._key(draw, relation)}"
        nested = {"tasks": 0.5, "annotations": 0.3, "predictions": 0.3}[kind]
        return self._path(draw, kind) if draw.random() < nested else draw.choice(self.fields[kind])

    def _path(self, draw: random.Random, kind: str) -> str:
        if kind != "tasks":
            return "result" + draw.choice(
                ["__label", "__label", "", "__type", "__value__choices", "__value", "__id",
                 "__x__y", "__value__taxonomy", "__value__rating", "__c", "__c", "__stars",
                 "__e__f", "__note", "__score"]
            )  # fmt: skip
        if draw.random() < 0.15:
            return "meta" + draw.choice(["", "__m", "__m", "__m__z", "__a b", "__nokey"])
        return self._data_path(draw) if draw.random() < 0.95 else "data"

    def _data_path(self, draw: random.Random) -> str:
        common = ["s", "s", "s", "n", "n", "m", "m", "d__k", "d__k__z", "d", "l", "l__0", "b", "w"]
        rare = ["nokey", "d__a b", "d__nokey__x", "s__x", "file", "d__exact"]
        if draw.random() < 0.15:
            keys = [draw.choice(self.all_keys)]
            if draw.random() < 0.2:
                keys = ["d", draw.choice(["k", "a b", "exact"])]
            return "data" + "".join(f"[{json.dumps(key, ensure_ascii=False)}]" for key in keys)
        pool = draw.choices([common, self.keys, rare], [8, 3, 1])[0]
        return f"data__{draw.choice(pool)}"

    def _lookup(self, draw: random.Random, how: str, known: set[str]) -> str:
        often = {
            "plain": ["exact", "in", "gt", "gte", "lt", "lte", "range", "isnull"],
            MOMENT: ["exact", "in", "gt", "gte", "lt", "lte", "range", "isnull"],
            KEY: ["exact", "in", "isnull"],
            MANY: ["exact", "in", "isnull", "gt", "lt"],
            JSON: [
                "exact",
                "exact",
                "in",
                "isnull",
                "gt",
                "lt",
                "range",
                *TEXT_LOOKUPS,
                "regex",
                "iexact",
            ],
        }
        common = [name for name in often[how] if name in known]
        return draw.choice(common) if draw.random() < 0.8 else draw.choice(sorted(known))

    def _wanted(
        self, draw: random.Random, lookup: str, found: list[Any], how: str, name: str
    ) -> Any:
        if lookup == "isnull":
            return draw.random() < 0.5
        if lookup == "has_key":
            return draw.choice(["k", "s", "x", "value", "m", "nokey", *self.keys])
        if lookup in ("regex", "iregex"):
            piece = _piece(draw, self._text(draw, found))
            return draw.choice([*PATTERNS, re.escape(piece), f"^{re.escape(piece)}$"])
        if lookup in TEXT_LOOKUPS:
            text = self._text(draw, found)
            return text if draw.random() < 0.4 else _piece(draw, text)
        if lookup in ("in", "range"):
            count = 2 if lookup == "range" else draw.choice([0, 1, 1, 2, 2, 3, 4])
            wanted = [self._near(draw, found, how, name) for _ in range(count)]
            if lookup == "range" and draw.random() < 0.8:
                wanted = _upwards(wanted)
            return tuple(wanted)
        return self._near(draw, found, how, name)

    def _as_people_have_it(self, draw: random.Random, value: Any, what: str) -> Any:
        """A value as a table, a model or a file has it, which means the same."""
        if isinstance(value, tuple):
            return tuple(self._as_people_have_it(draw, one, what) for one in value)
        ways: list[str] = []
        if isinstance(value, bool):
            ways = ["numpy.bool_({!r})"]
        elif isinstance(value, int):
            ways = ["numpy.int64({!r})"] if abs(value) < 2**63 else []
            ways += ["Decimal({!r})", "'{!r}'"] if what == fitting.WHOLE else []
        elif isinstance(value, float):
            ways = ["numpy.float64({!r})"]
            ways += ["numpy.float32({!r})"] if abs(value) < 2**20 and value * 8 % 1 == 0 else []
        elif isinstance(value, datetime):
            ways = ["pandas.Timestamp({0!r})", "{0!r}"]
            return (
                Made(draw.choice(ways).format(value.isoformat()), value)
                if (draw.random() < 0.3)
                else value
            )
        elif isinstance(value, str):
            ways = ["numpy.str_({!r})"]
        return (
            Made(draw.choice(ways).format(value), value)
            if (ways and draw.random() < 0.15)
            else value
        )

    def _text(self, draw: random.Random, found: list[Any]) -> str:
        texts = sorted({one for one in found if isinstance(one, str)})
        if texts and draw.random() < 0.9:
            return draw.choice(texts)
        return draw.choice(["x", "1", "é", "%", "", "K", "ss", "refund"])

    def _near(self, draw: random.Random, found: list[Any], how: str, name: str) -> Any:
        """A value from the data, as it is or not quite."""
        known = [one for one in found if one is not None]
        value = draw.choice(known) if known and draw.random() < 0.9 else None
        if how == KEY:
            return self._id(draw, value, name)
        if draw.random() < 0.7 or value is None:
            return value
        if isinstance(value, bool):
            return draw.choice(
                [not value, int(value), str(value).lower() if how == JSON else value]
            )
        if isinstance(value, datetime):
            zone = timezone(timedelta(hours=draw.choice([-11, 0, 2, 5.5])))
            shift = timedelta(microseconds=draw.choice([-1, 0, 0, 1, 500, 10**6]))
            return (value + shift).astimezone(zone)
        if isinstance(value, (int, float)):
            near = [value + 1, value - 1, value + 0.5, -value, 10**20, -(2**63), 0, 1e-9,
                    2**31, 1e300, float("inf"), -float("inf")]  # fmt: skip
            if abs(value) < 2**53:
                near.append(float(value))
            return draw.choice([*near, str(value)]) if how == JSON else draw.choice(near)
        if isinstance(value, str):
            return draw.choice(
                [value.upper(), value.lower(), value + "x", value[:-1], value.strip(), f" {value}",
                 10 if how == JSON else value]
            )  # fmt: skip
        return value

    def _id(self, draw: random.Random, value: Any, name: str) -> Any:
        noun = NOUNS[name]
        if value is None:
            return None if draw.random() < 0.5 else 10**6
        if draw.random() < 0.3:
            return draw.choice(
                [Handle(noun, value), str(value), value + 1, Handle(noun, value + 1)]
            )
        return value


def _piece(draw: random.Random, text: str) -> str:
    start = draw.randint(0, len(text))
    return text[start : draw.randint(start, len(text))][:20]


def _upwards(ends: list[Any]) -> list[Any]:
    try:
        return sorted(ends)
    except TypeError:
        return ends


# -- making it smaller -----------------------------------------------------------------------------


def smaller(query: Query) -> Iterator[Query]:
    """Simpler queries that may fail in the same way."""
    change = dataclasses.replace
    if query.page_size is not None:
        yield change(query, page_size=None)
    if query.verb != "list":
        yield change(query, verb="list", names=())
    if query.cuts:
        yield change(query, cuts=())
    if query.reverse:
        yield change(query, reverse=False)
    if query.order is not None:
        if query.verb != "partitions":  # whose parts are by id
            yield change(query, order=None)
        for place in range(len(query.order) if len(query.order) > 1 else 0):
            yield change(query, order=query.order[:place] + query.order[place + 1 :])
    for place, (step, condition) in enumerate(query.steps):
        rest = query.steps[:place], query.steps[place + 1 :]
        yield change(query, steps=rest[0] + rest[1])
        if step == "exclude":
            yield change(query, steps=(*rest[0], ("filter", condition), *rest[1]))
        for less in _smaller(condition):
            yield change(query, steps=(*rest[0], (step, less), *rest[1]))


def _smaller(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Test):
        if isinstance(condition.value, tuple) and condition.key.endswith("__in"):
            for place in range(len(condition.value)):
                value = condition.value[:place] + condition.value[place + 1 :]
                yield Test(condition.key, value)
        return
    if isinstance(condition, Opposite):
        yield condition.part
        yield from map(Opposite, _smaller(condition.part))
        return
    yield from condition.parts
    for place, part in enumerate(condition.parts):
        rest = condition.parts[:place], condition.parts[place + 1 :]
        if len(condition.parts) > 2:
            yield Both(condition.joint, rest[0] + rest[1])
        for less in _smaller(part):
            yield Both(condition.joint, (*rest[0], less, *rest[1]))
