"""The law: what a queryset gives is what its conditions say of every row there is.

    python -m tests.law.law --server fake --queries 50000
    python -m tests.law.law --server sqlite --queries 5000
    python -m tests.law.law --server postgres --queries 5000 --seed 7

Prints the counts, and each query that broke the law: its code, cut down to what is needed, the
difference, and the plan. ``--only 123`` tries one query again; ``--plans`` takes other plans than
those that cost the least.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import logging
import math
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pandas
import requests

from labelstudio_orm import FieldError, LabelStudio, Q, data, meta
from labelstudio_orm._engine.reading.planner import plan_with_requests
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio

from . import corpus, forced
from .queries import LISTS, PAGE_SIZES, Drawer, Query, smaller

TASKS = 40
TRIES = 150  # evaluations that cutting one failure down may cost


@dataclass
class Case:
    """One project to ask, and what is in it."""

    plainly: corpus.Ask
    clients: dict[int | None, LabelStudio]
    project: int
    rows: list[corpus.Row]
    drawer: Drawer

    def ask(self, query: Query) -> Any:
        """What the library gives: a plain value, or the class or name of what it raised."""
        try:
            return eval(str(query), self.names(query))
        except IndexError:
            return IndexError
        except Exception as error:
            name = type(error).__name__
            if query.verb == "get" and name in ("DoesNotExist", "MultipleObjectsReturned"):
                return name
            if isinstance(error, FieldError) and query.is_refused:
                return "FieldError"
            return f"{name}: {error}" + _where(error)

    def names(self, query: Query) -> dict[str, Any]:
        """What the code of a query speaks of."""
        ls = self.clients[query.page_size]
        return {
            "ls": ls,
            "project": ls.projects.ref(self.project),
            "Q": Q,
            "datetime": datetime,
            "inf": math.inf,
            "numpy": numpy,
            "pandas": pandas,
            "Decimal": Decimal,
            "data": data,
            "meta": meta,
        }

    def server_part(self, query: Query) -> str:
        """Does the server find exactly these tasks, more of them, or all?"""
        planned = plan_with_requests(query_of(eval(query.queryset, self.names(query))))
        if planned.here is None:
            return "exact"
        return "superset" if planned.filters() else "none"

    def fails(self, query: Query) -> bool:
        """Does it break the law?"""
        return repr(self.ask(query)) != repr(query.answer(self.rows))


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" (in {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""


@dataclass
class Outcome:
    """What came of many queries: how often each verb was tried, how often the server's part of a
    plan for tasks was what, and of saved views what kinds there were.
    """

    verbs: Counter[str] = field(default_factory=Counter)
    plans: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many were tried."""
        return sum(self.verbs.values())

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.verbs + other.verbs,
            self.plans + other.plans,
            self.views + other.views,
            self.empty + other.empty,
            self.broken + other.broken,
        )

    def __str__(self) -> str:
        text = (
            f"{self.total} queries, {self.empty} of them with nothing to find; "
            f"the server's part for tasks: {_counts(self.plans)}"
        )
        if self.views:
            text += f"; {sum(self.views.values())} views: {_counts(self.views)}"
        return f"{text}; {len(self.broken)} broken"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def run(cases: list[Case], numbers: Iterable[int], *, threads: int = 1, most: int = 20) -> Outcome:
    """Try the queries of these numbers, each on one of the cases; ends after ``most`` failures."""
    outcome = Outcome()
    lock = threading.Lock()

    def one(number: int) -> None:
        if len(outcome.broken) >= most:
            return
        case = cases[number % len(cases)]
        query = case.drawer.query(number)
        wanted, got = query.answer(case.rows), case.ask(query)
        asks_tasks = query.kind == "tasks" and not query.is_refused
        plan = case.server_part(query) if asks_tasks else None
        with lock:
            outcome.verbs[query.verb] += 1
            if outcome.total % 500 == 0:
                print(f"{outcome.total} ...", file=sys.stderr)
            outcome.empty += not query.is_refused and not query.rows(case.rows)
            if plan:
                outcome.plans[plan] += 1
        if repr(got) != repr(wanted):
            text = report(case, number, query)
            with lock:
                outcome.broken.append(text)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if threads == 1:
            for number in numbers:
                one(number)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(one, numbers))
    return outcome


def report(case: Case, number: int, query: Query) -> str:
    """A failure, cut down."""
    tries = TRIES
    found = True
    while found and tries > 0:
        found = False
        for less in smaller(query):
            tries -= 1
            if tries <= 0:
                break
            with contextlib.suppress(Exception):
                if case.fails(less):
                    query, found = less, True
                    break
    wanted = query.answer(case.rows)
    with _listening() as lines:
        got = case.ask(query)
    text = f"seed {case.drawer.seed} number {number}\n  {query}\n"
    if query.page_size:
        text += f"  page_size={query.page_size}\n"
    text += f"  expected {_short(wanted)}\n  got      {_short(got)}\n"
    if isinstance(wanted, list) and isinstance(got, list) and query.verb in LISTS:
        text += _difference(case, query, wanted, got)
    return text + "".join(f"  sent     {line}\n" for line in lines)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) < 600 else shown[:600] + " ..."


def _difference(case: Case, query: Query, wanted: list[int], got: list[int]) -> str:
    text = ""
    rows = {row["id"]: row for row in case.rows}
    names = {name for _, condition in query.steps for name in _fields(condition)}
    names |= {key.lstrip("-").split("__")[0] for key in query.order or ()}
    for what, ids in (("missing", set(wanted) - set(got)), ("too many", set(got) - set(wanted))):
        for id in sorted(ids)[:3]:
            shown = {name: rows[id].get(name) for name in sorted(names)} if id in rows else {}
            text += f"  {what} {id}: {_short(shown)}\n"
    return text


def _fields(condition: Any) -> Iterator[str]:
    from .model import tests

    for test in tests(condition):
        yield test.key.split("__")[0]


@contextlib.contextmanager
def _listening() -> Iterator[list[str]]:
    """The requests that the library sends meanwhile."""
    log, lines = logging.getLogger("labelstudio_orm"), []
    level = log.level

    def note(record: logging.LogRecord) -> bool:
        lines.append(record.getMessage()[:1000])
        return False

    log.addFilter(note)
    log.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        log.removeFilter(note)
        log.setLevel(level)


# -- servers ---------------------------------------------------------------------------------------


def cases(
    connect: Callable[..., LabelStudio],
    session: requests.Session,
    token: str,
    *,
    seed: int,
    folder: str,
    commented: bool = True,
    many: int = 3,
) -> list[Case]:
    """Projects with the same kind of data, each with another first task and model version."""
    clients = {size: connect(page_size=size) for size in PAGE_SIZES}

    def ask(method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Token {token}"}
        url = clients[None].url + path
        answer = session.request(method, url, headers=headers, timeout=600, **options)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
        return answer.json() if answer.content else None

    made = []
    for place in range(many):
        version = ("v1", "", "v2")[place % 3]
        id = corpus.build(
            ask,
            seed=seed + place,
            tasks=TASKS,
            model_version=version,
            folder=folder,
            configured=place != 2,
            commented=commented,
        )
        rows = corpus.read(ask, id)
        drawer = Drawer(rows, seed, project=id, scored=bool(version))
        made.append(Case(ask, clients, id, rows, drawer))
    return made


@contextlib.contextmanager
def server(name: str) -> Iterator[Callable[..., list[Case]]]:
    """A server, as a function that makes cases on it."""
    if name == "fake":
        fake = FakeLabelStudio()
        folder = "/data/law"
        for file, data in corpus.STORED.items():
            fake.blobs[f"localfiles://{folder}/{file}"] = json.dumps(data).encode()
        yield functools.partial(
            cases, fake.client, fake.session(), fake.api_key, folder=folder, commented=False
        )
        return
    database: Any = name
    with tempfile.TemporaryDirectory() as root:
        folder = f"{Path(root).resolve()}/law"
        Path(folder).mkdir()
        for file, data in corpus.STORED.items():
            Path(folder, file).write_text(json.dumps(data))
        settings = {
            "LOCAL_FILES_SERVING_ENABLED": "true",
            "LOCAL_FILES_DOCUMENT_ROOT": str(Path(root).resolve()),
        }
        with LocalLabelStudio(database=database, workers=2, settings=settings) as local:
            yield functools.partial(
                cases,
                local.client,
                requests.Session(),
                local.api_key,
                folder=folder,
            )


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=["fake", "sqlite", "postgres"], default="fake")
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--views", type=int, default=0, help="saved views, beside the queries")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", type=int, help="the number of one query")
    parser.add_argument("--most", type=int, default=20, help="failures to end after")
    parser.add_argument("--plans", choices=["chosen", *forced.PLANS], default="chosen")
    parser.add_argument("--processes", type=int, default=1, help="each with a fake of its own")
    options = parser.parse_args()
    if options.only is not None:
        options.first, options.queries, options.views = options.only, 1, 0
    began = time.monotonic()
    if options.processes > 1:
        ends = [
            options.first + options.queries * place // options.processes
            for place in range(options.processes + 1)
        ]
        with ProcessPoolExecutor(options.processes) as pool:
            parts = list(pool.map(_part, [options] * options.processes, ends, ends[1:]))
        outcome = sum(parts, Outcome())
    else:
        outcome = _part(options, options.first, options.first + options.queries)
    for text in outcome.broken:
        print(text)
    print(f"{options.server}, seed {options.seed}: {outcome}; {time.monotonic() - began:.0f} s")
    return 1 if outcome.broken else 0


def _part(options: argparse.Namespace, first: int, end: int) -> Outcome:
    from . import views

    threads = options.threads or (1 if options.server == "fake" else 3)
    share = range(first * options.views // options.queries, end * options.views // options.queries)
    with server(options.server) as make, forced.forced(options.plans):
        made = make(seed=options.seed)
        outcome = run(made, range(first, end), threads=threads, most=options.most)
        print(outcome, file=sys.stderr)
        return outcome + views.run(made, share, most=options.most)


if __name__ == "__main__":
    sys.exit(main())
