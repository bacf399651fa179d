"""What stands in a snapshot: the members, their keys, and of which type the values are. The format
is in ``docs/snapshot-format.md``; this is what holds an archive to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, get_args

import attrs

from ...resources.files import upload_path
from ...resources.projects import Sampling, SkipQueue
from .fingerprints import ANNOTATION_ORIGIN, BACKEND, SECRETS, SETTINGS, STORAGE, TASK_ORIGIN

FORMAT: Final = "labelstudio_orm snapshot"
VERSION: Final = 1
"""Of the format; what only a newer version of this library can read has a higher one."""

LISTS: Final = ("users", "views", "webhooks", "storages", "backends")
"""What a project has beside tasks and files, each in a member of its own."""

STORAGE_TYPES: Final = ("azure", "gcs", "localfiles", "redis", "s3", "s3s")


@attrs.frozen
class Kind:
    """A kind of values, in words; ``is_needed``: the key has to be there."""

    word: str
    fits: Callable[[Any], bool]
    is_needed: bool = True


Form: TypeAlias = "Mapping[str, Kind]"


def _type(word: str, *types: type) -> Kind:
    return Kind(word, lambda value: type(value) in types)  # a bool is no number


def _or_null(kind: Kind) -> Kind:
    return Kind(f"{kind.word} or null", lambda value: value is None or kind.fits(value))


def _each(form: Form) -> Kind:
    return Kind("a list of JSON objects", lambda value: _rows_misfit(value, form) is None)


def one_of(*values: str) -> Kind:
    """One of some texts."""
    return Kind(f"one of {', '.join(values)}", lambda value: value in values)


ANYTHING: Final = Kind("JSON", lambda value: True)
TEXT: Final = _type("a text", str)
FLAG: Final = _type("true or false", bool)
OBJECT: Final = _type("a JSON object", dict)
PLAIN: Final = _type("a text, a number, true or false", str, int, float, bool)
NUMBER: Final = Kind(
    "a number", lambda value: type(value) in (int, float) and abs(value) < 2**63
)  # fmt: skip
WHOLE: Final = Kind("a whole number", lambda value: type(value) is int and abs(value) < 2**63)
COUNT: Final = Kind("a count", lambda value: type(value) is int and 0 <= value < 2**63)
ID: Final = Kind("an id", lambda value: type(value) is int and 0 <= value < 2**63)
IDS: Final = Kind("a list of ids", lambda v: type(v) is list and all(map(ID.fits, v)))
TEXTS: Final = Kind("a list of texts", lambda v: type(v) is list and all(map(TEXT.fits, v)))
COUNTS: Final = Kind(
    "counts by name", lambda value: type(value) is dict and all(map(COUNT.fits, value.values()))
)  # fmt: skip
NAMES: Final = Kind(
    "texts by id",
    lambda value: type(value) is dict and all(v is None or TEXT.fits(v) for v in value.values()),
)
PATH: Final = Kind(
    "upload/<number>/<plain name>",
    lambda value: type(value) is str and upload_path(value) == value and len(value) <= 255,
)
MEMBER: Final = Kind(
    "tasks/<number>.jsonl",
    lambda value: type(value) is str and re.fullmatch(r"tasks/[0-9]+\.jsonl", value) is not None,
)

ANNOTATION_FORM: Final[Form] = {
    **dict.fromkeys(ANNOTATION_ORIGIN, ANYTHING),
    "id": ID,
    "result": ANYTHING,
    "completed_by": _or_null(TEXT),
    "was_cancelled": _or_null(FLAG),
    "ground_truth": _or_null(FLAG),
    "lead_time": _or_null(NUMBER),
}
PREDICTION_FORM: Final[Form] = {
    "id": ID,
    "created_at": ANYTHING,
    "result": ANYTHING,
    "score": _or_null(NUMBER),
    "model_version": _or_null(TEXT),
}
DRAFT_FORM: Final[Form] = {
    "id": ID,
    "created_at": ANYTHING,
    "result": ANYTHING,
    "lead_time": _or_null(NUMBER),
    "was_postponed": _or_null(FLAG),
    "annotation": _or_null(ID),
    "user": _or_null(TEXT),
}
TASK_PARTS: Final[Mapping[str, Form]] = {
    "annotations": ANNOTATION_FORM,
    "predictions": PREDICTION_FORM,
    "drafts": DRAFT_FORM,
}
TASK: Final[Form] = {
    **dict.fromkeys(TASK_ORIGIN, ANYTHING),
    "id": ID,
    "data": ANYTHING,
    "meta": ANYTHING,
    "overlap": COUNT,
    **{name: _each(form) for name, form in TASK_PARTS.items()},
}

_FLAGS: Final = frozenset(
    name for name in SETTINGS if name.startswith(("show_", "reveal_", "evaluate_"))
) | {"enable_empty_annotation", "annotator_evaluation_enabled", "is_published"}  # fmt: skip
_COUNTS: Final = frozenset(
    {
        "maximum_annotations",
        "annotation_limit_count",
        "min_annotations_to_start_training",
        "overlap_cohort_percentage",
    }
)

_CHOICES: Final[Mapping[str, Any]] = {"sampling": Sampling, "skip_queue": SkipQueue}


def _setting(name: str) -> Kind:
    if name in _FLAGS:
        return FLAG
    if name in _COUNTS:
        return WHOLE
    if name in _CHOICES:
        return one_of(*get_args(_CHOICES[name]))
    other = {
        "control_weights": OBJECT,
        "annotation_limit_percent": NUMBER,
    }
    return other.get(name, TEXT)


SETTINGS_FORM: Final[Form] = {
    name: _or_null(_setting(name)) for name in SETTINGS if name not in SECRETS["settings"]
}

MANIFEST: Final[Form] = {
    "created_at": TEXT,
    "server": TEXT,
    "project": Kind("an id or a text", lambda value: ID.fits(value) or TEXT.fits(value)),
    "title": _or_null(TEXT),
    "counts": COUNTS,
    "secrets": COUNTS,
    "tasks": Kind("a list of members", lambda value: _rows_misfit(value, CHUNK_FORM) is None),
    "unskippable": Kind(IDS.word, IDS.fits, is_needed=False),
}
CHUNK_FORM: Final[Form] = {"name": MEMBER, "tasks": COUNT, "first": ID, "last": ID}

ROWS: Final[Mapping[str, Form]] = {
    "users": {
        "id": _or_null(ID),
        "email": TEXT,
        "first_name": _or_null(TEXT),
        "last_name": _or_null(TEXT),
    },
    "views": {
        "id": ID,
        "data": _or_null(OBJECT),
        "selected_items": ANYTHING,
        "users": NAMES,
    },
    "webhooks": {
        "id": ID,
        "url": TEXT,
        "send_payload": _or_null(FLAG),
        "send_for_all_actions": _or_null(FLAG),
        "actions": _or_null(TEXTS),
        "is_active": _or_null(FLAG),
    },
    "storages": {
        **dict.fromkeys(STORAGE, _or_null(PLAIN)),
        "id": ID,
        "family": one_of("import", "export"),
        "type": TEXT,
    },
    "backends": {
        **dict.fromkeys(BACKEND, ANYTHING),
        "id": ID,
        "url": TEXT,
        "auth_method": _or_null(TEXT),
    },
    "files": {"id": _or_null(ID), "file": PATH, "size": COUNT},
}  # fmt: skip


LISTED: Final[Mapping[str, Form]] = {
    **ROWS,
    "settings": {**SETTINGS_FORM, **dict.fromkeys(_CHOICES, _or_null(TEXT))},
    "tasks": TASK,
    "views": {name: kind for name, kind in ROWS["views"].items() if name != "users"},
    "files": {"id": ID, "file": TEXT, "size": _or_null(COUNT)},
}
"""The same as a server lists it, which may have words of a later release, and no sizes."""


def misfit(row: Any, form: Form) -> str | None:
    """Return what is wrong with a JSON object; None for one that is as it should be.

    >>> misfit({"name": "tasks/0.jsonl", "tasks": "12", "first": 1, "last": 12}, CHUNK_FORM)
    "tasks is '12', and a count is wanted"
    """
    if not isinstance(row, dict):
        return f"it is {row!r:.80} and no JSON object"
    for name, kind in form.items():
        if name not in row:
            if kind.is_needed:
                return f"{name} is missing"
        elif not kind.fits(row[name]):
            inner = TASK_PARTS.get(name) if form is TASK else None
            return _inside(name, row[name], kind, inner)
    return None


def _inside(name: str, value: Any, kind: Kind, form: Form | None) -> str:
    """What is wrong with a value, as near to the place as can be told."""
    if form is not None and isinstance(value, list):
        for place, row in enumerate(value):
            if (problem := misfit(row, form)) is not None:
                return f"{name}[{place}]: {problem}"
    return f"{name} is {value!r:.80}, and {kind.word} is wanted"


def _rows_misfit(value: Any, form: Form) -> str | None:
    if not isinstance(value, list):
        return "no list"
    return next((problem for row in value if (problem := misfit(row, form)) is not None), None)
