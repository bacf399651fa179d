"""Several projects become one, and one becomes several parts."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio_orm import FieldError, LabelStudio, LabelStudioError, Project
from labelstudio_orm._migrate.engine.config_compat import IncompatibleConfigs
from labelstudio_orm._migrate.engine.users import UnknownUsers
from labelstudio_orm._migrate.verbs.merging import merge
from labelstudio_orm._migrate.verbs.splitting import part_of, split
from labelstudio_orm.migrate import ArchiveSource, JournalMismatch, snapshot
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault
from tests.helpers import client_of, present

Asked = Callable[[], list[str]]

CONFIG = """\
<View>
  <Text name="text" value="$text"/>
  <Choices name="mood" toName="text"><Choice value="good"/><Choice value="bad"/></Choices>
</View>
"""
READS = {"GET"}


def mood(value: str = "good", id: str = "r1") -> dict[str, Any]:
    kind = {"from_name": "mood", "to_name": "text", "type": "choices"}
    return {"id": id, **kind, "value": {"choices": [value]}}


@pytest.fixture
def make(ls: LabelStudio) -> Iterator[Callable[..., Project]]:
    made: list[Project] = []

    def project(*items: Any, config: str = CONFIG, client: LabelStudio = ls) -> Project:
        made.append(client.projects.create(title=f"Moods {len(made)}", label_config=config))
        made[-1].tasks.bulk_create(items)
        return made[-1]

    yield project
    for one in made:
        with suppress(LabelStudioError):
            one.delete()


@pytest.fixture
def emails(ls: LabelStudio) -> Iterator[list[str]]:
    made = [ls.users.create(email=f"{name}-{uuid.uuid4().hex[:6]}@x.co") for name in ("ann", "bob")]
    yield [user.email for user in made]
    for user in made:
        user.delete()


def item(text: str, *annotations: Any, **more: Any) -> dict[str, Any]:
    return {"data": {"text": text, **more}, "annotations": list(annotations)}


def by(email: str | None, value: str = "good", **fields: Any) -> dict[str, Any]:
    author = {} if email is None else {"completed_by": email}
    return {"result": [mood(value)], **author, **fields}


def said(project: Project) -> dict[Any, Counter[tuple[Any, ...]]]:
    """What was said of each text: whose it is, what, and when it took how long."""
    emails = {user.id: user.email for user in client_of(project.tasks).users}
    found: dict[Any, Counter[tuple[Any, ...]]] = {}
    for task in project.tasks.prefetch("annotations", "predictions"):
        here = found.setdefault(task.data.get("text"), Counter())
        for one in task.annotations:
            email = emails.get(one.completed_by_id or 0)
            here["a", repr(one.result), email, one.was_cancelled, one.lead_time] += 1
        for foretold in task.predictions:
            here["p", repr(foretold.result), foretold.score, foretold.model_version] += 1
    return found


def union(*sides: Mapping[Any, Counter[Any]]) -> dict[Any, Counter[Any]]:
    found: dict[Any, Counter[Any]] = {}
    for side in sides:
        for text, counter in side.items():
            found[text] = found.get(text, Counter()) | counter
    return found


# -- merging --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_projects_of_two_annotators(
    ls: LabelStudio, make: Callable[..., Project], emails: list[str], asked: Asked
) -> None:
    ann, bob = emails
    model = {"result": [mood()], "score": 0.5, "model_version": "v1"}
    one = make(
        *(
            {**item(str(n), by(ann, lead_time=float(n)), mine=1), "predictions": [model]}
            for n in range(300)
        ),
        item("300", by(ann, "bad", ground_truth=True, was_cancelled=True)),
    )
    two = make(
        item("300", by(bob, ground_truth=True), by(bob), theirs=2),
        *(
            {**item(str(n), by(bob), by(ann, lead_time=float(n))), "predictions": [model]}
            for n in range(299, -1, -1)
        ),
        item("301"),
    )
    both = make()
    before = said(one), said(two)
    version = both.model_version
    asked()
    report = merge([one, two], into=both, key="data.text")
    sent = asked()
    assert report.ok, str(report)
    assert report.target == both
    assert said(both) == union(*before)
    assert both.tasks.count() == 302
    # of 302 keys, 250 at once
    assert sum(request == f"POST /api/projects/{both.id}/import" for request in sent) == 2
    assert len(sent) <= 50
    assert {name: repr(done) for name, done in report.counts.items()} == {
        "tasks": "<Summary: 302 created>",
        "annotations": "<Summary: 603 created>",
        "predictions": "<Summary: 300 created>",
    }
    lost = {f"{loss.kind}.{loss.field}": loss.count for loss in report.losses}
    assert lost == {
        "tasks.data": 301,
        "annotations.created_at": 603,
        "predictions.created_at": 300,
    }
    [task] = both.tasks.filter(data__text="300").prefetch("annotations")
    assert task.data == {"text": "300"}
    assert [annotation.ground_truth for annotation in task.annotations] == [True, True, False]
    assert both.refresh().model_version == version

    again = merge([one, two], into=both, key="data.text")
    assert {request.partition(" ")[0] for request in asked()} == READS
    assert repr(again.counts) == "{'tasks': <Summary: 302 skipped>}"


def test_into_a_project_that_has_tasks(
    ls: LabelStudio, make: Callable[..., Project], emails: list[str], asked: Asked
) -> None:
    ann, bob = emails
    one = make(item("a", by(ann, ground_truth=True), n=1), item("b", by(ann), n=1), item("c", n=1))
    two = make(
        item("b", by(ann), by(bob, "bad"), n=2),
        {**item("a", by(bob, ground_truth=True), n=2), "meta": {"m": 2}},
        {"data": {"text": "d", "n": 2}, "predictions": [{"result": [mood()], "score": 0.25}]},
    )
    model = {"result": [mood("bad")], "score": 0.75, "model_version": "v7"}
    three = make({"data": {"text": "a", "n": 3}, "predictions": [model]})
    ls.drafts.create(task=three.tasks.get(data__text="a"), result=[mood("bad")], lead_time=2.0)
    before = [said(project) for project in (one, two, three)]
    kept = {task.data["text"]: task.id for task in one.tasks}
    with ls.dry_run() as plan:
        dry = merge([one, two, three], into=one, key="data.text", prefer="last", workers=2)
    assert len(plan.writes) == 7
    assert said(one) == before[0]
    report = merge([one, two, three], into=one, key="data.text", prefer="last", workers=2)
    assert report.ok, str(report)
    assert repr(report.counts) == repr(dry.counts)
    assert said(one) == union(*before)
    tasks = {task.data["text"]: task for task in one.tasks.prefetch("annotations")}
    assert {text: task.data["n"] for text, task in tasks.items()} == {
        "a": 3,
        "b": 2,
        "c": 1,
        "d": 2,
    }
    assert {text: tasks[text].id for text in kept} == kept
    assert [one.ground_truth for one in tasks["a"].annotations] == [True, False]
    assert [draft.lead_time for draft in ls.drafts.filter(task=tasks["a"])] == [2.0]
    assert {f"{loss.kind}.{loss.field}" for loss in report.losses} == {
        "tasks.data", "tasks.meta", "annotations.created_at", "annotations.ground_truth",
        "predictions.created_at",
    }  # fmt: skip
    asked()
    again = merge([one, two, three], into=one, key="data.text", prefer="last")
    assert {request.partition(" ")[0] for request in asked()} == READS
    assert again.ok

    two.tasks.get(data__text="b").annotations.create(result=[mood("bad", "new")])
    assert merge([two], into=one, key="data.text").counts["annotations"] == 1
    assert said(one) == union(said(two), *before)


def drafts_of(project: Project) -> Counter[tuple[Any, ...]]:
    """The texts of the tasks, the seconds of their drafts, and the seconds of what these edit."""
    found: Counter[tuple[Any, ...]] = Counter()
    for task in project.tasks.prefetch("annotations"):
        edited = {one.id: one.lead_time for one in task.annotations}
        for draft in client_of(project.tasks).drafts.filter(task=task):
            found[task.data["text"], draft.lead_time, edited.get(draft.annotation_id or 0)] += 1
    return found


@pytest.mark.parametrize("kept", ["live", "archived"])
def test_a_draft_edits_the_same_annotation_as_before(
    ls: LabelStudio,
    make: Callable[..., Project],
    emails: list[str],
    asked: Asked,
    tmp_path: Path,
    kept: str,
) -> None:
    ann, bob = emails
    one = make(item("a", by(ann, lead_time=10), by(bob, lead_time=20)), item("b"))
    two = make(
        item("a", by(bob, "bad", ground_truth=True, lead_time=30), by(bob, lead_time=20)),
        item("c", by(ann, lead_time=40), by(ann, lead_time=40)),
    )

    def draft(project: Project, text: str, place: int | None, seconds: float) -> None:
        task = project.tasks.prefetch("annotations").get(data__text=text)
        annotation = None if place is None else task.annotations[place]
        result = [mood("bad")]
        ls.drafts.create(task=task, annotation=annotation, result=result, lead_time=seconds)

    edits = [(one, "a", 0, 1), (one, "a", None, 1), (one, "a", 1, 2), (one, "b", None, 3)]
    edits += [(two, "a", 0, 1), (two, "a", 1, 2), (two, "c", 0, 4), (two, "c", 1, 4)]
    for project, text, place, seconds in edits:
        draft(project, text, place, seconds)
    wanted = drafts_of(one) | drafts_of(two)
    assert sum(wanted.values()) == 7
    sources: list[Any] = [one, two]
    if kept == "archived":
        for number, project in enumerate((one, two)):
            snapshot(project, tmp_path / f"{number}.zip")
            sources[number] = ArchiveSource(tmp_path / f"{number}.zip")
    both = make(item("a", by(ann, lead_time=10)))
    with ls.dry_run():
        dry = merge(sources, into=both, key="data.text")
    report = merge(sources, into=both, key="data.text")
    assert report.ok, str(report)
    assert repr(report.counts) == repr(dry.counts)
    assert drafts_of(both) == wanted
    [task] = both.tasks.filter(data__text="c")
    assert len({one.annotation_id for one in ls.drafts.filter(task=task)}) == 2
    asked()
    assert merge(sources, into=both, key="data.text").ok
    assert {request.partition(" ")[0] for request in asked()} == READS


def test_what_is_lost_of_drafts(fake: FakeLabelStudio) -> None:
    ls = fake.client()
    ls.users.create(email="ann@x.co")
    one, both = (ls.projects.create(title=title, label_config=CONFIG) for title in ("One", "Both"))
    one.tasks.bulk_create([item("a", by(None)), item("b")])
    task = one.tasks.prefetch("annotations").get(data__text="a")
    ls.drafts.create(task=task, annotation=task.annotations[0], result=[], lead_time=1.0)
    ls.drafts.create(task=one.tasks.get(data__text="b"), result=[], lead_time=2.0)
    fake.store.execute("UPDATE annotation SET result = '{\"x\": 1}'")
    fake.store.execute("UPDATE draft SET user_id = 2 WHERE lead_time = 2.0")
    report = merge([one], into=both, key="data.text")
    assert report.ok, str(report)
    assert drafts_of(both) == {("a", 1.0, None): 1, ("b", 2.0, None): 1}
    lost = {f"{loss.kind}.{loss.field}": loss.count for loss in report.losses}
    assert lost == {"annotations.result": 1, "drafts.user": 1, "drafts.annotation": 1}


def test_a_draft_waits_for_its_annotation(fake: FakeLabelStudio) -> None:
    ls = fake.client()
    one, both = (ls.projects.create(title=title, label_config=CONFIG) for title in ("One", "Both"))
    one.tasks.bulk_create([item("a", by(None, lead_time=5.0))])
    both.tasks.bulk_create([item("a")])
    task = one.tasks.prefetch("annotations").get()
    ls.drafts.create(task=task, annotation=task.annotations[0], result=[], lead_time=1.0)
    fake.fault("POST", "/api/tasks/*/annotations/", Fault.answer(400))
    assert not merge([one], into=both, key="data.text").ok
    assert drafts_of(both) == {}
    assert merge([one], into=both, key="data.text").ok
    assert drafts_of(both) == {("a", 1.0, 5.0): 1}


def test_a_function_decides_which_data_stay(make: Callable[..., Project]) -> None:
    one, two = make(item("a", n=5)), make(item("a", n=9), item("b", n=1))
    both = make()
    report = merge(
        [one, two],
        into=both,
        key="data.text",
        prefer=lambda tasks: max(tasks, key=lambda task: task["data"]["n"]),
    )
    assert report.ok
    assert {task.data["text"]: task.data["n"] for task in both.tasks} == {"a": 9, "b": 1}
    (conflict,) = report.conflicts
    assert (conflict.here, conflict.there) == (5, 9)
    assert conflict.field == "data.n"
    assert conflict.place in report.as_json()["conflicts"]
    assert str(present(one.tasks.first()).id) in conflict.place
    with pytest.raises(ValueError, match="none of the tasks"):
        merge([one], into=make(), key="data.text", prefer=lambda tasks: {"data": {}})
    with pytest.raises(ValueError, match=r"prefer raised KeyError\('x'\) for .*'text': 'a'"):
        merge([one], into=make(), key="data.text", prefer=lambda tasks: tasks[0]["x"])


def test_what_is_refused_before_anything_is_written(
    make: Callable[..., Project], asked: Asked
) -> None:
    one = make(item("a", by(None)))
    other = CONFIG.replace('"bad"', '"sad"').replace(
        "</View>", '<Rating name="r" toName="text"/></View>'
    )
    stranger = make(item("b"), config=other)
    nameless = make(item("c"), {"data": {"text": "d", "row": 1}})
    empty, half = make({"text": "", "txt": "a"}), make(item(""), item("a"))
    both = make()
    asked()
    with pytest.raises(IncompatibleConfigs, match=r"mood.* has no 'sad' there; .*r.* is not there"):
        merge([one, stranger], into=both, key="data.text")
    with pytest.raises(ValueError, match=r"1 tasks of Moods 2 .* have no data\.row"):
        merge([nameless], into=both, key="data.row")
    with pytest.raises(FieldError, match=r"data\.image"):
        merge([one], into=both, key="text")
    with pytest.raises(ValueError, match="'first', 'last'"):
        merge([one], into=both, key="data.text", prefer="mine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"none of the 1 .*'data\.text'; did .*'data\.txt'"):
        merge([one, empty], into=both, key="data.text")
    with pytest.raises(ValueError, match=r"1 tasks of .* have no data\.text"):
        merge([one, half], into=both, key="data.text")
    assert {request.partition(" ")[0] for request in asked()} == READS
    assert both.tasks.count() == 0


def test_what_is_no_list_of_projects_is_refused(
    ls: LabelStudio, make: Callable[..., Project]
) -> None:
    one, both = make(item("a")), make()
    for odd in (one, "Moods", ["Moods"], [None]):
        with pytest.raises(TypeError, match=r"merge\(\) takes a list|expected a project"):
            merge(odd, into=both, key="data.text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="into is a project"):
        merge([one], into=ls, key="data.text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there are no projects to merge into"):
        merge([], into=both, key="data.text")
    assert merge(iter([one]), into=both, key="data.text").counts["tasks"].created == 1


def test_projects_of_another_server(
    ls: LabelStudio, make: Callable[..., Project], emails: list[str], tmp_path: Path
) -> None:
    ann, bob = emails
    far = FakeLabelStudio("http://elsewhere.fake").client()
    config = CONFIG.replace(
        '<Text name="text" value="$text"/>', '<Image name="text" value="$image"/>'
    )
    for email in (bob, "carl@x.co", ann):
        far.users.create(email=email)
    (tmp_path / "cat.png").write_bytes(b"a cat")
    theirs = make(config=config, client=far)
    mine = make(config=config)
    images = []
    for project in (mine, theirs):
        file = project.files.upload(tmp_path / "cat.png")
        images.append(f"/data/{file.file}")
        project.tasks.bulk_create(
            [item("x", by(ann, lead_time=1.5), by(bob, "bad"), image=images[-1])]
        )
    carl = far.users.get(email="carl@x.co")
    theirs.tasks[0].annotations.create(result=[mood()], completed_by=carl)
    both = make(config=config)
    with pytest.raises(UnknownUsers, match=r"carl@x\.co"):
        merge([mine, theirs], into=both, key="data.image")
    assert both.tasks.count() == 0
    report = merge([mine, theirs], into=both, key="data.image", missing_users={"carl@x.co": ann})
    assert report.ok, str(report)
    [task] = both.tasks.prefetch("annotations")
    people = {user.email: user.id for user in ls.users}
    assert [one.completed_by_id for one in task.annotations] == [
        people[ann], people[bob], people[ann],
    ]  # fmt: skip
    assert task.data["image"] not in images
    [file] = both.files
    assert task.data["image"] == f"/data/{file.file}"
    with file.open() as stream:
        assert stream.read() == b"a cat"
    again = merge([mine, theirs], into=both, key="data.image", missing_users={"carl@x.co": ann})
    assert repr(again.counts) == "{'tasks': <Summary: 1 skipped>}"
    assert both.files.count() == 1


FAULTS = {
    "lost": Fault.reset(committed=True),
    "broken": Fault.reset(),
    "502": Fault.bad_gateway(),
    "500": Fault.answer(500),
}
annotation = st.builds(
    by,
    st.sampled_from(["ann@x.co", "bob@x.co"]),
    st.sampled_from(["good", "bad"]),
    was_cancelled=st.booleans(),
    ground_truth=st.booleans(),
)
prediction = st.fixed_dictionaries(
    {"result": st.just([mood()]), "model_version": st.sampled_from(["a", "b"])}
)
task = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries({"text": st.sampled_from("abc"), "n": st.integers(0, 2)}),
        "annotations": st.lists(annotation, max_size=2),
        "predictions": st.lists(prediction, max_size=2),
    }
)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    tasks=st.lists(st.lists(task, max_size=4), min_size=1, max_size=3),
    beside=st.booleans(),
    prefer=st.sampled_from(["first", "last"]),
    after=st.none() | st.integers(0, 8),
    fault=st.sampled_from(sorted(FAULTS)),
)
def test_a_merge_holds_each_annotation_of_any_source_once(
    tasks: list[list[Any]], beside: bool, prefer: Any, after: int | None, fault: str
) -> None:
    fake = FakeLabelStudio()
    ls = fake.client(retries=0)
    for email in ("ann@x.co", "bob@x.co"):
        ls.users.create(email=email)
    projects = []
    for number, items in enumerate(tasks):
        projects.append(ls.projects.create(title=f"Moods {number}", label_config=CONFIG))
        projects[-1].tasks.bulk_create(items)
    into = projects[0]
    if beside:
        into = ls.projects.create(title="All of them", label_config=CONFIG)
    before = [said(project) for project in projects]
    texts = [task.data["text"] for task in into.tasks]
    if after is not None:
        for method in ("POST", "PATCH"):
            fake.fault(method, "*", FAULTS[fault], times=None, after=after)
        with suppress(LabelStudioError):
            merge(projects, into=into, key="data.text", prefer=prefer)
        fake._plans.clear()
    report = merge(projects, into=into, key="data.text", prefer=prefer)
    assert report.ok, str(report)
    assert said(into) == union(*before)
    stands = Counter(task.data["text"] for task in into.tasks)
    assert stands == Counter(texts) | Counter(union(*before).keys())
    order = projects if prefer == "first" else projects[::-1]
    for text in stands:
        found = [list(project.tasks.filter(data__text=text)) for project in order]
        if not texts:
            wanted = next(some for some in found if some)[0 if prefer == "first" else -1]
            assert into.tasks.get(data__text=text).data == wanted.data
    fake.requests.clear()
    assert merge(projects, into=into, key="data.text", prefer=prefer).ok
    assert {request.method for request in fake.requests} == READS


# -- splitting ------------------------------------------------------------------------------------

SHARES = {"train": 0.8, "test": 0.2}


def parts_of(project: Project, field: str = "data") -> dict[Any, Any]:
    return {task.data["text"]: (getattr(task, field) or {}).get("split") for task in project.tasks}


def test_split_by_shares(make: Callable[..., Project], asked: Asked) -> None:
    project = make(*({"text": str(n), "patient": n % 40} for n in range(1200)))
    asked()
    report = split(project, SHARES, key="data.patient", seed=7)
    sent = asked()
    assert report.ok
    assert sent.count("POST /api/dm/actions/") == 2
    assert len(sent) <= 12
    found = parts_of(project)
    assert Counter(found.values()) == report.parts == {"test": 360, "train": 840}
    by_patient = {(int(text) % 40, part) for text, part in found.items()}
    assert len(by_patient) == 40
    assert found == {text: part_of(int(text) % 40, SHARES, 7) for text in found}

    again = split(project, SHARES, key="data.patient", seed=7)
    assert {request.partition(" ")[0] for request in asked()} == READS
    assert repr(again.counts) == "{'tasks': <Summary: 1200 skipped>}"

    project.tasks.bulk_create([{"text": "new", "patient": 3}, {"text": "newer", "patient": 99}])
    report = split(project, SHARES, key="data.patient", seed=7)
    assert repr(report.counts) == "{'tasks': <Summary: 2 updated, 1200 skipped>}"
    later = parts_of(project)
    assert {text: later[text] for text in found} == found
    assert later["new"] == found["3"]


def test_split_by_id_into_meta(make: Callable[..., Project], ls: LabelStudio, asked: Asked) -> None:
    project = make(*({"data": {"text": str(n)}, "meta": {"n": n}} for n in range(20)))
    ids = {task.data["text"]: task.id for task in project.tasks}
    with ls.dry_run() as plan:
        dry = split(project, {"a": 0.5, "b": 0.5}, into="meta.split", seed="x", workers=2)
    assert set(parts_of(project, "meta").values()) == {None}
    assert len(plan.writes) == 20
    report = split(project, {"a": 0.5, "b": 0.5}, into="meta.split", seed="x", workers=2)
    assert repr(report.counts) == repr(dry.counts) == "{'tasks': <Summary: 20 updated>}"
    assert report.parts == dry.parts
    found = parts_of(project, "meta")
    assert found == {text: part_of(id, {"a": 0.5, "b": 0.5}, "x") for text, id in ids.items()}
    assert [task.meta["n"] for task in project.tasks if task.meta] == list(range(20))


def test_split_by_a_function(make: Callable[..., Project]) -> None:
    project = make(item("a", by(None)), item("b"), item("c"))
    report = split(
        project,
        lambda task: (
            "done" if task.total_annotations else "todo" if task.data["text"] > "b" else None
        ),
        into="data.a.split",
    )
    assert report.parts == {"done": 1, "todo": 1}
    assert repr(report.counts["tasks in no part"]) == "<Summary: 1 skipped>"
    marks = [task.data.get("a") for task in project.tasks]
    assert marks == [{"split": "done"}, None, {"split": "todo"}]


def test_split_into_projects(
    ls: LabelStudio, make: Callable[..., Project], tmp_path: Path, asked: Asked
) -> None:
    project = make(
        item("a", by(None), city="Oslo"), item("b", city="Rome"), item("c", city="Oslo"),
        item("d"), item("e", city=""),
    )  # fmt: skip
    project.views.create(title="Mine")
    report = split(project, "data.city", into=ls, journal=tmp_path / "parts")
    try:
        assert report.ok, str(report)
        assert report.parts == {"Oslo": 2, "Rome": 1}
        assert repr(report.counts["tasks in no part"]) == "<Summary: 2 skipped>"
        titles = [part.title for part in report.projects.values()]
        assert titles == [f"{project.title}: Oslo", f"{project.title}: Rome"]
        texts = [[task.data["text"] for task in part.tasks] for part in report.projects.values()]
        assert texts == [["a", "c"], ["b"]]
        assert said(report.projects["Oslo"])["a"] == said(project)["a"]
        assert report.projects["Rome"].views.count() == 1
        asked()
        again = split(project, "data.city", into=ls, journal=tmp_path / "parts")
        assert {request.partition(" ")[0] for request in asked()} == READS
        assert again.projects == report.projects
        assert project.tasks.count() == 5
    finally:
        for part in report.projects.values():
            part.delete()


@pytest.mark.slow
def test_a_journal_is_of_one_way_to_split(fake: FakeLabelStudio, tmp_path: Path) -> None:
    ls, path = fake.client(), tmp_path / "parts"
    project = ls.projects.create(title="Moods", label_config=CONFIG)
    project.tasks.bulk_create([{"text": str(n)} for n in range(40)])
    with ls.dry_run():
        split(project, "data.text", into=ls, journal=path)
    report = split(project, {"test": 0.5, "train": 0.5}, into=ls, journal=path)
    assert report.ok, str(report)
    before = len(fake.requests)

    def other(by: Any, why: str, **options: Any) -> None:
        with pytest.raises(JournalMismatch, match=why):
            split(project, by, into=ls, journal=path, **options)

    other({"test": 0.2, "train": 0.8}, r"its by is .*'test': 0\.5.*, not .*'test': 0\.2")
    other({"train": 0.5, "test": 0.5}, "its by is")
    other({"test": 0.5, "train": 0.5}, "its seed is 0, not 7", seed=7)
    other({"test": 0.5, "train": 0.5}, r"its key is None, not 'data\.text'", key="data.text")
    other("data.text", r"its by is .*, not 'data\.text'")
    other(lambda task: "test", r"its by is .*, not 'function .*<lambda>'")
    assert {request.method for request in fake.requests[before:]} == READS
    again = split(project, {"test": 0.5, "train": 0.5}, into=ls, journal=path)
    assert again.ok, str(again)
    assert again.projects == report.projects


def test_split_refuses_wrong_shares_keys_and_functions(
    make: Callable[..., Project], asked: Asked
) -> None:
    project = make({"text": "a", "row": 1}, {"text": "b"})
    asked()
    for shares in ({"a": 0.5}, {"a": 0.7, "b": 0.7}, {"a": 1.5, "b": -0.5}, {}):
        with pytest.raises(ValueError, match="add up to 1"):
            split(project, shares)
    with pytest.raises(ValueError, match=r"<Task .* has nothing under 'data\.row'"):
        split(project, SHARES, key="data.row")
    with pytest.raises(ValueError, match=r"none of the 2 .*'data\.txt'; did .*'data\.text'"):
        split(project, "data.txt")
    with pytest.raises(ValueError, match=r"by raised KeyError\('row'\) for <Task"):
        split(project, lambda task: str(task.data["row"]))
    with pytest.raises(TypeError, match=r"by is shares, a key or a function of a task, not 0\.8"):
        split(project, 0.8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"data\.split has the parts already"):
        split(project, "data.split")
    with pytest.raises(ValueError, match=r"key=, .* are only for shares"):
        split(project, "data.text", key="data.row")
    with pytest.raises(FieldError, match=r"data\.image"):
        split(project, "city")
    with pytest.raises(ValueError, match="journal= is only for parts that become projects"):
        split(project, "data.city", into="data.part", journal="folder")
    with pytest.raises(TypeError, match="is 1, and names are strings"):
        split(project, lambda task: 1)  # type: ignore[arg-type,return-value]
    assert {request.partition(" ")[0] for request in asked()} == READS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_split_that_was_interrupted_is_finished(fault: str) -> None:
    fake = FakeLabelStudio()
    project = fake.client(retries=0).projects.create(title="Moods", label_config=CONFIG)
    project.tasks.bulk_create([{"text": str(n)} for n in range(50)])
    fake.fault("POST", "/api/dm/*", FAULTS[fault], after=1)
    with pytest.raises(LabelStudioError):
        split(project, SHARES)
    report = split(project, SHARES)
    assert parts_of(project) == {str(n): part_of(n + 1, SHARES) for n in range(50)}
    assert report.counts["tasks"] + report.counts["tasks"].skipped == 50


def test_a_server_without_the_action(fake: FakeLabelStudio) -> None:
    project = fake.client().projects.create(title="Moods", label_config=CONFIG)
    project.tasks.bulk_create([{"text": str(n)} for n in range(5)])
    missing: dict[str, object] = {"detail": "Can't find 'add_data_field' in registered actions"}
    fake.fault("POST", "/api/dm/*", Fault.answer(500, missing), times=None)
    assert split(project, SHARES).counts["tasks"].updated == 5
    assert set(parts_of(project).values()) <= SHARES.keys()


@settings(max_examples=200)
@given(
    values=st.lists(st.integers() | st.text() | st.booleans(), max_size=30),
    weights=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    seed=st.integers() | st.text(),
)
def test_a_part_is_decided_by_the_value_alone(
    values: list[Any], weights: list[int], seed: int | str
) -> None:
    shares = {f"part{n}": weight / sum(weights) for n, weight in enumerate(weights)}
    found = [part_of(value, shares, seed) for value in values]
    assert {shares[part] > 0 for part in found} <= {True}
    assert found == [part_of(value, shares, seed) for value in values]
    assert [part_of(float(value), shares, seed) for value in values if value in (0, 7)] == [
        part_of(int(value), shares, seed) for value in values if value in (0, 7)
    ]


@pytest.mark.slow
@settings(max_examples=50)
@given(less=st.floats(0.01, 0.5), more=st.floats(0.01, 0.49), seed=st.integers(0, 9))
def test_changed_shares_move_as_few_tasks_as_possible(less: float, more: float, seed: int) -> None:
    def parts(share: float) -> list[str]:
        return [part_of(n, {"test": share, "train": 1 - share}, seed) for n in range(2000)]

    before, after = parts(less), parts(less + more)
    moved = Counter(pair for pair in zip(before, after, strict=True) if pair[0] != pair[1])
    assert moved.keys() <= {("train", "test")}
    assert abs(before.count("test") / 2000 - less) < 0.06
