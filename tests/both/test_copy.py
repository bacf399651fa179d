"""Copying a project to another server: what arrives, who is the author, what is not kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from labelstudio_orm import LabelStudio, Project, Q, User
from labelstudio_orm._engine.http.releases import UNSKIPPABLE
from labelstudio_orm._migrate.engine import importing
from labelstudio_orm.migrate import (
    Journal,
    JournalMismatch,
    LiveSource,
    Report,
    UnknownUsers,
    copy_project,
    merge,
    restore,
    snapshot,
    verify,
)
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault
from tests.helpers import client_of, is_on_tested_release

Region = dict[str, Any]


@pytest.fixture
def ann(ls: LabelStudio) -> User:
    """Somebody who annotates, and whom the other server does not know."""
    name = f"ann-{uuid.uuid4().hex[:8]}@example.com"
    return ls.users.create(email=name, username=name, first_name="Ann", last_name="Lee")


@pytest.fixture
def copied(project: Project, other: LabelStudio) -> Iterator[Callable[..., Report]]:
    """``copied()`` copies the project to the other server; the copies are deleted afterwards."""
    made: list[Project] = []

    def copy(**options: Any) -> Report:
        report = copy_project(project, to=other, **options)
        if report.target is not None and report.target.id > 0:
            made.append(report.target)
        return report

    yield copy
    for project in {one.id: one for one in made}.values():
        other.request("DELETE", f"/api/projects/{project.id}/")


def choice(project: Project, value: str = "Positive") -> Region:
    return project.config["sentiment"].choice(value).copy()


def target_of(report: Report) -> Project:
    assert report.target is not None
    return report.target


# -- tasks and what was said of them ---------------------------------------------------------------


def test_what_was_deleted_on_one_side_is_told(
    project: Project, copied: Callable[..., Report], tmp_path: Path
) -> None:
    """With the journal, which still knows of it, and without."""
    skips = not is_on_tested_release(UNSKIPPABLE)
    project.tasks.bulk_create(
        {"data": {"n": n, "text": "a"}, "allow_skip": skips or n > 1} for n in range(4)
    )
    journal = tmp_path / "journal.db"
    target = target_of(copied(journal=journal))
    (old_first, old_second, *_), (new_first, new_second, *_) = (
        one.tasks.values_list("id", flat=True) for one in (project, target)
    )
    project.tasks.ref(old_first).delete()
    target.tasks.ref(new_second).delete()
    expected = {("tasks", None, new_first, ""), ("tasks", old_second, None, "")}
    for known in (journal, None):
        report = verify(project, target, journal=known, parts=["tasks"])
        assert {(one.kind, one.source, one.target, one.field) for one in report.differences} == (
            expected
        )
        assert report.different == 2


def unskippable(project: Project) -> list[int]:
    """The numbers of the tasks that may not be skipped, as the server's own export has them."""
    url = f"/api/projects/{project.id}/export"
    rows = project.tasks.client.request(
        "GET", url, params={"exportType": "JSON", "download_all_tasks": "true"}
    )
    return sorted(row["data"]["n"] for row in rows if row["allow_skip"] is False)


@pytest.mark.needs("UNSKIPPABLE")
def test_tasks_that_may_not_be_skipped(
    project: Project, other: LabelStudio, copied: Callable[..., Report], tmp_path: Path
) -> None:
    """Which no listing shows."""
    project.tasks.bulk_create(
        {"data": {"n": n, "text": "a"}, **({"allow_skip": n % 2 == 0} if n else {})}
        for n in range(6)
    )
    assert unskippable(project) == [1, 3, 5]
    report = copied()
    assert report.ok, str(report)
    assert unskippable(target_of(report)) == [1, 3, 5]

    snapshot(project, tmp_path / "odd.zip")
    restored = restore(tmp_path / "odd.zip", other)
    merged = other.projects.create(title="Merged", label_config=project.label_config)
    assert merge([project], into=merged, key="data.n").ok
    for target in (target_of(restored), merged):
        assert unskippable(target) == [1, 3, 5]
        assert verify(project, target, parts=["tasks"]).ok

    third = target_of(report).tasks.get(data__n=3)
    third.delete()
    again = target_of(report).tasks.create(data={"n": 3, "text": "a"})
    (found,) = verify(project, target_of(report), parts=["tasks"]).differences
    assert (found.field, found.target, found.here, found.there) == (
        "allow_skip",
        again.id,
        False,
        True,
    )
    for target in (target_of(restored), merged):
        other.request("DELETE", f"/api/projects/{target.id}/")


def test_a_release_that_knows_no_such_column(
    fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takes no notice of a condition on it, or fails."""
    project = fake.client().projects.create(title="Old")
    project.tasks.bulk_create([{"n": 1}, {"n": 2}])
    send = LabelStudio.request

    def ignore(self: LabelStudio, method: str, path: str, **options: Any) -> Any:
        params = parse_qs(str(options.get("params")))
        if "allow_skip" in str(params.get("query")):
            query = json.loads(params["query"][0])
            query["filters"]["items"] = [
                item for item in query["filters"]["items"] if "allow_skip" not in item["filter"]
            ]
            options["params"] = urlencode(
                {**{name: values[0] for name, values in params.items()}, "query": json.dumps(query)}
            )
        return send(self, method, path, **options)

    monkeypatch.setattr(LabelStudio, "request", ignore)
    assert LiveSource(project).unskippable() == frozenset()
    monkeypatch.undo()
    fake.fault("GET", "/api/tasks/", Fault.answer(500, {"detail": "no such column"}))
    assert LiveSource(project).unskippable() == frozenset()


def test_a_task_arrives_with_everything(
    project: Project, ann: User, other: LabelStudio, copied: Callable[..., Report]
) -> None:
    region = choice(project)
    data = {"text": "é\n\u2028", "n": 1, "f": 0.1, "deep": {"a": [None, True, {}]}, "$x": ""}
    project.tasks.bulk_create(
        [
            {
                "data": data,
                "meta": {"source": ["a", 1]},
                "annotations": [
                    {"result": [region], "completed_by": ann.id, "lead_time": 12.5},
                    {"result": [], "was_cancelled": True, "ground_truth": True},
                ],
                "predictions": [
                    {"result": [region], "score": 0.25, "model_version": "v1"},
                    {"result": [], "model_version": ""},
                ],
            }
        ]
    )
    report = copied(missing_users="create")
    assert report.ok, str(report)
    (task,) = target_of(report).tasks.prefetch("annotations", "predictions")
    assert (task.data, task.meta) == (data, {"source": ["a", 1]})
    first, second = task.annotations
    assert first.result == [region]
    assert first.completed_by is not None
    assert first.completed_by.email == ann.email
    assert (first.lead_time, first.was_cancelled, first.ground_truth) == (12.5, False, False)
    assert second.completed_by is not None
    assert second.completed_by.email == other.users.me().email
    assert (second.lead_time, second.was_cancelled, second.ground_truth) == (None, True, True)
    said = [(one.result, one.score, one.model_version) for one in task.predictions]
    assert said == [([region], 0.25, "v1"), ([], None, "")]
    created = other.users.get(email=ann.email)
    assert (created.first_name, created.last_name) == ("Ann", "Lee")


def test_ground_truth_stays_what_it_is(project: Project, copied: Callable[..., Report]) -> None:
    """An import makes everything ground truth that does not say otherwise."""
    for number in range(4):
        task = project.tasks.create(data={"text": str(number)})
        task.annotations.create(result=[choice(project)], ground_truth=number == 0)
    target = target_of(copied())
    truths = [one.ground_truth for one in target.annotations]
    assert sorted(truths) == [False, False, False, True]


def test_a_gap_of_deleted_tasks_loses_nothing(
    project: Project, copied: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    made = project.tasks.bulk_create([{"text": str(number)} for number in range(60)])
    project.tasks.filter(id__in=[task.id for task in made[5:45]]).delete()
    report = copied()
    assert report.ok, str(report)
    texts = [data["text"] for data in target_of(report).tasks.values_list("data", flat=True)]
    assert texts == [str(number) for number in (*range(5), *range(45, 60))]
    lost = {f"{loss.kind}.{loss.field}": loss.count for loss in report.losses}
    assert lost["tasks.inner_id"] == 15


def test_drafts_arrive_also_those_of_annotations(
    ls: LabelStudio, project: Project, copied: Callable[..., Report], other: LabelStudio
) -> None:
    first, second = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    annotation = second.annotations.create(result=[choice(project)])
    ls.drafts.create(task=first, result=[choice(project)], lead_time=3.5, was_postponed=True)
    ls.drafts.create(task=first, result=[choice(project)], lead_time=3.5, was_postponed=True)
    ls.drafts.create(task=second, annotation=annotation, result=[choice(project, "Negative")])
    report = copied()
    assert report.ok, str(report)
    assert report.counts["drafts"].created == 3
    one, two = target_of(report).tasks
    assert [draft.was_postponed for draft in other.drafts.filter(task=one)] == [True, True]
    (draft,) = other.drafts.filter(task=two)
    assert draft.annotation_id == two.annotations[0].id
    assert draft.result[0]["value"] == {"choices": ["Negative"]}


def test_tasks_that_do_not_fit_the_config(project: Project, copied: Callable[..., Report]) -> None:
    """The server takes such tasks by a PATCH, and refuses them in an import."""
    task = project.tasks.create(data={"text": "a"})
    task.data = {"other": 1}
    task.save()
    task.overlap = 4
    task.save()
    report = copied()
    assert report.ok, str(report)
    (there,) = target_of(report).tasks
    assert (there.data, there.overlap) == ({"other": 1}, 4)


def test_equal_tasks_are_compared_by_their_number(
    project: Project, copied: Callable[..., Report]
) -> None:
    """Tasks that hold the same are told by their number only; one too few is found."""
    project.tasks.bulk_create([{"text": "a"}] * 7)
    target = target_of(copied())
    assert verify(project, target).ok
    target.tasks[3].delete()
    report = verify(project, target)
    assert [(one.kind, one.field) for one in report.differences] == [("tasks", "")]


def test_an_empty_project_is_copied(copied: Callable[..., Report], project: Project) -> None:
    report = copied(title="Another one")
    assert report.ok, str(report)
    assert target_of(report).title == "Another one"
    assert target_of(report).label_config == project.label_config


# -- settings, and what belongs to a project -------------------------------------------------------


def test_settings_are_copied(project: Project, copied: Callable[..., Report]) -> None:
    project.description = "What people said"
    project.expert_instruction = "<b>Read</b> first"
    project.show_instruction = True
    project.show_skip_button = False
    project.maximum_annotations = 3
    project.color = "#ff0000"
    project.sampling = "Uniform sampling"
    project.save()
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "predictions": [{"result": [], "model_version": "v1"}]}]
    )
    project.model_version = ""
    project.save()
    report = copied()
    assert report.ok, str(report)
    target = target_of(report).refresh()
    for name in (
        "title", "description", "label_config", "expert_instruction", "show_instruction",
        "show_skip_button", "maximum_annotations", "color", "sampling", "model_version",
        "control_weights",
    ):  # fmt: skip
        assert getattr(target, name) == getattr(project, name), name


def test_views_name_the_same_users_and_tasks(
    project: Project, ann: User, other: LabelStudio, copied: Callable[..., Report]
) -> None:
    first, second = project.tasks.bulk_create(
        [
            {"data": {"text": "a"}, "annotations": [{"result": [], "completed_by": ann.id}]},
            {"data": {"text": "b"}},
        ]
    )
    project.views.create(title="Hers", filters=Q(annotators=ann.id))
    project.views.create(title="Second", filters=Q(id=second.id), ordering="-id")
    project.views.create(title="Chosen", selected_items={"all": False, "included": [first.id]})
    report = copied(missing_users="create")
    assert report.ok, str(report)
    views = {view.data["title"]: view for view in target_of(report).views.all()}
    assert [task.data["text"] for task in views["Hers"].tasks] == ["a"]
    assert [task.data["text"] for task in views["Second"].tasks] == ["b"]
    assert [task.data["text"] for task in views["Chosen"].tasks] == ["a"]


def test_webhooks_are_copied(project: Project, copied: Callable[..., Report]) -> None:
    project.webhooks.create(
        url="http://8.8.8.8/hook",
        send_for_all_actions=False,
        actions=["ANNOTATION_CREATED", "TASKS_DELETED"],
        headers={"X-Key": "s3cret"},
        is_active=False,
    )
    report = copied()
    assert report.ok, str(report)
    (webhook,) = target_of(report).webhooks.all()
    assert (webhook.url, webhook.is_active) == ("http://8.8.8.8/hook", False)
    assert sorted(webhook.actions) == ["ANNOTATION_CREATED", "TASKS_DELETED"]
    assert webhook.headers == {"X-Key": "s3cret"}
    assert "s3cret" not in json.dumps(report.as_json()) + str(report)


def test_uploaded_files_are_copied(
    project: Project, tmp_path: Path, copied: Callable[..., Report]
) -> None:
    """Also those that no task speaks of, and those that a text speaks of."""
    for name, content in (("a photo.png", b"PNG" * 1000), ("list.txt", b"one\ntwo")):
        (tmp_path / name).write_bytes(content)
    photo = project.files.upload(tmp_path / "a photo.png")
    project.files.upload(tmp_path / "list.txt")
    url = f"/data/{photo.file}"
    project.tasks.bulk_create(
        [{"text": url}, {"text": f'<img src="{url}">', "more": [{"url": url}]}, {"text": "none"}]
    )
    report = copied()
    assert report.ok, str(report)
    target = target_of(report)
    first, second, _ = target.tasks
    new = first.data["text"]
    assert new != url
    assert new.startswith(f"/data/upload/{target.id}/")
    assert second.data == {"text": f'<img src="{new}">', "more": [{"url": new}]}
    with target.files.open(new) as stream:
        assert stream.read() == b"PNG" * 1000
    names = sorted(file.name.split("-", 1)[1] for file in target.files.all())
    assert names == ["a_photo.png", "list.txt"]


def test_a_file_that_is_gone(
    ls: LabelStudio, project: Project, copied: Callable[..., Report]
) -> None:
    gone = f"/data/upload/{project.id}/0a1b2c3d-gone.png"
    project.tasks.bulk_create([{"text": gone}])
    report = copied()
    assert not report.ok
    (failure,) = report.counts["files"].failed
    assert failure.item == gone.removeprefix("/data/")
    assert target_of(report).tasks[0].data == {"text": gone}


# -- users -----------------------------------------------------------------------------------------


def test_unknown_users_are_refused_before_anything_is_written(
    project: Project, ann: User, other: LabelStudio
) -> None:
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": [], "completed_by": ann.id}]}]
    )
    before = other.projects.count()
    with pytest.raises(UnknownUsers, match=ann.email) as caught:
        copy_project(project, to=other)
    assert caught.value.emails == [ann.email]
    with pytest.raises(UnknownUsers):
        copy_project(project, to=other, missing_users={"somebody@else.com": "create"})
    assert other.projects.count() == before
    assert not other.users.filter(email=ann.email).exists()


@pytest.mark.parametrize("how", ["object", "id", "email", "mapping"])
def test_one_user_stands_for_another(
    project: Project, ann: User, other: LabelStudio, copied: Callable[..., Report], how: str
) -> None:
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": [], "completed_by": ann.id}]}]
    )
    me = other.users.me()
    forms: dict[str, Any] = {
        "object": me,
        "id": me.id,
        "email": me.email.upper(),
        "mapping": {ann.email: me},
    }
    report = copied(missing_users=forms[how])
    assert report.ok, str(report)
    (annotation,) = target_of(report).annotations
    assert annotation.completed_by_id == me.id
    assert not other.users.filter(email=ann.email).exists()


@pytest.mark.parametrize("said", ["creat", "nobody@example.com", 99999, {"ann@x.co": "bob@x.co"}])
def test_who_stands_for_others_has_to_be_there(
    project: Project, other: LabelStudio, said: Any
) -> None:
    """Also where nobody is missing."""
    before = other.projects.count()
    with pytest.raises(ValueError, match=r"missing_users=.*there is no such user"):
        copy_project(project, to=other, missing_users=said)
    assert other.projects.count() == before


# -- what is not kept ------------------------------------------------------------------------------


def test_ids_and_dates_that_change_are_reported_as_losses(
    project: Project, ann: User, copied: Callable[..., Report]
) -> None:
    project.tasks.bulk_create([{"text": "gone"}])[0].delete()
    (task,) = project.tasks.bulk_create(
        [
            {
                "data": {"text": "a"},
                "meta": {"k": 1},
                "annotations": [{"result": [], "completed_by": ann.id}],
            }
        ]
    )
    task.refresh()
    report = copied(missing_users="create", keep_origin=True)
    assert report.ok, str(report)
    (there,) = target_of(report).tasks
    assert there.meta is not None
    assert there.meta["k"] == 1
    origin = there.meta["_origin"]
    assert origin["task"] == task.id
    assert origin["project"] == project.id
    assert origin["inner_id"] == task.inner_id
    assert origin["created_at"] == task.raw["created_at"]
    assert origin["annotations"][0]["completed_by"] == ann.email
    lost = {f"{loss.kind}.{loss.field}": loss for loss in report.losses}
    assert lost["tasks.created_at"].count == 1
    assert "_origin" in lost["annotations.updated_at"].why


# -- the journal -----------------------------------------------------------------------------------


def test_a_second_run_writes_nothing(
    project: Project, tmp_path: Path, copied: Callable[..., Report], asked: Callable[[], list[str]]
) -> None:
    tasks = project.tasks.bulk_create([{"text": str(number)} for number in range(3)])
    tasks[0].annotations.create(result=[choice(project)])
    project.views.create(title="Todo", filters=Q(total_annotations=0))
    journal = tmp_path / "copy.db"
    first = copied(journal=journal)
    asked()
    second = copied(journal=journal)
    writes = [request for request in asked() if not request.startswith(("GET", "Starting"))]
    assert writes == []
    assert second.target == first.target
    assert second.ok
    assert second.counts["tasks"].skipped == 3
    assert second.losses == first.losses


def test_a_journal_of_another_copy(
    ls: LabelStudio, project: Project, tmp_path: Path, copied: Callable[..., Report]
) -> None:
    copied(journal=tmp_path / "copy.db")
    another = ls.projects.create(title="Another")
    try:
        with pytest.raises(JournalMismatch, match="its source is"):
            copy_project(another, to=ls, journal=tmp_path / "copy.db")
        with pytest.raises(JournalMismatch, match="is of a copy of"):
            verify(project, another, journal=tmp_path / "copy.db")
        with pytest.raises(FileNotFoundError):
            verify(project, another, journal=tmp_path / "no such file")
    finally:
        another.delete()


def test_tasks_that_come_while_it_is_stopped(
    project: Project, tmp_path: Path, copied: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after a batch, with a task edited, deleted and added meanwhile."""
    monkeypatch.setattr(importing, "BATCH", 2)
    tasks = project.tasks.bulk_create([{"text": str(number)} for number in range(6)])

    class Stop(Exception):
        pass

    def stop(done: int, total: int | None) -> None:
        if done == 4:
            raise Stop

    with pytest.raises(Stop):
        copied(journal=tmp_path / "copy.db", progress=stop)
    tasks[4].delete()
    tasks[5].data["text"] = "changed"
    tasks[5].save()
    project.tasks.bulk_create([{"text": "new"}])
    report = copied(journal=tmp_path / "copy.db")
    assert report.ok, str(report)
    texts = [data["text"] for data in target_of(report).tasks.values_list("data", flat=True)]
    assert texts == ["0", "1", "2", "3", "changed", "new"]


def test_a_copy_in_a_dry_run_writes_nothing(
    project: Project, ann: User, other: LabelStudio, tmp_path: Path, copied: Callable[..., Report]
) -> None:
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": [], "completed_by": ann.id}]}] * 3
    )
    project.views.create(title="Todo", filters=Q(total_annotations=0))
    client_of(project.tasks).drafts.create(task=project.tasks.first(), result=[choice(project)])
    before = other.projects.count()
    with other.dry_run() as plan:
        report = copied(missing_users="create", journal=tmp_path / "copy.db")
    assert report.counts["tasks"].created == 3
    assert report.counts["views"].created == 1
    assert report.counts["drafts"].created == 1
    done = {(write.method, write.what) for write in plan.writes}
    assert {("POST", "User"), ("POST", "Project"), ("POST", "View")} <= done
    assert ("POST", "Project import") in done
    assert ("POST", "Draft") in done
    assert other.projects.count() == before
    with Journal(tmp_path / "copy.db") as journal:
        assert journal.get("project") is None


def test_a_journal_is_of_one_copy(
    project: Project, tmp_path: Path, copied: Callable[..., Report]
) -> None:
    """Nothing that is asked for later is passed over in silence."""
    options = {"journal": tmp_path / "copy.db", "title": "First", "views": False}
    assert copied(**options).ok
    assert copied(**options).ok
    with pytest.raises(JournalMismatch, match=r"its title is 'First', not 'Second'"):
        copied(**{**options, "title": "Second"})
    with pytest.raises(JournalMismatch, match=r"finished, without views; another journal"):
        copied(**{**options, "views": True})


def test_arguments_of_the_wrong_kind_are_refused(project: Project, other: LabelStudio) -> None:
    not_one: Any = project
    cars: Any = "Cars"
    client: Any = other
    wrong: list[tuple[Callable[[], Any], str]] = [
        (lambda: copy_project(project, to=not_one), "to is the client of .*merge"),
        (lambda: copy_project(cars, to=other), "expected a project.*not 'Cars'"),
        (lambda: verify(project, client), "expected a project"),
    ]
    for call, text in wrong:
        with pytest.raises(TypeError, match=text):
            call()


def test_a_storage_without_secrets_is_left_out_and_listed(
    project: Project, tmp_path: Path, copied: Callable[..., Report]
) -> None:
    project.import_storages.s3.create(title="Incoming")
    for _ in range(2):
        report = copied(secrets=lambda kind, row: None, journal=tmp_path / "copy.db")
        assert report.ok
        lost = {f"{loss.kind}.{loss.field}": loss.count for loss in report.losses}
        assert lost["storages.secrets"] == 1
    assert not target_of(report).import_storages.all()


# -- comparing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("journal", [True, False])
def test_a_comparison_finds_each_difference(
    project: Project, tmp_path: Path, copied: Callable[..., Report], journal: bool
) -> None:
    items: list[dict[str, Any]] = [
        {
            "data": {"text": str(number)},
            "annotations": [{"result": [choice(project)], "lead_time": 1.5}],
            "predictions": [{"result": [choice(project)], "score": 0.5, "model_version": "v1"}],
        }
        for number in range(9)
    ]
    project.tasks.bulk_create(items)
    path = tmp_path / "copy.db"
    target = target_of(copied(journal=path))
    tasks = list(target.tasks.prefetch("annotations", "predictions"))
    data, meta, result, truth, more, fewer, score, gone, _ = tasks
    data.data["text"] = "changed"
    data.save()
    meta.meta = {"new": 1}
    meta.save()
    annotation = result.annotations[0]
    annotation.result[0]["value"] = {"choices": ["Negative"]}
    annotation.save()
    annotation = truth.annotations[0]
    annotation.ground_truth = True
    annotation.save()
    more.annotations.create(result=[])
    fewer.annotations[0].delete()
    prediction = score.predictions[0]
    prediction.score = 0.75
    prediction.save()
    gone.delete()
    target.tasks.bulk_create([{"text": "a new one"}])
    target.description = "Changed"
    target.save()
    report = verify(project, target, journal=path if journal else None)
    assert (report.ok, report.exit_code) == (False, 1)
    found = sorted((one.kind, one.field) for one in report.differences)
    expected = [
        ("annotations", ""),
        ("annotations", ""),
        ("annotations", "ground_truth"),
        ("annotations", "result"),
        ("predictions", "score"),
        ("settings", "description"),
        ("tasks", ""),
        ("tasks", ""),
        ("tasks", "data"),
        ("tasks", "meta"),
    ]
    if not journal:  # a task whose data changed is another one
        expected.remove(("tasks", "data"))
        expected = sorted([*expected, ("tasks", ""), ("tasks", "")])
    assert found == expected
    assert report.counts["tasks"].skipped == 1
    assert "NOT THE SAME" in str(report)
    assert len(json.dumps(report.as_json())) > 100


@pytest.mark.parametrize("meta", [["checked"], [], "checked", 7, True])
def test_a_meta_that_another_client_wrote(
    project: Project, copied: Callable[..., Report], meta: Any
) -> None:
    """It is the same in the copy; or the task, which no import takes, is told of, and the others
    are copied.
    """
    project.tasks.bulk_create([{"text": "b"}])
    [task] = project.tasks.bulk_create([{"text": "a"}])
    project.tasks.client.request("PATCH", f"/api/tasks/{task.id}/", json={"meta": meta})
    report = copied(keep_origin=True)
    if isinstance(meta, list):
        assert report.ok, str(report)
        assert [one.raw["meta"] for one in target_of(report).tasks][1] == meta
    else:
        assert [one.item for one in report.counts["tasks"].failed] == [f"task {task.id}"]
        assert [one.data for one in target_of(report).tasks] == [{"text": "b"}]
