"""The content of objects: what is the same on every server that holds the same thing.

Rows are dicts as a ``Source`` gives them; content has no ids, no dates, no addresses of a server.
Two objects are the same if their contents are equal, which ``digest`` says in 32 characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from ..._engine.values.codec import with_leaves
from ..._engine.values.secret import Secret

ORIGIN: Final = "_origin"
"""The key of a task's ``meta`` under which a copy keeps what the server cannot."""

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

ANNOTATION: Final = ("result", "completed_by", "was_cancelled", "ground_truth", "lead_time")
PREDICTION: Final = ("result", "score", "model_version")
ANNOTATION_ORIGIN: Final = (
    "created_at", "updated_at", "updated_by", "last_action", "import_id", "draft_created_at",
    "parent_annotation", "parent_prediction", "bulk_created",
)  # fmt: skip
"""What is known of an annotation beside its content, and what an import does not take."""

TASK_ORIGIN: Final = (
    "inner_id", "created_at", "updated_at", "file_upload", "storage_filename",
)  # fmt: skip
"""The same of a task."""

DRAFT: Final = ("result", "lead_time", "was_postponed")
WEBHOOK: Final = ("url", "send_payload", "send_for_all_actions", "actions", "is_active")
BACKEND: Final = (
    "url", "title", "description", "is_interactive", "auth_method", "basic_auth_user",
    "extra_params", "timeout",
)  # fmt: skip
STORAGE: Final = (
    "family", "type", "title", "description", "regex_filter", "use_blob_urls", "prefix", "path",
    "bucket", "region_name", "s3_endpoint", "role_arn", "container", "google_project_id", "host",
    "port", "db", "presign", "presign_ttl", "recursive_scan", "can_delete_objects",
)  # fmt: skip

SECRETS: Final[Mapping[str, frozenset[str]]] = {
    "settings": frozenset({"task_data_password"}),
    "webhooks": frozenset({"headers"}),
}
"""What rows hold that must not be written to a disk, by the kind of the row."""


def without_secrets(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it may be written down."""
    hidden = SECRETS.get(kind, frozenset())
    return {key: value for key, value in row.items() if key not in hidden}


def task_content(task: Mapping[str, Any]) -> dict[str, Any]:
    """What a task holds with all that was said of it. The order of annotations, predictions and
    drafts does not count.

    >>> task_content({"id": 5, "data": {"text": "a"}})["data"]
    {'text': 'a'}
    """
    return {
        **task_fields(task),
        "annotations": _sorted(map(annotation_content, task.get("annotations") or ())),
        "predictions": _sorted(map(prediction_content, task.get("predictions") or ())),
        "drafts": _sorted(map(draft_content, task.get("drafts") or ())),
    }


def task_fields(task: Mapping[str, Any]) -> dict[str, Any]:
    """What a task holds by itself."""
    meta = {} if (said := task.get("meta")) is None else said
    if isinstance(meta, Mapping):
        meta = {key: value for key, value in meta.items() if key != ORIGIN}
    return {
        "data": canonical(task.get("data")),
        "meta": canonical(meta),
        "overlap": task.get("overlap", 1),
    }


def annotation_content(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """The result, the author's e-mail, and how it was made."""
    found = _chosen(annotation, ANNOTATION)
    found["result"] = found["result"] or []
    found["was_cancelled"] = bool(found["was_cancelled"])
    found["ground_truth"] = bool(found["ground_truth"])
    return found


def prediction_content(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """The result, the score and the model's version."""
    found = _chosen(prediction, PREDICTION)
    found["result"] = found["result"] or []
    return found


def draft_content(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The result, and whether it edits an annotation; whose it is is not kept by a server, which
    gives a draft to who makes it.
    """
    found = {**_chosen(draft, DRAFT), "is_edit": draft.get("annotation") is not None}
    found["result"] = found["result"] or []
    found["was_postponed"] = bool(found["was_postponed"])
    return found


def view_content(view: Mapping[str, Any]) -> dict[str, Any]:
    """Its ``data``, and the tasks that were chosen in it."""
    data = {key: value for key, value in (view.get("data") or {}).items() if key != "id"}
    return {"data": canonical(data), "selected_items": canonical(view.get("selected_items"))}


def webhook_content(webhook: Mapping[str, Any]) -> dict[str, Any]:
    """Where it goes, and when; without the headers, which are secret."""
    found = _chosen(webhook, WEBHOOK)
    found["actions"] = sorted(found["actions"] or ())
    return found


def storage_content(storage: Mapping[str, Any]) -> dict[str, Any]:
    """Where it is and what is taken from it; without keys and passwords, and without its state."""
    return {key: value for key, value in _chosen(storage, STORAGE).items() if value is not None}


def backend_content(backend: Mapping[str, Any]) -> dict[str, Any]:
    """Where it is and how it is asked; without its password."""
    return _chosen(backend, BACKEND)


def settings_content(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a project, without its secrets."""
    found = _chosen(settings, SETTINGS)
    found.pop("task_data_password")
    return found


def canonical(value: Any) -> Any:
    """JSON in one form: numbers that are whole are ints, as a database may have stored either."""
    return with_leaves(value, _whole)


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def digest(content: Any) -> str:
    """32 characters that stand for some content: equal if and only if that is equal.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return blake2b(text_of(content).encode(), digest_size=16).hexdigest()


def text_of(content: Any) -> str:
    """Content as JSON that is the same if and only if the content is.

    >>> text_of({"b": 2.0, "a": 1}) == text_of({"a": 1.0, "b": 2})
    True
    """
    text = _encode(content)
    # Only so can a whole number be written otherwise: 1.0, -0.0, 1e+16.
    return _encode(canonical(content)) if ".0" in text or "e+" in text else text


_plainly = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=Secret.reveal).encode


def _encode(value: Any) -> str:
    try:
        return _plainly(value)
    except RecursionError:
        return "".join(_written(value))


class _Sign(str):
    """A part of a JSON text that is between its values."""

    __slots__ = ()


def _written(value: Any) -> Iterator[str]:
    """The same text, of what is nested too deeply for a function that recurses."""
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


def _chosen(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: canonical(row.get(name)) for name in names}


def _sorted(contents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(contents, key=digest)
