"""Related objects that were prefetched, after a write to the relation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fields.options import options_of
from ..reading.selection import query_of
from ..records.inside import drop_prefetched

if TYPE_CHECKING:
    from ..reading.selection import Selection


def invalidate_prefetched(queryset: Selection[Any]) -> None:
    """Let the objects that a queryset is of forget what was prefetched of it."""
    for name, parent in query_of(queryset).scope.items():
        if isinstance(parent, int):
            continue
        for relation in options_of(parent).sets.values():
            if relation.target is queryset.model and relation.via == name:
                drop_prefetched(parent, relation.name)
