"""Querysets: lazy, frozen, and the same as asking each object."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import (
    ClientSideFilterWarning,
    DoesNotExist,
    FieldError,
    LabelStudio,
    MultipleObjectsReturned,
    Project,
    Q,
    Task,
    UnknownKeyWarning,
)
from tests.helpers import client_of, present

Asked = Callable[[], list[str]]

TEXTS = ["refund please", "Great REFUND", "ÄRGER", "ärger und köln", "100%", "a_b", "it's", ""]


@pytest.fixture
def filled(project: Project) -> Project:
    """Eight texts, some with annotations and predictions; n counts up, every other task has it."""
    choice = project.config["sentiment"].choice
    project.tasks.bulk_create(
        {
            "data": {"text": text, **({"n": number} if number % 2 else {})},
            "annotations": [{"result": [choice("Positive")]}] * (number % 3),
            "predictions": [
                {"result": [choice("Negative")], "score": number / 10, "model_version": "v1"}
            ]
            * (number % 2),
        }
        for number, text in enumerate(TEXTS)
    )
    return project


def test_nothing_is_requested_until_rows_are_needed(filled: Project, asked: Asked) -> None:
    todo = filled.tasks.filter(total_annotations=0).exclude(data__text="").order_by("-id")[:3]
    assert repr(todo) == (
        f"<QuerySet of Tasks of project {filled.id} "
        "where total_annotations=0 and not (data__text='') by -id [0:3]>"
    )
    assert asked() == []
    assert [task.data["text"] for task in todo] == ["it's", "ärger und köln", "refund please"]
    assert asked() == ["GET /api/tasks/"]


def test_a_full_loop_is_kept_and_a_stream_is_not(filled: Project, asked: Asked) -> None:
    tasks = filled.tasks.filter(id__gt=0)
    first, second = list(tasks), list(tasks)
    assert first == second
    assert len(tasks) == tasks.count() == len(TEXTS)
    assert tasks.exists()
    assert asked() == ["GET /api/tasks/"]
    list(tasks.iterator())
    list(tasks.all())
    assert asked() == ["GET /api/tasks/"] * 2


def test_a_queryset_is_never_changed_by_its_children(filled: Project) -> None:
    tasks = filled.tasks
    parent = tasks.filter(total_predictions=1)
    parent.filter(id=0), parent.exclude(id__gt=0), parent.order_by("-id"), parent.only("data")
    assert len(parent) == 4
    assert len(tasks) == len(TEXTS)


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({"data__text__icontains": "refund"}, lambda t: "refund" in t.data["text"].lower()),
        ({"data__text__icontains": "ärger"}, lambda t: "ärger" in t.data["text"].lower()),
        ({"data__text__contains": "REFUND"}, lambda t: "REFUND" in t.data["text"]),
        ({"data__text__contains": "%"}, lambda t: "%" in t.data["text"]),
        ({"data__text__contains": "_"}, lambda t: "_" in t.data["text"]),
        ({"data__text__startswith": "it'"}, lambda t: t.data["text"].startswith("it'")),
        ({"data__text__iexact": "ärger"}, lambda t: t.data["text"].lower() == "ärger"),
        ({"data__text": ""}, lambda t: t.data["text"] == ""),
        ({"data__text__regex": "^[a-z]+_"}, lambda t: t.data["text"] == "a_b"),
        ({"data__n": 3}, lambda t: t.data.get("n") == 3),
        ({"data__n": 3.0}, lambda t: t.data.get("n") == 3),
        ({"data__n": "3"}, lambda t: False),
        ({"data__n": None}, lambda t: "n" not in t.data),
        ({"data__n__isnull": False}, lambda t: "n" in t.data),
        ({"data__n__gte": 3, "data__n__lt": 7}, lambda t: t.data.get("n") in (3, 5)),
        ({"data__n__in": [1, 7, 8]}, lambda t: t.data.get("n") in (1, 7)),
        ({"data__n__range": (3, 5)}, lambda t: t.data.get("n") in (3, 5)),
        ({"data__has_key": "n"}, lambda t: "n" in t.data),
        ({"total_annotations": 0}, lambda t: t.total_annotations == 0),
        ({"total_annotations__in": [1, 2]}, lambda t: t.total_annotations in (1, 2)),
        ({"total_predictions__gte": 1}, lambda t: t.total_predictions >= 1),
        ({"is_labeled": True}, lambda t: t.is_labeled),
        ({"annotators__isnull": True}, lambda t: t.total_annotations == 0),
        ({"predictions__score__lt": 0.4}, lambda t: any(p.score < 0.4 for p in t.predictions)),
        ({"predictions__model_version": "v1"}, lambda t: t.total_predictions > 0),
        ({"annotations__ground_truth": False}, lambda t: t.total_annotations > 0),
        ({"predictions__score__isnull": True}, lambda t: t.total_predictions == 0),
    ],
)  # fmt: skip
def test_filter_is_the_predicate_and_exclude_its_complement(
    filled: Project, conditions: dict[str, Any], fits: Callable[[Task], bool]
) -> None:
    everything = list(filled.tasks)
    assert list(filled.tasks.filter(**conditions)) == [t for t in everything if fits(t)]
    assert list(filled.tasks.exclude(**conditions)) == [t for t in everything if not fits(t)]
    assert filled.tasks.filter(**conditions).count() == sum(map(bool, map(fits, everything)))
    assert filled.tasks.filter(**conditions).exists() == any(map(fits, everything))


def test_users_in_filters_are_objects_or_ids(ls: LabelStudio, filled: Project) -> None:
    me = ls.users.me()
    annotated = [task for task in filled.tasks if task.total_annotations]
    assert list(filled.tasks.filter(annotators=me)) == annotated
    assert list(filled.tasks.filter(annotators=me.id)) == annotated
    assert list(filled.tasks.filter(annotators__in=[me, 0])) == annotated
    assert list(filled.tasks.filter(annotations__completed_by=me)) == annotated
    assert len(filled.tasks.exclude(annotators=me)) == len(TEXTS) - len(annotated)
    assert list(filled.tasks.filter(annotators=0)) == []


def test_conditions_are_joined_by_and_or_and_not(filled: Project) -> None:
    everything = list(filled.tasks)
    either = Q(total_annotations=0) | Q(data__n=1)
    assert list(filled.tasks.filter(either)) == [
        t for t in everything if t.total_annotations == 0 or t.data.get("n") == 1
    ]
    assert list(filled.tasks.filter(~either, data__text__contains="e")) == [
        t
        for t in everything
        if not (t.total_annotations == 0 or t.data.get("n") == 1) and "e" in t.data["text"]
    ]
    ids = [t.id for t in everything]
    assert list(filled.tasks.filter(Q(id=ids[0]) | Q(id=ids[5]))) == [everything[0], everything[5]]
    assert list(filled.tasks.filter(Q())) == everything
    assert list(filled.tasks.filter(Q() | Q(data__n=1))) == [everything[1]]
    loop = Q()
    for task in everything[1:3] * 1000:
        loop |= Q(id=task.id, data__text=task.data["text"])
    assert len(filled.tasks.filter(loop)) == 2
    assert len(filled.tasks.filter(~loop)) == len(everything) - 2
    assert list(filled.tasks.exclude(Q())) == everything


def test_conditions_on_ids(filled: Project, asked: Asked) -> None:
    ids = [task.id for task in filled.tasks]
    asked()
    assert list(filled.tasks.filter(id__in=[])) == []
    assert filled.tasks.filter(id__in=[]).count() == 0
    assert not filled.tasks.filter(id__in=[], total_annotations=0).exists()
    assert asked() == []
    assert [t.id for t in filled.tasks.filter(id__in=[ids[4], ids[1], ids[1], 0])] == [
        ids[1],
        ids[4],
    ]
    assert filled.tasks.in_bulk(ids[2:4]).keys() == set(ids[2:4])
    many = [*ids, *range(10_000_000, 10_001_500)]
    assert [t.id for t in filled.tasks.filter(id__in=many)] == ids
    assert filled.tasks.filter(id__in=many).count() == len(ids)


def test_first_last_index_and_slices(filled: Project, asked: Asked) -> None:
    tasks = list(filled.tasks)
    asked()
    assert filled.tasks.first() == tasks[0]
    assert filled.tasks.last() == tasks[-1]
    assert filled.tasks[3] == tasks[3]
    assert filled.tasks.exists()
    assert asked() == ["GET /api/tasks/"] * 4
    assert list(filled.tasks[2:5]) == tasks[2:5]
    assert list(filled.tasks[2:][1:3]) == tasks[3:5]
    assert list(filled.tasks[6:20]) == tasks[6:]
    assert filled.tasks[2:5].count() == 3
    assert filled.tasks[7:20].count() == 1
    assert list(filled.tasks[5:3]) == []
    assert filled.tasks[100:].first() is None
    with pytest.raises(IndexError):
        filled.tasks[8]
    with pytest.raises(ValueError, match="negative"):
        filled.tasks[-1]
    with pytest.raises(ValueError, match="step"):
        filled.tasks[::2]
    with pytest.raises(TypeError, match="slice"):
        filled.tasks[:3].filter(id=1)
    with pytest.raises(TypeError, match="slice"):
        filled.tasks[:3].order_by("id")


def test_orders_by_fields_and_by_keys_of_data(filled: Project) -> None:
    tasks = list(filled.tasks)
    by_text = sorted(tasks, key=lambda t: (t.data["text"], t.id))
    assert list(filled.tasks.order_by("data__text")) == by_text
    assert list(filled.tasks.order_by("-id")) == tasks[::-1]
    assert list(filled.tasks.reverse()) == tasks[::-1]
    falling = sorted(tasks, key=lambda t: (-t.total_annotations, t.data["text"]))
    assert list(filled.tasks.order_by("-total_annotations", "data__text")) == falling
    assert list(filled.tasks.order_by("-total_annotations", "data__text")[1:4]) == falling[1:4]
    with_n = sorted((t for t in tasks if "n" in t.data), key=lambda t: -t.data["n"])
    without = [t for t in tasks if "n" not in t.data]
    assert list(filled.tasks.order_by("-data__n")) == with_n + without
    assert filled.tasks.order_by("data__text").last() == by_text[-1]
    assert filled.tasks.order_by("data__text").first() == by_text[0]
    labelled = filled.tasks.filter(total_annotations__gt=0).order_by("-data__text")
    assert list(labelled) == [t for t in by_text[::-1] if t.total_annotations]


def test_a_task_counts_once_whatever_is_joined_to_it(project: Project) -> None:
    """Of an "or" of a mean and of the annotations the server counts a task once for each."""
    annotation = {"result": [], "lead_time": 5.0}
    project.tasks.bulk_create(
        {"data": {"text": "x"}, "annotations": [annotation] * number} for number in (0, 1, 3)
    )
    bare = project.tasks.filter(annotations__id__isnull=True)
    assert (len(bare.exclude(avg_lead_time__lte=1.0)), bare.count()) == (1, 1)
    either = Q(annotations__id__isnull=False) | Q(avg_lead_time__gt=1.0)
    assert len(project.tasks.filter(either)) == project.tasks.filter(either).count() == 2


def test_get_returns_the_only_match_or_raises(ls: LabelStudio, filled: Project) -> None:
    task = filled.tasks.get(data__text="100%")
    assert (
        filled.tasks.get(task.id) == task == filled.tasks.get(id=task.id) == ls.tasks.get(task.id)
    )
    assert filled.tasks.get(Q(data__text="100%"), total_annotations=1) == task
    with pytest.raises(DoesNotExist, match="nothing"):
        filled.tasks.get(data__text="nothing")
    with pytest.raises(MultipleObjectsReturned, match="Task"):
        filled.tasks.get(data__text__icontains="refund")
    with pytest.raises(DoesNotExist):
        filled.tasks.get(10_000_000)
    with pytest.raises(DoesNotExist):
        filled.tasks.get(task.id, data__text="other")
    other = ls.projects.create(title="Other")
    try:
        with pytest.raises(DoesNotExist, match="not of project"):
            other.tasks.get(task.id)
    finally:
        other.delete()


def test_mistakes_raise_before_a_request(ls: LabelStudio, filled: Project, asked: Asked) -> None:
    tasks = filled.tasks
    asked()
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: tasks.filter(total_annotation=0), "total_annotations"),
        (lambda: tasks.filter(total_annotations__gr=0), "gr"),
        (lambda: tasks.filter(data__text__contains=5), "text"),
        (lambda: tasks.filter(id__in=5), "list"),
        (lambda: tasks.filter(id__range=(1, 2, 3)), "two values"),
        (lambda: tasks.filter(data__text__regex="("), "regular expression"),
        (lambda: tasks.filter(annotations__nosuch=1), "nosuch"),
        (lambda: tasks.filter(is_labeled__isnull="no"), "True or False"),
        (lambda: tasks.filter(total_annotations="many"), "never"),
        (lambda: tasks.order_by("nosuch"), "nosuch"),
        (lambda: tasks.only("nosuch"), "nosuch"),
        (lambda: tasks.prefetch("nosuch"), "annotations"),
        (lambda: tasks.values("nosuch"), "nosuch"),
        (lambda: ls.projects.values("task_data_password"), "secret"),
    ]
    for mistake, named in mistakes:
        with pytest.raises(FieldError, match=named):
            mistake()
    with pytest.raises(TypeError, match="Q"):
        tasks.filter({"total_annotations": 0})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="project"):
        list(ls.tasks)
    assert asked() == []


def test_rows_of_another_shape(filled: Project, asked: Asked) -> None:
    ids = [task.id for task in filled.tasks]
    asked()
    flat = filled.tasks.values_list("id", flat=True)
    assert (list(flat), len(flat), flat[2], list(flat[1:3]), flat.first()) == (
        ids, len(ids), ids[2], ids[1:3], ids[0],
    )  # fmt: skip
    rows = filled.tasks.values_list("id", "data__n", "project")
    assert list(rows)[1] == (ids[1], 1, filled.id)
    assert filled.tasks.values("data__text", "total_annotations").first() == {
        "data__text": TEXTS[0], "total_annotations": 0,
    }  # fmt: skip
    asked()
    whole = list(filled.tasks.values())
    assert whole[0]["data"] == {"text": TEXTS[0]}
    assert asked() == ["GET /api/tasks/"]
    assert filled.tasks.values_list("annotators", flat=True)[1] != []


def test_only_brings_what_it_says_and_the_rest_on_demand(filled: Project, asked: Asked) -> None:
    task = filled.tasks.only("data").first()
    assert task is not None
    assert set(task.raw) == {"id", "data"}
    asked()
    assert task.data == {"text": TEXTS[0]}
    assert asked() == []
    assert task.total_annotations == 0
    assert task.created_at is not None
    assert asked() == [f"GET /api/tasks/{task.id}/"]


def test_only_trims_what_is_prefetched(filled: Project, asked: Asked) -> None:
    trimmed = filled.tasks.only("data", "annotations__result").prefetch("annotations")
    (annotation,) = trimmed.get(data__text="").annotations
    assert set(annotation.raw) == {"id", "result"}
    asked()
    assert annotation.result[0]["from_name"] == "sentiment"
    assert asked() == []
    assert annotation.ground_truth is False
    assert asked() == [f"GET /api/annotations/{annotation.id}/"]
    (whole,) = trimmed.only("data").get(data__text="").annotations
    assert "ground_truth" in whole.raw
    with pytest.raises(FieldError, match="Annotation has no field 'nosuch'"):
        filled.tasks.only("annotations__nosuch")
    with pytest.raises(FieldError, match="Project has no field 'tasks__data'"):
        client_of(filled.tasks).projects.only("tasks__data")


def test_prefetched_relations_cost_nothing_until_they_change(filled: Project, asked: Asked) -> None:
    task = filled.tasks.prefetch("annotations", "predictions").get(data__text="")
    asked()
    assert [a.values() for a in task.annotations] == [{"sentiment": "Positive"}]
    assert task.annotations.filter(ground_truth=False).count() == 1
    assert [p.score for p in task.predictions.all()] == [0.7]
    assert task.annotations.get(was_cancelled=False).task is task
    assert asked() == []
    task.annotations[0].result.append({**task.annotations[0].result[0], "value": {"choices": []}})
    task.annotations[0].ground_truth = True
    assert set(task.annotations[0].changes) == {"result", "ground_truth"}
    task.annotations[0].save()
    assert asked() == [
        f"GET /api/tasks/{task.id}/drafts",
        f"PATCH /api/annotations/{task.annotations[0].id}/",
    ]
    assert task.annotations[0].changes == {}
    assert len(task.annotations.get(ground_truth=True).result) == 2
    assert asked() == []
    made = task.annotations.create(result=[])
    assert made in task.annotations
    assert len(task.annotations) == 2
    made.delete()
    assert len(task.annotations) == 1
    trimmed = filled.tasks.only("id").prefetch("annotations").get(id__in=[task.id])
    only = trimmed.annotations.get()
    asked()
    assert only.result
    assert only.completed_by_id
    assert asked() == []


def test_get_or_create_and_update_or_create(filled: Project) -> None:
    task, created = filled.tasks.get_or_create(data__text="100%", defaults={"data": {"text": "x"}})
    assert not created
    made, created = filled.tasks.get_or_create(
        data__text="new", defaults={"data": {"text": "new"}, "meta": {"m": 1}}
    )
    assert created
    assert made.refresh().meta == {"m": 1}
    again, created = filled.tasks.update_or_create(
        data__text="new", defaults={"data": {"text": "new", "seen": True}}
    )
    assert (again, created) == (made, False)
    assert filled.tasks.get(made.id).data["seen"] is True
    assert task.data == {"text": "100%"}


def test_querysets_of_projects(ls: LabelStudio, project: Project, asked: Asked) -> None:
    more = [ls.projects.create(title=f"Many Ärger {n}") for n in range(3)]
    try:
        asked()
        assert list(ls.projects.filter(title__icontains="many ärger")) == more
        assert list(ls.projects.filter(title__startswith="Many").order_by("-title")) == more[::-1]
        assert list(ls.projects.filter(id__in=[more[2], more[0]])) == [more[0], more[2]]
        assert ls.projects.get(title="Many Ärger 1") == more[1]
        assert asked() == ["GET /api/projects/"] * 4
        assert ls.projects.count() >= 4
        assert ls.projects.last() == more[2]
        assert list(ls.projects.filter(created_by=ls.users.me(), title__contains="Many")) == more
        assert ls.projects.only("title").get(id__in=[more[0].id]).title == "Many Ärger 0"
        assert list(ls.projects.filter(workspace=7)) == []
        with pytest.raises(ValueError, match=r"\.all\(\)"):
            ls.projects.delete()
        assert ls.projects.filter(title__startswith="Many").delete() == 3
        assert not ls.projects.filter(id__in=more).exists()
    finally:
        for made in ls.projects.filter(title__startswith="Many"):
            made.delete()


def test_a_long_query_travels_in_the_body_of_the_get(filled: Project, asked: Asked) -> None:
    """Servers and proxies refuse long addresses; a project goes with the body, so that whoever
    drops it causes an error and no listing of everything."""
    ids = [task.id for task in filled.tasks]
    long = Q(id=ids[3])
    for number in range(100):
        long |= Q(total_annotations__gte=1000 + number)
    asked()
    assert list(filled.tasks.filter(long)) == [filled.tasks.get(ids[3])]
    assert filled.tasks.filter(long).count() == 1
    assert asked().count("GET /api/tasks/") == 2


def test_a_page_is_asked_for_when_the_middle_of_the_last_one_is_passed(
    ls: LabelStudio, filled: Project, asked: Asked
) -> None:
    ls.page_size = 4
    asked()
    stream = filled.tasks.iterator()
    first = [next(stream) for _ in range(3)]
    assert asked() == ["GET /api/tasks/"]
    assert [*first, *stream] == list(filled.tasks.order_by("id"))
    assert asked() == ["GET /api/tasks/"] * 3


def test_a_key_leads_into_dicts_and_not_into_lists(project: Project) -> None:
    """A data value is what ``get`` gives, step by step; regions of a result are gone through."""
    choice = project.config["sentiment"].choice
    made = project.tasks.bulk_create(
        [
            {"data": {"text": "a", "d": {"k": 1}}},
            {"data": {"text": "b", "d": [{"k": 1}]}},
            {"data": {"text": "c"}, "annotations": [{"result": [choice("Positive")]}]},
        ]
    )
    assert list(project.tasks.filter(data__d__k=1)) == [made[0]]
    assert list(project.tasks.filter(data__d__k=None)) == made[1:]
    assert list(project.tasks.exclude(data__d__k=1)) == made[1:]
    labelled: dict[str, Any] = {"annotations__result__value__choices": "Positive"}
    assert list(project.tasks.filter(**labelled)) == [made[2]]
    assert list(project.tasks.exclude(**labelled)) == made[:2]


def test_annotations_of_a_project_by_what_they_say(project: Project) -> None:
    """Through the tasks that can have such annotations."""
    first, second, third, _ = project.tasks.bulk_create([{"text": str(n)} for n in range(4)])
    good, bad = (project.config["sentiment"].choice(x) for x in ("Positive", "Negative"))
    one = first.annotations.create(result=[good], ground_truth=True)
    two = second.annotations.create(result=[bad], was_cancelled=True)
    both = third.annotations.create(result=[good, bad], lead_time=2.0)
    annotations = project.annotations
    elsewhere = client_of(project.tasks).projects.create(title="Elsewhere")
    other = elsewhere.tasks.create(data={"text": "x"})
    other.annotations.create(result=[])
    assert list(annotations.filter(task=second)) == [two]
    assert list(annotations.filter(task=other)) == []
    assert list(annotations.filter(task=10**6)) == []
    elsewhere.delete()
    assert list(annotations.filter(result__label="Positive")) == [one, both]
    assert list(annotations.filter(result__label__in=["Negative"])) == [two, both]
    assert list(annotations.exclude(result__label="Positive")) == [two]
    assert list(annotations.filter(was_cancelled=True)) == [two]
    assert list(annotations.filter(lead_time__gte=1.5)) == [both]
    assert list(annotations.filter(completed_by=one.completed_by_id)) == [one, two, both]
    assert list(annotations.filter(completed_by=present(one.completed_by_id) + 1000)) == []
    assert list(annotations.filter(Q(ground_truth=True) | Q(was_cancelled=True))) == [one, two]
    assert list(annotations.filter(created_at__gt=one.created_at)) == [two, both]
    assert list(project.tasks.filter(annotations__result__label="Negative")) == [second, third]
    assert project.tasks.filter(annotations__result__type="choices").count() == 3


def test_strict_refuses_what_would_be_checked_here(project: Project) -> None:
    project.tasks.bulk_create([{"text": "a", "lang": "de"}, {"text": "b"}])
    assert project.tasks.filter(total_annotations=0).strict().count() == 2
    assert project.tasks.filter(data__lang="de").strict().count() == 1
    checked = project.tasks.filter(data__lang__iexact="de").strict()
    with pytest.raises(FieldError, match="data__lang__iexact='de'"):
        list(checked)
    with pytest.raises(FieldError, match="strict"):
        checked.count()


def test_a_full_scan_is_said_once(project: Project) -> None:
    project.tasks.bulk_create([{"text": "a"}])
    scan = project.tasks.exclude(data__lang__contains="of no other test")
    with pytest.warns(ClientSideFilterWarning, match="every task is read"):
        assert len(scan) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scan.count() == 1
        assert project.tasks.filter(data__text="a").count() == 1


@pytest.mark.filterwarnings("error::labelstudio_orm.UnknownKeyWarning")
def test_a_summary_that_is_not_up_to_date_is_not_believed(
    ls: LabelStudio, project: Project
) -> None:
    """A server counts the tasks that an action gave a key as one, and forgets the key when that
    one is deleted.
    """
    tasks = project.tasks.bulk_create([{"text": f"{n}"} for n in range(3)])
    project.tasks.all().update(data__colour="red")
    tasks[0].delete()
    fresh = ls.projects.get(project.id)
    assert fresh.tasks.filter(data__colour="red").count() == 2
    assert len(fresh.tasks.values("data__colour")) == 2
    with pytest.warns(UnknownKeyWarning, match="'color' in its data; did you mean 'colour'"):
        assert fresh.tasks.filter(data__color="red").count() == 0
    many = [{"text": f"shapes {n}"} for n in range(120)]  # that hold the text, and are many
    project.tasks.bulk_create(many)
    assert fresh.tasks.filter(data__shapes="round").count() == 0


def test_explain_tells_the_plan(project: Project, asked: Asked) -> None:
    asked()
    found = project.tasks.filter(total_annotations=0, data__lang__iexact="de")
    told = found.order_by("-created_at").explain()
    assert "total_annotations equal 0 and data.lang contains 'de'" in told
    assert "data__lang__iexact='de'" in told.split("here:")[1]
    assert "ids and keys" in told
    top = project.tasks.order_by("-created_at")[:9].explain()
    assert "one page in the server's order" in top
    assert "another page, where tasks tie" in top
    further = project.tasks.order_by("-created_at", "id")[:9].explain()
    assert "another page by id, where tasks tie" in further
    assert "every row is read" in project.tasks.filter(meta__x=1).explain()
    assert "count() is one request" in project.tasks.filter(total_annotations=0).explain()
    assert "no object can match" in project.tasks.filter(id__in=[]).explain()
    assert "include" not in told
    assert "with annotations" in project.tasks.filter(annotations__lead_time__gt=1).explain()
    assert client_of(project.tasks).projects.filter(title="a").explain().startswith("query:")
    assert asked() == []


def test_a_key_of_data_is_looked_for_where_it_is(
    ls: LabelStudio, project: Project, asked: Asked
) -> None:
    """Where it is stored follows from the labelling config, which a handle on the project reads and
    keeps.
    """
    project.tasks.bulk_create([{"text": "de", "lang": "de"}, {"text": "de", "lang": "en"}])
    read, listed = f"GET /api/projects/{project.id}/", "GET /api/tasks/"
    handle = ls.projects.ref(project.id)
    german = handle.tasks.filter(data__lang="de")
    asked()
    assert f"{read}: the labelling config" in german.explain()
    assert (asked(), handle.tasks.filter(total_annotations=0).count()) == ([], 2)
    keys = f"{read}summary/"  # of all tasks, once
    assert ([task.data["lang"] for task in german], asked()) == (
        ["de"],
        [listed, read, keys, listed],
    )
    assert "data.lang in_list ['de']" in german.explain()
    assert "labelling config" not in german.explain()
    assert ([task.data["lang"] for task in german.all()], asked()) == (["de"], [listed])
    for found in (
        ls.tasks.filter(project=project.id, data__lang="de"),
        ls.tasks.filter(project=project.id).exclude(~Q(data__lang="de")),
    ):
        assert (len(found), asked()) == (1, [read, listed])


AMBIGUOUS = ["true", "false", "null", "{}", '{"a":1}', "[1]", "x" * 201]
PLAIN = ["a", "A", "a ", "", " ", "5", "5.0", "0", "1e5", "True", "None", '"a"', "\\", "%", "a%20b"]
PLAIN += ["_", "'", "é", "e\u0301", "\u212a", "K", "k", "İ", "😀", "\u2028", "\t", "x" * 200]
OTHERS = [5, 5.0, 0, True, False, None, {}, [], {"a": 1}, [1], ["a"], 1e5]


@pytest.mark.parametrize("key", ["v", "inside__v"])
def test_the_server_finds_a_text_in_data_by_itself(
    project: Project, asked: Asked, key: str
) -> None:
    """Not where another JSON value could have the same text, and not by a text of any length."""
    first: list[Any] = [["of the first task, which an equality stumbles over"]]
    values = [*first, *PLAIN, *AMBIGUOUS, *OTHERS]
    items: list[dict[str, Any]] = [{"text": "x", "v": v, "inside": {"v": v}} for v in values]
    project.tasks.bulk_create([*items, {"text": "x", "V": "a"}])
    list(project.tasks.filter(data__v="a"))  # it looks for the keys, once
    asked()
    for text in (*PLAIN, *AMBIGUOUS):
        assert project.tasks.filter(Q(**{f"data__{key}": text})).count() == 1
        assert len(asked()) == 1
        assert (text in AMBIGUOUS) == (
            "here:" in project.tasks.filter(Q(**{f"data__{key}__in": [text, "no"]})).explain()
        )
    assert project.tasks.filter(Q(**{f"data__{key}__in": PLAIN})).count() == len(PLAIN)
    assert len(asked()) == 1


SENT = [5, 5.0, 0, -0.0, -3, 1.5, 0.1, -0.25, 1e14, 123456789012345, 0.0001]
NOT_SENT = [1 / 3, 5.000000000000001, 10**15, 10**20, 1e22, 0.00001, 2**53 + 1]
SIMILAR = ["5", "5.0", "0", True, False, None, "", [5], {"a": 5}, [], {}, "-3", "1.5", "x"]


@pytest.mark.parametrize("key", ["v", "inside__v"])
def test_the_server_finds_a_number_in_data_by_itself(
    project: Project, asked: Asked, key: str
) -> None:
    """Not by more digits than every server writes of it, nor what else may have the same text."""
    values: list[Any] = [["of the first task"], *SENT, *NOT_SENT, *SIMILAR]
    project.tasks.bulk_create({"text": "x", "v": v, "inside": {"v": v}} for v in values)
    project.tasks.bulk_create([{"text": "x", "V": 5}])

    def found(*wanted: object) -> int:
        numbers = [v for v in values if type(v) in (int, float)]
        return len([v for v in numbers if v in wanted])

    def equal(value: object) -> Any:
        return project.tasks.filter(Q(**{f"data__{key}": value}))

    list(equal("a"))  # it looks for the keys, once
    asked()
    for number in SENT:
        assert (equal(number).count(), len(asked())) == (found(number), 1)
        assert "here:" not in equal(number).explain()
    for number in NOT_SENT:
        assert equal(number).count() == found(number)
        assert "here:" in equal(number).explain()
    asked()
    either = project.tasks.filter(Q(**{f"data__{key}__in": [*SENT, "x", "5"]}))
    assert (either.count(), len(asked())) == (found(*SENT) + 2, 1)


ORDERED = [-3, 0, 0.5, 1, 2, 2.5, 10**20, True, False, None, "", "1", "x", [], [2], {"a": 2}, {}]
CONDITIONS: dict[str, tuple[Q, Callable[[Any], bool]]] = {
    "gt": (Q(data__v__gt=1), lambda v: v > 1),
    "gte": (Q(data__v__gte=1), lambda v: v >= 1),
    "lt": (Q(data__v__lt=1), lambda v: v < 1),
    "lte": (Q(data__v__lte=1), lambda v: v <= 1),
    "range": (Q(data__v__range=(0, 2.5)), lambda v: 0 <= v <= 2.5),
    "above many digits": (Q(data__v__gt=1 / 3), lambda v: v > 1 / 3),
    "equal": (Q(data__v__in=[1, 2, 7]), lambda v: v in (1, 2)),
}


@pytest.mark.parametrize("of", ["numbers", "anything"])
@pytest.mark.parametrize("name", [*CONDITIONS, "true", "false"])
def test_what_is_deleted_by_a_value_in_data_is_what_matches(
    project: Project, name: str, of: str
) -> None:
    """Whatever other types the server takes for larger, smaller or the same."""
    values = [one for one in ORDERED if of == "anything" or type(one) in (int, float, bool)]
    values += ["true", "false"] if of == "anything" else []
    project.tasks.bulk_create([{"text": "x", "v": v, "inside": {"v": "true"}} for v in values])
    if name in CONDITIONS:
        condition, matches = CONDITIONS[name]
        left = [v for v in values if type(v) not in (int, float) or not matches(v)]
    else:
        condition = Q(data__v=name == "true")
        left = [v for v in values if v is not (name == "true")]
    project.tasks.bulk_create([{"text": "x"}, {"text": "x", "v": None}])
    left = [*left, "no key", None]
    chosen, others = project.tasks.filter(condition), project.tasks.exclude(condition)
    assert chosen.count() == len(chosen) == len(values) + 2 - len(left)
    assert others.count() == len(others) == len(left)
    assert chosen.delete() == len(values) + 2 - len(left)
    assert repr([task.data.get("v", "no key") for task in project.tasks]) == repr(left)


def test_a_mean_score_needs_a_model_version(project: Project) -> None:
    good, bad = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    good.predictions.create(result=[], score=0.9, model_version="v1")
    bad.predictions.create(result=[], score=0.1, model_version="v1")
    project.model_version = ""
    project.save()
    with pytest.raises(FieldError, match="predictions__score"):
        list(project.tasks.filter(predictions_score__gte=0.5))
    assert list(project.tasks.filter(predictions__score__gte=0.5)) == [good]
    project.model_version = "v1"
    project.save()
    assert list(project.tasks.filter(predictions_score__gte=0.5)) == [good]
    assert project.tasks.filter(predictions_score__isnull=True).count() == 0


def test_what_is_got_or_created_is_found_the_next_time(ls: LabelStudio) -> None:
    """Conditions of the queryset are set too, or what would not fit them is not made."""
    project = ls.projects.create(title="Once")
    german = project.tasks.filter(data__lang="de")
    task, created = german.get_or_create(data__text="a", defaults={"data": {"n": 7}})
    assert (created, task.data) == (True, {"lang": "de", "text": "a", "n": 7})
    assert german.get_or_create(data__text="a") == (task, False)
    assert german.update_or_create(data__text="a", defaults={"meta": {"x": 1}}) == (task, False)
    for ask in (
        lambda: german.get_or_create(data__text="b", defaults={"data": {"lang": "en"}}),
        lambda: project.tasks.get_or_create(data__n__gt=9, defaults={"data": {"n": 1}}),
        lambda: project.tasks.get_or_create(data__n__in=[8, 9], defaults={"data": {"n": 1}}),
        lambda: project.tasks.get_or_create(~Q(data__n=1), data__text="c", data__n=1),
        lambda: ls.projects.get_or_create(title="Never there", defaults={"title": "Other"}),
    ):
        with pytest.raises(ValueError, match=r"would not match|the defaults have"):
            ask()
    assert [one.data["text"] for one in project.tasks] == ["a"]
    assert ls.projects.filter(title="Other").count() == 0


def test_keys_are_looked_up_in_the_whole_project(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Keys")
    one, _two = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    view = project.views.create(title="v", filters=Q(id=one.id))
    for some in (view.tasks, project.tasks[:1]):
        made = some.bulk_create([{"text": "b"}], key="data.text", on_conflict="skip")
        assert made.summary.skipped == 1
    assert view.tasks.get_or_create(data__text="a") == (one, False)
    with pytest.raises(ValueError, match="of the view"):
        view.tasks.get_or_create(data__text="b")
    assert project.tasks.count() == 2


def test_a_key_that_ends_with_an_underscore(ls: LabelStudio) -> None:
    tasks = ls.projects.create(title="Underscores").tasks
    for created in (1, 0):
        items = [{"text": "a", "x": {"a_": "1"}, "b_": 1}]
        for key in ("data.x.a_", "data.b_"):
            made = tasks.bulk_create(items, key=key, on_conflict="skip").summary
            assert made.created == (created if key == "data.x.a_" else 0)


def test_the_tasks_of_two_views(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Views")
    one, two = (task.id for task in project.tasks.bulk_create([{"text": "a"}, {"text": "b"}]))
    first, second = (project.views.create(title="v", filters=Q(id=id)) for id in (one, two))
    with pytest.raises(ValueError, match="of both"):
        first.tasks.filter(view=second)
    assert first.tasks.filter(view=first.id).count() == 1
