"""Tasks, annotations and predictions as pictures: what is loaded of them, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from ... import _display
from ..._display.labelled import Answer, Labelled
from ..._display.markup import Html, framed
from ..._engine.http.rationed import at_most
from ..._engine.reading.preview import attempt, loaded
from ..._engine.records.inside import client_of
from ..._engine.values.brief import cut
from .media import address_of

Task = Any
Result = Any


def html_of(obj: Any) -> Html:
    """Return a task, an annotation or a prediction as it is loaded. No request."""
    with at_most(0):
        return framed(_display.labelled.picture(shown(obj)))


def shown(obj: Any, *, loads: bool = False) -> Labelled:
    """Return what is shown of an object; ``loads``: also what is not loaded yet."""
    with nullcontext() if loads else at_most(0):
        is_task = not hasattr(type(obj), "result")
        task = obj if is_task else loaded(obj, "task")
        project = loaded(obj, "project") or loaded(task, "project")
        return Labelled(
            cut(repr(obj), 200),
            _mapping(loaded(task, "data")),
            loaded(project, "config"),
            _answers(obj) if is_task else [Answer("result", loaded(obj, "result"))],
            {} if is_task else _facts(obj),
            _addresses(task),
        )


def _answers(task: Task) -> list[Answer]:
    found: Iterable[Result] = (
        *(attempt(lambda: list(task.annotations)) or ()),
        *(attempt(lambda: list(task.predictions)) or ()),
    )
    return [Answer(cut(repr(one), 100), loaded(one, "result"), _facts(one)) for one in found]


def _facts(one: Result) -> Mapping[str, Any]:
    """Return what is said of a result beside its regions, as far as it is loaded."""
    names = {"completed_by_id": "by user", "model_version": "of", "score": "with score"}
    facts = {said: loaded(one, name) for name, said in names.items() if hasattr(type(one), name)}
    if hasattr(type(one), "was_cancelled"):
        flags = {"was_cancelled": "cancelled", "ground_truth": "ground truth"}
        for name, said in flags.items():
            if loaded(one, name) is True:
                facts[said] = ""
    return facts


def _mapping(data: Any) -> Mapping[str, Any] | None:
    return data if isinstance(data, Mapping) else None


def _addresses(task: Task) -> Any:
    """Return a function that gives the address of a file in the browser, if it has one."""
    server = attempt(lambda: client_of(task).url) or ""
    id_ = loaded(task, "id") or 0

    def address(value: str) -> str | None:
        try:
            found = address_of(value, server, id_)
        except ValueError:
            return None
        return found.text if found.path is None else f"{server}{found.path}"

    return address
