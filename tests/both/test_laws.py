"""Laws on generated cases: what is saved stays, edits are found, loops visit each task once."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstudio_orm import Annotation, BadRequest, LabelStudio, Prediction, Project, Task, User
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.resource import Resource


def cases(ls: LabelStudio, *, fake: int, real: int) -> settings:
    """So many generated cases on the server in memory, so many on the real one."""
    count = fake if ls.url.endswith(".fake") else real
    return settings(max_examples=count, suppress_health_check=list(HealthCheck))


text = st.text(max_size=12) | st.sampled_from(["", "10", "Ä", "100%", "a_b", "it's", '"q"', "\\"])
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text
floats = st.floats(allow_nan=False, allow_infinity=False, width=32)
values = st.recursive(
    scalars | floats,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(text, values, max_size=4)
datas = documents.map(lambda document: {**document, "text": "needed by the config"})
regions = st.lists(documents, max_size=3)
scores = st.none() | floats
small = st.integers(0, 3)


def saved(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


# What the server stores and gives back, and would refuse or change if it were sent back:
#   an annotation whose result is null (400); a project's model_version that is null (400).
BODIES: dict[type[Resource], st.SearchStrategy[dict[str, Any]]] = {
    Project: saved(
        title=st.text(st.characters(codec="ascii", categories=["L"]), min_size=3, max_size=50),
        description=st.none() | st.text(st.characters(codec="utf-8", categories=["L"]), max_size=9),
        expert_instruction=st.sampled_from(["", "<b>Read</b> this"]),
        show_instruction=st.booleans(),
        show_skip_button=st.booleans(),
        enable_empty_annotation=st.booleans(),
        show_annotation_history=st.booleans(),
        reveal_preannotations_interactively=st.booleans(),
        show_collab_predictions=st.booleans(),
        evaluate_predictions_automatically=st.booleans(),
        show_ground_truth_first=st.booleans(),
        show_overlap_first=st.booleans(),
        is_published=st.booleans(),
        maximum_annotations=st.integers(1, 5),
        min_annotations_to_start_training=small,
        color=st.sampled_from(["#FFFFFF", "#12ab9F"]),
        sampling=st.sampled_from(["Sequential sampling", "Uniform sampling", None]),
        skip_queue=st.sampled_from(["REQUEUE_FOR_ME", "IGNORE_SKIPPED", None]),
        task_data_login=st.none() | st.just("user"),
        task_data_password=st.none() | st.just("hunter2"),
        pinned_at=st.none()
        | st.sampled_from(["2026-01-02T03:04:05.000006Z", "2024-02-29T00:00:00Z"]),
    ),
    Task: saved(meta=st.none() | documents, overlap=st.integers(1, 3)),
    Annotation: saved(
        was_cancelled=st.booleans(),
        ground_truth=st.booleans(),
        lead_time=scores,
        last_action=st.sampled_from(["imported", "submitted", None]),
        import_id=st.none() | st.integers(0, 10**6),
        draft_created_at=st.none() | st.just("2026-01-02T03:04:05.000006Z"),
        bulk_created=st.booleans(),
    ),
    Prediction: saved(
        score=scores,
        model_version=st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=9),
        cluster=st.none() | small,
        mislabeling=st.floats(0, 1, width=16),
        neighbors=st.none() | documents,
    ),
    User: saved(
        first_name=st.text(st.characters(codec="utf-8", categories=["L"]), max_size=9),
        last_name=st.sampled_from(["", "Ä B"]),
        phone=st.sampled_from(["", "+49 1"]),
        allow_newsletters=st.booleans(),
    ),
}


def stored(ls: LabelStudio, project: Project, model: type[Resource], draw: Any) -> str:
    """Store a generated object without our objects; returns its address."""
    body = draw(BODIES[model])
    if model is Project:
        path = "/api/projects/"
    elif model is User:
        path, name = "/api/users/", f"{uuid.uuid4().hex}@example.com"
        body = {**body, "email": name, "username": name}
    else:
        task = {"project": project.id, "data": draw(datas)}
        made = ls.request("POST", "/api/tasks/", json=task)
        if model is Task:
            address = f"/api/tasks/{made['id']}/"
            ls.request("PATCH", address, json=body)
            return address
        body = {**body, "result": draw(regions)}
        path = f"/api/tasks/{made['id']}/annotations/"
        if model is Prediction:
            path, body = "/api/predictions/", {**body, "task": made["id"]}
    made = ls.request("POST", path, json=body)
    return options_of(model).item.format(id=made["id"])


VOLATILE = {"updated_at", "updated_by", "created_ago", "last_activity", "created_username"}


@pytest.mark.slow
@pytest.mark.parametrize("model", BODIES, ids=lambda model: str(model.__name__))
def test_loading_and_saving_by_force_changes_nothing(
    ls: LabelStudio, project: Project, model: type[Resource]
) -> None:
    """``save(force=True)`` sends back every writable field; nothing that was written may differ."""

    @cases(ls, fake=100, real=12)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        path = stored(ls, project, model, data.draw)
        before = ls.request("GET", path)
        obj = ls.all_of(model).get(before["id"])
        for name in data.draw(
            st.lists(st.sampled_from(sorted(options_of(model).fields)), max_size=4)
        ):
            getattr(obj, name)
        obj.save(force=True)
        after = ls.request("GET", path)
        assert {k: v for k, v in after.items() if k not in VOLATILE} == {
            k: v for k, v in before.items() if k not in VOLATILE
        }
        assert obj.changes == {}
        ls.request("DELETE", path)

    check()


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("annotations", {"result": None}, "result"),
    ],
)
def test_values_that_the_server_gives_and_refuses_back(
    ls: LabelStudio, project: Project, path: str, body: dict[str, Any], refused: str
) -> None:
    """The list of them: an annotation made without a result is stored with null."""
    task = project.tasks.create(data={"text": "a"})
    row = ls.request("POST", f"/api/tasks/{task.id}/{path}/", json={})
    assert row[refused] is None
    with pytest.raises(BadRequest):
        ls.request("PATCH", f"/api/{path}/{row['id']}/", json=body)
    annotation = task.annotations.get(row["id"])
    assert annotation.result is None
    annotation.ground_truth = True
    annotation.save()
    assert annotation.refresh().ground_truth is True


# -- edits in place -------------------------------------------------------------------------------


def containers(value: Any) -> list[Any]:
    """Every dict and list in a document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, (dict, list)) else []
    return found + [one for part in inner for one in containers(part)]


def edit(draw: Any, document: Any) -> None:
    """One edit of any kind at any depth."""
    place = draw(st.sampled_from(containers(document)))
    keys: list[Any] = sorted(place) if isinstance(place, dict) else list(range(len(place)))
    if keys and draw(st.booleans()):
        key = draw(st.sampled_from(keys))
        if draw(st.booleans()):
            place[key] = draw(values)
        else:
            del place[key]
    elif isinstance(place, dict):
        place[draw(text)] = draw(values)
    else:
        place.insert(draw(st.integers(0, len(place))), draw(values))


@pytest.mark.slow
def test_any_edit_in_place_is_found_and_sent(ls: LabelStudio, project: Project) -> None:
    """The witness is the JSON text with sorted keys: 1, 1.0, True and "1" are four texts."""

    @cases(ls, fake=300, real=15)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        row = {"project": project.id, "data": data.draw(datas)}
        task = project.tasks.get(ls.request("POST", "/api/tasks/", json=row)["id"])
        before = json.dumps(task.data, sort_keys=True)
        for _ in range(data.draw(st.integers(0, 3))):
            edit(data.draw, task.data)
        wanted = copy.deepcopy(task.data)
        after = json.dumps(wanted, sort_keys=True)
        assert bool(task.changes) == (before != after)
        task.save()
        got = ls.request("GET", f"/api/tasks/{task.id}/", params={"resolve_uri": "false"})["data"]
        assert json.dumps(got, sort_keys=True) == after
        assert task.changes == {}

    check()


# -- what a listing leaves out --------------------------------------------------------------------

WAYS: dict[str, Callable[[Project, int], Task]] = {
    "listed": lambda project, id: project.tasks.filter(id__in=[id])[0],
    "all": lambda project, id: next(task for task in project.tasks if task.id == id),
    "streamed": lambda project, id: next(t for t in project.tasks.iterator() if t.id == id),
    "get": lambda project, id: project.tasks.get(id),
    "ref": lambda project, id: project.tasks.ref(id),
    "only": lambda project, id: project.tasks.only("data").get(id__in=[id]),
    "prefetch": lambda project, id: project.tasks.prefetch("annotations").get(id__in=[id]),
    "ordered": lambda project, id: project.tasks.order_by("-data__text").filter(id__in=[id])[0],
    "filtered here": lambda project, id: project.tasks.filter(
        id__in=[id], annotations__ground_truth=False
    )[0],
    "saved": lambda project, id: project.tasks.get(id).save(force=True),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_field_that_a_listing_leaves_out_is_never_shown_empty(
    ls: LabelStudio, project: Project, way: str
) -> None:
    choice = project.config["sentiment"].choice
    (task,) = project.tasks.bulk_create(
        [
            {
                "data": {"text": "a"},
                "annotations": [{"result": [choice("Positive")], "lead_time": 3.0}],
                "predictions": [{"result": [], "score": 0.5, "model_version": "m"}],
            }
        ]
    )
    truth = ls.request("GET", f"/api/tasks/{task.id}/", params={"resolve_uri": "false"})
    assert truth["annotators"], "the witness itself must not be empty"
    assert truth["completed_at"]
    assert truth["predictions_score"] == 0.5
    found = WAYS[way](project, task.id)
    for name, field in options_of(Task).fields.items():
        if name in ("updated_at", "updated_by_id"):
            continue
        value = getattr(found, name)
        assert value == field.read(truth.get(field.wire)), name


# -- loops over what changes meanwhile ------------------------------------------------------------


@pytest.mark.slow
def test_a_loop_visits_each_task_that_exists_throughout_once(
    ls: LabelStudio, project: Project
) -> None:
    """While others are deleted, saved out of the filter, and added, at any page size."""

    @cases(ls, fake=100, real=6)
    @given(
        number=st.integers(1, 14),
        page_size=st.integers(1, 5),
        steps=st.lists(
            st.tuples(
                st.sampled_from(["look", "save", "delete", "delete other", "add"]),
                st.integers(0, 13),
            ),
            max_size=14,
        ),
    )
    def check(number: int, page_size: int, steps: list[tuple[str, int]]) -> None:
        ls.page_size = page_size
        made = project.tasks.bulk_create([{"text": str(n), "open": "yes"} for n in range(number)])
        ids = [task.id for task in made]
        gone: set[int] = set()
        seen: list[int] = []
        left = iter(steps)
        for task in project.tasks.filter(data__open="yes").iterator():
            step, place = next(left, ("look", 0))
            seen.append(task.id)
            if task.id in gone:  # its page was read before it went
                continue
            if step == "save":
                task.data["open"] = "no"
                task.save()
            elif step == "delete":
                gone.add(task.id)
                task.delete()
            elif step == "delete other":
                other = ids[place % number]
                if other not in gone and other != task.id:
                    ls.request("DELETE", f"/api/tasks/{other}/")
                    gone.add(other)
            elif step == "add":
                project.tasks.create(data={"text": "new", "open": "yes"})
        assert len(seen) == len(set(seen))
        assert set(ids) - gone <= set(seen)
        assert [id for id in seen if id in ids] == sorted(id for id in seen if id in ids)
        project.tasks.all().delete()

    check()
