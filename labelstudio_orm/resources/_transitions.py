"""The verb that takes tasks, annotations and projects through transitions between states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..orm import Resource, action, answer

__all__ = ["transition_of"]


def transition_of(entity: str) -> Callable[..., str | None]:
    """Return the verb that takes an object of this kind through a transition."""

    @action(
        "POST",
        f"/api/fsm/entities/{entity}/{{id}}/transition/",
        "taking {self!r} through a transition",
        expect={"success": bool},
        take=lambda row: row.get("new_state"),
        dry={"success": True, "new_state": None},
    )
    def transition(self: Resource, name: str, data: Mapping[str, Any] | None = None) -> str | None:
        """Take it through a transition that the server names, and return its new state.

        One request. None where the server records no states, as Community servers do unless their
        feature ``fflag_feat_fit_568_finite_state_management`` is on. Raises BadRequest for an
        unknown transition, and for one that happens by itself.

        >>> task.transition("task_completed")
        """
        given = {} if data is None else {"transition_data": dict(data)}
        return answer(json={"transition_name": name, **given})

    return transition
