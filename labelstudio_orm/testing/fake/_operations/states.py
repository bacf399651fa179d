"""States of tasks, annotations and projects, as a server has them that records none."""

from __future__ import annotations

from typing import Any

from .._wire.answers import invalid, page_not_found
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()

_AUTOMATIC = {
    "task": ("task_created",),
    "annotation": ("annotation_created", "annotation_updated"),
    "project": ("project_created",),
}
_MANUAL = {
    "task": ("task_completed", "task_in_progress"),
    "annotation": (),
    "project": (
        "project_in_progress",
        "project_completed",
        "project_in_progress_from_completed",
    ),
}


def _find(request: Request, entity: str, pk: int) -> None:
    if entity not in _MANUAL or request.fake.store.get(entity, pk) is None:
        raise page_not_found()


@routes.add("GET", "/api/fsm/entities/{entity:text}/{id}/history")
def list_states(request: Request, entity: str, id: int) -> Any:
    _find(request, entity, id)
    return {"count": 0, "next": None, "previous": None, "results": []}


@routes.add("POST", "/api/fsm/entities/{entity:text}/{id}/transition/")
def execute_transition(request: Request, entity: str, id: int) -> Any:
    _find(request, entity, id)
    body = request.body if isinstance(request.body, dict) else {}
    name = body.get("transition_name")
    if not name:
        text = "This field may not be blank." if name == "" else "This field is required."
        raise invalid({"transition_name": [text]})
    if name in _AUTOMATIC[entity]:
        text = "Transition is auto-triggered and cannot be executed manually"
        raise invalid({"transition_name": [text]})
    if name not in _MANUAL[entity]:
        raise invalid({"transition_name": ["Unknown transition for this entity"]})
    return {"success": True, "new_state": None, "state_record": None}
