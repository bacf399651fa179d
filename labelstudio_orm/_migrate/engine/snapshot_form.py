"""The rows of a snapshot: their keys, and the types of the values.

The format is described in ``docs/snapshot-format.md``; an archive is checked against this.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from ..._engine.fields.options import options_of
from ..._engine.values.codec import parts
from ...resources.files import upload_path
from ...resources.projects import Project
from .fingerprints import BESIDE, SECRET_SETTINGS, SETTINGS, TASK_KINDS, TASK_ORIGIN

FORMAT: Final = "labelstudio_orm snapshot"
VERSION: Final = 1
"""The version of the format; one that older versions of the library cannot read is higher."""


@attrs.frozen
class Type:
    """A type of JSON values; of a list of rows with their ``form``."""

    name: str
    accepts: Callable[[Any], bool]
    form: Form | None = None


Form: TypeAlias = "Mapping[str, Type]"


def _type(name: str, *types: type) -> Type:
    return Type(name, lambda value: type(value) in types)  # a bool is not a number


def _number(name: str, *types: type, least: int = 1 - 2**63) -> Type:
    return Type(name, lambda value: type(value) in types and least <= value < 2**63)


def _each(name: str, form: Form) -> Type:
    return Type(
        name,
        lambda value: type(value) is list and all(mismatch(row, form) is None for row in value),
        form,
    )


def _list(name: str, kind: Type) -> Type:
    return Type(name, lambda value: type(value) is list and all(map(kind.accepts, value)))


def _dict(name: str, kind: Type) -> Type:
    return Type(name, lambda value: type(value) is dict and all(map(kind.accepts, value.values())))


def or_null(kind: Type) -> Type:
    """Return the type of values that may be null."""
    return Type(f"{kind.name} or null", lambda value: value is None or kind.accepts(value))


def one_of(*values: str) -> Type:
    """Return the type of some strings."""
    return Type(f"one of {', '.join(values)}", lambda value: value in values)


ANYTHING: Final = Type("JSON", lambda value: True)
TEXT: Final = _type("a string", str)
FLAG: Final = _type("true or false", bool)
OBJECT: Final = _type("a JSON object", dict)
PLAIN: Final = _type("a string, a number, true or false", str, int, float, bool)
NUMBER: Final = _number("a number", int, float)
WHOLE: Final = _number("a whole number", int)
COUNT: Final = _number("a count", int, least=0)
ID: Final = _number("an id", int, least=0)
IDS: Final = _list("a list of ids", ID)
TEXTS: Final = _list("a list of strings", TEXT)
COUNTS: Final = _dict("counts by name", COUNT)
NAMES: Final = _dict("strings by id", or_null(TEXT))
PATH: Final = Type(
    "upload/<number>/<plain name>",
    lambda value: type(value) is str and upload_path(value) == value and len(value) <= 255,
)
MEMBER: Final = Type(
    "tasks/<number>.jsonl",
    lambda value: type(value) is str and re.fullmatch(r"tasks/[0-9]+\.jsonl", value) is not None,
)

_OBJECT: Final[Form] = {
    "id": ID,
    "completed_by": or_null(TEXT),
    "was_cancelled": or_null(FLAG),
    "ground_truth": or_null(FLAG),
    "lead_time": or_null(NUMBER),
    "score": or_null(NUMBER),
    "model_version": or_null(TEXT),
    "was_postponed": or_null(FLAG),
    "annotation": or_null(ID),
    "user": or_null(TEXT),
}
"""The fields of annotations, predictions and drafts that are of a certain type."""

TASK: Final[Form] = {
    **dict.fromkeys((*TASK_ORIGIN, "data", "meta"), ANYTHING),
    "id": ID,
    "overlap": COUNT,
    **{
        kind: _each(
            "a list of JSON objects",
            {name: _OBJECT.get(name, ANYTHING) for name in ("id", *fields, *BESIDE[kind])},
        )
        for kind, fields in TASK_KINDS.items()
    },
}

_DECLARED: Final[Mapping[Any, Type]] = {
    bool: FLAG,
    int: WHOLE,
    float: NUMBER,
    str: TEXT,
    dict: OBJECT,
}


def _setting(name: str) -> Type:
    """Return the type of a setting as ``Project`` declares it."""
    declared = parts(options_of(Project).fields[name].annotation)[0]
    if typing.get_origin(declared) is typing.Literal:
        return one_of(*typing.get_args(declared))
    return _DECLARED[typing.get_origin(declared) or declared]


SETTINGS_FORM: Final[Form] = {
    name: or_null(_setting(name)) for name in SETTINGS if name not in SECRET_SETTINGS
}

LISTED_SETTINGS: Final[Form] = {
    **SETTINGS_FORM,
    **dict.fromkeys(("sampling", "skip_queue"), or_null(TEXT)),
}
"""Settings as a server lists them, which may have the words of a later release."""

CHUNK_FORM: Final[Form] = {"name": MEMBER, "tasks": COUNT, "first": ID, "last": ID}

MANIFEST: Final[Form] = {
    "created_at": TEXT,
    "server": TEXT,
    "project": Type("an id or a string", lambda value: ID.accepts(value) or TEXT.accepts(value)),
    "title": or_null(TEXT),
    "counts": COUNTS,
    "secrets": COUNTS,
    "tasks": _each("a list of members", CHUNK_FORM),
    "unskippable": IDS,
}

USERS: Final[Form] = {
    "id": or_null(ID),
    "email": TEXT,
    "first_name": or_null(TEXT),
    "last_name": or_null(TEXT),
}


def mismatch(row: Any, form: Form) -> str | None:
    """Return what is wrong with a JSON object, or None.

    >>> mismatch({"name": "tasks/0.jsonl", "tasks": "12", "first": 1, "last": 12}, CHUNK_FORM)
    "tasks is '12', not a count"
    """
    if not isinstance(row, dict):
        return f"it is {row!r:.80}, not a JSON object"
    for name, kind in form.items():
        if name not in row:
            return f"{name} is missing"
        if not kind.accepts(value := row[name]):
            return _inside(name, value, kind) or f"{name} is {value!r:.80}, not {kind.name}"
    return None


def _inside(name: str, value: Any, kind: Type) -> str | None:
    """Return what is wrong with a row of a list, naming its place."""
    for place, row in enumerate(value if kind.form and isinstance(value, list) else ()):
        if (problem := mismatch(row, kind.form or {})) is not None:
            return f"{name}[{place}]: {problem}"
    return None
