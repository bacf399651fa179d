"""Where an object keeps its state: the row of the server, and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, ClassVar

from ..fields.options import Options
from ..values.ids import as_id
from .origin import Origin


class Stored:
    """An object over a row of the server.

    Row and origin lie in slots beside the ``__dict__``, which holds the fields that were touched.
    So do the parents of an object whose origin does not have them.
    """

    __slots__ = ("_origin", "_parents", "_row")

    _options: ClassVar[Options]
    _row: dict[str, Any]
    _origin: Origin
    _parents: Mapping[str, Any]

    @property
    def _key(self) -> Any:
        """The value that identifies it among its kind, mostly the id; None for an unsaved one."""
        return as_id(self._row.get(self._options.key_wire))

    @property
    def _is_saved(self) -> bool:
        wire = self._options.key_wire
        return self._row.get(wire) is not None if wire else bool(self._row)

    @property
    def _last_key(self) -> Any:
        """The key, also of an object that was deleted."""
        return self._key if self._is_saved else self._origin.deleted

    @property
    def _server(self) -> str | None:
        """The address of its server; None for a new object that has no client yet."""
        return self._origin.client.url if self._origin.client is not None else self._origin.url


# Setting a slot through its descriptor costs no call of __setattr__, which counts in a loop over a
# hundred thousand rows.
set_row: Callable[[Stored, dict[str, Any]], None] = Stored.__dict__["_row"].__set__
set_origin: Callable[[Stored, Origin], None] = Stored.__dict__["_origin"].__set__

set_parents: Callable[[Stored, Mapping[str, Any]], None] = Stored.__dict__["_parents"].__set__
"""Set the objects that an object was reached through, by relation."""

_own_parents: Callable[[Stored], Mapping[str, Any]] = Stored.__dict__["_parents"].__get__

row_of: Callable[[Stored], dict[str, Any]] = attrgetter("_row")
"""Return the row of an object, which belongs to it: not a copy."""

origin_of: Callable[[Stored], Origin] = attrgetter("_origin")
"""Return where an object came from."""


def parents_of(obj: Stored) -> Mapping[str, Any]:
    """Return the objects that an object was reached through, by relation."""
    try:
        return _own_parents(obj)
    except AttributeError:
        return origin_of(obj).parents


is_saved: Callable[[Stored], bool] = attrgetter("_is_saved")
"""Return whether the server has the object, as far as it is known here."""
