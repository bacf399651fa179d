"""How many objects a project has, by the counters of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from ...errors import NotFound
from ..http.outcome import matches
from ..http.paths import at
from ..values.ids import id_of

if TYPE_CHECKING:
    from ..conditions.query import Query

Groups: TypeAlias = "list[tuple[Any, int | None]]"
"""Values of a field, each with the number of the objects that have it, if that is known."""


@attrs.frozen
class Counters:
    """The counters of a project that are about one listing.

    The server counts the objects when it is asked for them, so they are exact; those of a task are
    stored, and may be wrong.

    Attributes:
        total: The counters whose sum is the number of all objects.
        flags: The fields that are true or false, each with the counter of the objects with true.
        texts: The field whose values the server lists with their numbers.
    """

    total: tuple[str, ...]
    flags: Mapping[str, str] = attrs.field(factory=dict)
    texts: str = ""

    def knows(self, field: str | None) -> bool:
        """Return whether objects are counted by a field."""
        return field is None or field in self.flags or field == self.texts

    def groups(self, query: Query, field: str | None) -> Groups | None:
        """Return the values of a field with their numbers; of no field the number of all.

        One request. None where the server has no such counters.
        """
        return self._listed(query) if field == self.texts else self._flagged(query, field)

    def _flagged(self, query: Query, field: str | None) -> Groups | None:
        names = {*self.total} if field is None else {*self.total, self.flags[field]}
        found = _ask(query, "", {"include": ",".join(sorted(names))})
        if not matches(found, dict.fromkeys(names, int)):
            return None
        total = sum(found[name] for name in self.total)
        true = total if field is None else found[self.flags[field]]
        return [(True, true), (False, total - true)]

    def _listed(self, query: Query) -> Groups | None:
        found = _ask(query, "model-versions/", {"extended": "true"})
        if not matches(found, {"static": [{self.texts: None, "count": int}]}):
            return None
        groups = [(one[self.texts], one["count"]) for one in found["static"]]
        # The server gives 0 for the number of those with null.
        return [(text, None if text is None else number) for text, number in groups]


def _ask(query: Query, below: str, params: Mapping[str, str]) -> Any:
    """Return the answer of the project's address, or of one below it; None if there is none."""
    path = at("/api/projects/{}/", id_of(query.scope["project"])) + below
    try:
        return query.client.request(
            "GET", path, params=params, doing=f"counting {query.description}"
        )
    except NotFound:
        return None
