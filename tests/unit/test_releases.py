"""What differs between releases of the server stands in one table, and is asked for by name."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import (
    AuthenticationError,
    DoesNotExist,
    LabelStudio,
    NotSupportedByServer,
    OldServerWarning,
    Project,
    Q,
    ServerError,
)
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.http import releases
from labelstudio_orm._engine.http.connection import facts_of, has, server_of
from labelstudio_orm._engine.http.server import ServerVersion
from labelstudio_orm._engine.plans.columns import line
from labelstudio_orm._engine.plans.view_filters import view_filters
from labelstudio_orm.migrate import copy_project, merge, sync
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault

CONFIG = '<View><Text name="t" value="$text"/></View>'
CHOICES = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="mood" toName="t"><Choice value="Good"/></Choices></View>'
)
IMAGES = '<View><Image name="i" value="$image"/></View>'


def of_release(fake: FakeLabelStudio, release: str) -> LabelStudio:
    """Return a client that takes the server for one of another release."""
    ls = fake.client()
    facts_of(ls).server = ServerVersion(release, "Community", {})
    return ls


def answering(fake: FakeLabelStudio, answer: Any, **options: Any) -> LabelStudio:
    """Return a client that does not know the release, of a server that answers this for it."""
    fake.fault("GET", "/api/version*", Fault.answer(200, answer), times=None)
    return LabelStudio(fake.url, fake.api_key, session=fake.session(), **options)


def asked(fake: FakeLabelStudio) -> list[str]:
    return [f"{one.method} {one.path}" for one in fake.requests]


def test_no_other_place_compares_a_release() -> None:
    """The features are asked for by name."""
    package = Path(releases.__file__).parents[2]
    found = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "testing" not in path.parts and ".version <" in path.read_text()
    ]
    assert found == ["_engine/http/connection.py"]  # too old to work with at all


def test_a_feature_is_there_from_its_release_on() -> None:
    feature = releases.PAIRED_FILTERS
    for release in ("1.20.0", "1.20.9.post1", "1.9"):
        assert not feature.is_on(ServerVersion(release, "Community", {})), release
    for release in ("1.21", "1.21.0rc1", "1.100.0", "2.0", "", "nightly"):
        assert feature.is_on(ServerVersion(release, "Community", {})), release
    assert feature.is_on(ServerVersion("1.0", "Enterprise", {}))  # which counts by itself


def test_each_feature_is_described() -> None:
    assert len(releases.FEATURES) > 15
    for one in releases.FEATURES:
        assert releases.OLDEST <= one.since <= (*releases.NEWEST, 99), one
        assert one.wire, one
        assert one.without, one


def test_the_page_has_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "releases.md"
    table = page.read_text("utf-8").partition("| feature |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [
        f"| {one.name} | {one.release} | {one.wire} | {one.without} |" for one in releases.FEATURES
    ]


def test_the_release_is_asked_once_by_what_depends_on_it() -> None:
    fake = FakeLabelStudio()
    project = fake.client().projects.create(title="Old", label_config=CONFIG)
    project.tasks.bulk_create([{"text": "a"}, {"text": "http://a.example/b.png"}])
    ls = LabelStudio(fake.url, fake.api_key, session=fake.session())
    fake.requests.clear()
    first, second = project.tasks.values_list("id", flat=True)
    ls.tasks.get(first)
    assert "GET /api/version" not in asked(fake)
    ls.tasks.get(second)
    ls.using(timeout=5).tasks.get(second)
    ls.projects.get(project.id).tasks.filter(Q(id=1, inner_id=1) | Q(id=2, inner_id=2)).count()
    assert asked(fake).count("GET /api/version") == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_server_that_hides_its_release_is_taken_for_the_newest(status: int) -> None:
    fake = FakeLabelStudio()
    fake.fault("GET", "/api/version*", Fault.answer(status), times=None)
    ls = LabelStudio(fake.url, fake.api_key, session=fake.session())
    assert has(ls, releases.EVALUATION)
    assert has(ls, releases.ANNOTATORS)
    assert asked(fake) == ["GET /api/version"]


def test_a_credential_that_is_not_accepted_says_nothing_of_the_release() -> None:
    fake = FakeLabelStudio()
    fake.fault("GET", "/api/version*", Fault.answer(401), times=None)
    with pytest.raises(AuthenticationError):
        server_of(LabelStudio(fake.url, fake.api_key, session=fake.session()))


def test_a_server_that_fails_says_nothing_of_its_release() -> None:
    """Else what an older server would do otherwise is not looked after from then on."""
    fake = FakeLabelStudio()
    fake.fault("GET", "/api/version*", Fault.answer(500))
    ls = LabelStudio(fake.url, fake.api_key, session=fake.session())
    with pytest.raises(ServerError):
        server_of(ls)
    assert server_of(ls).release == "1.23.2"


@pytest.mark.parametrize("body", ["<html>Hello</html>", "[]", '"1.18.0"', "null"])
def test_an_answer_that_is_no_object_counts_as_the_newest(body: str) -> None:
    fake = FakeLabelStudio()
    kind = {"Content-Type": "text/html" if "<" in body else "application/json"}
    fake.fault("GET", "/api/version*", Fault.answer(200, body, headers=kind), times=None)
    ls = LabelStudio(fake.url, fake.api_key, session=fake.session())
    assert has(ls, releases.EVALUATION)
    assert asked(fake) == ["GET /api/version"]


@pytest.mark.parametrize("answer", [{}, {"release": None}, {"release": "main"}, {"release": 7}])
def test_an_answer_without_a_release_counts_as_the_newest(answer: Any) -> None:
    assert has(answering(FakeLabelStudio(), answer), releases.EVALUATION)


def test_a_newer_release_is_said_at_debug_level_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "labelstudio_orm")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert has(answering(FakeLabelStudio(), {"release": "1.99.0"}), releases.EVALUATION)
    assert [one.levelname for one in caplog.records if "newer than all" in one.message] == ["DEBUG"]


def test_a_release_before_1_10_is_refused_unless_it_is_allowed() -> None:
    answer = {"release": "1.8.2.post1"}
    with pytest.raises(NotSupportedByServer, match=r"1\.8\.2\.post1.*1\.10 and newer.*allow_old"):
        server_of(answering(FakeLabelStudio(), answer))
    with pytest.warns(OldServerWarning):
        server_of(answering(FakeLabelStudio(), answer, allow_old_server=True))


def test_a_release_before_1_15_is_warned_of_once() -> None:
    ls = answering(FakeLabelStudio(), {"release": "1.13.1"})
    with pytest.warns(OldServerWarning, match=r"1\.13\.1.*1\.15 and newer"):
        server_of(ls)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        server_of(ls.using(timeout=3))


# -- operations ------------------------------------------------------------------------------------

MISSING: dict[str, Callable[[LabelStudio, Project], Any]] = {
    "GET /api/current-user/hotkeys/": lambda ls, _: ls.users.me().get_hotkeys(),
    "GET /api/token/": lambda ls, _: ls.tokens.all()[:],
    "GET /api/jwt/settings": lambda ls, _: ls.jwt_settings(),
    "GET /api/session-policy/": lambda ls, _: ls.session_policy(),
    "POST /api/dm/views/order/": lambda _, p: p.views.set_order([]),
}


@pytest.mark.parametrize("operation", MISSING)
def test_a_missing_operation_names_the_release_that_has_it(operation: str) -> None:
    fake = FakeLabelStudio()
    ls = of_release(fake, "1.12.0")
    project = ls.projects.create(title="Old")
    method, path = operation.split()
    fake.fault(method, path, Fault.answer(404), times=None)
    feature = releases.feature_of(method, path)
    assert feature is not None
    says = rf"{feature.name} needs Label Studio {feature.release} or newer; .* is 1\.12\.0"
    with pytest.raises(NotSupportedByServer, match=says):
        MISSING[operation](ls, project)


def test_what_is_gone_on_a_server_that_has_the_operation_is_gone() -> None:
    ls = FakeLabelStudio().client()
    with pytest.raises(DoesNotExist):
        ls.projects.ref(99).annotators()


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("GET /api/projects/5/annotators/", releases.ANNOTATORS),
        ("get /api/projects/5/annotators/", releases.ANNOTATORS),
        ("GET /api/projects/5/annotators/more/", None),
        ("GET /api/projects/annotators/", None),
        ("DELETE /api/projects/5/model-versions/", releases.DELETE_VERSION),
        ("GET /api/projects/5/model-versions/", None),
    ],
)
def test_operations_are_recognised(operation: str, expected: releases.Feature | None) -> None:
    assert releases.feature_of(*operation.split()) is expected


def test_annotators_of_an_older_server() -> None:
    fake = FakeLabelStudio()
    ls = of_release(fake, "1.20.0")
    project = ls.projects.create(title="Old", label_config=CONFIG)
    bob = ls.users.create(email="bob@example.com")
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": [], "completed_by": bob.id}]}] * 2
    )
    expected = project.annotators()
    fake.fault("GET", "/api/projects/*/annotators/", Fault.answer(404), times=None)
    fake.requests.clear()
    assert project.annotators() == expected == [bob]
    assert project.annotators()[0].email == "bob@example.com"
    assert len(fake.requests) == 2 * 3


# -- what an older server would do otherwise -------------------------------------------------------


def test_a_value_that_would_be_dropped_is_refused_before_anything_is_sent() -> None:
    fake = FakeLabelStudio()
    ls = of_release(fake, "1.18.0")
    project = ls.projects.create(title="Old")
    fake.requests.clear()
    project.annotator_evaluation_enabled = True
    with pytest.raises(NotSupportedByServer, match=r"evaluation_enabled: .* needs .*1\.23"):
        project.save()
    with pytest.raises(NotSupportedByServer, match=r"recursive_scan: .* needs .*1\.21"):
        project.import_storages.local.create(path="/data/a", recursive_scan=False)
    with pytest.raises(NotSupportedByServer, match=r"item 0, allow_skip: .* needs .*1\.22"):
        project.tasks.bulk_create([{"data": {"text": "a"}, "allow_skip": False}])
    with pytest.raises(NotSupportedByServer, match=r"one annotator needs Label Studio 1\.20"):
        project.tasks.all().perform("delete_tasks_annotations", annotator=1)
    with pytest.raises(NotSupportedByServer, match=r"inside of conditions needs .*1\.21"):
        project.views.create(title="V", filters=Q(id=1, inner_id=1) | Q(id=2, inner_id=2))
    assert fake.requests == []
    project.annotator_evaluation_enabled = False
    project.title = "Older"
    project.save()
    project.views.create(title="V", filters=Q(id=1) | Q(id=2))
    project.tasks.all().perform("delete_tasks_annotations")


def test_an_older_server_is_sent_no_pairs_of_conditions() -> None:
    """It would drop the second of each: of a count, and of each further page."""
    fake = FakeLabelStudio()
    ls = of_release(fake, "1.20.0")
    project = ls.projects.create(title="Old", label_config=CONFIG)
    project.tasks.bulk_create({"text": str(number), "n": number} for number in range(250))
    ids = project.tasks.values_list("id", flat=True)[:]
    asked = [
        Q(id__lte=ids[3], inner_id__gte=2) | Q(id__gte=ids[240], inner_id__lte=245),
        Q(id=ids[5]) | Q(inner_id=200),
        ~Q(inner_id__range=(3, 240)),
        Q(id__gt=ids[100]) & (Q(inner_id=7) | Q(inner_id=150)),
    ]
    fake.requests.clear()
    found = [project.tasks.filter(one).values_list("inner_id", flat=True) for one in asked]
    counts = [project.tasks.filter(one).count() for one in asked]
    assert [list(one) for one in found] == [
        [2, 3, 4, 241, 242, 243, 244, 245], [6, 200], [1, 2, *range(241, 251)], [150]
    ]  # fmt: skip
    assert counts == [8, 2, 12, 1]
    assert all("child_filter" not in str(one.query) + str(one.body) for one in fake.requests)
    assert all('"or"' not in str(one.query) + str(one.body) for one in fake.requests)


def test_keys_of_data_are_checked_here_where_the_server_would_mistake_them() -> None:
    fake = FakeLabelStudio()
    ls = of_release(fake, "1.14.0.post0")
    project = ls.projects.create(title="Old", label_config=CONFIG)
    project.tasks.bulk_create({"text": text} for text in "aab")
    fake.requests.clear()
    assert project.tasks.filter(data__text="a").count() == 2
    assert all("tasks:data" not in str(one.query) + str(one.body) for one in fake.requests)


def test_predictions_are_checked_here_where_the_server_would_store_them() -> None:
    fake = FakeLabelStudio()
    ls = of_release(fake, "1.20.0")
    project = ls.projects.create(title="Old", label_config=CHOICES)
    task = project.tasks.create(data={"text": "a"})
    good = project.config["mood"].choice("Good")
    bad = {**good, "value": {"choices": ["Wild"]}}
    fake.requests.clear()
    with pytest.raises(ValueError, match=r"item 1, result\[0\].* has no label 'Wild'"):
        project.predictions.bulk_create([(task, [good], None), (task, [bad], None)])
    assert not [one for one in asked(fake) if one.startswith("POST")]
    assert project.predictions.bulk_create([(task, [good], None)]) == 1


def test_data_is_read_as_it_is_stored() -> None:
    """By its own address, an older server gives a link in place of the address of a storage."""
    fake = FakeLabelStudio()
    ls = of_release(fake, "1.22.0")
    project = ls.projects.create(title="Old", label_config=IMAGES)
    task = project.tasks.create(data={"image": "s3://bucket/a.png"})
    whole = ls.request("GET", f"/api/tasks/{task.id}/")
    link = f"/tasks/{task.id}/resolve/?fileuri=czM6Ly9i"
    resolved = {**whole, "data": {"image": link}}
    fake.fault("GET", f"/api/tasks/{task.id}/", Fault.answer(200, resolved), times=None)
    for number, read in enumerate((lambda: ls.tasks.get(task.id), task.refresh)):
        found = read()
        assert found.data["image"] == "s3://bucket/a.png"
        found.data["seen"] = number
        found.save()
        stored = project.tasks.values_list("data", flat=True)[0]
        assert stored == {"image": "s3://bucket/a.png", "seen": number}


# -- servers in memory that are older --------------------------------------------------------------


def older(release: str, **options: Any) -> tuple[FakeLabelStudio, LabelStudio]:
    """Return a server of a release, and a client that asked for it."""
    fake = FakeLabelStudio(version=release)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldServerWarning)
        ls = LabelStudio(
            fake.url, fake.api_key, session=fake.session(), allow_old_server=True, **options
        )
        server_of(ls)
    return fake, ls


def test_addresses_are_kept_on_an_older_server() -> None:
    fake, ls = older("1.22.0")
    fake.blobs["s3://bucket/a.png"] = b""
    project = ls.projects.create(title="Old", label_config=IMAGES)
    project.import_storages.s3.create(bucket="bucket", use_blob_urls=True)
    task = project.tasks.create(data={"image": "s3://bucket/a.png"})
    raw = ls.request("GET", f"/api/tasks/{task.id}/", params={"resolve_uri": "false"})
    assert raw["data"]["image"] != "s3://bucket/a.png"  # as such a server answers
    for number, read in enumerate((lambda: ls.tasks.get(task.id), task.refresh)):
        found = read()
        found.data["seen"] = number
        found.save()
    assert project.tasks.values_list("data", flat=True)[0] == {
        "image": "s3://bucket/a.png",
        "seen": 1,
    }


def test_counts_pages_and_views_on_an_older_server() -> None:
    _, ls = older("1.20.0")
    project = ls.projects.create(title="Old", label_config=CONFIG)
    project.tasks.bulk_create({"text": str(n), "n": n} for n in range(250))
    ids = project.tasks.values_list("id", flat=True)[:]
    pairs = Q(id__lte=ids[3], inner_id__gte=2) | Q(id__gte=ids[240], inner_id__lte=245)
    body = {"project": project.id, "data": {"filters": view_filters(pairs, ls.url)}}
    view = ls.request("POST", "/api/dm/views/", json=body)
    shown = ls.request("GET", "/api/tasks/", params={"view": view["id"]})
    assert shown["total"] == 14  # as such a server answers
    assert project.tasks.filter(pairs).count() == 8
    assert [task.inner_id for task in project.tasks.filter(pairs)] == [2, 3, 4, *range(241, 246)]
    with pytest.raises(NotSupportedByServer, match=r"1\.21 or newer"):
        project.views.create(title="V", filters=pairs)


def test_annotations_of_others_stay_on_an_older_server() -> None:
    _, ls = older("1.18.0")
    project = ls.projects.create(title="Old", label_config=CONFIG)
    task = project.tasks.create(data={"text": "a"})
    task.annotations.create(result=[])
    with pytest.raises(NotSupportedByServer, match=r"1\.20 or newer"):
        project.tasks.all().perform("delete_tasks_annotations", annotator=2)
    assert project.annotations.count() == 1
    body = {"selectedItems": {"all": True, "excluded": []}, "annotator": 2}
    params = {"id": "delete_tasks_annotations", "project": project.id}
    ls.request("POST", "/api/dm/actions/", params=params, json=body)
    assert project.annotations.count() == 0  # as such a server does


def test_data_beside_undefined_data_on_an_older_server(tmp_path: Path) -> None:
    _, ls = older("1.13.1")
    project = ls.projects.create(title="Old")
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    project.imports.create(file=path)
    project.label_config = CONFIG
    project.save()
    assert project.tasks.filter(data__text="one").count() == 1
    assert project.tasks.filter(data__text="one").update(overlap=2).updated == 1
    project.tasks.bulk_create([{"text": "one"}], on_conflict="skip", key="data.text")
    assert project.tasks.count() == 2


def test_booleans_on_an_older_server() -> None:
    _, ls = older("1.13.1")
    project = ls.projects.create(title="Old", label_config=CONFIG)
    project.tasks.bulk_create({"text": "a", "b": value} for value in (True, False, 1, "true"))
    item = line("data.b", "contains", "String", "true")
    query = json.dumps({"filters": {"conjunction": "and", "items": [item]}})
    shown = ls.request("GET", "/api/tasks/", params={"project": project.id, "query": query})
    assert shown["total"] == 1  # the text alone, as such a server answers
    assert project.tasks.filter(data__b=True).count() == 1
    assert project.tasks.filter(data__b=True).update(overlap=2).updated == 1
    assert project.tasks.exclude(data__b__in=[True, False]).count() == 2
    done = project.tasks.bulk_create([{"text": "a", "b": True}], on_conflict="skip", key="data.b")
    assert done.summary.created == 0
    assert project.tasks.filter(data__b=True).delete().deleted == 1


def test_predictions_of_one_project_on_an_older_server() -> None:
    _, ls = older("1.8.2.post1")
    projects = [ls.projects.create(title=f"Old {n}", label_config=CONFIG) for n in range(2)]
    for project in projects:
        project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
        for task in project.tasks:
            task.predictions.create(result=[], model_version="m")
    shown = ls.request("GET", "/api/predictions/", params={"project": projects[0].id})
    assert len(shown) == 4  # as such a server answers
    assert len(projects[0].predictions) == ls.predictions.filter(project=projects[0]).count() == 2
    assert projects[0].predictions.filter(model_version="m").delete().deleted == 2
    assert projects[1].predictions.count() == 2


def test_what_an_older_server_does_not_have_is_named() -> None:
    _, ls = older("1.10.1")
    project = ls.projects.create(title="Old", label_config=CONFIG)
    task = project.tasks.create(data={"text": "a"})
    me = ls.users.me()
    refused: dict[str, Callable[[], Any]] = {
        r"storage_filename: .* needs Label Studio 1\.11": project.tasks.filter(
            storage_filename__contains="a"
        ).count,
        r"model_run: .* needs Label Studio 1\.12 ": lambda: task.predictions.create(
            result=[], model_run=1
        ),
        r"views .* needs Label Studio 1\.13\.1 ": lambda: project.views.set_order([]),
        r"counters of projects .* needs Label Studio 1\.16 ": ls.projects.counts,
        r"personal access tokens needs Label Studio 1\.17 ": ls.tokens.all,
        r"session policy needs Label Studio 1\.20 ": ls.session_policy,
        r"hotkeys: hotkeys needs Label Studio 1\.21 ": me.get_hotkeys,
        r"custom_hotkeys: hotkeys needs Label Studio 1\.21 ": ls.users.filter(
            custom_hotkeys={}
        ).count,
        r"item 0, allow_skip: .* needs Label Studio 1\.22 ": lambda: project.imports.create(
            [{"data": {"text": "a"}, "allow_skip": False}]
        ),
    }
    for says, act in refused.items():
        with pytest.raises(NotSupportedByServer, match=says):
            act()


def test_losses_of_a_copy_to_an_older_server_are_named(tmp_path: Path) -> None:
    new = FakeLabelStudio()
    new.blobs[f"localfiles://{tmp_path}/"] = b""
    source = new.client().projects.create(
        title="New", label_config=CONFIG, annotator_evaluation_enabled=True
    )
    source.tasks.bulk_create({"data": {"text": text}, "allow_skip": text != "b"} for text in "abc")
    source.import_storages.local.create(path=str(tmp_path), recursive_scan=False)
    for title in "ab":
        source.views.create(title=title)
    source.views.set_order(list(source.views)[::-1])
    fake, ls = older("1.12.1")
    fake.blobs[f"localfiles://{tmp_path}/"] = b""
    report = copy_project(source, to=ls, journal=tmp_path / "copy.db")
    assert report.ok, str(report)
    lost = {f"{one.kind}.{one.field}": one.count for one in report.losses}
    assert lost["tasks.allow_skip"] == 1
    assert lost["settings.annotator_evaluation_enabled"] == 1
    assert lost["storages.recursive_scan"] == 1
    assert "a server before 1.22 lets annotators skip every task" in str(report)
    target = report.target
    assert target is not None
    assert [view.data["title"] for view in target.views] == ["b", "a"]
    again = sync(source, target, journal=tmp_path / "copy.db")
    assert again.ok, str(again)
    source.views.set_order(source.views)
    reordered = sync(source, target, journal=tmp_path / "copy.db")
    assert [one.field for one in reordered.differences] == ["order"]
    into = ls.projects.create(title="Into", label_config=CONFIG)
    merged = merge([source], into=into, key="data.text")
    assert [one.count for one in merged.losses if one.field == "allow_skip"] == [1], str(merged)


RESOURCES: dict[str, Callable[[Project], tuple[Any, str, Any]]] = {
    "Project": lambda p: (p, "description", "d"),
    "Task": lambda p: (p.tasks[0], "meta", {"a": 1}),
    "Annotation": lambda p: (p.tasks[0].annotations.create(result=[]), "lead_time", 2.0),
    "Prediction": lambda p: (p.tasks[0].predictions.create(result=[]), "cluster", 3),
    "Webhook": lambda p: (p.webhooks.create(url="http://a.example"), "is_active", False),
    "View": lambda p: (p.views.create(title="V"), "data", {"title": "W"}),
    "User": lambda p: (p.created_by, "phone", "1"),
}


@pytest.mark.parametrize("name", RESOURCES)
def test_a_field_that_the_server_does_not_have_is_named(name: str) -> None:
    """Whatever the resource; what else was sent is saved, and the value stays a change."""
    fake = FakeLabelStudio()
    ls = fake.client()
    project = ls.projects.create(title="Old", label_config=CONFIG)
    project.tasks.create(data={"text": "a"})
    obj, field, value = RESOURCES[name](project)
    path = options_of(obj).item.format(id=obj.id)
    row = ls.request("GET", path)
    fake.fault("PATCH", path, Fault.answer(200, {k: v for k, v in row.items() if k != field}))
    setattr(obj, field, value)
    with pytest.raises(NotSupportedByServer, match=rf"does not have {field}, and ignored"):
        obj.save()
    assert field in obj.changes
    assert obj.save().changes == {}


def test_a_creation_names_a_field_that_the_server_does_not_have() -> None:
    fake = FakeLabelStudio()
    ls = fake.client()
    with pytest.raises(NotSupportedByServer, match=r"Project 1 .*annotation_limit_count, and ign"):
        ls.projects.create(title="New", annotation_limit_count=5)
    assert ls.projects.get(1).title == "New"
    ls.projects.create(title="Newer", annotation_limit_count=None, pinned_at=None)
