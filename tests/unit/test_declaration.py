"""What follows from a declaration."""

from __future__ import annotations

from typing import ClassVar

import pytest

from labelstudio_orm import Project, Task
from labelstudio_orm._engine.fields.fields import (
    ForeignKey,
    HasMany,
    belongs_to,
    id_of,
    readonly,
    secret,
)
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.declaration import resource
from labelstudio_orm._engine.models.resource import Resource
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio


@pytest.fixture
def shelves(monkeypatch: pytest.MonkeyPatch) -> tuple[type[Resource], type[Resource]]:
    """A resource, and one that is declared upon it."""
    for name in ("Shelf", "TallShelf"):
        monkeypatch.setitem(registry, name, Resource)  # undone afterwards

    @resource("/api/shelves/{id}/", label="title")
    class Shelf(Resource):
        """Holds books."""

        title: str
        rows: int = 3
        key: str = secret(default="k")
        project_id: int | None = id_of("project")
        project: ForeignKey[Project] = belongs_to()
        books: int = readonly()
        tasks: ClassVar[HasMany[Task]] = HasMany()

    @resource("/api/tall/{id}/", label="title")
    class TallShelf(Shelf):
        """Has a ladder."""

        ladder: bool = True

    return Shelf, TallShelf


def test_a_declaration_upon_another_has_its_fields_words_and_defaults(
    shelves: tuple[type[Resource], type[Resource]],
) -> None:
    base, upon = shelves
    assert set(options_of(upon).fields) == {*options_of(base).fields, "ladder"}
    assert options_of(upon).fields["key"].secret
    assert options_of(upon).fields["books"].read_only
    assert options_of(upon).relations["project"].required
    assert options_of(upon).sets.keys() == options_of(base).sets.keys()
    new = upon(title="x", project=1)  # type: ignore[call-arg]
    assert (new.rows, new.key, new.ladder) == (3, "k", True)  # type: ignore[attr-defined]
    assert set(new.changes) == {"title", "project_id"}
    with pytest.raises(TypeError, match="title"):
        upon(project=1)  # type: ignore[call-arg]


def test_an_id_takes_an_object_and_an_object_an_id() -> None:
    one = FakeLabelStudio("http://one.fake").client().projects.create(title="One")
    other = FakeLabelStudio("http://two.fake").client().projects.create(title="Two")
    task = Task(project=one, data={})
    task.project_id = one  # type: ignore[assignment]
    assert task.project is one
    task.project_id = one.id
    assert task.project == one
    with pytest.raises(ValueError, match=r"two\.fake"):
        task.project_id = other  # type: ignore[assignment]
    with pytest.raises(TypeError, match="Project or its id"):
        task.project_id = "5"  # type: ignore[assignment]
