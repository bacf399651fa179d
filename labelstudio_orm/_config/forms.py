"""The forms that a JSON value may have, as tables, and the places where a value differs.

A form is called with a value and its place, and yields a message for each problem:

>>> list(fields({"x": measure(most=100), "rotation?": measure()})({"x": 101}, "value"))
['value.x: a number of at most 100 is needed, not 101']
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from decimal import Decimal
from typing import Any, TypeAlias

from .._engine.values import codec
from .._engine.values.brief import cut

Form: TypeAlias = Callable[[Any, str], Iterator[str]]


def plain(value: Any) -> Any:
    """Return a number of numpy, or a Decimal, as Python's own; anything else as it is.

    >>> plain(Decimal("0.5")), plain(Decimal(3)), plain("a")
    (0.5, 3, 'a')
    """
    if isinstance(value, Decimal):
        return (
            int(value)
            if value.is_finite() and value.adjusted() < 400 and value % 1 == 0
            else float(value)
        )
    return codec.plain(value)


def number(
    value: Any, what: str = "the value", low: float | None = None, high: float | None = None
) -> float:
    """Return ``value`` as a number of Python if it is finite and from ``low`` to ``high``.

    Raises TypeError for anything but a number (a bool is none), ValueError outside of the range.
    """
    kind = type(value)
    if low is None and high is None and (kind is int or (kind is float and math.isfinite(value))):
        return value  # type: ignore[no-any-return]  # what is read, mostly
    if kind is not int and kind is not float:
        value = plain(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{what} must be a number, not {value!r:.80}")
    if (
        not is_number(value)
        or (low is not None and value < low)
        or (high is not None and value > high)
    ):
        limits = [
            f"at least {low:g}" if low is not None else "",
            f"at most {high:g}" if high is not None else "",
        ]
        range_ = " and ".join(filter(None, limits)) or "finite"
        raise ValueError(f"{what} must be {range_}, not {value!r:.80}")
    return value  # type: ignore[no-any-return]


def _plain(what: str, matches: Callable[[Any], bool]) -> Form:
    def form(value: Any, place: str) -> Iterator[str]:
        if not matches(value):
            yield f"{place}: {what} is needed, not {value!r:.80}"

    form.__doc__ = f"{what[0].upper()}{what[1:]}."
    return form


def writer(form: Form, convert: Callable[[Any], Any] = plain) -> Callable[[Any, str], Any]:
    """Return a function that converts a value and raises TypeError unless it has the form."""

    def write(value: Any, what: str) -> Any:
        value = convert(value)
        for problem in form(value, what):
            raise TypeError(problem)
        return value

    return write


def count(value: Any, what: str, least: int = 0, most: float | None = None) -> int:
    """Return ``value`` as an int of Python if it is one from ``least`` to ``most``.

    Raises TypeError for anything but an int (a bool is none), ValueError outside of the range.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be an int, not {value!r:.80}")
    number(value, what, least, most)
    return value


def utterance(value: Any, what: str = "the value") -> int:
    """Return the number of an utterance, which regions hold as a text of digits.

    Raises TypeError or ValueError for anything else.

    >>> utterance("12"), utterance(12)
    (12, 12)
    """
    if not isinstance(value, str):
        return count(value, what)
    if not re.fullmatch("[0-9]+", value):
        raise ValueError(f"{what} must be a whole number, not {value!r:.80}")
    return int(value)


def as_list(values: Any, what: str) -> list[Any]:
    """Return values as a list. Raises TypeError for unordered ones, and for a text.

    The letters of a text are never meant.

    >>> as_list(("a", "b"), "ids")
    ['a', 'b']
    """
    if isinstance(values, (str, bytes, Mapping, Set)) or not isinstance(values, Iterable):
        raise TypeError(f"{what}: a list is needed, not {values!r:.80}")
    return [*values]


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number, also one of numpy; True and False are not."""
    value = codec.plain(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)


def measure(most: float | None = None) -> Form:
    """Return the form of a finite number.

    It may be negative: a shape that is rotated or dragged over the edge of an image begins before
    it.
    """
    limit = "" if most is None else f" of at most {most:g}"
    return _plain(f"a number{limit}", lambda v: is_number(v) and (most is None or v <= most))


def whole(least: int | None = None, most: float | None = None) -> Form:
    """Return the form of a whole number, ``3`` or ``3.0``."""
    limits = [f" of at least {least}"] if least is not None else []
    limits += [f" of at most {most:g}"] if most is not None else []
    return _plain(
        "a whole number" + " and".join(limits),
        lambda v: (
            is_number(v)
            and v == int(v)
            and (least is None or v >= least)
            and (most is None or v <= most)
        ),
    )


text: Form = _plain("a text", lambda v: isinstance(v, str))
flag: Form = _plain("true or false", lambda v: isinstance(v, bool))
place: Form = _plain("a number or a path", lambda v: isinstance(v, str) or is_number(v))
anything: Form = _plain("a value", lambda _: True)


def one_of(values: Sequence[str]) -> Form:
    """Return the form of one of a few texts."""
    return _plain(f"one of {', '.join(values)}", lambda v: isinstance(v, str) and v in values)


def items(form: Form, least: int = 0) -> Form:
    """Return the form of a list of ``least`` or more items of a form."""

    def check(value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{place}: a list is needed, not {value!r:.80}"
        elif len(value) < least:
            yield f"{place}: a list of {least} or more is needed, not {value!r:.80}"
        else:
            for number, item in enumerate(value):
                yield from form(item, f"{place}[{number}]")

    return check


def pair(form: Form) -> Form:
    """Return the form of a list of two items of a form."""

    def check(value: Any, place: str) -> Iterator[str]:
        if isinstance(value, list) and len(value) == 2:
            yield from items(form)(value, place)
        else:
            yield f"{place}: a pair is needed, not {value!r:.80}"

    return check


def either(first: Form, second: Form) -> Form:
    """Return the form of one of two forms; problems are reported for the first one."""

    def check(value: Any, place: str) -> Iterator[str]:
        wrong = list(first(value, place))
        if wrong and any(second(value, place)):
            yield from wrong

    return check


def by_name(form: Form) -> Form:
    """Return the form of an object with any names, and values of a form."""

    def check(value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{place}: an object is needed, not {value!r:.80}"
            return
        for name, one in value.items():
            yield from form(one, f"{place}.{cut(str(name), 80)}")

    return check


def fields(forms: Mapping[str, Form]) -> Form:
    """Return the form of an object with these keys among others.

    A key that ends with ``?`` may be absent or null.
    """

    def check(value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{place}: an object is needed, not {value!r:.80}"
            return
        for name, form in forms.items():
            key = name.removesuffix("?")
            if key in value:
                if value[key] is not None or key == name:
                    yield from form(value[key], f"{place}.{key}")
            elif key == name:
                yield f"{place}: {key!r} is missing"

    return check
