"""The tasks of a view come in the order of the view, from either end."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_orm import Project, Q


@pytest.mark.parametrize("ordering", ["total_annotations", "-total_annotations", "-id", None])
def test_a_view_from_either_end(project: Project, ordering: str | None) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(4)])
    for number in (2, 0, 2):
        tasks[number].annotations.create(result=[])
    order: dict[str, Any] = {"ordering": ordering} if ordering else {}
    view = project.views.create(title="Order", **order)
    ids = [task.id for task in view.tasks]
    turned = view.tasks.reverse()
    assert [task.id for task in turned] == ids[::-1]
    assert [task.id for task in turned.reverse()] == ids
    assert [task.id for task in turned[1:3]] == ids[::-1][1:3]
    assert [task.id for task in view.tasks[1:3]] == ids[1:3]
    assert (view.tasks.first(), view.tasks.last()) == (turned.last(), turned.first())
    assert view.tasks.last().id == ids[-1]  # type: ignore[union-attr]
    assert view.tasks[1:3].last().id == ids[2]  # type: ignore[union-attr]
    some = view.tasks.filter(id__in=ids[:3])
    assert [task.id for task in some.reverse()] == ids[:3][::-1]
    assert some.last().id == ids[2]  # type: ignore[union-attr]
    assert some.exclude(Q(id=ids[2])).last().id == ids[1]  # type: ignore[union-attr]
    assert view.tasks.order_by("-id").last().id == min(ids)  # type: ignore[union-attr]
