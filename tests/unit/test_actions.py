"""Further calls of a resource, declared by ``@action``."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, QuerySet, User
from labelstudio_orm._engine.models.actions import action, answer, no_answer
from labelstudio_orm._engine.models.declaration import resource
from labelstudio_orm._engine.models.resource import Resource
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio


class Shelves(QuerySet[Any]):
    @action("POST", "sort", dry={"sorted": 3})
    def sort(self, by: str) -> dict[str, int]:
        """Sort them all."""
        return answer(json={"by": by})


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(registry, "Shelf", Resource)  # undone afterwards

    @resource("/api/shelves/{id}/", queryset=Shelves)
    class Shelf(Resource):
        """Holds books."""

        title: str

        @action("POST", "dust", "dusting {self!r}", take=lambda found: found["dust"] * 2)
        def dust(self, *, times: int = 1) -> int:
            """Dust it."""
            return answer(json={"times": times}, dry={"dust": times})

        @action("DELETE", "/api/cellars/{id}/spiders")
        def clear(self) -> None:
            """Send the spiders away."""
            return no_answer(doing="clearing")

    return Shelf


def test_a_call_is_sent_to_the_address_it_declares_and_returns_what_is_taken(shelf: Any) -> None:
    ls = FakeLabelStudio().client()
    with ls.dry_run() as plan:
        one = shelf(title="top").save(using=ls)
        assert one.dust(times=4) == 8
        assert one.clear() is None
        shelves: Any = ls.all_of(shelf)
        assert shelves.sort("title") == {"sorted": 3}
    sent = [(write.method, write.path, write.doing) for write in plan.writes[1:]]
    assert sent == [
        ("POST", f"/api/shelves/{one.id}/dust", f"dusting {one!r}"),
        ("DELETE", f"/api/cellars/{one.id}/spiders", "clearing"),
        ("POST", "/api/shelves/sort", f"calling sort() of {shelves!r}"),
    ]


def test_a_call_needs_a_saved_object(shelf: Any) -> None:
    with pytest.raises(ValueError, match=r"dust\(\) needs a saved .*Shelf"):
        shelf(title="top").dust()


def test_help_shows_the_signature_and_the_docstring(shelf: Any) -> None:
    assert str(inspect.signature(shelf.dust)) == "(self, *, times: 'int' = 1) -> 'int'"
    assert inspect.getdoc(shelf.dust) == "Dust it."
    assert inspect.signature(Project.validate_config).return_annotation == "Mapping[str, Any]"


def test_rows_become_objects(ls: LabelStudio, project: Project) -> None:
    project.tasks.create(data={"text": "a"}).annotations.create(result=[])
    assert project.annotators() == [ls.users.me()]
    assert isinstance(ls.users.me(), User)
