"""Tasks, their results and projects as pictures: what is loaded of them, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ... import _display
from ..._display.labelled import Answer, Labelled
from ..._engine.http.rationed import at_most
from ..._engine.http.transport import is_same_server
from ..._engine.reading.preview import attempt, loaded
from ..._engine.records.inside import client_of
from ..._engine.values.brief import cut
from ..._engine.values.files import whole_file
from ..._html.markup import Html, framed, page, tag
from ..._html.tables import pairs
from .media import address_of

Task = Any
Result = Any


def html_of(obj: Any) -> Html:
    """Return a task, an annotation or a prediction as it is loaded. No request."""
    with at_most(0):
        return framed(_display.labelled.picture(shown(obj)))


def show(obj: Any, path: Path) -> Path:
    """Write an object to a file, with what has to be loaded for it."""
    results: list[Result] | None = None
    owner = obj
    if hasattr(type(obj), "result"):
        _ = obj.task.data
        owner = obj if obj.project is not None else obj.task
    else:
        results = [*obj.annotations, *obj.predictions]
    _ = owner.project.config
    return _written(path, repr(obj), _display.labelled.picture(shown(obj, results)))


def show_sheet(tasks: Any, most: int, path: Path) -> Path:
    """Write the first tasks to a file, beside each other."""
    found = list(tasks.prefetch("annotations", "predictions")[:most])
    for task in found:
        _ = task.project.config
    return _written(path, repr(tasks), _display.labelled.sheet(map(shown, found)))


def _written(path: Path, title: str, picture: Html) -> Path:
    with whole_file(path, shared=True) as file:
        file.write(page(cut(title, 200), picture).encode())
    return path


def shown(obj: Any, results: list[Result] | None = None) -> Labelled:
    """Return what is shown of an object, by what is loaded; of a task also given results."""
    with at_most(0):
        is_task = not hasattr(type(obj), "result")
        task = obj if is_task else loaded(obj, "task")
        project = loaded(obj, "project") or loaded(task, "project")
        return Labelled(
            cut(repr(obj), 200),
            _mapping(loaded(task, "data")),
            loaded(project, "config"),
            _answers(obj, results) if is_task else [Answer("result", loaded(obj, "result"))],
            {} if is_task else _facts(obj),
            _addresses(task),
        )


def _answers(task: Task, results: list[Result] | None) -> list[Answer]:
    found: Iterable[Result] = results or (
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
    """Return a function that gives the address of a file in the browser, if it has one.

    The server's own addresses are those of files alone: a browser sends its cookies along.
    """
    server = attempt(lambda: client_of(task).url) or ""
    id_ = loaded(task, "id") or 0

    def address(value: str) -> str | None:
        try:
            found = address_of(value, server, id_)
        except ValueError:
            return None
        if found.path is not None:
            return f"{server}{found.path}"
        return None if is_same_server(found.text, server) else found.text

    return address


# -- projects --------------------------------------------------------------------------------------

_COUNTERS = {
    "num_tasks_with_annotations": "tasks with annotations",
    "total_annotations_number": "annotations",
    "skipped_annotations_number": "cancelled annotations",
    "total_predictions_number": "predictions",
}


def html_of_project(project: Any) -> Html:
    """Return a project with a bar of what is done, by the counters that it has."""
    with at_most(0):
        title = tag("div", cut(repr(project), 200), class_="lso-title")
        counters = {said: loaded(project, name) for name, said in _COUNTERS.items()}
        controls = loaded(loaded(project, "config"), "controls") or {}
        said = {
            "description": loaded(project, "description") or None,
            **{name: f"{one:,}" for name, one in counters.items() if isinstance(one, int)},
            "controls": ", ".join(map(str, controls.values())) or None,
        }
        done, of = loaded(project, "finished_task_number"), loaded(project, "task_number")
        return framed(title, _bar(done, of), pairs({k: v for k, v in said.items() if v}))


def _bar(done: Any, of: Any) -> Html | None:
    if not isinstance(of, int):
        return None
    if not isinstance(done, int):
        return tag("div", f"{of:,} tasks")
    part = min(100.0, 100 * done / of) if of > 0 else 0.0
    bar = tag("div", tag("div", class_="lso-done", style=f"width:{part:.1f}%"), class_="lso-bar")
    return tag("div", f"{done:,} of {of:,} tasks finished ({int(part)} %)", bar)
