"""The content of objects: what is the same on every server that holds the same thing.

Rows are dicts as a ``Source`` gives them; content has no ids, dates or addresses of a server. Two
objects are the same if their contents are equal, or their ``digest``, which has 32 characters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from ..._engine.values.codec import with_leaves
from ..._engine.values.secret import Secret

ORIGIN: Final = "_origin"
"""The key of a task's ``meta`` where a copy keeps what the server does not."""

SETTINGS: Final = (
    "title", "description", "label_config", "expert_instruction", "show_instruction",
    "show_skip_button", "enable_empty_annotation", "show_annotation_history",
    "show_collab_predictions", "show_ground_truth_first", "show_overlap_first",
    "reveal_preannotations_interactively", "evaluate_predictions_automatically",
    "annotator_evaluation_enabled", "color", "control_weights", "maximum_annotations",
    "annotation_limit_count", "annotation_limit_percent", "min_annotations_to_start_training",
    "overlap_cohort_percentage", "sampling", "skip_queue", "model_version", "is_published",
    "task_data_login", "task_data_password",
)  # fmt: skip
"""The settings of a project that belong to it and not to the server or to a user."""

TASK_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "annotations": ("result", "completed_by", "was_cancelled", "ground_truth", "lead_time"),
    "predictions": ("result", "score", "model_version"),
    "drafts": ("result", "lead_time", "was_postponed"),
}
"""The kinds of objects that a task has, and the fields of their content."""

_FLAGS: Final = frozenset({"was_cancelled", "ground_truth", "was_postponed"})

ANNOTATION_ORIGIN: Final = (
    "created_at", "updated_at", "updated_by", "last_action", "import_id", "draft_created_at",
    "parent_annotation", "parent_prediction", "bulk_created",
)  # fmt: skip
"""The fields of an annotation beside its content, which an import does not take."""

BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "annotations": ANNOTATION_ORIGIN,
    "predictions": ("created_at",),
    "drafts": ("annotation", "user", "created_at"),
}
"""The fields of a row beside the id and the content, by kind."""

TASK_ORIGIN: Final = (
    "inner_id", "created_at", "updated_at", "file_upload", "storage_filename",
)  # fmt: skip
"""The fields of a task that an import does not take."""

SECRET_SETTINGS: Final = frozenset({"task_data_password"})
"""The settings that must not be written to a disk."""


def task_content(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a task with its annotations, predictions and drafts, in any order.

    >>> task_content({"id": 5, "data": {"text": "a"}})["data"]
    {'text': 'a'}
    """
    return {
        **task_fields(task),
        **{
            kind: sorted(map(content_of, task.get(kind) or ()), key=digest)
            for kind, content_of in CONTENTS.items()
        },
    }


def task_fields(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a task without its annotations, predictions and drafts."""
    meta = {} if task.get("meta") is None else task["meta"]
    if isinstance(meta, Mapping):
        meta = {key: value for key, value in meta.items() if key != ORIGIN}
    return {
        "data": task.get("data"),
        "meta": meta,
        "overlap": task.get("overlap", 1),
    }


def fields_of(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of an object as the API takes it; an author is what the row has."""
    fields = {
        name: bool(row.get(name)) if name in _FLAGS else row.get(name) for name in TASK_KINDS[kind]
    }
    return {**fields, "result": fields["result"] or []}


def _object_content(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of an object of a task.

    Of a draft its author is none of it: a server gives a draft to the user who creates it.
    """
    found = fields_of(kind, row)
    if kind == "drafts":
        found["is_edit"] = row.get("annotation") is not None
    return found


Content: TypeAlias = "Callable[[Mapping[str, Any]], dict[str, Any]]"
"""Gives the content of a row."""

CONTENTS: Final[Mapping[str, Content]] = {
    kind: partial(_object_content, kind) for kind in TASK_KINDS
}
"""The kinds of objects that belong to a task, each with its content."""


def settings_content(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a project without its secrets."""
    return selected(settings, (name for name in SETTINGS if name not in SECRET_SETTINGS))


def selected(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the values of some fields, None for those that a row lacks."""
    return {name: canonical(row.get(name)) for name in names}


def canonical(value: Any) -> Any:
    """Return JSON in which whole numbers are ints: a database may have stored either."""
    return with_leaves(value, _whole)


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def digest(content: Any) -> str:
    """Return 32 characters that are equal if and only if the content is equal.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return blake2b(text_of(content).encode(), digest_size=16).hexdigest()


def text_of(content: Any) -> str:
    """Return content as JSON that is equal if and only if the content is equal.

    >>> text_of({"b": 2.0, "a": 1}) == text_of({"a": 1.0, "b": 2})
    True
    """
    text = _encode(content)
    # Only these may be other spellings of a whole number: 1.0, -0.0, 1e+16.
    return _encode(canonical(content)) if ".0" in text or "e+" in text else text


_plainly = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=Secret.reveal).encode


def _encode(value: Any) -> str:
    try:
        return _plainly(value)
    except RecursionError:
        return "".join(_written(value))


class _Sign(str):
    """Punctuation between the values of a JSON text."""

    __slots__ = ()


def _written(value: Any) -> Iterator[str]:
    """Yield the pieces of the same text for JSON that is nested too deeply for recursion."""
    todo: list[Any] = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, _Sign):
            yield one
        elif isinstance(one, (dict, list, tuple)):
            is_dict = isinstance(one, dict)
            yield "{" if is_dict else "["
            todo.append(_Sign("}" if is_dict else "]"))
            places = sorted(one, reverse=True) if is_dict else range(len(one) - 1, -1, -1)
            for number, place in enumerate(places, start=1):
                todo.append(one[place])
                comma = "," * (number < len(one))
                todo.append(_Sign(f"{comma}{_plainly(place)}:" if is_dict else comma))
        else:
            yield _plainly(one)
