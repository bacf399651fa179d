"""What the server answers to one comparison of a task: exactly, with a superset, or not at all.

``EXACT`` is the table of columns; a column's kind says which lookups it knows and whether the
complement of each is to be had too. What holds is the same on a server with SQLite and on one with
PostgreSQL; where they differ, the safe one is taken. A number or a short text under a key of
``data`` is asked for exactly; anything else there or in a result as a superset, by a piece of its
text.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import chain
from typing import Any

import attrs

from ..conditions.tree import Leaf
from ..fields.options import options_of
from ..values.codec import write_datetime
from ..values.registry import registry

Item = dict[str, Any]
"""One line of a Data Manager filter: ``{"filter", "operator", "type", "value"}``."""

ALTERNATIVES = 20
"""Values of an ``in`` that become lines of their own, at most."""

VALUES = 1000
"""Values that an ``in`` of a key in ``data`` is sent with, at most."""

NUMBERS = 3000
"""Numbers of a list that is sent with each page, at most: the server takes 25 us of CPU for one."""

LIST = 250_000
"""Values of a list that a server takes at most: SQLite has as many parameters."""

LONGEST_TEXT = 200
"""Characters of a text that is sent as a whole, at most; of a longer one a piece is looked for."""


@attrs.frozen
class Answer:
    """A disjunction that every match satisfies; ``exact`` if nothing else does.

    ``plan.Approximation`` is the same of a whole condition, with lines that can be compared.
    """

    clauses: tuple[tuple[Item, ...], ...]
    exact: bool


NEVER, ALWAYS = Answer((), True), Answer(((),), True)


def line(column: str, operator: str, type_: str, value: Any) -> Item:
    """One line of a filter: ``line("id", "greater", "Number", 5)``."""
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": type_,
        "value": value,
    }


def column_of(item: Item) -> str:
    """Return the column of a line: "id", "data.text"."""
    column: str = item["filter"]
    return column.removeprefix("filter:tasks:")


COMPUTED = frozenset({
    "completed_at", "avg_lead_time", "draft_exists", "predictions_score", "file_upload",
    "storage_filename", "annotators", "annotations_ids", "annotations_results",
    "predictions_results", "predictions_model_versions",
})  # fmt: skip
"""Columns that are not plain fields of a task there."""


ABOUT_ONE = {
    "annotators": "annotation",
    "annotations_ids": "annotation",
    "annotations_results": "annotation",
    "predictions_results": "annotation",  # where it is asked to be empty
    "predictions_model_versions": "prediction",
}
"""The related object that a column tests; two tests in one line of a view apply to the same one."""


JOINED = frozenset({"annotators", "predictions_model_versions"})
"""Those among them that are joined to their tasks whatever is asked of them."""

RELATION = "predictions"
"""The relation itself, which is in no list of columns and can be asked for nevertheless."""


def multiplies(items: Iterable[Item]) -> bool:
    """Return whether the server would count a task once for each of its annotations.

    That is so in a disjunction where some columns are joined to their tasks and others aggregated.
    """
    computed = [item for item in items if column_of(item) in COMPUTED]
    return 0 < sum(map(_is_joined, computed)) < len(computed)


def _is_joined(item: Item) -> bool:
    column, operator = column_of(item), item["operator"]
    has_none = column == "annotations_ids" and operator == "empty" and bool(item["value"])
    return has_none or column in JOINED or str(operator).endswith("contains")


UNDEFINED = "$undefined$"
"""The key under which the server keeps what was uploaded before there was a labelling config."""

Undefined = Callable[[str], bool]
"""Whether tasks that are shown with a key may be stored with ``$undefined$`` instead."""


def never(key: str) -> bool:
    """Return False."""
    return False


@attrs.frozen
class Terms:
    """What a plan has to go by.

    Attributes:
        may_be_undefined: Whether tasks with a key may be stored with ``$undefined$`` instead.
        unsent: Columns that the server is not asked for, as far as a row can be checked here.
        pairs: Whether the server takes two comparisons in a line of a disjunction.
        data: Whether it compares keys of data with what they hold.
        numbers: Numbers that a list is sent with at most. Ids that are wanted are asked for in
            pieces, however many they are.
    """

    may_be_undefined: Undefined = never
    unsent: frozenset[str] = frozenset()
    pairs: bool = True
    data: bool = True
    numbers: int = NUMBERS


FREELY = Terms()
"""Everything is sent that the server has an answer to."""


def comparison(leaf: Leaf, positive: bool = True, terms: Terms = FREELY) -> Answer | None:
    """Return the server's answer to a comparison, or to its complement; None for no answer."""
    if leaf.field.name == "data" and not terms.data:
        return None
    found = _closest(leaf, positive, terms)
    if found is None or found.exact or not terms.unsent.intersection(_columns(found)):
        return found
    other = _with_some(leaf.relation) if leaf.relation else None
    return None if other is None or terms.unsent.intersection(_columns(other)) else other


def _columns(answer: Answer) -> set[str]:
    return {column_of(item) for clause in answer.clauses for item in clause}


def _closest(leaf: Leaf, positive: bool, terms: Terms) -> Answer | None:
    """Return the answer that leaves the fewest rows to be checked here."""
    if leaf.lookup == "in" and not leaf.value:
        return NEVER if positive else ALWAYS
    if leaf.relation:
        return _of_related(leaf, positive)
    if leaf.path or leaf.field.name in ("data", "meta"):
        found = _in_data(leaf, terms.may_be_undefined) if leaf.field.name == "data" else None
        return found if positive else _others(found)
    column = EXACT.get(leaf.field.name)
    if column is not None:
        return column.answer(leaf, positive, terms.numbers)
    if positive and leaf.field.name in CONTAINED:
        return _text(leaf.field.wire, leaf)
    return None


# -- columns whose answer is exact ----------------------------------------------------------------

Values = tuple[Any, ...]


@attrs.frozen
class Column:
    """A kind of column: how a lookup with its values becomes a line.

    ``nullable``: a null matches neither a comparison nor its opposite, so the complement of one
    needs the nulls as well. ``empties``: the server can filter by null.
    """

    lines: Callable[[str, str, Values], Item | bool | None]
    nullable: bool = False
    empties: bool = False

    def answer(self, leaf: Leaf, positive: bool, numbers: int = NUMBERS) -> Answer | None:
        """Return the line of a comparison, negated where that is its complement.

        Of a list of more than ``numbers`` no more is sent than its ends, and its complement is not.
        """
        lookup, value = leaf.lookup, leaf.value
        if lookup in ("exact", "iexact") and value is None:
            lookup, value = "isnull", True
        if lookup == "isnull":
            if leaf.field.name == "annotators":
                return _has_authors(value is not positive)
            if self.empties:
                return _exactly(_empty(leaf, value is positive))
            if self.nullable:
                return None
            return NEVER if value is positive else ALWAYS
        found = self.lines(leaf.field.wire, lookup, value if isinstance(value, tuple) else (value,))
        if found is None and lookup == "in" and len(value) <= ALTERNATIVES:
            return self._any_of(leaf, positive)
        if found is True and self.nullable:  # of all but nulls
            return _exactly(_empty(leaf, not positive)) if self.empties else None
        if found is None or isinstance(found, bool):
            return None if found is None else (ALWAYS if found is positive else NEVER)
        if is_long(found, numbers) and not (positive and leaf.field.name == "id"):
            return Answer(((between_ends(found),),), False) if positive else None
        if positive:
            return _exactly(found)
        opposite = OPPOSITE.get(found["operator"])
        if opposite is None:
            return None
        others = [{**found, "operator": opposite}]
        if not self.nullable:
            return _exactly(others[0])
        # Means of the same numbers differ in their last digit from one request to the next.
        if not self.empties or found["operator"] in ("equal", "in_list"):
            return None
        if found["operator"] == "in":  # a view with its opposite could not be read back as lookups
            ends = found["value"]
            others = [
                {**found, "operator": "less", "value": ends["min"]},
                {**found, "operator": "greater", "value": ends["max"]},
            ]
        return Answer((*((other,) for other in others), (_empty(leaf, True),)), True)

    def _any_of(self, leaf: Leaf, positive: bool) -> Answer | None:
        """Return an ``in`` as a comparison with each value."""
        each = [
            self.answer(attrs.evolve(leaf, lookup="exact", value=value), positive)
            for value in leaf.value
        ]
        if not all(answer is not None and answer.exact for answer in each):
            return None
        clauses = tuple(clause for answer in each if answer for clause in answer.clauses)
        return Answer(clauses if positive else (tuple(chain(*clauses)),), True)


def _has_authors(wanted: bool) -> Answer:
    """Supersets both: the author of an annotation may have been deleted."""
    if wanted:
        return Answer(((line("annotations_ids", "empty", "List", False),),), False)
    return Answer(((line("annotators", "empty", "List", True),),), False)


def _empty(leaf: Leaf, wanted: bool) -> Item:
    return line(leaf.field.wire, "empty", "String", wanted)


def _exactly(item: Item) -> Answer:
    return Answer(((item,),), True)


def is_long(item: Item, numbers: int = NUMBERS) -> bool:
    """Return whether a line is a list of more than so many values."""
    return item["operator"] == "in_list" and len(item["value"]) > numbers


def between_ends(item: Item) -> Item:
    """Return the line of all numbers from the least to the greatest of a list."""
    values = item["value"]
    return {**item, "operator": "in", "value": {"min": min(values), "max": max(values)}}


OPPOSITE = {
    "equal": "not_equal",
    "greater": "less_or_equal",
    "greater_or_equal": "less",
    "less": "greater_or_equal",
    "less_or_equal": "greater",
    "in": "not_in",
    "in_list": "not_in_list",
    "contains": "not_contains",
}

OPERATORS = {  # of the lookups
    "exact": "equal",
    "gt": "greater",
    "gte": "greater_or_equal",
    "lt": "less",
    "lte": "less_or_equal",
    "in": "in_list",
    "range": "in",
}


def _value(lookup: str, values: Sequence[Any]) -> Any:
    """Return the values in the shape that the operator takes."""
    if lookup == "range":
        return {"min": values[0], "max": values[1]}
    return list(values) if lookup == "in" else values[0]


INTEGERS = 2**31
"""Beyond it the server has no integers, and no ids: PostgreSQL fails on some, others are taken for
"everything", nulls included.
"""

LONG, _PRECISE = 2**63, 2**53
ANY_ID = {"min": 0, "max": 2**62}
_LONG_ONES = frozenset({"id", "inner_id"})


def _bounded(
    lookup: str, values: Values, low: Callable[[Any], bool], high: Callable[[Any], bool]
) -> tuple[str, Values] | bool:
    """Return a comparison without the values below and above all that a column can have.

    Or the answer, for what is not null, where it is always the same.
    """
    if (lookup in ("gt", "gte") and low(values[0])) or (
        lookup in ("lt", "lte") and high(values[0])
    ):
        return True
    if lookup == "range":
        start, end = values
        if high(start) or low(end):
            return False
        if low(start):
            return True if high(end) else ("lte", (end,))
        return ("gte", (start,)) if high(end) else (lookup, values)
    values = tuple(value for value in values if not low(value) and not high(value))
    return (lookup, values) if values else False


def _integer(column: str, lookup: str, values: Values) -> Item | bool | None:
    """Return the line of integers: the server cuts fractions off, and makes floats of non-lists."""
    if lookup not in OPERATORS or not all(map(_is_number, values)):
        return None
    limit = LONG if column in _LONG_ONES else INTEGERS
    found = _bounded(lookup, values, lambda one: one < -limit, lambda one: one >= limit)
    if isinstance(found, bool):
        return found
    lookup, values = found
    if lookup in ("gt", "gte", "lt", "lte") and values[0] != int(values[0]):
        ascends = lookup.startswith("gt")
        lookup = "gt" if ascends else "lt"
        values = (math.floor(values[0]) if ascends else math.ceil(values[0]),)
    elif lookup == "range":
        values = (math.ceil(values[0]), math.floor(values[1]))
    values = tuple(int(value) for value in values if value == int(value))
    if not values or not all(abs(value) < _PRECISE for value in values):
        return None if values else False
    return line(column, OPERATORS[lookup], "Number", _value(lookup, values))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _float(column: str, lookup: str, values: Values) -> Item | bool | None:
    if lookup not in OPERATORS or not all(map(_is_number, values)):
        return None
    found = _bounded(lookup, values, lambda one: one < -_LARGEST, lambda one: one > _LARGEST)
    if isinstance(found, bool):
        return found
    lookup, values = found
    if not all(float(value) == value for value in values):
        return None
    return line(column, OPERATORS[lookup], "Number", _value(lookup, values))


_LARGEST = sys.float_info.max


def _datetime_line(column: str, lookup: str, values: Values) -> Item | bool | None:
    if lookup not in OPERATORS or lookup == "in":
        return None
    if not all(isinstance(one, datetime) for one in values):
        return None
    found = _bounded(
        lookup, values, lambda one: _utc(one) is datetime.min, lambda one: _utc(one) is datetime.max
    )
    if isinstance(found, bool):
        return found
    lookup, values = found
    texts = [write_datetime(value) for value in values]
    return line(column, OPERATORS[lookup], "Datetime", _value(lookup, texts))


def _utc(value: datetime) -> datetime:
    """Return a datetime in UTC, cut to the years 1 to 9999."""
    try:
        return value.astimezone(timezone.utc)
    except OverflowError:
        return datetime.min if value.year == 1 else datetime.max


def _flag(column: str, lookup: str, values: Values) -> Item | bool | None:
    if lookup not in ("exact", "in"):
        return None
    wanted = {value for value in values if isinstance(value, bool)}
    if len(wanted) != 1:
        return bool(wanted)
    return line(column, "equal", "Boolean", wanted.pop())


def _member(column: str, lookup: str, values: Values) -> Item | bool | None:
    if lookup != "exact" or type(values[0]) is not int:
        return None
    return line(column, "contains", "List", values[0]) if _is_id(values[0]) else False


def _is_id(value: Any) -> bool:
    return type(value) is int and abs(value) < INTEGERS


_COUNT = Column(_integer)
_DATE = Column(_datetime_line)

EXACT: Mapping[str, Column] = {
    "id": _COUNT,
    "inner_id": Column(_integer, nullable=True, empties=True),
    "total_annotations": _COUNT,
    "cancelled_annotations": _COUNT,
    "total_predictions": _COUNT,
    "comment_count": _COUNT,
    "unresolved_comment_count": _COUNT,
    "overlap": _COUNT,
    "created_at": _DATE,
    "updated_at": _DATE,
    "completed_at": Column(_datetime_line, nullable=True, empties=True),
    "last_comment_updated_at": Column(_datetime_line, nullable=True, empties=True),
    "is_labeled": Column(_flag),
    "draft_exists": Column(_flag),
    "avg_lead_time": Column(_float, nullable=True, empties=True),
    "predictions_score": Column(_float, nullable=True, empties=True),
    "annotators": Column(_member),
    "updated_by_id": Column(_member, empties=True),
}
"""The columns of which the server's answer is exactly ours, and their kinds."""

ORDERED = frozenset(name for name, column in EXACT.items() if column.lines is not _member)
"""The columns in whose order the server's is ours, but for ties."""

CONTAINED = frozenset({"file_upload", "storage_filename"})
"""Columns of text, longer there than here."""


# -- annotations and predictions ------------------------------------------------------------------


def _of_related(leaf: Leaf, positive: bool) -> Answer | None:
    name = leaf.field.name
    if (leaf.relation, name, leaf.lookup) == ("annotations", "completed_by_id", "exact"):
        operator = "contains" if positive else "not_contains"
        if _is_id(leaf.value):
            return _exactly(line("annotators", operator, "List", leaf.value))
    if name == "id":
        found = _of_ids(leaf, positive)
        if found is not None:
            return found
    if not positive or leaf.holds_of_nothing:
        return None  # a task without any of them matches too
    if name == "task_id":
        task = options_of(registry["Task"]).fields["id"]
        found = EXACT["id"].answer(attrs.evolve(leaf, field=task, relation=None), True)
        return found and attrs.evolve(found, exact=found == NEVER)
    if name == "result" and leaf.path and leaf.lookup in _CASE_SENSITIVE | {"in"}:
        # With case, since PostgreSQL compares the text of results so.
        found = _text(f"{leaf.relation}_results", leaf, quoted=True)
        if found is not None:
            return found
    if name == "model_version" and leaf.lookup in _CASE_SENSITIVE | {"in"}:
        values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        if all(isinstance(value, str) and value for value in values):
            item = line("predictions_model_versions", "contains", "List", list(values))
            return Answer(((item,),), False)
    return _with_some(str(leaf.relation))


def _of_ids(leaf: Leaf, positive: bool) -> Answer | None:
    """Return the tasks that have any of a relation, or none; or annotations with some ids."""
    relation = str(leaf.relation)
    if leaf.lookup == "isnull":
        return _exactly(_has_none(relation, leaf.value is positive))
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    known = leaf.lookup in ("exact", "in") and len(values) <= VALUES and all(map(_is_id, values))
    if relation != "annotations" or not known or min(values) < 0:
        return None
    operator = "contains" if positive else "not_contains"
    return _exactly(line("annotations_ids", operator, "String", ",".join(map(str, values))))


def _has_none(relation: str, wanted: bool) -> Item:
    """Return the line of the tasks without any of a relation, or of those with some.

    Without any prediction is without one of any id: where that is asked for as ``empty``, a
    disjunction lists a task once for each prediction. Columns of predictions miss some of them,
    since their results and versions may be null.
    """
    if relation == "annotations":
        return line("annotations_ids", "empty", "List", wanted)
    if wanted:
        return line(RELATION, "not_in", "Number", ANY_ID)
    return line(RELATION, "empty", "Number", False)


def _with_some(relation: str) -> Answer:
    return Answer(((_has_none(relation, False),),), False)


# -- values in data, by a piece of their text -----------------------------------------------------

TEXT = frozenset({
    "exact", "iexact", "contains", "icontains",
    "startswith", "istartswith", "endswith", "iendswith",
})  # fmt: skip
_CASE_SENSITIVE = frozenset(name for name in TEXT if not name.startswith("i"))

# Letters that are the lower case of a letter beyond ASCII too (the Kelvin sign, the dotted capital
# I), and what is written differently inside JSON or a pattern: a needle must not contain them.
_NEEDLE = re.compile(r"[\x20-\x7e]+")
_TROUBLE = re.compile(r"[iIkK\"'\\]")
_PLAIN_KEY = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*\Z")  # two underscores would be a path


def needle(leaf: Leaf) -> str:
    """Return the longest piece of a text that the server's ``contains`` finds in every match.

    That operator ignores the case of ASCII letters alone.
    """
    return _piece(leaf.value, leaf.lookup.startswith("i"))


def _piece(text: str, folds: bool) -> str:
    pieces: list[str] = []
    for run in _NEEDLE.findall(text):
        pieces.extend(_TROUBLE.split(run) if folds else re.split(r"[\"'\\]", run))
    return max(pieces, key=len, default="")[:LONGEST_TEXT]


def _needles(leaf: Leaf, quoted: bool = False) -> Iterator[str | None]:
    """Return for each value that would match a piece of its text; None where there is none.

    ``quoted``: with the quotes that stand around it in JSON, where that is known.
    """
    for value in leaf.value if leaf.lookup == "in" else (leaf.value,):
        if isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, (int, float)) and leaf.lookup in ("exact", "iexact", "in"):
            yield _digits(value)
        elif isinstance(value, str) and leaf.lookup in TEXT | {"in"}:
            piece = _piece(value, leaf.lookup.startswith("i") and leaf.lookup != "in")
            whole = quoted and piece == value and leaf.lookup in ("exact", "in")
            yield f'"{piece}"' if whole else piece if piece.strip() else None
        else:
            yield None


def _digits(number: float) -> str | None:
    """Return the text of a number as far as all servers write it alike: 10 is also in 10.0."""
    if number == 0:
        return "0"
    if not 1e-4 <= abs(number) < 1e15:
        return None
    text = str(int(number)) if number == int(number) else repr(number)
    return text if sum(map(str.isdigit, text)) <= 15 else None  # SQLite rounds to as many


def _text(column: str, leaf: Leaf, quoted: bool = False) -> Answer | None:
    """Return a superset: the tasks whose column contains a piece of a value."""
    found = list(_needles(leaf, quoted)) if leaf.lookup in TEXT | {"in"} else [None]
    if None in found or len(found) > ALTERNATIVES:
        return None
    return Answer(tuple((line(column, "contains", "String", one),) for one in found), False)


def _in_data(leaf: Leaf, may_be_undefined: Undefined) -> Answer | None:
    """Return a superset of the tasks with a value in their data.

    Tasks that were uploaded before the project had a labelling config are shown with the config's
    key and stored with another, by which they have to be asked for as well.
    """
    hidden = may_be_undefined(leaf.value if leaf.lookup == "has_key" else (*leaf.path, "")[0])
    if leaf.lookup == "has_key":
        piece = _piece(leaf.value, folds=False)
        return _whole(piece, UNDEFINED if hidden else piece) if piece.strip() else None
    if not leaf.path or leaf.holds_of_nothing:
        return None  # a missing key matches too
    if hidden:  # which of the two keys the server takes depends on the order of past imports
        return _text("data", leaf)
    if not all(_PLAIN_KEY.match(key) and key not in _DJANGO for key in leaf.path):
        found = _text("data", leaf)
        piece = _piece(leaf.path[-1], folds=False)
        return found or (_whole(piece) if piece.strip() else None)
    return _in_column(f"data.{'__'.join(leaf.path)}", leaf)


def _in_column(column: str, leaf: Leaf) -> Answer:
    values = leaf.value if leaf.lookup == "in" else (leaf.value,)
    if leaf.lookup in ("exact", "in") and len(values) <= VALUES and all(map(_is_listed, values)):
        # One list, where a piece of each text is as many scans of the table; and no "equal", which
        # the server refuses if the first task of the project has a list there.
        item = line(column, "in_list", "String", list(values))
        return Answer(((item,),), all(map(_is_only_one, values)))
    if leaf.lookup in COMPARED and all(map(_is_sent, values := _ends(leaf))):
        ends = zip(COMPARED[leaf.lookup], values, strict=True)
        items = [line(column, *_compared(*end)) for end in ends]
        return Answer((tuple(items),), len(items) == 2)
    there = Answer(((line(column, "contains", "String", ""),),), False)
    return _text(column, leaf) or there


def _others(answer: Answer | None) -> Answer | None:
    """Return the tasks that do not have one of some values, which includes those without a key."""
    items = answer.clauses[0] if answer is not None and answer.exact and answer.clauses else ()
    if [item["operator"] for item in items] != ["in_list"]:
        return None
    missing = line(column_of(items[0]), "empty", "List", True)
    return Answer((({**items[0], "operator": "not_in_list"},), (missing,)), True)


COMPARED = {
    "gt": ("greater",),
    "gte": ("greater_or_equal",),
    "lt": ("less",),
    "lte": ("less_or_equal",),
    "range": ("greater_or_equal", "less_or_equal"),
}
"""Comparisons of numbers in data. What is larger may be of another type than a number on either
database, and what is smaller on PostgreSQL; between two numbers are only numbers.
"""


def _ends(leaf: Leaf) -> tuple[Any, ...]:
    return leaf.value if leaf.lookup == "range" else (leaf.value,)


def _compared(operator: str, number: float) -> tuple[str, str, float]:
    """Return the operator, the type and the value of a line.

    The server refuses an "equal" if the first task of the project has a list there.
    """
    strict, _, equals = operator.partition("_or_")
    if equals:
        number = math.nextafter(number, -math.inf if strict == "greater" else math.inf)
    return strict, "String", number


def _is_listed(value: Any) -> bool:
    """Return whether a value is sent as it is: a short text, a flag, a number of few digits."""
    if isinstance(value, (bool, str)):
        return isinstance(value, bool) or len(value) <= LONGEST_TEXT
    return _is_sent(value)


def _is_sent(value: Any) -> bool:
    return _is_number(value) and _digits(value) is not None


def _is_only_one(value: Any) -> bool:
    """Return whether no other JSON value is this one on SQLite, and no server cuts a text."""
    if not isinstance(value, str):
        return not isinstance(value, bool)
    if value in ("true", "false", "null") or value.startswith(("{", "[")):
        return False
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value)


def _whole(*pieces: str) -> Answer:
    """Return the tasks whose data contains one of these texts anywhere, keys included."""
    distinct = dict.fromkeys(pieces)
    return Answer(tuple((line("data", "contains", "String", one),) for one in distinct), False)


# A data key of the name of one of the server's own lookups never matches.
_DJANGO = frozenset({
    "exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith",
    "iendswith", "regex", "iregex", "in", "range", "gt", "gte", "lt", "lte", "isnull", "has_key",
    "has_keys", "has_any_keys", "contained_by", "date", "year", "month", "day", "week", "quarter",
    "time", "hour", "minute", "second", "search", "trigram_similar", "unaccent", "len", "overlap",
    "id", "data",
})  # fmt: skip
