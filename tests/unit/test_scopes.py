"""Querysets of every resource: they can be explained, and what is got in a relation is of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import DoesNotExist, LabelStudio, Project, Q, QuerySet
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.records.inside import parents_of
from labelstudio_orm._engine.records.origin import Origin
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio
from tests.helpers import client_of

FAKE = FakeLabelStudio()
LS = FAKE.client()


def querysets() -> Iterator[tuple[str, QuerySet[Any]]]:
    """Of each resource by itself, and in each relation."""
    for name, model in registry.items():
        objects: QuerySet[Any] = LS.all_of(model)
        yield name, objects
        for relation in options_of(model).sets.values():
            yield f"{name}.{relation.name}", getattr(objects.ref(1), relation.name)


@pytest.mark.parametrize(("name", "objects"), list(querysets()))
def test_every_queryset_can_be_explained(name: str, objects: QuerySet[Any]) -> None:
    options = options_of(objects.model)
    forms = [objects, objects.all()[1:3], objects.strict()]
    if options.key:
        key = options.key
        value = 1 if options.fields[key].annotation is int else "a"
        forms += [
            objects.filter(**{key: value}).order_by(f"-{key}"),
            objects.exclude(**{f"{key}__in": [value]}).reverse()[:2],
            objects.filter(~Q(**{key: value}) | Q(**{f"{key}__in": []})),
        ]
    for field in options.fields.values():
        if not field.partly and not field.secret:  # those are refused
            forms.append(objects.order_by(field.name))
    for form in forms:
        assert "requests:" in form.explain(), form


def test_annotations_are_explained_by_their_tasks(project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    said = project.annotations.filter(result__label="Positive", completed_by=7)
    assert "GET /api/tasks/: pages by id of annotations_ids empty False" in said.explain()
    assert f"GET /api/tasks/{task.id}/: its annotations" in task.annotations.explain()
    assert "refused: Drafts are listed by task" in client_of(project.tasks).drafts.explain()


# -- get and in_bulk in a relation ----------------------------------------------------------------

ML = "http://127.0.0.1:9/"

MAKE = {
    "tasks": lambda p: p.tasks.create(data={"text": "a"}),
    "annotations": lambda p: p.tasks.create(data={"text": "a"}).annotations.create(result=[]),
    "predictions": lambda p: p.tasks.create(data={"text": "a"}).predictions.create(result=[]),
    "views": lambda p: p.views.create(title="A view"),
    "webhooks": lambda p: p.webhooks.create(url="http://example.com/hook"),
    "files": lambda p: p.files.upload(_file()),
    "exports": lambda p: p.exports.create(title="An export"),
    "ml_backends": lambda p: p.ml_backends.create(url=ML, title="words"),
    "import_storages": lambda p: p.import_storages.s3.create(title="Incoming"),
    "export_storages": lambda p: p.export_storages.s3.create(title="Outgoing", bucket="pond"),
}


def _file() -> Path:
    path = Path("pond.csv")
    path.write_text("text\nfrog\n")
    return path


@pytest.mark.parametrize("relation", list(MAKE))
def test_what_is_got_in_a_project_is_of_it(
    fake: FakeLabelStudio, relation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake.ssrf_protection = False
    fake.models[ML] = lambda tasks: []
    fake.blobs["s3://pond/a.json"] = b""
    ls = fake.client()
    config = '<View><Text name="text" value="$text"/></View>'
    own, other = (ls.projects.create(title=t, label_config=config) for t in ("Own", "Other"))
    theirs, mine = MAKE[relation](other), MAKE[relation](own)
    objects = getattr(own, relation)
    got = objects.get(mine.id)
    assert got == mine
    assert parents_of(got)["project"] is own
    assert objects.in_bulk([mine.id, theirs.id]).keys() == {mine.id}
    questions: tuple[Callable[[], object], ...] = (
        lambda: objects.get(theirs.id),
        lambda: objects.get(id=theirs.id),
        lambda: objects.get(Q(id=theirs.id)),
        lambda: objects.filter(id__gt=0).get(theirs.id),
    )
    for ask in questions:
        with pytest.raises(DoesNotExist):
            ask()


def test_every_relation_of_a_project_is_tried() -> None:
    community = {
        name
        for name, relation in options_of(Project).sets.items()
        if not options_of(relation.target).edition
        and "{id}" in options_of(relation.target).item
        and not options_of(relation.target).addresses("project")  # which the server sees to itself
    }
    assert community <= {*MAKE, "comments"}, community - {*MAKE}


def test_drafts_of_another_task_and_tasks_of_another_view(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Views")
    first, second = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    draft = ls.drafts.create(task=first, result=[])
    assert ls.drafts.filter(task=first).get(draft.id) == draft
    with pytest.raises(DoesNotExist):
        ls.drafts.filter(task=second).get(draft.id)
    view = project.views.create(title="First", filters=Q(id=first.id))
    assert view.tasks.get(first.id) == first
    with pytest.raises(DoesNotExist):
        view.tasks.get(second.id)


@pytest.mark.parametrize(("name", "objects"), list(querysets()))
def test_an_object_of_another_server_is_no_id_here(name: str, objects: QuerySet[Any]) -> None:
    if (
        not options_of(objects.model).key
        or options_of(objects.model).fields["id"].annotation is str
    ):
        return
    elsewhere = LabelStudio("http://elsewhere.example", "some-key")
    row = {options_of(objects.model).key_wire: 1}
    stranger = objects.model._from_row(row, Origin(elsewhere))
    before = len(FAKE.requests)
    for act in (objects.ref, objects.get, lambda one: objects.in_bulk([one])):
        with pytest.raises(ValueError, match=r"is on http://elsewhere\.example, not on"):
            act(stranger)
    assert len(FAKE.requests) == before
