"""The controls and labels that a project's annotations use, which decide what configs it accepts.

The server does not count imported annotations, but subtracts them when they are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .._formats import markup
from .._state.store import Row, Store, dumps, loads
from .._wire.answers import Answer, Failure, crash, invalid


class Uncountable(Failure):
    """A 500 for a region that the server fails to count; some operations have stored it before."""

    def __init__(self, error: Exception) -> None:
        failed = crash(str(error))
        super().__init__(failed.status, failed.body, failed.headers)

    @property
    def committed(self) -> Answer:
        """Return the same answer, after which the rows written so far stay."""
        return Answer(self.body, self.status, self.headers)


def _key(region: dict[str, Any]) -> str | None:
    kind = region.get("type")
    if kind in ("relation", "pairwise", None) or not {"from_name", "to_name"} <= region.keys():
        return None
    target = region["to_name"]
    target = ",".join(target) if isinstance(target, list) else target
    return "|".join([region["from_name"], target, (kind or "").lower()])


def _labels(region: dict[str, Any]) -> list[str]:
    kind = region.get("type")
    kind = "labels" if kind == "videorectangle" else kind
    values = region["value"].get(kind)
    if not isinstance(values, list) or kind == "text":
        return []
    flat: list[str] = []
    for value in values:
        nested = kind == "taxonomy" and isinstance(value, list)
        flat += [str(inner) for inner in value] if nested else [str(value)]
    return flat


def _regions(results: Iterable[Any]) -> Iterator[Any]:
    return (region for result in results if isinstance(result, list) for region in result)


def count(store: Store, project_id: int, results: Iterable[Any], step: int) -> None:
    """Add (``step`` 1) or subtract (-1) the regions of annotations."""
    project = store.get("project", project_id)
    if project is None:
        return
    annotations, labels = loads(project["created_annotations"]), loads(project["created_labels"])
    before = set(labels)
    with _counting():
        for region in _regions(results):
            key = _key(region)
            if step < 0:
                if key is not None and key in annotations:
                    _decrease(annotations, key)
                _remove_labels(labels, region)
            elif key:
                annotations[key] = annotations.get(key, 0) + 1
                _add_labels(labels, region, before)
    store.update(
        "project",
        project_id,
        {"created_annotations": dumps(annotations), "created_labels": dumps(labels)},
    )


@contextmanager
def _counting() -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise Uncountable(error) from None


def _add_labels(labels: dict[str, Any], region: dict[str, Any], before: set[str]) -> None:
    name = region["from_name"]
    if name not in before:  # so only the last of several regions of a new control counts
        labels[name] = {}
    for label in _labels(region):
        labels[name][label] = labels[name].get(label, 0) + 1


def _remove_labels(labels: dict[str, Any], region: dict[str, Any]) -> None:
    name = region.get("from_name")
    if name not in labels:
        return
    for label in _labels(region):
        if label in labels[name]:
            _decrease(labels[name], label)
    if not labels[name]:
        del labels[name]


def _decrease(counter: dict[str, int], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def count_drafts(store: Store, task_id: int, results: Iterable[Any], step: int) -> None:
    """Add (``step`` 1) or subtract (-1) the labels of drafts.

    A draft that cannot be counted is a 500, and nothing is stored. The labels that a draft had
    before a change are never subtracted.
    """
    project_id = store.value("SELECT project_id FROM task WHERE id = ?", task_id)
    project = store.get("project", project_id)
    if project is None:
        return
    labels = loads(project["created_labels_drafts"])
    before = set(labels)
    with _counting():
        for region in _regions(results):
            if step < 0:
                _remove_labels(labels, region)
            elif "from_name" in region:
                _add_labels(labels, region, before)
    store.update("project", project_id, {"created_labels_drafts": dumps(labels)})


def forget_draft(store: Store, row: Row) -> None:
    """Subtract a draft that is about to be deleted; the last one of a project resets its drafts."""
    project_id = store.value("SELECT project_id FROM task WHERE id = ?", row["task_id"])
    if _number_of_drafts(store, project_id) == 1:
        store.update("project", project_id, {"created_labels_drafts": "{}"})
    else:
        count_drafts(store, row["task_id"], [loads(row["result"])], -1)


def _number_of_drafts(store: Store, project_id: int) -> int:
    return int(
        store.value(
            "SELECT COUNT(*) FROM draft JOIN task ON task.id = draft.task_id WHERE project_id = ?",
            project_id,
        )
    )


def forget(store: Store, project_id: int, annotations: list[Row]) -> None:
    """Subtract annotations that are about to be deleted; the last ones of a project reset it."""
    if store.value("SELECT COUNT(*) FROM annotation WHERE project_id = ?", project_id) == len(
        annotations
    ):
        reset(store, project_id)
    else:
        count(store, project_id, [loads(row["result"]) for row in annotations], -1)


def reset(store: Store, project_id: int, *, drafts: bool = False) -> None:
    """Remove all counts of annotations, and with ``drafts`` those of drafts."""
    names = ["created_annotations", "created_labels", *["created_labels_drafts"] * drafts]
    store.update("project", project_id, dict.fromkeys(names, "{}"))


def check_config(store: Store, project: Row, config: str, *, strict: bool = False) -> None:
    """Refuse (400) a config without a control that annotations or drafts use.

    ``strict`` also refuses one without a label that they use, as the validation endpoint does.
    """
    markup.check(config)
    pk = project["id"]
    if not store.value("SELECT COUNT(*) FROM task WHERE project_id = ?", pk):
        return reset(store, pk, drafts=True)
    if not markup.data_types(config):
        return None
    if is_unused(store, pk):
        return reset(store, pk, drafts=True)
    controls = markup.controls(config)
    if not controls:
        return None
    _check_controls(loads(project["created_annotations"]), controls, strict)
    annotated, drafted = (loads(project[f"created_labels{of}"]) for of in ("", "_drafts"))
    for name in {**annotated, **drafted}:
        labels = annotated.get(name, {}), drafted.get(name, {})
        _check_labels(name, *labels, controls, strict)
    return None


def is_unused(store: Store, project_id: int) -> bool:
    """Return whether the project has neither annotations nor drafts."""
    sql = "SELECT COUNT(*) FROM annotation WHERE project_id = ?"
    return not store.value(sql, project_id) and not _number_of_drafts(store, project_id)


Controls = dict[str, dict[str, Any]]


def _refused(problem: str, strict: bool) -> Failure:
    return invalid({"non_field_errors" if strict else "label_config": [problem]})


def _stands_for(name: str, control: dict[str, Any], found: str) -> bool:
    """Return whether a name with ``indexFlag``, in a ``<Repeater>``, stands for this name."""
    for flag, pattern in control.get("regex", {}).items():
        name = name.replace(flag, pattern)
    return re.fullmatch(name, found) is not None


def _check_controls(created: dict[str, int], controls: Controls, strict: bool) -> None:
    tuples = {
        f"{name}|{','.join(c['to_name'])}|{c['type'].lower()}" for name, c in controls.items()
    }
    types = {c["type"].lower() for c in controls.values()}
    lines = []
    for key, number in created.items():
        name, target, kind = key.split("|")
        known = any(_stands_for(one, c, name) for one, c in controls.items())
        reachable = any(
            _stands_for(one, c, target) for c in controls.values() for one in c["to_name"]
        )
        if key not in tuples and kind != "textarea" and not (known and reachable and kind in types):
            lines.append(f"{number} with from_name={name}, to_name={target}, type={kind}")
    if lines:
        said = "Created annotations are incompatible with provided labeling schema, we found:"
        raise _refused("\n".join([said, *lines]), strict)


def _check_labels(
    name: str,
    annotated: dict[str, int],
    drafted: dict[str, int],
    controls: Controls,
    strict: bool,
) -> None:
    labels = {**annotated, **drafted}
    control = next((c for one, c in controls.items() if _stands_for(one, c, name)), None)
    if control is None:
        if labels:
            number = sum(annotated.values()) + sum(drafted.values())
            said = f'There are {number} annotation(s) created with tag "{name}"'
            raise _refused(f"{said}, you can't remove it", strict)
        return
    known = set(control.get("labels", ()))
    if any(c["type"] == "VideoRectangle" for c in controls.values()):
        known.update(label for c in controls.values() for label in c.get("labels", ()))
    lost = [label for label in labels if label not in known]
    if not (strict and lost) or control.get("dynamic_labels"):
        return
    used = {"annotation": annotated, "draft": drafted}
    lines = ""
    for label in lost:
        counts = [
            f"{number} {what}{'s' * (number > 1)}"
            for what, found in used.items()
            if (number := found.get(label, 0))
        ]
        lines += f"{label} ({', '.join(counts)})\n"
    raise _refused(
        f"These labels still exist in annotations or drafts:\n{lines}"
        f'Please add labels to tag with name="{name}".',
        strict,
    )
