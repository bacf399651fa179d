"""An id that is missing is never left out of a request: whatever has none, raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from labelstudio_orm import LabelStudio, Project, PromptRun, Q, Task, View, Webhook
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.http.required import check_address, query_of
from labelstudio_orm._engine.models.queryset import QuerySet, queryset_of
from labelstudio_orm._engine.models.resource import Resource
from labelstudio_orm._engine.records.origin import Origin
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio

SETS = [(model, name) for model in registry.values() for name in options_of(model).sets]
ADDRESSED = [
    model for model in registry.values() if options_of(model).item and options_of(model).key
]
LISTED = [
    (model, name)
    for model in registry.values()
    for name in (*options_of(model).relations, "view")
    if name != "view" or model is Task
]


def deleted(model: type[Resource], ls: LabelStudio, id: Any = 7) -> Any:
    """An object as it is after its ``delete()``."""
    return model._from_row({}, Origin(ls, deleted=id))


def unsaved(model: type[Resource], ls: LabelStudio) -> Any:
    return model._from_row({}, Origin(ls))


@pytest.fixture
def quiet(fake: FakeLabelStudio) -> Iterator[LabelStudio]:
    """A client that sends nothing to the end of the test."""
    yield fake.client()
    assert not fake.requests


@pytest.mark.parametrize(("model", "name"), SETS, ids=lambda one: getattr(one, "__name__", one))
def test_relations(model: type[Resource], name: str, quiet: LabelStudio) -> None:
    """Of what was deleted say so; of what was never saved advise to save it."""
    with pytest.raises(ValueError, match=f"{name}.* 7 was deleted") as told:
        getattr(deleted(model, quiet), name)
    assert "save()" not in str(told.value)
    with pytest.raises(ValueError, match=r"call save\(\)"):
        getattr(unsaved(model, quiet), name)


@pytest.mark.parametrize("model", ADDRESSED, ids=lambda model: model.__name__)
def test_what_an_object_is_asked(model: type[Resource], quiet: LabelStudio) -> None:
    verbs: list[Callable[[Any], Any]] = [
        lambda obj: obj.refresh(),
        lambda obj: obj.delete(),
        lambda obj: obj._ask("POST", "doing something", "/something"),
    ]
    for verb in verbs:
        with pytest.raises(ValueError, match="was deleted") as told:
            verb(deleted(model, quiet))
        assert "save()" not in str(told.value)
        with pytest.raises(ValueError, match="saved"):
            verb(unsaved(model, quiet))


READS: dict[str, Callable[[QuerySet[Any]], Any]] = {
    "list": list,
    "count": lambda queryset: queryset.count(),
    "exists": lambda queryset: queryset.exists(),
    "first": lambda queryset: queryset.first(),
    "ref": lambda queryset: queryset.ref(1),
    "delete": lambda queryset: queryset.all().delete(),
    "create": lambda queryset: queryset.create(),
    "values": lambda queryset: list(queryset.values()),
}


@pytest.mark.parametrize(("model", "name"), LISTED, ids=lambda one: getattr(one, "__name__", one))
def test_a_queryset_of_what_went_meanwhile(
    model: type[Resource], name: str, quiet: LabelStudio
) -> None:
    """It was made while the object was there."""
    target = View if name == "view" else options_of(model).relations[name].target
    for parent in (deleted(target, quiet), unsaved(target, quiet), None):
        others = {
            other: 1
            for other in options_of(model).relations
            if other in options_of(model).pages.scoped_by and other != name
        }
        queryset = queryset_of(model, quiet, scope={**others, name: parent})
        for verb, do in READS.items():
            if verb == "ref" and (name == "view" or parent is None):
                continue
            with pytest.raises((ValueError, TypeError)):
                do(queryset)
        assert repr(queryset)


@pytest.mark.parametrize("model", registry.values(), ids=lambda model: model.__name__)
def test_an_object_that_is_gone_is_no_value(model: type[Resource], quiet: LabelStudio) -> None:
    """Neither of a field nor of a condition."""
    for name, relation in options_of(model).relations.items():
        gone = deleted(relation.target, quiet)
        with pytest.raises(ValueError, match="was deleted"):
            quiet.all_of(model).filter(**{name: gone})
        field = options_of(model).fields[relation.id_name]
        if not field.read_only:
            with pytest.raises(ValueError, match="was deleted"):
                setattr(unsaved(model, quiet), name, gone)


def one_of_three(fake: FakeLabelStudio) -> tuple[Project, View]:
    """A project of three tasks, and a view of one of them."""
    project = fake.client().projects.create(title="Views")
    project.tasks.bulk_create([{"text": "a"}, {"text": "b"}, {"text": "c"}])
    return project, project.views.create(title="One", filters=Q(id=2))


THROUGH_A_VIEW: dict[str, Callable[[Any], Any]] = {
    **{name: do for name, do in READS.items() if name not in ("ref", "create")},
    "update": lambda tasks: tasks.update(data__text="z"),
    "create_annotations": lambda tasks: tasks.create_annotations([]),
    "perform": lambda tasks: tasks.perform("delete_tasks"),
    "export": lambda tasks: tasks.export("JSON", "never.json"),
    "order_by": lambda tasks: list(tasks.order_by("-id")),
    "filter": lambda tasks: list(tasks.filter(data__text="a")),
}


@pytest.mark.parametrize("verb", THROUGH_A_VIEW)
def test_the_tasks_of_a_view_that_is_gone(fake: FakeLabelStudio, verb: str) -> None:
    project, view = one_of_three(fake)
    held = view.tasks
    view.delete()
    new = View(project=project, data={"title": "New"})
    ways: tuple[Callable[[], Any], ...] = (lambda: held, lambda: view.tasks, lambda: new.tasks)
    for tasks in ways:
        with pytest.raises(ValueError, match=r"was deleted|save\(\)"):
            THROUGH_A_VIEW[verb](tasks())
    assert [task.data["text"] for task in project.tasks] == ["a", "b", "c"]
    assert project.annotations.count() == 0


@pytest.mark.parametrize("nothing", [None, "", 0, -3, True, 1.5, "x", [1]])
def test_a_view_that_is_none(fake: FakeLabelStudio, nothing: Any) -> None:
    """The server takes a view without a number, or of none, for no view at all."""
    project, _ = one_of_three(fake)
    with pytest.raises(ValueError, match="view"):
        project.tasks.filter(view=nothing).delete()
    assert project.tasks.count() == 3


@pytest.mark.parametrize("nothing", [None, "", 1.5, "1.5", True, "x", [1], {}, float("nan")])
def test_an_id_that_is_none(quiet: LabelStudio, nothing: Any) -> None:
    for model in registry.values():
        if (
            not options_of(model).key
            or options_of(model).fields[options_of(model).key].annotation is str
        ):
            continue
        objects = quiet.all_of(model)
        for ask in (objects.get, objects.ref, lambda id, all_=objects: all_.in_bulk([id])):
            with pytest.raises(ValueError, match="id"):
                ask(nothing)


def test_ids_of_other_types_that_are_whole_numbers(fake: FakeLabelStudio) -> None:
    numpy = pytest.importorskip("numpy")
    project, _ = one_of_three(fake)
    ids: tuple[Any, ...] = (2, "2", 2.0, numpy.int64(2))
    for id in ids:
        assert project.tasks.get(id).id == 2
        assert list(project.tasks.in_bulk([id])) == [2]


def test_the_views_of_a_project_that_is_gone(fake: FakeLabelStudio) -> None:
    """Those of the others stay."""
    ls = fake.client()
    project, other = ls.projects.create(title="Gone"), ls.projects.create(title="Stays")
    other.views.create(title="Mine")
    held = project.views
    project.delete()
    with pytest.raises(ValueError, match="was deleted"):
        held.all().delete()
    with pytest.raises(ValueError, match="was deleted"):
        held.set_order([])
    assert other.views.count() == 1


def test_what_else_takes_an_object(fake: FakeLabelStudio) -> None:
    project, view = one_of_three(fake)
    with pytest.raises((TypeError, ValueError), match="view"):
        project.exports.create(task_filter_options={"view": None})
    view.delete()
    with pytest.raises(ValueError, match="was deleted"):
        project.exports.create(task_filter_options={"view": view})
    with pytest.raises(TypeError, match="a view"):
        project.views.set_order([None])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="model_version"):
        project.tasks.all().perform("predictions_to_annotations", model_version=None)


OTHER_OBJECTS: dict[str, Callable[[LabelStudio, Any], Any]] = {
    "views": lambda ls, one: ls.projects.ref(1).views.set_order([one]),
    "exports": lambda ls, one: ls.projects.ref(1).exports.create(task_filter_options={"view": one}),
    "ml_backends": lambda ls, one: ls.projects.ref(1).ml_backends.ref(1).predict_interactive(one),
    "predictions": lambda ls, one: ls.projects.ref(1).predictions.bulk_create([(one, [], 0.5)]),
    "members": lambda ls, one: ls.workspaces.ref(1).members.remove(one),
    "cost": lambda ls, one: ls.prompts.ref(1).versions.ref(1).cost_estimate(one),
    "teacher": lambda ls, one: (
        ls.prompts.ref(1)
        .versions.ref(1)
        .refine(teacher_model_provider_connection_id=one, teacher_model_name="m", project=1)
    ),
    "runs": lambda ls, one: PromptRun._from_row({"id": 1}, Origin(ls)).submit_predictions(
        [{"task": one, "output": {}}]
    ),
}


@pytest.mark.parametrize("verb", OTHER_OBJECTS.values(), ids=OTHER_OBJECTS)
def test_an_object_of_another_kind_is_no_id(verb: Any, quiet: LabelStudio) -> None:
    of_another_kind = Webhook._from_row({"id": 1}, Origin(quiet))
    elsewhere = LabelStudio("http://elsewhere.example.com", "x").tasks.ref(1)
    for odd in (of_another_kind, elsewhere, True, 1.5, "x", [1]):
        with pytest.raises((TypeError, ValueError)):
            verb(quiet, odd)


def test_a_deleted_object_can_be_made_anew(fake: FakeLabelStudio) -> None:
    _project, view = one_of_three(fake)
    view.delete()
    assert repr(view) == "<View unsaved, 1 was deleted>"
    view.save()
    assert "deleted" not in repr(view)
    assert [task.id for task in view.tasks] == [2]


def test_parameters_without_a_value(fake: FakeLabelStudio) -> None:
    ls = fake.client()
    for nothing in (None, "", [], [1, None], (), [""]):
        with pytest.raises(ValueError, match="'project'"):
            ls.request("GET", "/api/tasks/", params={"project": nothing})
        with (
            pytest.raises(ValueError, match="'project'"),
            ls.stream("GET", "/api/projects/1/export", params={"project": nothing}),
        ):
            pass
        with ls.dry_run(), pytest.raises(ValueError, match="'project'"):
            ls.request("POST", "/api/dm/actions/", params={"project": nothing})
    assert query_of({"a": [1, True], "b": False, "c": 0}, "GET") == {
        "a": [1, "true"],
        "b": "false",
        "c": 0,
    }
    assert not fake.requests


@pytest.mark.parametrize(
    "path", ["/api/tasks/None/", "/api/tasks/None", "/api/projects//tasks/", "/api/projects/None/x"]
)
def test_addresses_without_an_id(fake: FakeLabelStudio, path: str) -> None:
    with pytest.raises(ValueError, match=r"lacks an id|an id missing"):
        fake.client().request("DELETE", path)
    assert not fake.requests
    check_address("/data/upload/1/None")


def test_an_origin_that_is_shared_is_not_changed(fake: FakeLabelStudio) -> None:
    """The other rows of a listing were not deleted."""
    project, _ = one_of_three(fake)
    first, second, _ = project.tasks
    assert first._origin is second._origin
    first.delete()
    assert second._origin.deleted is None
    assert attrs.evolve(first._origin, deleted=None) == second._origin
