"""Any JSON in any field of any resource: whatever a row holds, reading raises LabelStudioError or
nothing.

    python -m tests.law.fuzz_fields --reads 600000 --seed 1

Each object is read field by field, shown, compared, hashed, filtered, ordered, tabled, pickled and
saved (in a dry run), by what was seen to be written by other clients, and by what never was.
"""

from __future__ import annotations

import argparse
import copy
import json
import pickle
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from labelstudio_orm import LabelStudio, LabelStudioError
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.http.payload import decode
from labelstudio_orm._engine.models.queryset import QuerySet, queryset_of
from labelstudio_orm._engine.models.resource import Resource
from labelstudio_orm._engine.records.origin import Origin
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio

DEEPEST = 600
"""Levels of nesting; what is nested deeper no JSON parser takes on every Python."""

SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**70), 10**400, 1.5, -0.0, 1e300, 5e-324,
    float("nan"), float("inf"), float("-inf"), "", " ", "x", "1", "1.5", "null", "Ä\u2028\x00",
    "\ud800", "x" * 5000, "<View/>", "<View><Text", '<?xml version="1.0"?><View/>', "a@b.co",
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00",
    "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00.1234567Z", "0000-01-01T00:00:00Z",
    "../..", "upload/1/a.png", "completed", "failed", "s3",
]  # fmt: skip

KEYS = ["id", "user_id", "value", "type", "from_name", "to_name", "result", "filters", "items",
        "conjunction", "filter", "operator", "child_filter", "status", "export_type", "", "a b",
        "x__y", "text", "choices", "user", "email"]  # fmt: skip

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="mood" toName="text">'
    '<Choice value="a"/></Choices></View>'
)


class Values:
    """JSON of any kind."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def any(self, room: int = 4) -> Any:
        """A value; nested up to so many levels, and sometimes much deeper."""
        kind = self.chance.random()
        if kind < 0.55 or not room:
            return self.chance.choice(SCALARS)
        if kind < 0.57:
            return self.deep()
        number = self.chance.choice((0, 1, 1, 2, 3))
        if kind < 0.78:
            return [self.any(room - 1) for _ in range(number)]
        keys = self.chance.sample(KEYS, number)
        return {key: self.any(room - 1) for key in keys}

    def deep(self) -> Any:
        """One value in very many others."""
        value = self.chance.choice(SCALARS)
        for _ in range(self.chance.choice((60, 300, DEEPEST))):
            value = [value] if self.chance.random() < 0.5 else {self.chance.choice(KEYS): value}
        return value


def rows(model: type[Resource], values: Values) -> Iterator[dict[str, Any]]:
    """Rows without end, of which some fields are anything and the others are not there."""
    options = options_of(model)
    wires = sorted({*options.wires, *options.sets, "from_the_future"})
    while True:
        chosen = values.chance.sample(wires, min(len(wires), values.chance.randint(1, 6)))
        row = {wire: values.any() for wire in chosen}
        if options.key_wire and row.get(options.key_wire) is None:  # what has none is no object
            row[options.key_wire] = 1
        try:  # as it comes from a server
            yield decode(json.dumps(row).encode())
        except (ValueError, RecursionError):
            yield row


Read = Callable[[Any], Any]

ALWAYS: dict[str, Read] = {
    "repr": repr,
    "changes": lambda obj: obj.changes,
    "raw": lambda obj: obj.raw,
    "extra": lambda obj: obj.extra,
    "hash": lambda obj: {obj},
    "equality": lambda obj: obj == type(obj)._from_row(obj._row, obj._origin),
}


def reads_of(model: type[Resource]) -> dict[str, Read]:
    """Everything that can be read of an object without a verb."""
    names = [*options_of(model).fields, *options_of(model).relations]
    names += [
        name
        for name in dir(model)
        if isinstance(getattr(model, name, None), property) and not name.startswith("_")
    ]
    return {**{name: attrgetter(name) for name in names}, **ALWAYS}


def sometimes(model: type[Resource], chance: random.Random) -> dict[str, Read]:
    """What is slower, about one field."""
    fields = options_of(model).fields
    name = chance.choice([one for one in fields if not fields[one].secret])
    lookup, value = chance.choice([
        ("exact", 1), ("exact", None), ("in", [1, 2]), ("gte", 5), ("lt", 5), ("range", (1, 9)),
        ("icontains", "a"), ("regex", "a"), ("isnull", True), ("isnull", False), ("has_key", "a"),
    ])  # fmt: skip
    inner = f"{name}__a" if fields[name].nested and lookup != "has_key" else name

    def filtered(obj: Any) -> Any:
        try:
            found = alone(obj).filter(**{f"{inner}__{lookup}": value})
        except LabelStudioError:  # this field has no such lookup
            return None
        return list(found), list(alone(obj).exclude(**{f"{inner}__{lookup}": value}))

    def saved(obj: Any) -> Any:
        with obj._client.dry_run(), suppress_what_json_cannot_hold():
            wanted = next(
                (one for one in fields.values() if obj._is_writable(one) and one.annotation is str),
                None,
            )
            if wanted is None or not options_of(model).item:
                return None
            setattr(obj, wanted.name, "new")
            return obj.save(fields=[wanted.name])

    return {
        f"filter {inner}__{lookup}": filtered,
        f"order by {name}": lambda obj: list(alone(obj, obj).order_by(name)),
        f"values {name}": lambda obj: list(alone(obj).values(name)),
        "values of all": lambda obj: list(alone(obj).values()),
        "pickle": lambda obj: pickle.loads(pickle.dumps(obj)).raw,
        "deepcopy": lambda obj: copy.deepcopy(obj).raw,
        "relations": lambda obj: [list(getattr(obj, one)[:2]) for one in obj._origin.prefetched],
        "labels": lambda obj: obj.values() if callable(getattr(obj, "values", None)) else None,
        "save of something else": saved,
    }


@contextmanager
def suppress_what_json_cannot_hold() -> Iterator[None]:
    """Of what a PATCH has to carry along."""
    try:
        yield
    except ValueError as error:
        if "JSON cannot hold it" not in str(error):
            raise


def alone(*objects: Any) -> QuerySet[Any]:
    """A queryset of objects that are here."""
    return queryset_of(type(objects[0]), objects[0]._client, loaded=list(objects))


def tables(obj: Any) -> Any:
    """Tables, which take their time: of pandas, of Arrow, and of regions."""
    found = [alone(obj).to_pandas(), alone(obj).to_arrow()]
    if "result" in options_of(obj).fields:
        found.append(alone(obj).to_arrow(per="region"))
    return found


def attempt(read: Read, obj: Any) -> str | None:
    """What went wrong; None where the value came, or a LabelStudioError."""
    try:
        read(obj)
    except LabelStudioError:
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return None


def fuzz(reads: int, seed: int, report: Callable[[int], object] = lambda done: None) -> list[str]:
    """Read so often; what raised anything else, without repetitions."""
    chance = random.Random(seed)
    values = Values(chance)
    ls: LabelStudio = FakeLabelStudio(edition="Enterprise").client()
    project = ls.projects.create(title="Fuzz", label_config=CONFIG)
    task = project.tasks.create(data={"text": "a"})
    parents = {"Annotation": {"task": task}, "Prediction": {"task": task}}
    models = {
        name: (model, rows(model, values), reads_of(model)) for name, model in registry.items()
    }
    wrong: dict[str, None] = {}
    done = 0
    while done < reads:
        for name, (model, source, usual) in models.items():
            row = next(source)
            origin = Origin(
                ls,
                parents.get(name, {}),
                prefetched=frozenset(options_of(model).sets.keys() & row.keys()),
                whole=True,
                fetched=True,
            )
            obj: Any = model._from_row(row, origin)
            more = sometimes(model, chance)
            if chance.random() < 0.02:
                more["to_pandas"] = tables
            for what, read in {**usual, **more}.items():
                problem = attempt(read, obj)
                if problem is not None:
                    wrong[f"{name}: {what}: {problem}; seed {seed}, row {short(row)}"] = None
            done += len(usual) + len(more)
        report(done)
    return list(wrong)


def short(row: Any) -> str:
    """A row, as far as it can be shown."""
    try:
        return f"{row!r:.300}"
    except RecursionError:
        return f"with {', '.join(row)}"


def main(words: list[str] | None = None) -> int:
    """Fuzz, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reads", type=int, default=600_000)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args(words)
    started = time.monotonic()
    warnings.simplefilter("ignore")
    wrong = fuzz(said.reads, said.seed)
    for one in wrong[:50]:
        print(one)
    print(
        f"{said.reads:,} reads of {len(registry)} resources in {time.monotonic() - started:.0f} s: "
        f"{len(wrong)} raised something else than LabelStudioError"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
