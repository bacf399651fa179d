"""Creating objects that the server creates one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any

from ..fields.options import options_of
from ..records.inside import is_saved
from ..records.record import Record
from ..values.summary import Created
from .run import BulkRun


def create_each(
    create_one: Callable[..., Any],
    items: Iterable[Any],
    run: BulkRun,
) -> Created[Any]:
    """Create objects one request each; ``create_one`` takes the fields of one."""
    run.total = len(items) if isinstance(items, Sized) else None

    def create(item: Any) -> Any:
        return create_one(**_fields(item))

    with run:
        for outcome in run.each(items, create):
            run.made[outcome.place] = outcome.value
            run.created += 1
    return run.result()


def _fields(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    if not isinstance(item, Record) or is_saved(item):
        raise TypeError(f"bulk_create takes dicts of fields and unsaved objects, not {item!r:.80}")
    fields = options_of(item).fields
    return {fields[name].references or name: getattr(item, name) for name in item.changes}
