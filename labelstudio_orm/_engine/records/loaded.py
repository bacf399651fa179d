"""Objects that load: from the rows of a listing, and what these lack from their own address."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import DoesNotExist, LabelStudioError, NotFound
from ..fields.fields import Field
from ..http.addresses import fill, names_in
from ..http.connection import Connection, default_client
from ..http.deadline import deadline_of
from ..values import codec
from ..values.brief import brief
from ..values.declared import key_of
from ..values.ids import as_id, id_text
from .origin import NOWHERE, Origin
from .related import id_from_ancestors, kept_with
from .stored import Stored, parents_of, set_origin, set_row

if TYPE_CHECKING:
    from typing_extensions import Self


class NoId(ValueError, AttributeError):
    """An object that was never saved, or was deleted, was asked for what only the server has.

    It is an AttributeError too, so that tools can look at the object.
    """


class NoParent(LabelStudioError, AttributeError):
    """A row of the server does not say what its object belongs to, which an address names.

    It is an AttributeError too, so that tools can look at the object.
    """


class Loaded(Stored):
    """An object that reads its fields from a row when they are touched, and fetches missing ones.

    Equality and hash go by (type, id, server); an object that was never saved equals only itself
    and has no hash.
    """

    def __attrs_pre_init__(self) -> None:
        set_row(self, {})
        set_origin(self, NOWHERE)

    # -- from rows --------------------------------------------------------------------------------

    @classmethod
    def _load(cls, rows: Iterable[dict[str, Any]], origin: Origin) -> Iterator[Self]:
        """Yield the objects of rows. Every listing runs this loop: it must stay this short."""
        new, set_its_row, set_its_origin = cls.__new__, set_row, set_origin
        for row in rows:
            obj = new(cls)
            set_its_row(obj, row)
            set_its_origin(obj, origin)
            yield obj

    @classmethod
    def _from_row(cls, row: dict[str, Any], origin: Origin) -> Self:
        return next(cls._load((row,), origin))

    # -- what a row lacks -------------------------------------------------------------------------

    def _uncomputed(self, field: Field) -> bool:
        return field.name in self._origin.uncomputed

    def _missing(self, field: Field) -> Any:
        """Return the value of a field that the row lacks: fetched if saved, else the default."""
        if field.references:
            known = id_from_ancestors(self, field.references)
            if known is not None:
                return known
            if field.references in names_in(self._options.item):
                return field.fresh_default()  # without it there is no address to fetch it from
        if field.name == "id" or not self._is_saved:
            return field.fresh_default()
        if not self._has_all(field):
            self._complete()
            if field.wire in self._row:
                return field.read(self._row[field.wire])
        return field.fresh_default()

    def _has_all(self, field: Field) -> bool:
        """Return whether a field that the row lacks has its default on the server too."""
        origin = self._origin
        if field.deferred:
            return origin.fetched
        return origin.fetched or origin.whole or field.name in origin.asked

    def _complete(self) -> None:
        """Fetch the object once and fill in what is missing; what the row has stays as it is."""
        fetched = self._get_row(f"reading the deferred fields of {self!r}")
        fields = self._options.fields
        for name in self._origin.uncomputed:
            self._row.pop(fields[name].wire, None)
        for wire, value in fetched.items():
            self._row.setdefault(wire, value)
        set_origin(
            self,
            attrs.evolve(self._origin, client=self._client, uncomputed=frozenset(), fetched=True),
        )

    # -- requests ---------------------------------------------------------------------------------

    def _get_row(self, doing: str) -> dict[str, Any]:
        row = self._ask("GET", doing, params=self._options.get_params, expect=self._options.expects)
        return self._addressed(self._accept(row))

    def _addressed(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row with the ids of the object's address, which the server may leave out."""
        options = self._options
        for name in {
            *names_in(options.item),
            *names_in(options.collection),
        } & options.relations.keys():
            field = options.fields[options.relations[name].id_name]
            parent = parents_of(self).get(name)
            known = key_of(parent) if parent is not None else self.__dict__.get(field.name)
            if row.get(field.wire) is None:
                row[field.wire] = as_id(self._row.get(field.wire)) if known is None else known
        if options.key_wire:
            row.setdefault(options.key_wire, self._row.get(options.key_wire))
        self._check_key(row)
        return row

    def _check_key(self, row: dict[str, Any]) -> None:
        """Raise LabelStudioError where an answer is about another object, or has no id."""
        options = self._options
        if not options.key_wire or "{id}" not in options.item:
            return
        kind = str if options.fields[options.key].annotation is str else int
        key = as_id(row.get(options.key_wire))
        if type(key) is not kind or self._key not in (None, key):
            raise LabelStudioError(
                f"{self!r}: the server answered with {options.key_wire} {str(key)!r:.80}; does "
                "something before it answer instead?"
            )

    def _ask(self, method: str, doing: str, path: str | None = None, **options: Any) -> Any:
        """Send one request to the object's own address, or below it: ``path="/sync"``."""
        if not self._options.item:
            raise TypeError(f"{doing}: the server has no address for one {type(self).__name__}")
        if self._options.key:
            self._saved_id(doing)
        options.setdefault("edition", self._options.edition)
        try:
            url = self._url() + (path or "")
            return self._client.request(method, url, doing=doing, **options)
        except NotFound as error:
            raise DoesNotExist(
                f"{doing}: it is not on the server ({error.detail or 'not found'})",
                request=error.request,
            ) from error

    @classmethod
    def _accept(cls, row: Any) -> dict[str, Any]:
        """Return a row without the values that its fields do not accept.

        These are fetched when they are touched: see ``lazy_counter`` and ``trusted_type``.
        """
        if not isinstance(row, dict):
            raise LabelStudioError(
                f"the server answered {type(row).__name__} where a {cls.__name__} was expected"
            )
        wires = cls._options.wires
        return {
            key: wires[key].keep(value) if key in wires else value
            for key, value in row.items()
            if key not in wires or wires[key].accepts(value)
        }

    # -- client and address -----------------------------------------------------------------------

    @property
    def _client(self) -> Connection:
        origin = self._origin
        if origin.client is not None:
            return origin.client
        return default_client(url=origin.url)

    @property
    def _deadline(self) -> float | None:
        try:
            return deadline_of(self._client)
        except ValueError:  # it has no client yet
            return None

    def _saved_id(self, what: str) -> int:
        """Return the id. Raises ValueError, naming ``what`` needs it, for an unsaved object."""
        if not self._is_saved:
            name = self._options.name
            if self._origin.deleted is not None:
                raise NoId(f"{what}: {name} {self._origin.deleted} was deleted")
            raise NoId(f"{what} needs a saved {name}; call save() on {self!r} first")
        return typing.cast(int, self._as_id(what, self._options.key, self._key))

    def _as_id(self, what: str, name: str, value: Any) -> int | str:
        """Return an id that the server gave. Raises LabelStudioError where it is none."""
        if isinstance(value, (int, str)) and not isinstance(value, bool) and value != "":
            return value
        raise LabelStudioError(f"{what}: {self!r}.{name} is {brief(value, 80)}, which is not an id")

    def _url(self, template: str | None = None) -> str:
        """Return the object's address, or that of another template, with the ids filled in."""
        return fill(template or self._options.item, self._named)

    def _named(self, name: str) -> Any:
        """Return what a name in an address stands for: an object if one is loaded, else an id."""
        relation = self._options.relations.get(name)
        if relation is None:
            return self._saved_id("a request about it") if name == "id" else getattr(self, name)
        value = getattr(self, relation.id_name)
        if value is None:
            if self._is_saved:
                raise NoParent(f"a request about it: {self!r} has no {name}")
            raise ValueError(f"{self!r} has no {name}; set it, or create it through its {name}")
        self._as_id("a request about it", relation.id_name, value)
        loaded = parents_of(self).get(name) or kept_with(self).get(name)
        return loaded if loaded is not None and key_of(loaded) == value else value

    # -- what it is -------------------------------------------------------------------------------

    def __repr__(self) -> str:
        options = self._options
        state = id_text(self._key) if self._is_saved else "unsaved"
        if not self._is_saved and self._origin.deleted is not None:
            state = f"unsaved, {self._origin.deleted} was deleted"
        label = options.label
        text = ""
        if label:
            value = self.__dict__.get(label, self._row.get(options.fields[label].wire))
            if isinstance(value, str):
                text = f" {value if len(value) < 50 else value[:49] + '…'!r}"
            elif value is not None:
                text = f" {brief(value, 50)}"
        return f"<{options.name} {state}{text}>"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self) or not self._is_saved or not other._is_saved:
            return NotImplemented if not isinstance(other, Loaded) else False
        return self._key == other._key and self._server == other._server

    def __hash__(self) -> int:
        if not (self._is_saved or self._row):
            raise TypeError(f"{self!r} has no hash until it is saved")
        try:
            return hash((type(self), self._key, self._server))
        except TypeError:  # the server gave an id that is none
            return hash((type(self), self._server))

    @property
    def raw(self) -> dict[str, Any]:
        """A copy of the JSON as it came: with unknown keys, without secrets.

        Costs no request.
        """
        hidden = self._options.secret_wires
        return {key: self._copied(key) for key in self._row if key not in hidden}

    def _copied(self, wire: str) -> Any:
        """Return a copy of a value of the row; rows inside it may hold records."""
        copy = codec.copy_rows if wire in self._options.embedded else codec.copy_json
        return copy(self._row[wire])

    @property
    def extra(self) -> dict[str, Any]:
        """What the server sent that this version does not know. Kept, and never sent back."""
        known = (
            self._options.wires.keys() | self._options.sets.keys() | self._options.relations.keys()
        )
        return {key: value for key, value in self.raw.items() if key not in known}


set_touched: Callable[[Loaded, dict[str, Any]], None] = Loaded.__dict__["__dict__"].__set__
"""Set the fields of an object that were touched, by a dict that it may share with others."""
