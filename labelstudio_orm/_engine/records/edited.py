"""Objects that are edited: fields are set and changed in place, and compared with the row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from .. import values
from ..fields.fields import UNSET, Field
from ..fields.relations import Relation
from ..http.connection import Connection
from ..values import codec
from ..values.brief import brief
from ..values.declared import key_of, server_of
from ..values.misuse import MISSING, brief_name, of_attribute, read_again
from ..values.secret import seal
from .loaded import Loaded
from .related import forget, kept_with
from .stored import origin_of, parents_of, set_origin, set_row


class Edited(Loaded):
    """An object whose changes are known: what was assigned, and what was changed in place."""

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._options.fields.get(name)
        if field is not None:
            if value is UNSET:
                return
            if field.secret:
                value = seal(value)  # the frame of an error shows it
            self._refuse_unwritable(field, name)
            if field.references:
                self._relate(self._options.relations[field.references], value)
            else:
                self.__dict__[name] = field.check(value)
        elif name in self._options.relations:
            relation = self._options.relations[name]
            if value is not UNSET:
                self._refuse_unwritable(self._options.fields[relation.id_name], name)
                self._relate(relation, value)
        elif name in self._options.sets:
            raise AttributeError(
                f"{self!r}.{name} is what the server has, and cannot be set: "
                f".{name}.create(...), .{name}.bulk_create([...]), or change one and save() it"
            )
        elif hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            known = [*self._options.fields, *self._options.relations]
            value = seal(value)  # its name may be the misspelt one of a secret
            shown = brief_name(name)
            hint = values.near.did_you_mean(name, known)
            raise AttributeError(f"{type(self).__name__} has no field {shown!r}{hint}")

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Raise an error for what there is not, or again the one that reading it raised."""
            if (found := read_again(self, name)) is not MISSING:
                return found
            data = self.__dict__.get("data", self._row.get("data"))
            raise AttributeError(of_attribute(self, name, data))

    def _refuse_unwritable(self, field: Field, name: str) -> None:
        if field.read_only:
            raise AttributeError(f"{type(self).__name__}.{name} is read-only")
        if field.fixed and self._is_saved:
            raise AttributeError(
                f"{type(self).__name__}.{name} cannot be changed once the object is saved"
            )

    def _relate(self, relation: Relation, value: Any) -> None:
        """Set a related object, by itself or its id; an object is kept, so that reading it is free.

        An object without a client takes that of the related one. Raises TypeError for an object of
        another type, ValueError for one of another server.
        """
        value = codec.plain(value)
        relation.check(value)
        self.__dict__[relation.id_name] = self._options.fields[relation.id_name].check(value)
        forget(self, relation.name)
        if value is None or isinstance(value, int):
            return
        kept_with(self)[relation.name] = value
        client, own, other = origin_of(value).client, self._server, server_of(value)
        if self._origin.client is None and client is not None:
            self._bind(client)
        elif own and other and own != other:
            raise ValueError(f"{value!r} is on {other}, {self!r} on {own}")

    def _bind(self, client: Connection) -> None:
        if self._server not in (None, client.url):
            raise ValueError(
                f"{self!r} belongs to {self._server}, not to {client.url}; make a new object there"
            )
        set_origin(self, attrs.evolve(self._origin, client=client))

    # -- changes ----------------------------------------------------------------------------------

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """What ``save`` would send: ``{field: (old, new)}``; in-place edits included.

        Costs no request.

        >>> from labelstudio_orm import Project
        >>> Project(title="Reviews").changes
        {'title': (None, 'Reviews')}
        """
        return {
            name: ("***", "***") if self._options.fields[name].secret else pair
            for name, pair in self._changed().items()
        }

    def _changed(self) -> dict[str, tuple[Any, Any]]:
        found = {}
        for name, field in self._options.fields.items():
            if name not in self.__dict__ or not self._is_writable(field):
                continue
            new = self.__dict__[name]
            if not self._is_saved and field.wire not in self._row:
                if not (field.nested and field.same(new, field.fresh_default())):
                    found[name] = (None, new)
            elif field.wire not in self._row and not self._has_all(field):
                found[name] = (None, new)  # what the server has is not known here
            elif not (field.nested and codec.is_baseline(new, self._row.get(field.wire))):
                old = self._old(field)
                if not field.same(old, new):
                    found[name] = (old, new)
        return found

    def _old(self, field: Field) -> Any:
        return (
            field.read(self._row[field.wire]) if field.wire in self._row else field.fresh_default()
        )

    def _is_writable(self, field: Field) -> bool:
        return not field.read_only and not (field.fixed and self._is_saved)

    def _chosen(self, names: Iterable[str] | None, force: bool) -> list[Field]:
        """Return the fields to save: those that were changed, of these names; ``force``: all."""
        fields = self._options.fields
        if force:
            return [
                field
                for field in fields.values()
                if self._is_writable(field)
                and (
                    field.name in self.__dict__
                    or (field.wire in self._row and not self._uncomputed(field))
                )
            ]
        changed = self._changed()
        if names is None:
            return [fields[name] for name in changed]
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in fields or not self._is_writable(fields[name]):
                known = [one.name for one in fields.values() if self._is_writable(one)]
                shown = f"{brief(name, 60)}{values.near.did_you_mean(str(name), known)}"
                raise ValueError(f"{type(self).__name__} has no writable field {shown}")
        return [fields[name] for name in names if name in changed]

    @contextmanager
    def _restored_on_failure(self) -> Iterator[None]:
        """Take back what is set within the block where the block raises."""
        names = self._options.fields.keys() & self.__dict__.keys()
        fields = self._options.fields
        before = {name: fields[name].copy(self.__dict__[name]) for name in names}
        try:
            yield
        except BaseException:
            for name in self._options.fields.keys() & self.__dict__.keys():
                if name not in before:
                    del self.__dict__[name]
            for name, value in before.items():
                self.__dict__[name] = fields[name].renew(self.__dict__.get(name), value)
            raise

    # -- pickling ---------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return row, edits and origin, without the client and without secrets."""
        fields = self._options.fields
        touched = {
            name: codec.portable(value)
            for name, value in self.__dict__.items()
            if name in fields and not fields[name].secret
        }
        parents = {name: key_of(parent) for name, parent in parents_of(self).items()}
        hidden = self._options.secret_wires
        row = {key: codec.portable(self._copied(key)) for key in self._row if key not in hidden}
        return {
            "row": {**parents, **row},
            "touched": touched,
            "origin": attrs.evolve(
                self._origin, client=None, parents={}, shared=None, peers={}, url=self._server
            ),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        set_row(self, {key: codec.copy_json(value) for key, value in state["row"].items()})
        set_origin(self, state["origin"])
        self.__dict__.update(
            (name, codec.copy_json(value) if type(value) is bytes else value)
            for name, value in state["touched"].items()
        )
