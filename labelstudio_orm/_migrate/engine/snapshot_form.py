"""The rows of a snapshot: their keys, and the types of the values.

The format is described in ``docs/snapshot-format.md``; an archive is checked against this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, get_args

import attrs

from ...resources.files import upload_path
from ...resources.projects import Sampling, SkipQueue
from .fingerprints import ANNOTATION_ORIGIN, SECRET_SETTINGS, SETTINGS, TASK_ORIGIN

FORMAT: Final = "labelstudio_orm snapshot"
VERSION: Final = 1
"""The version of the format; one that older versions of the library cannot read is higher."""


@attrs.frozen
class Type:
    """A type of JSON values; ``is_required``: the key has to be there."""

    name: str
    accepts: Callable[[Any], bool]
    is_required: bool = True


Form: TypeAlias = "Mapping[str, Type]"


def _type(word: str, *types: type) -> Type:
    return Type(word, lambda value: type(value) in types)  # a bool is not a number


def or_null(kind: Type) -> Type:
    """Return the type of values that may be null."""
    return Type(f"{kind.name} or null", lambda value: value is None or kind.accepts(value))


def _each(form: Form) -> Type:
    return Type("a list of JSON objects", lambda value: _rows_mismatch(value, form) is None)


def one_of(*values: str) -> Type:
    """Return the type of some strings."""
    return Type(f"one of {', '.join(values)}", lambda value: value in values)


ANYTHING: Final = Type("JSON", lambda value: True)
TEXT: Final = _type("a string", str)
FLAG: Final = _type("true or false", bool)
OBJECT: Final = _type("a JSON object", dict)
PLAIN: Final = _type("a string, a number, true or false", str, int, float, bool)
NUMBER: Final = Type(
    "a number", lambda value: type(value) in (int, float) and abs(value) < 2**63
)  # fmt: skip
WHOLE: Final = Type("a whole number", lambda value: type(value) is int and abs(value) < 2**63)
COUNT: Final = Type("a count", lambda value: type(value) is int and 0 <= value < 2**63)
ID: Final = Type("an id", lambda value: type(value) is int and 0 <= value < 2**63)
IDS: Final = Type("a list of ids", lambda v: type(v) is list and all(map(ID.accepts, v)))
TEXTS: Final = Type("a list of strings", lambda v: type(v) is list and all(map(TEXT.accepts, v)))
COUNTS: Final = Type(
    "counts by name", lambda value: type(value) is dict and all(map(COUNT.accepts, value.values()))
)  # fmt: skip
NAMES: Final = Type(
    "strings by id",
    lambda value: type(value) is dict and all(v is None or TEXT.accepts(v) for v in value.values()),
)
PATH: Final = Type(
    "upload/<number>/<plain name>",
    lambda value: type(value) is str and upload_path(value) == value and len(value) <= 255,
)
MEMBER: Final = Type(
    "tasks/<number>.jsonl",
    lambda value: type(value) is str and re.fullmatch(r"tasks/[0-9]+\.jsonl", value) is not None,
)

ANNOTATION_FORM: Final[Form] = {
    **dict.fromkeys(ANNOTATION_ORIGIN, ANYTHING),
    "id": ID,
    "result": ANYTHING,
    "completed_by": or_null(TEXT),
    "was_cancelled": or_null(FLAG),
    "ground_truth": or_null(FLAG),
    "lead_time": or_null(NUMBER),
}
PREDICTION_FORM: Final[Form] = {
    "id": ID,
    "created_at": ANYTHING,
    "result": ANYTHING,
    "score": or_null(NUMBER),
    "model_version": or_null(TEXT),
}
DRAFT_FORM: Final[Form] = {
    "id": ID,
    "created_at": ANYTHING,
    "result": ANYTHING,
    "lead_time": or_null(NUMBER),
    "was_postponed": or_null(FLAG),
    "annotation": or_null(ID),
    "user": or_null(TEXT),
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


def _setting(name: str) -> Type:
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
    name: or_null(_setting(name)) for name in SETTINGS if name not in SECRET_SETTINGS
}

MANIFEST: Final[Form] = {
    "created_at": TEXT,
    "server": TEXT,
    "project": Type("an id or a string", lambda value: ID.accepts(value) or TEXT.accepts(value)),
    "title": or_null(TEXT),
    "counts": COUNTS,
    "secrets": COUNTS,
    "tasks": Type("a list of members", lambda value: _rows_mismatch(value, CHUNK_FORM) is None),
    "unskippable": Type(IDS.name, IDS.accepts, is_required=False),
}
CHUNK_FORM: Final[Form] = {"name": MEMBER, "tasks": COUNT, "first": ID, "last": ID}

USERS: Final[Form] = {
    "id": or_null(ID),
    "email": TEXT,
    "first_name": or_null(TEXT),
    "last_name": or_null(TEXT),
}

LISTED_SETTINGS: Final[Form] = {**SETTINGS_FORM, **dict.fromkeys(_CHOICES, or_null(TEXT))}
"""Settings as a server lists them, which may have the words of a later release."""


def mismatch(row: Any, form: Form) -> str | None:
    """Return what is wrong with a JSON object, or None.

    >>> mismatch({"name": "tasks/0.jsonl", "tasks": "12", "first": 1, "last": 12}, CHUNK_FORM)
    "tasks is '12', not a count"
    """
    if not isinstance(row, dict):
        return f"it is {row!r:.80}, not a JSON object"
    for name, kind in form.items():
        if name not in row:
            if kind.is_required:
                return f"{name} is missing"
        elif not kind.accepts(row[name]):
            inner = TASK_PARTS.get(name) if form is TASK else None
            return _inside(name, row[name], kind, inner)
    return None


def _inside(name: str, value: Any, kind: Type, form: Form | None) -> str:
    """Return what is wrong with a value, naming the place in a list of rows."""
    if form is not None and isinstance(value, list):
        for place, row in enumerate(value):
            if (problem := mismatch(row, form)) is not None:
                return f"{name}[{place}]: {problem}"
    return f"{name} is {value!r:.80}, not {kind.name}"


def _rows_mismatch(value: Any, form: Form) -> str | None:
    if not isinstance(value, list):
        return "not a list"
    return next((problem for row in value if (problem := mismatch(row, form)) is not None), None)
