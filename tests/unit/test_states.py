"""The states of tasks, annotations and projects, as a server gives them that records some."""

from __future__ import annotations

import pytest

from labelstudio_orm import BadRequest, Project, Task
from labelstudio_orm.testing import FakeLabelStudio, Fault

ROWS: list[dict[str, object]] = [
    {
        "id": f"0190-{number}",
        "state": state,
        "previous_state": before,
        "transition_name": name,
        "triggered_by": {"id": 1, "email": "user@example.com"},
        "reason": None,
        "created_at": f"2026-01-0{number}T00:00:00Z",
        "context_data": {"number": number},
    }
    for number, state, before, name in (
        (1, "CREATED", None, "task_created"),
        (2, "COMPLETED", "CREATED", "task_completed"),
    )
]


@pytest.fixture
def task(project: Project) -> Task:
    return project.tasks.create(data={"text": "fine"})


@pytest.mark.operation("states.state_history")
def test_the_states_of_a_task(fake: FakeLabelStudio, task: Task) -> None:
    assert not task.states.all()
    page: dict[str, object] = {"count": 2, "next": None, "previous": None, "results": ROWS}
    fake.fault("GET", "/api/fsm/*/history", Fault.answer(200, page), times=None)
    created, completed = task.states.all()
    assert (created.state, completed.state, completed.previous_state) == (
        *("CREATED", "COMPLETED", "CREATED"),
    )
    assert (completed.uuid, completed.task_id, completed.triggered_by_id) == ("0190-2", task.id, 1)
    assert completed.context_data == {"number": 2}
    assert [one.uuid for one in task.states.filter(state="COMPLETED")] == ["0190-2"]
    assert [one.uuid for one in task.states.order_by("-created_at")] == ["0190-2", "0190-1"]


@pytest.mark.operation("states.execute_transition")
def test_transitions(fake: FakeLabelStudio, project: Project, task: Task) -> None:
    assert task.transition("task_completed") is None  # this server records none
    row: dict[str, object] = {"success": True, "new_state": "COMPLETED", "state_record": ROWS[1]}
    fake.fault("POST", "/api/fsm/*", Fault.answer(200, row))
    assert project.transition("project_completed", {"reason": "done"}) == "COMPLETED"
    assert fake.requests[-1].body == {
        "transition_name": "project_completed",
        "transition_data": {"reason": "done"},
    }
    for name in ("task_created", "nosuch"):
        with pytest.raises(BadRequest, match="transition"):
            task.transition(name)
