"""The right answers of a server with one of their JSON values changed, to many verbs: nothing but
LabelStudioError comes of them, after few requests, and with a message of bounded length.

    python -m tests.law.fuzz_shapes --changes 20000 [--seed 1]
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sqlite3
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from labelstudio_orm import LabelStudio, LabelStudioError, Q
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.http.transport import Retry
from labelstudio_orm.migrate import copy_project, dedupe, merge, restore, snapshot, sync, verify
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import FakeAdapter, Model
from tests.helpers import present

CONFIG = """<View><Image name="image" value="$image"/><Text name="text" value="$text"/>
<Choices name="sentiment" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
<RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels></View>"""
MODEL = "http://model.example:9090"

REQUESTS = 200
"""That one verb may send: on right answers the longest, a sync, sends about a third."""
SECONDS = 5.0
MESSAGE = 2100

VALUES: list[Any] = [None, True, "a", "", -1, 0, 2, 2**70, 1.5, [], {}, ["a"], [[]], [None], [{}]]

Json = Any
Place = tuple[Any, ...]
Verb = Callable[["World"], object]


class TooMany(BaseException):
    """A verb sent more requests than it can have a use for."""


# -- changes --------------------------------------------------------------------------------------


def places(value: Json, at: Place = ()) -> Iterator[Place]:
    """Every node of some JSON, by the way to it."""
    yield at
    below: Any = ()
    if isinstance(value, dict):
        below = value.items()
    elif isinstance(value, list):
        below = enumerate(value[:3])
    for key, inner in below:
        yield from places(inner, (*at, key))


Change = Callable[[Json], list[Json]]
"""From a node to what stands in its place: one thing, or nothing."""


def changes(chance: random.Random) -> Change:
    """Any change of a node."""
    kind = chance.choice(["value"] * 6 + ["gone", "emptied", "doubled", "text"])
    value = chance.choice(VALUES)

    def change(node: Json) -> list[Json]:
        if kind == "gone":
            return []
        if kind == "emptied" and isinstance(node, (list, dict, str)):
            return [type(node)()]
        if kind == "doubled" and isinstance(node, (list, str)):
            return [node * 2]
        if kind == "text" and not isinstance(node, (list, dict)):
            return [str(node)]
        return [value]

    change.__name__ = f"{kind} {value!r}" if kind == "value" else kind
    return change


def changed(value: Json, place: Place, change: Change) -> Json:
    """The same JSON with one node changed; it is left alone where there is no such node."""
    if not place:
        return next(iter(change(value)), None)
    whole = copy.deepcopy(value)
    inner = whole
    try:
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1] : place[-1] + 1] if isinstance(inner, list) else inner[place[-1]]
    except (LookupError, TypeError):
        return whole
    found = change(inner[place[-1]])
    if found:
        inner[place[-1]] = found[0]
    else:
        del inner[place[-1]]
    return whole


class Meddler:
    """Between a client and its server: changes the n-th answer, and for good all later ones to
    requests of the same kind, where it is told to.
    """

    def __init__(self, fake: FakeLabelStudio) -> None:
        self.fake, self.url = fake, fake.url
        self.begin(random.Random(), -1, False)

    def begin(self, chance: random.Random, answer: int, always: bool) -> None:
        """Start to count."""
        self.chance, self.answer, self.always = chance, answer, always
        self.seen = self.requests = 0
        self.wrote = False
        self.told, self.asked = "", ""
        self.place: Place = ()
        self.change: Change = lambda node: [node]

    def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer a request."""
        self.requests += 1
        self.wrote = self.wrote or method != "GET"
        if self.requests > REQUESTS:
            raise TooMany
        status, sent, content = self.fake.handle(method, path, query, headers, body)
        kind = f"{method} {path}"
        if "json" not in sent.get("Content-Type", ""):
            return status, sent, content
        value = json.loads(content)
        number, self.seen = self.seen, self.seen + 1
        if number == self.answer:
            self.asked = kind
            self.place = self.chance.choice([*places(value)])
            self.change = changes(self.chance)
            self.told = f"{kind} {'.'.join(map(str, self.place))}: {self.change.__name__}"
        elif not (self.always and kind == self.asked):
            return status, sent, content
        content = json.dumps(changed(value, self.place, self.change)).encode()
        return status, {**sent, "Content-Length": str(len(content))}, content


# -- what there is to read ------------------------------------------------------------------------


class World:
    """A server with something of each kind, which can be made as it was; and another one."""

    def __init__(self, folder: Path, edition: str, async_jobs: bool) -> None:
        self.folder = folder
        self.fake = FakeLabelStudio(edition=edition, async_jobs=async_jobs)
        self.meddler = Meddler(self.fake)
        self.other = FakeLabelStudio("http://other.fake")
        self.other.models, self.other.blobs = self.fake.models, {"s3://bucket/": b""}
        self.fill()
        self.kept = [self.keep(fake) for fake in (self.fake, self.other)]
        self.files = {one: one.read_bytes() for one in folder.iterdir()}
        self.ls = self.client()

    def fill(self) -> None:
        self.fake.models[MODEL] = Model(lambda tasks: [{"result": [good()]} for _ in tasks], "1")
        self.fake.blobs["s3://bucket/one.json"] = b'{"text": "from a bucket"}'
        ls = self.fake.client()
        project = ls.projects.create(title="One", label_config=CONFIG)
        path = self.folder / "a.json"
        path.write_text('[{"text": "one", "image": "a"}]')
        project.files.upload(path)
        tasks = project.tasks.bulk_create([{"text": f"t{n}", "image": "a"} for n in range(4)])
        for task in tasks[:2]:
            task.annotations.create(result=[good()])
            task.predictions.create(result=[good()], score=0.5, model_version="m")
        ls.drafts.create(task=tasks[0], result=[good()])
        project.views.create(title="A view")
        project.views.create(title="Another")
        project.webhooks.create(url="https://example.com/hook")
        project.import_storages.s3.create(title="S3", bucket="bucket")
        project.export_storages.s3.create(title="S3", bucket="bucket")
        project.ml_backends.create(url=MODEL, title="model", is_interactive=True)
        project.exports.create(title="an export").wait()
        self.refresh = ls.tokens.create()._token
        if self.fake.edition == "Community":
            report = copy_project(project, self.other.client(), journal=self.folder / "journal")
            assert report.ok, report
            snapshot(project, self.folder / "kept.zip")
            project.tasks.create(data={"text": "new", "image": "a"})
            tasks[1].annotations[0].delete()
        ls.projects.create(title="Two", label_config=CONFIG).tasks.create(
            data={"text": "t1", "image": "b"}
        )

    def keep(self, fake: FakeLabelStudio) -> tuple[sqlite3.Connection, dict[str, bytes]]:
        kept = sqlite3.connect(":memory:")
        fake.store.db.backup(kept)
        return kept, dict(fake.blobs)

    def restore(self) -> None:
        """Make the servers and the folder as they were."""
        for fake, (kept, blobs) in zip((self.fake, self.other), self.kept, strict=True):
            kept.backup(fake.store.db)
            fake.blobs = dict(blobs)
        for one in self.folder.iterdir():
            one.unlink()
        for one, content in self.files.items():
            one.write_bytes(content)
        self.fake.requests.clear()
        self.other.requests.clear()

    def client(self) -> LabelStudio:
        """A new client of the server whose answers are changed."""
        session = requests.Session()
        session.trust_env = False
        session.mount(self.fake.url, FakeAdapter(self.meddler))
        retries = Retry(total=1, backoff=0, max_wait=0, sleep=lambda _: None)
        return LabelStudio(self.fake.url, self.fake.api_key, session=session, retries=retries)

    @property
    def project(self) -> Any:
        return self.ls.projects.ref(1)

    @property
    def twin(self) -> Any:
        return self.other.client().projects.ref(1)

    @property
    def task(self) -> Any:
        return self.ls.tasks.get(self.first)

    first = 1

    def file(self, name: str) -> Path:
        return self.folder / name


def first(name: str, verb: Callable[[Any, World], object]) -> Verb:
    """Something with the first of a listing, if it has one."""
    return lambda w: [verb(one, w) for one in list(getattr(w.project, name).all())[:1]]


def created(name: str, **fields: Any) -> Verb:
    return lambda w: getattr(w.project, name).create(**fields)


def saved(name: str, field: str, value: Any) -> Verb:
    def verb(obj: Any, _: World) -> None:
        save(obj, **{field: value})
        obj.delete()

    return first(name, verb)


def as_me(name: str, *given: Any) -> Verb:
    """What only the current user may do: who that is, a server may say in another way each time."""

    def verb(w: World) -> None:
        try:
            getattr(w.ls.users.me(), name)(*given)
        except ValueError as error:
            if "for the current user only" not in str(error):
                raise

    return verb


def looked_at(obj: Any, _: World) -> None:
    for field in options_of(type(obj)).fields:
        getattr(obj, field)
    if options_of(type(obj)).item:
        obj.refresh()


def listed(name: str) -> dict[str, Verb]:
    """What can be done with any listing."""
    return {
        name: lambda w: [repr(one) for one in getattr(w.project, name).all()],
        f"count {name}": lambda w: getattr(w.project, name).all().count(),
        f"one of {name}": first(name, looked_at),
        f"first of {name}": lambda w: getattr(w.project, name).first(),
        f"values of {name}": lambda w: list(getattr(w.project, name).values("id")),
    }


VERBS: dict[str, Verb] = {
    "version": lambda w: w.ls.version(),
    "server": lambda w: (w.ls.server().version, w.ls.server().unsupported, repr(w.ls.server())),
    "projects": lambda w: [repr(one) for one in w.ls.projects.all()],
    "project": lambda w: repr(w.ls.projects.get(1)),
    "project by title": lambda w: w.ls.projects.get(title="One"),
    "counts": lambda w: w.ls.projects.counts(),
    "count": lambda w: w.ls.projects.count(),
    "create project": lambda w: w.ls.projects.create(title="Three"),
    "save project": lambda w: save(w.ls.projects.get(1), title="Other"),
    "save checked": lambda w: save(w.task, check=True, data={"text": "c", "image": "d"}),
    "delete project": lambda w: w.project.delete(),
    "config": lambda w: list(w.ls.projects.get(1).config.controls),
    "validate config": lambda w: w.project.validate_config("<View/>"),
    "annotators": lambda w: [repr(one) for one in w.project.annotators()],
    "task": lambda w: repr(w.task),
    "tasks": lambda w: [repr(one) for one in w.project.tasks.all()],
    "tasks by value": lambda w: list(w.project.tasks.filter(data__text="t1")),
    "tasks by a score": lambda w: list(w.project.tasks.filter(predictions_score__gt=0.1)),
    "tasks by annotations": lambda w: list(w.project.tasks.filter(annotations__completed_by=1)),
    "tasks by drafts": lambda w: list(w.project.tasks.filter(draft_exists=True)),
    "tasks by labels": lambda w: list(
        w.project.tasks.filter(annotations__result__sentiment="Good")
    ),
    "tasks ordered": lambda w: list(w.project.tasks.order_by("-created_at")[:3]),
    "tasks ordered by data": lambda w: list(w.project.tasks.order_by("data__text")[:3]),
    "tasks prefetched": lambda w: [
        (list(one.annotations), list(one.predictions))
        for one in w.project.tasks.prefetch("annotations", "predictions")
    ],
    "tasks by workers": lambda w: list(w.project.tasks.iterator(workers=2)),
    "partitions": lambda w: [list(one) for one in w.project.tasks.partitions(2)],
    "count tasks": lambda w: w.project.tasks.filter(data__text="t1").count(),
    "last task": lambda w: w.project.tasks.last(),
    "tasks of two": lambda w: w.project.tasks.in_bulk([1, 2]),
    "create task": lambda w: w.project.tasks.create(data={"text": "a", "image": "b"}),
    "save task": lambda w: save(w.task, data={"text": "a", "image": "b"}),
    "get or create": lambda w: w.project.tasks.get_or_create(data__text="x", data__image="a"),
    "bulk_create": lambda w: w.project.tasks.bulk_create([{"text": "a", "image": "b"}] * 2),
    "bulk_create by key": lambda w: w.project.tasks.bulk_create(
        [{"text": "t1", "image": "b"}], key="data.text", on_conflict="skip"
    ),
    "bulk_create labelled": lambda w: w.project.tasks.bulk_create(
        [{"data": {"text": "a", "image": "b"}, "annotations": [{"result": [good()]}]}]
    ),
    "bulk_update": lambda w: bulk_update(w),
    "update": lambda w: w.project.tasks.filter(data__text="t1").update(data__text="z"),
    "delete tasks": lambda w: w.project.tasks.filter(data__text="t1").delete(),
    "delete all tasks": lambda w: w.project.tasks.all().delete(),
    "perform": lambda w: w.project.tasks.all().perform("predictions_to_annotations"),
    "perform on some": lambda w: w.project.tasks.all()[:2].perform("delete_tasks_annotations"),
    "perform what is not": lambda w: perform_nothing(w),
    "annotate": lambda w: w.task.annotations.create(result=[good()]),
    "annotate many": lambda w: w.project.tasks.all().create_annotations(result=[good()]),
    "annotations": lambda w: [one.values() for one in w.project.annotations.all()],
    "annotations of a task": lambda w: [repr(one) for one in w.task.annotations.all()],
    "annotations by author": lambda w: list(w.project.annotations.filter(completed_by=1)),
    "save annotation": lambda w: save(w.ls.annotations.get(1), result=[]),
    "delete annotations": lambda w: w.project.annotations.all().delete(),
    "predict": lambda w: w.task.predictions.create(result=[good()], score=0.5),
    "predict many": lambda w: w.project.predictions.bulk_create(
        [{"task": w.first, "result": [good()]}], model_version="n"
    ),
    "predict once": lambda w: w.project.predictions.bulk_create(
        [{"task": w.first, "result": [good()]}], model_version="m", on_conflict="skip"
    ),
    "delete predictions": lambda w: w.project.predictions.filter(model_version="m").delete(),
    "drafts": lambda w: list(w.ls.drafts.filter(task=w.first)),
    "create draft": lambda w: w.ls.drafts.create(task=w.first, result=[good()]),
    "create view": created("views", title="a"),
    "save view": saved("views", "filters", Q(id__gt=1)),
    "filters of a view": lambda w: [(one.filters, one.order) for one in w.project.views.all()],
    "tasks of a view": first("views", lambda one, w: list(one.tasks)),
    "order of views": lambda w: w.project.views.set_order(list(w.project.views.all())),
    "webhook events": lambda w: w.ls.webhooks.info(),
    "create webhook": created("webhooks", url="https://example.com/a"),
    "save webhook": saved("webhooks", "is_active", False),
    "upload": lambda w: w.project.files.upload(w.file("a.json")),
    "read a file": first("files", lambda one, w: one.download(w.file("b.json"))),
    "delete files": lambda w: w.project.files.all().delete(),
    "import": lambda w: w.project.imports.create([{"text": "a", "image": "b"}]).wait(),
    "import a file": lambda w: w.project.imports.create(file=w.file("a.json")).wait(),
    "formats": lambda w: w.project.exports.formats(),
    "export": lambda w: w.project.export("CSV", w.file("x.csv")),
    "export JSON": lambda w: w.project.export("JSON", w.file("x.json")),
    "export JSON_MIN": lambda w: w.project.export("JSON_MIN", w.file("x.json")),
    "create export": lambda w: w.project.exports.create(title="b").wait(),
    "convert export": first("exports", lambda one, w: one.convert("CSV")),
    "read export": first("exports", lambda one, w: one.download(w.file("y.json"))),
    "storage types": lambda w: (w.ls.import_storages.types(), w.ls.export_storages.types()),
    "create storage": lambda w: w.project.import_storages.s3.create(bucket="bucket"),
    "save storage": saved("import_storages", "title", "c"),
    "sync storage": first("import_storages", lambda one, w: one.sync()),
    "sync out": first("export_storages", lambda one, w: one.sync()),
    "validate storage": first("import_storages", lambda one, w: one.validate()),
    "create backend": created("ml_backends", url=MODEL),
    "save backend": saved("ml_backends", "title", "b"),
    "train": first("ml_backends", lambda one, w: one.train()),
    "backend's versions": first("ml_backends", lambda one, w: one.model_versions()),
    "interactive": first("ml_backends", lambda one, w: one.predict_interactive(w.first)),
    "users": lambda w: [repr(one) for one in w.ls.users.all()],
    "user by email": lambda w: w.ls.users.get(email="user@example.com"),
    "me": lambda w: repr(w.ls.users.me()),
    "create user": lambda w: w.ls.users.create(email="a@b.co"),
    "hotkeys": as_me("get_hotkeys"),
    "set hotkeys": as_me("update_hotkeys", {}),
    "token of me": as_me("get_token"),
    "reset token": as_me("reset_token"),
    "organizations": lambda w: [repr(one) for one in w.ls.organizations.all()],
    "organization": lambda w: repr(w.ls.organizations.get(1)),
    "invitation": lambda w: (w.ls.organizations.get_invite(), w.ls.organizations.reset_token()),
    "members": lambda w: [
        present(one.user).email for one in w.ls.organizations.ref(1).members.with_projects()
    ],
    "tokens": lambda w: [repr(one) for one in w.ls.tokens.all()],
    "create token": lambda w: w.ls.tokens.blacklist(w.refresh) or w.ls.tokens.create(),
    "rotate token": lambda w: repr(w.ls.tokens.rotate(w.refresh)),
    "refresh token": lambda w: w.ls.tokens.refresh(w.refresh),
    "jwt settings": lambda w: repr(w.ls.jwt_settings()),
    "session policy": lambda w: repr(w.ls.session_policy()),
    "use of labels": lambda w: w.project.labels.usage("Good"),
    "labels": lambda w: [label.value for label in w.project.labels],
    "rename label": lambda w: w.project.labels.rename("Good", "Fine", undo=w.file("undo")),
    "merge labels": lambda w: w.project.labels.merge(["Good"], into="Bad"),
    "remove label": lambda w: w.project.labels.remove("Good", regions="drop"),
    "add label": lambda w: w.project.labels.add("More", control="sentiment"),
    "recount labels": lambda w: w.project.labels.recount(),
    **listed("actions"),
    **listed("predictions"),
    **listed("views"),
    **listed("files"),
    **listed("exports"),
    **listed("webhooks"),
    **listed("import_storages"),
    **listed("export_storages"),
    **listed("ml_backends"),
}

MIGRATIONS: dict[str, Verb] = {
    "snapshot": lambda w: snapshot(w.project, w.file("s.zip")),
    "restore": lambda w: restore(w.file("kept.zip"), w.ls),
    "copy": lambda w: copy_project(w.project, w.other.client()),
    "copy within": lambda w: copy_project(w.project, w.ls, journal=w.file("j")),
    "sync": lambda w: sync(w.project, w.twin, journal=w.file("journal")),
    "verify": lambda w: verify(w.project, w.twin),
    "verify with": lambda w: verify(w.twin, w.project),
    "merge": lambda w: merge([w.project], into=w.ls.projects.ref(2), key="data.text"),
    "dedupe": lambda w: dedupe(w.project, key="data.image"),
}

ENTERPRISE: dict[str, Verb] = {
    "annotate many": VERBS["annotate many"],
    "workspaces": lambda w: [repr(one) for one in w.ls.workspaces.all()],
    "create workspace": lambda w: w.ls.workspaces.create(title="a"),
    "comments": lambda w: [repr(one) for one in w.project.comments.all()],
    "comment": lambda w: w.ls.comments.create(annotation=1, text="a"),
    "prompts": lambda w: [repr(one) for one in w.ls.prompts.all()],
    "providers": lambda w: [repr(one) for one in w.ls.model_providers.all()],
    "pauses": lambda w: list(w.project.pauses.filter(user=1)),
    "pause": lambda w: w.project.pauses.create(user=1, reason="manual"),
    "import": VERBS["import"],
    "bulk_create": VERBS["bulk_create"],
    "create export": VERBS["create export"],
    "convert export": VERBS["convert export"],
    "sync storage": VERBS["sync storage"],
}


def good() -> dict[str, Any]:
    """A region; objects go on to hold what they were given, so each has its own."""
    value = {"choices": ["Good"]}
    named = {"from_name": "sentiment", "to_name": "text"}
    return {"id": "a", **named, "type": "choices", "value": value}


def save(obj: Any, *, check: bool = False, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(obj, name, value)
    obj.save(check=check)
    obj.refresh()


def bulk_update(w: World) -> None:
    tasks = list(w.project.tasks.all())
    for task in tasks:
        task.data = {"text": "u", "image": "b"}
    w.project.tasks.bulk_update(tasks, ["data"])


def perform_nothing(w: World) -> None:
    try:
        w.project.tasks.all().perform("nothing_such")
    except ValueError as error:
        if isinstance(error, LabelStudioError) or "no such action" not in str(error):
            raise


# -- the fuzzer -----------------------------------------------------------------------------------


def attempt(world: World, name: str, verb: Verb) -> list[str]:
    """Run a verb; what is wrong with what came of it."""
    wrong = []
    began = time.monotonic()
    try:
        verb(world)
    except LabelStudioError as error:
        if len(str(error)) > MESSAGE:
            wrong.append(f"a message of {len(str(error))} characters")
    except TooMany:
        wrong.append(f"more than {REQUESTS} requests")
    except Exception as error:
        ours = [one for one in traceback.extract_tb(error.__traceback__) if "_orm" in one.filename]
        where = " < ".join(
            f"{one.filename.rpartition('_orm/')[2]}:{one.lineno}" for one in ours[:-4:-1]
        )
        wrong.append(f"{type(error).__name__}: {error!s:.120} ({where})")
    took = time.monotonic() - began
    if took > SECONDS:
        wrong.append(f"{took:.1f} s")
    if world.meddler.wrote or world.other.requests or {*world.folder.iterdir()} != {*world.files}:
        world.restore()
    return [f"{name}: {world.meddler.told}: {one}" for one in wrong]


def lengths(world: World, verbs: Mapping[str, Verb]) -> dict[str, int]:
    """How many JSON answers each verb gets; it must work on right ones."""
    found = {}
    for name, verb in verbs.items():
        world.meddler.begin(random.Random(0), -1, False)
        wrong = []
        try:
            verb(world)
        except LabelStudioError as error:
            wrong = [f"{type(error).__name__}: {error}"]
        assert not wrong, f"{name}, on right answers: {wrong}"
        found[name] = world.meddler.seen
        world.restore()
    return found


def fuzz(
    number: int,
    seed: int,
    *,
    edition: str = "Community",
    async_jobs: bool = False,
    verbs: Mapping[str, Verb] = {**VERBS, **MIGRATIONS},
) -> list[str]:
    """Try so many changes, the verbs in turn; what is wrong, a line each."""
    wrong: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), edition, async_jobs)
        known = [pair for pair in lengths(world, verbs).items() if pair[1]]
        for turn in range(number):
            verb, answers = known[turn % len(known)]
            chance = random.Random(f"{seed} {turn}")
            world.ls = world.client()
            world.meddler.begin(chance, chance.randrange(answers), chance.random() < 0.5)
            wrong.update(dict.fromkeys(attempt(world, verb, verbs[verb])))
    return list(wrong)


def everything(number: int, seed: int) -> list[str]:
    """The same on servers of both editions, most on the Community's."""
    return [
        *fuzz(number * 8 // 10, seed),
        *fuzz(number // 10, seed, async_jobs=True, verbs=VERBS),
        *fuzz(number // 10, seed, edition="Enterprise", async_jobs=True, verbs=ENTERPRISE),
    ]


def main() -> int:
    """From the shell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    began = time.monotonic()
    wrong = everything(options.changes, options.seed)
    print("\n".join(wrong))
    print(f"{options.changes:,} changes, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
