"""Names of fields, and of keys inside them: ``data__a__b``, or ``data["a"]["b"]``."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from ...errors import FieldError
from .lookups import LOOKUPS

_KEYS = r"(?:\[(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')\])+"
_ASSIGNED = rf"([^=\[]+(?:{_KEYS}\w*)?)=(.*)"
_LITERAL = rf"([A-Za-z]\w*?)({_KEYS})(?:__(\w+))?"


@attrs.frozen(eq=False, repr=False)
class Place:
    """A parsed name: a field, the keys into it, and whether ``-`` makes it a descending order.

    ``literal``: the keys were given one by one, so two underscores do not separate keys; ``rest``
    is the text after them, which may be a lookup.
    """

    head: str
    keys: tuple[str, ...] = ()
    descending: bool = False
    literal: bool = True
    rest: str = ""

    @classmethod
    def of(cls, given: str | Place) -> Place:
        """Return the place that a name means. Raises TypeError for a value that is not a name.

        >>> Place.of("-data__a__b").keys, Place.of('data["a__b"]').keys
        (('a', 'b'), ('a__b',))
        """
        if isinstance(given, Place):
            return given
        if not isinstance(given, str):
            raise TypeError(
                f'a field is named by a str, or an expression like data["a.b"], not {given!r:.80}'
            )
        name = given.removeprefix("-")
        literal = re.fullmatch(_LITERAL, name, re.DOTALL) if "[" in name else None
        if literal is None:
            head, *keys = name.split("__")
            return Place(head, tuple(keys), given.startswith("-"), literal=False)
        head, brackets, rest = literal.groups()
        return Place(head, _keys_in(brackets), given.startswith("-"), rest=rest or "")

    def __str__(self) -> str:
        if not self.literal:
            return "-" * self.descending + "__".join((self.head, *self.keys))
        return "-" * self.descending + self.head + in_brackets(self.keys)

    __repr__ = __str__


def assigned(text: str) -> tuple[str, str] | None:
    """Return the name and the value around ``=``, which may also be in a key; None without one.

    >>> assigned('data["a=b"]__in=[1]')
    ('data["a=b"]__in', '[1]')
    """
    found = re.fullmatch(_ASSIGNED, text, re.DOTALL)
    return None if found is None else (found[1], found[2])


def _keys_in(brackets: str) -> tuple[str, ...]:
    found, place = [], 0
    while place < len(brackets):
        end = _end_of_text(brackets, place + 1)
        found.append(literal_eval(brackets[place + 1 : end]))
        place = end + 1
    return tuple(found)


def _end_of_text(text: str, start: int) -> int:
    """Return the position after the quoted text that begins at ``start``."""
    quote, place = text[start], start + 1
    while text[place] != quote:
        place += 2 if text[place] == "\\" else 1
    return place + 1


def text_of(name: str | Place) -> str:
    """Return a name as a text. Raises TypeError for anything that is not a name."""
    return name if isinstance(name, str) else str(Place.of(name))


def in_brackets(keys: Iterable[str]) -> str:
    """Return keys as in an expression: ``["a"]["b"]``."""
    return "".join(f"[{json.dumps(key, ensure_ascii=False)}]" for key in keys)


def name_of(head: str, keys: Sequence[str]) -> str:
    """Return the shortest name that means exactly these keys.

    >>> name_of("data", ["lang"]), name_of("data", ["a.b"])
    ('data__lang', 'data["a.b"]')
    """
    if not any(_needs_brackets(key) for key in keys):
        plain = "__".join((head, *keys))
        if Place.of(plain).keys == tuple(keys):
            return plain
    return head + in_brackets(keys)


def _needs_brackets(key: str) -> bool:
    """Return whether a key would mean something else in a name, alone or before a lookup."""
    return not key or "__" in key or "." in key or key.endswith("_") or key in LOOKUPS


# -- names that may mean two things ---------------------------------------------------------------

Merged: TypeAlias = tuple[tuple[tuple[str, ...], str], ...]
"""Keys that a name may mean as well, each behind the keys that it would be inside of."""


def merged(keys: Sequence[str], joint: str = "__") -> Merged:
    """Return the keys that several of these may have been meant as: ``a__b`` for ``a`` and ``b``.

    >>> merged(["a", "b", "c"])
    (((), 'a__b'), ((), 'a__b__c'), (('a',), 'b__c'))
    """
    return tuple(
        (tuple(keys[:start]), joint.join(keys[start:end]))
        for start in range(len(keys) - 1)
        for end in range(start + 2, len(keys) + 1)
    )


def ambiguous(name: str, key: str, head: str, where: str) -> FieldError:
    """Return the error for a name that may mean this key as well; ``where`` is what has the key."""
    return FieldError(
        f"{name}: {where} has a key {key!r}, so this is ambiguous; name the keys one by one: "
        f"{head}{in_brackets([key])} for that key, "
        f"{head}{in_brackets(key.replace('.', '__').split('__'))} for nested keys "
        "(from labelstudio_orm import data, meta)"
    )


def refuse_merged(value: Any, keys: Merged, name: str, head: str) -> None:
    """Raise FieldError where a value has one of the keys that its name may mean as well."""
    for steps, key in keys:
        inner = value
        for step in steps:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and key in inner:
            raise ambiguous(name, key, head, f"the {head} that was read")
