"""Where an object came from, which decides what is known of it and what has to be fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from .client import LabelStudio


@attrs.frozen(slots=False)
class Origin:
    """Where an object came from; shared by all the rows of a listing.

    ``parents`` are the objects that it was reached through, ``uncomputed`` the fields that the row
    holds without truth, ``prefetched`` the relations whose rows it has inside. ``whole``: the row
    has every plain field that the server has; ``fetched``: and the deferred ones too. ``asked`` are
    fields that were asked for, so that the server has none that is not there, and ``inside`` those
    of rows inside. ``shared`` are related objects that the rows of one listing have in common, by
    type and id. ``deleted`` is the id that an object had until it was deleted here.
    """

    client: LabelStudio | None = None
    parents: Mapping[str, Any] = attrs.field(factory=dict)
    uncomputed: frozenset[str] = frozenset()
    prefetched: frozenset[str] = frozenset()
    whole: bool = False
    fetched: bool = False
    url: str | None = None
    shared: dict[tuple[type, int | str], Any] | None = None
    deleted: Any = None
    asked: frozenset[str] = frozenset()
    inside: Mapping[str, frozenset[str]] = attrs.field(factory=dict)


NOWHERE = Origin()
