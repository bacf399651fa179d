"""The origin of an object, which decides what is known of it and what has to be fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ..http.connection import Connection


PEERS = 300
"""Related tasks that are fetched together."""


class Peers:
    """The parent tasks of the rows of one page.

    A loop over the rows gets them together; where single ones are picked out, they are fetched one
    by one. ``before``: the peers of the page before.

    >>> peers = Peers([5, 6, 7])
    >>> peers.to_fetch(5), peers.to_fetch(6)
    ([5], [6, 7])
    """

    def __init__(self, ids: Iterable[Any], before: Peers | None = None) -> None:
        self.ids = [one for one in dict.fromkeys(ids) if type(one) is int]
        self.next = 0
        self.before = before
        if before is not None:
            before.before = None  # no page keeps all of those before it

    def to_fetch(self, id: Any) -> list[Any]:
        """Return the ids to ask for together with this one."""
        if id not in self.ids:
            return [id]
        place = self.ids.index(id)
        in_turn = place == self.next and (place > 0 or self._is_next_page)
        self.next = min(place + (PEERS if in_turn else 1), len(self.ids))
        return self.ids[place : self.next]

    @property
    def _is_next_page(self) -> bool:
        before = self.before
        return before is not None and 0 < before.next == len(before.ids)


@attrs.frozen(slots=False)
class Origin:
    """Where an object came from; shared by all the rows of a listing.

    Attributes:
        client: The client that loaded it; None for a new or an unpickled object.
        parents: The objects that it was reached through, by relation; ``parents_of`` knows those
            of an object that has its own.
        uncomputed: The fields whose values in the row are placeholders.
        prefetched: The relations whose rows it has inside.
        whole: The row has every plain field that the server has.
        fetched: The row has the deferred fields too.
        url: The address of the server, for an object without a client.
        shared: Related objects that the rows of one listing have in common, by type and id.
        peers: The tasks that the rows of the same page are of, by relation.
        deleted: The id that an object had until it was deleted here.
        asked: The fields that were asked for: the server has none of these that the row lacks.
        inside: The same of the rows inside, by relation.
    """

    client: Connection | None = None
    parents: Mapping[str, Any] = attrs.field(factory=dict)
    uncomputed: frozenset[str] = frozenset()
    prefetched: frozenset[str] = frozenset()
    whole: bool = False
    fetched: bool = False
    url: str | None = None
    shared: dict[tuple[type, int | str], Any] | None = None
    peers: Mapping[str, Peers] = attrs.field(factory=dict)
    deleted: Any = None
    asked: frozenset[str] = frozenset()
    inside: Mapping[str, frozenset[str]] = attrs.field(factory=dict)

    def inside_of(self, relation: str) -> Origin:
        """Return the origin of the rows of a relation, which the rows of this origin have inside.

        All of them share it. The parents, in which they differ, are kept with the objects.
        """
        found = self._inside.get(relation)
        if found is None:
            asked = self.inside.get(relation, frozenset())
            found = self._inside[relation] = Origin(
                self.client, whole=not asked, url=self.url, shared=self.shared, asked=asked
            )
        return found

    @cached_property
    def _inside(self) -> dict[str, Origin]:
        return {}


NOWHERE = Origin()
