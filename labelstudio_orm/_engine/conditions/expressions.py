"""Expressions for keys of data by their exact names: ``data["src__id"] >= 5``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .places import Place
from .q import Q, comparison


class KeyPath(Place):
    """A key in the ``data`` or the ``meta`` of tasks: ``data["src__id"]``, ``data["a"]["b"]``.

    The key may contain any characters. An expression is accepted wherever a field is named: by
    ``filter exclude order_by only values values_list to_pandas update`` and as ``key`` of
    ``bulk_create dedupe merge split``; ``-data["a"]`` is a descending order. Compared with a value,
    or by one of the lookups, it gives a ``Q``.

    >>> from labelstudio_orm import data
    >>> data["src__id"] >= 5
    Q(data["src__id"] >= 5)
    >>> data["a.b"].icontains("x") & ~data["n"].isin([1, 2])
    Q(data["a.b"].icontains('x')) & ~Q(data["n"].isin([1, 2]))
    """

    __slots__ = ()

    def __getitem__(self, key: str) -> KeyPath:
        if not isinstance(key, str):
            raise TypeError(f"{self}: a key is a str, not {key!r:.80}; lists have no keys")
        return KeyPath(self.head, (*self.keys, key), self.descending)

    __iter__ = None  # `in` and loops would otherwise ask for the keys 0, 1, 2 ...
    __contains__ = None

    def __neg__(self) -> KeyPath:
        return KeyPath(self.head, self.keys, not self.descending)

    def __bool__(self) -> bool:
        raise TypeError(f"{self} is not a value: compare it, {self} == 5, or {self}.isnull(False)")

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyPath, (self.head, self.keys, self.descending)

    # It can be a key in a dict of values to set, so its hash must not need equality.
    __hash__ = object.__hash__

    def _q(self, lookup: str, value: Any) -> Q:
        if self.descending:
            raise TypeError(f"{self} is an order; a condition takes no minus")
        return comparison(self, lookup, value)

    def __eq__(self, value: object) -> Q:  # type: ignore[override]
        return self._q("exact", value)

    def __ne__(self, value: object) -> Q:  # type: ignore[override]
        return ~self._q("exact", value)

    def __lt__(self, value: Any) -> Q:
        return self._q("lt", value)

    def __le__(self, value: Any) -> Q:
        return self._q("lte", value)

    def __gt__(self, value: Any) -> Q:
        return self._q("gt", value)

    def __ge__(self, value: Any) -> Q:
        return self._q("gte", value)

    def exact(self, value: Any) -> Q:
        """Match values equal to ``value``; None matches null and missing keys."""
        return self._q("exact", value)

    def iexact(self, value: Any) -> Q:
        """Match values equal to ``value``, ignoring the case of texts."""
        return self._q("iexact", value)

    def contains(self, text: str) -> Q:
        """Match texts that contain ``text``."""
        return self._q("contains", text)

    def icontains(self, text: str) -> Q:
        """Match texts that contain ``text``, ignoring case."""
        return self._q("icontains", text)

    def startswith(self, text: str) -> Q:
        """Match texts that start with ``text``."""
        return self._q("startswith", text)

    def istartswith(self, text: str) -> Q:
        """Match texts that start with ``text``, ignoring case."""
        return self._q("istartswith", text)

    def endswith(self, text: str) -> Q:
        """Match texts that end with ``text``."""
        return self._q("endswith", text)

    def iendswith(self, text: str) -> Q:
        """Match texts that end with ``text``, ignoring case."""
        return self._q("iendswith", text)

    def regex(self, pattern: str) -> Q:
        """Match texts in which ``pattern`` is found."""
        return self._q("regex", pattern)

    def iregex(self, pattern: str) -> Q:
        """Match texts in which ``pattern`` is found, ignoring case."""
        return self._q("iregex", pattern)

    def isin(self, values: Iterable[Any]) -> Q:
        """Match values equal to one of ``values``."""
        return self._q("in", values)

    in_ = isin

    def range(self, low: Any, high: Any) -> Q:
        """Match values from ``low`` to ``high``, both included."""
        return self._q("range", (low, high))

    def gt(self, value: Any) -> Q:
        """Match values greater than ``value``."""
        return self._q("gt", value)

    def gte(self, value: Any) -> Q:
        """Match ``value`` and greater values."""
        return self._q("gte", value)

    def lt(self, value: Any) -> Q:
        """Match values less than ``value``."""
        return self._q("lt", value)

    def lte(self, value: Any) -> Q:
        """Match ``value`` and smaller values."""
        return self._q("lte", value)

    def isnull(self, wanted: bool = True) -> Q:
        """Match null and missing keys; ``isnull(False)`` matches all others."""
        return self._q("isnull", wanted)

    def has_key(self, key: str) -> Q:
        """Match objects with this key, even if its value is null."""
        return self._q("has_key", key)


data = KeyPath("data")
"""The data of tasks: ``data["src__id"]``."""

meta = KeyPath("meta")
"""The meta of tasks: ``meta["batch.no"]``."""
