"""What follows from a declaration."""

from __future__ import annotations

from typing import ClassVar

import pytest

from labelstudio_orm import Project, Task
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.orm import (
    ForeignKey,
    HasMany,
    Resource,
    foreign_key,
    readonly,
    resource,
    secret,
)
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
        project: ForeignKey[Project] = foreign_key()
        project_id = project.optional_id
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


def test_a_foreign_key_declares_its_id_with_or_without_the_line_for_type_checkers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry, "Spine", Resource)

    @resource("/api/spines/{id}/")
    class Spine(Resource):
        project: ForeignKey[Project] = foreign_key(fixed=True, wire="of_project")
        workspace: ForeignKey[Project] = foreign_key(default=None)

    fields = options_of(Spine).fields
    assert [*fields] == ["id", "project_id", "workspace_id"]
    assert (fields["project_id"].annotation, fields["workspace_id"].annotation) == (int, int | None)
    assert (fields["project_id"].wire, fields["project_id"].fixed) == ("of_project", True)
    assert Spine(project=5).project_id == 5  # type: ignore[attr-defined]


def test_an_id_of_another_foreign_key_is_refused_where_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"Spine\.user_id is the id of user"):

        @resource("/api/spines/{id}/")
        class Spine(Resource):
            project: ForeignKey[Project] = foreign_key()
            user: ForeignKey[Project] = foreign_key()
            user_id = project.id

    with pytest.raises(TypeError, match="<relation>_id"):

        @resource("/api/spines/{id}/")
        class Other(Resource):
            project: ForeignKey[Project] = foreign_key()
            of_project = project.id


def test_the_header_says_where_the_listing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry, "Place", Resource)  # undone afterwards
    expected = {
        "/api/places/{id}/": ("/api/places/{id}/", "/api/places/"),
        "/api/places{/id}": ("/api/places/{id}", "/api/places"),
        "/api/rooms/{project}/places{/key}": (
            "/api/rooms/{project}/places/{key}",
            "/api/rooms/{project}/places",
        ),
        "/api/place": ("/api/place", "/api/place"),
    }
    for header, addresses in expected.items():

        @resource(header)
        class Place(Resource):
            """Somewhere."""

        assert (options_of(Place).item, options_of(Place).collection) == addresses
