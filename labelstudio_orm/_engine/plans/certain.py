"""Plans by which the server finds nothing but what matches, and perhaps not all of it.

A plan of which tasks have to be checked finds all that match, and others. If one that is narrower
in this way finds as many, both find just these.
"""

from __future__ import annotations

import json
import sys

import attrs

from ..conditions.tree import Leaf, Node, parts_of
from .columns import Item, column_of, comparison, line
from .plan import Plan


def certain(planned: Plan) -> Plan | None:
    """Return a plan like this one by which only tasks that match are found, if there is one."""
    if planned.here is None or len(planned.clauses) != 1:
        return None
    items = list(planned.clauses[0])
    for part in parts_of(planned.here):
        found = _guarded(part)
        if not found or found[0] not in items:
            return None
        items += found[1:]
    return attrs.evolve(planned, clauses=(tuple(items),), here=None, counts=True)


def _guarded(part: Node) -> tuple[Item, ...]:
    """Return the line of a comparison in data, and others that leave only what matches."""
    if not isinstance(part, Leaf) or part.field.name != "data":
        return ()
    answer = comparison(part)
    if answer is None or [*map(len, answer.clauses)] != [1]:
        return ()
    item = answer.clauses[0][0]
    more = _guards(part, item)
    return (item, *more) if more else ()


def _guards(leaf: Leaf, item: Item) -> tuple[Item, ...]:
    column, operator = column_of(item), item["operator"]
    if operator == "greater":  # which texts and lists may be, too
        return (line(column, "less", "String", sys.float_info.max),)
    if operator == "less":
        return (line(column, "greater", "String", -sys.float_info.max),)
    if operator == "contains" and column != "data":  # there it may be under any key
        return _of_texts(leaf, column)
    if operator == "in_list" and all(isinstance(one, bool) for one in item["value"]):
        # On SQLite the texts "true" and "false" are also in the list. Actions write no blanks.
        key = json.dumps(leaf.path[-1])
        flags = [json.dumps(str(one).lower()) for one in item["value"]]
        texts = [f"{key}:{blank}{flag}" for flag in flags for blank in ("", " ")]
        return tuple(line("data", "not_contains", "String", text) for text in texts)
    return ()


_PATTERNS = {"exact": r"\A%s\Z", "contains": "%s", "startswith": r"\A%s", "endswith": r"%s\Z"}
"""What a text looks like, by lookup, in a pattern that means the same to Python and PostgreSQL."""

NO_TEXT = r"\A(?!([\[{]|(true|false|null|[-+0-9.eE]*)\Z))"
"""The pattern of what no list, object, flag, null or number is, and few texts are not."""

LONGEST_PATTERN = 1000
"""Characters of a text that is sent as a pattern, at most."""


def _of_texts(leaf: Leaf, column: str) -> tuple[Item, ...]:
    """Return the lines of patterns: the server's ``contains`` ignores the case of letters."""
    folds, lookup = leaf.lookup in _FOLDING, _FOLDING.get(leaf.lookup, leaf.lookup)
    text = leaf.value
    # Beyond ASCII the lower case of a letter may depend on those around it.
    if lookup not in _PATTERNS or not isinstance(text, str) or (folds and not text.isascii()):
        return ()
    if len(text) > LONGEST_PATTERN or any(
        char == "\0" or "\ud800" <= char <= "\udfff" for char in text
    ):
        return ()
    pattern = _PATTERNS[lookup] % "".join(_literal(char, folds) for char in text)
    return tuple(line(column, "regex", "String", one) for one in (pattern, NO_TEXT))


_FOLDING = {f"i{name}": name for name in _PATTERNS}


def _literal(char: str, folds: bool) -> str:
    if folds and char.isalpha():
        return f"[{char.lower()}{char.upper()}]"
    return f"\\{char}" if char.isascii() and not char.isalnum() else char
