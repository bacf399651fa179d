"""Active records: objects that load, know what was changed, save, delete and refresh themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import (
    Conflict,
    DoesNotExist,
    LabelStudioError,
    NotSupportedByServer,
    ServerError,
)
from ..fields.fields import Field
from ..fields.words import readonly
from ..http.addresses import names_in
from ..http.connection import Connection, require, server_of
from ..http.deadline import one_call
from ..values import codec
from .edited import Edited
from .loaded import set_touched
from .related import drop_prefetched_of_parents
from .stored import set_origin, set_row

if TYPE_CHECKING:
    from typing_extensions import Self


@attrs.define(slots=False, eq=False, repr=False, kw_only=True, on_setattr=None)
class Record(Edited):
    """An object of the server.

    Fields are read from the row when they are touched; edits, also in place, are found by ``save``.
    """

    id: int = readonly()

    @one_call
    def save(
        self,
        *,
        using: Connection | None = None,
        fields: Iterable[str] | None = None,
        force: bool = False,
        check: bool = False,
    ) -> Self:
        """Create the object, or send what was changed, and return self.

        One POST for a new object; one PATCH that holds only the changed fields for a saved one; no
        request when nothing was changed.

        ``using``: the client, for an object that has none yet. ``fields``: save only these.
        ``force``: send every writable field. ``check``: first compare ``updated_at``, and the
        fields to be sent, with the server's (one more request; the server has no conditional
        writes) and raise Conflict if another user saved in the meantime.

        Raises TypeError for a value of the wrong type before anything is sent, OutcomeUnknown when
        the answer to a creation was lost, and the errors of the server.
        """
        origin = self._origin
        if using is not None:
            self._bind(using)
        try:
            if not self._is_saved:
                self._create()
            else:
                chosen = self._chosen(fields, force)
                if check and chosen:
                    self._check_unchanged(chosen)
                self._update(chosen)
        except BaseException:
            if using is not None and not self._is_saved:
                set_origin(self, origin)  # it may be saved to another server
            raise
        return self

    def _body(self, chosen: Iterable[Field]) -> dict[str, Any]:
        edited = self._changed().keys()
        return {field.wire: self._sent(field, field.name in edited) for field in chosen}

    def _sent(self, field: Field, is_edited: bool) -> Any:
        """Return a value as it is sent; one that was not edited is sent as the server has it."""
        value = getattr(self, field.name)
        if not is_edited and self._is_saved:
            return codec.write(value)
        if field.validator is not None and value is not None:
            old = codec.copy_json(self._row.get(field.wire))
            field.validator(value, f"{self!r}.{field.name}", old)
        return codec.plain_json(codec.write(field.check(value)))

    def _create(self) -> None:
        options = self._options
        for relation in options.relations.values():
            if relation.required and getattr(self, relation.id_name) is None:
                name = type(self).__name__
                raise ValueError(f"a {name} needs a {relation.name}: {name}({relation.name}=...)")
        client = self._client
        in_path = names_in(options.collection)
        chosen = [options.fields[name] for name in self._changed()]
        self._check_release(chosen)
        body = self._body(field for field in chosen if field.references not in in_path)
        row = self._post(client, body)
        dropped = self._dropped(chosen, body, row)
        self._absorb(self._addressed(row))
        set_origin(self, attrs.evolve(self._origin, client=client, fetched=False, deleted=None))
        self._refuse_dropped(dropped, f"creating {self!r}")

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        """Send the creation. A resource overrides it to make a creation safe to repeat."""
        return client.request(
            "POST",
            self._url(self._options.collection),
            json=body,
            doing=f"creating {self._options.name}",
            expect=(self._options.key_wire,),
            edition=self._options.edition,
        )

    def _check_release(self, chosen: Iterable[Field]) -> None:
        """Raise NotSupportedByServer for a value that an older server would drop."""
        for field in chosen:
            if field.since is not None and not self._is_harmless(field):
                require(self._client, field.since, f"saving {self!r}.{field.name}")

    def _update(self, chosen: list[Field]) -> None:
        if not chosen:
            return
        self._check_release(chosen)
        always = [
            field
            for field in self._options.fields.values()
            if field.always_sent and field not in chosen
        ]
        body = self._body([*chosen, *always])
        options = self._options
        row = self._ask(options.update, f"saving {self!r}", json=body, expect=options.expects)
        dropped = self._dropped(chosen, body, row)
        kept = [field for field in chosen if field not in dropped]
        sent = {field.wire: codec.copy_json(body[field.wire]) for field in kept if not field.secret}
        self._absorb(self._addressed({**sent, **row}), sent=kept)
        self._refuse_dropped(dropped, f"saving {self!r}")

    def _dropped(
        self, chosen: Iterable[Field], body: Mapping[str, Any], row: Mapping[str, Any]
    ) -> list[Field]:
        """Return the fields whose values were sent, and which the server does not have."""
        return [
            field
            for field in chosen
            if field.wire in body
            and not self._is_stored(body[field.wire], row, field)
            and not (field.secret or field.fixed)  # an answer need not show these
            and not self._is_harmless(field)
        ]

    def _is_stored(self, sent: Any, row: Mapping[str, Any], field: Field) -> bool:
        """Return whether an answer shows a value; releases of Enterprise show what they drop."""
        said = row.get(field.wire)
        if not self._options.edition or field.wire not in row:
            return field.wire in row
        if said is None:
            return not sent
        return sent is said or not isinstance(said, bool)

    def _is_harmless(self, field: Field) -> bool:
        """Return whether a server without a field does what its value says."""
        value = getattr(self, field.name)
        if field.since is not None:
            return value in field.since.harmless
        return field.same(value, field.fresh_default())

    def _refuse_dropped(self, dropped: list[Field], doing: str) -> None:
        """Raise NotSupportedByServer for fields that the server has dropped; the rest is saved."""
        if dropped:
            server = server_of(self._client)
            which = f"Label Studio {server.edition} {server.release}".rstrip()
            names = ", ".join(field.name for field in dropped)
            raise NotSupportedByServer(
                f"{doing}: the server at {self._client.url} ({which}) does not have {names}, and "
                "ignored the value; all else was saved"
            )

    def _absorb(self, row: Any, sent: Iterable[Field] = ()) -> None:
        """Take the answer to a write: the server's values win; unsent edits stay edits."""
        unsent = set(self._changed()) - {field.name for field in sent} if self._is_saved else set()
        kept = {
            key: value
            for key, value in self._accept(row).items()
            if key not in self._options.embedded
        }
        stale = {
            key for key in self._row if key in row and key not in kept
        } - self._options.embedded
        self._row.update(kept)
        for key in stale:
            del self._row[key]
        for name in [name for name in self.__dict__ if name in self._options.fields]:
            if name not in unsent:
                self._resolve(self._options.fields[name])

    def _resolve(self, field: Field) -> None:
        """Set a field that was touched to the value of the row.

        Nested JSON is changed in place, since users may hold it, and only where the server has
        something else, or where it holds what JSON does not have, such as numbers of numpy.
        """
        if not (field.nested and field.wire in self._row):
            del self.__dict__[field.name]
            return
        held, now = self.__dict__[field.name], self._old(field)
        if not field.same(held, now) or codec.plain_json(held) is not held:
            self.__dict__[field.name] = field.renew(held, now)

    def _check_unchanged(self, chosen: Iterable[Field]) -> None:
        if "updated_at" not in self._row:
            raise ValueError(
                f"{self!r} has no updated_at here, so save(check=True) cannot detect a conflict; "
                "load it with only(..., 'updated_at') where the resource has one"
            )
        theirs = self._get_row(f"checking {self!r} before saving")
        is_later = theirs.get("updated_at") != self._row.get("updated_at")
        others = [  # some writes leave updated_at as it is
            field.name
            for field in chosen
            if field.wire in theirs
            and field.wire in self._row
            and not field.same(self._old(field), field.read(theirs[field.wire]))
        ]
        if is_later or others:
            when = f" at {theirs.get('updated_at')}" if is_later else ""
            what = f" ({', '.join(others)})" if others else ""
            raise Conflict(
                f"{self!r} was changed on the server{when}{what}, after it was read here; "
                "refresh() and apply the change again"
            )

    @one_call
    def refresh(self) -> Self:
        """Read the object again, drop unsaved edits, and return self. One request.

        Raises DoesNotExist when it has been deleted.
        """
        self._saved_id("refresh()")
        row = self._get_row(f"refreshing {self!r}")
        client = self._client
        self.__dict__.clear()
        self._row.clear()
        self._row.update(row)
        set_origin(
            self,
            attrs.evolve(
                self._origin,
                client=client,
                uncomputed=frozenset(),
                prefetched=frozenset(),
                fetched=True,
            ),
        )
        return self

    @one_call
    def delete(self) -> None:
        """Delete the object on the server. One request.

        Raises DoesNotExist for an object that is already gone.
        """
        key = self._saved_id("delete()")
        try:
            self._ask("DELETE", f"deleting {self!r}")
        except ServerError as error:
            if error.status != 500 or not self._is_gone():
                raise
        drop_prefetched_of_parents(self)
        kept = {
            name: field.keep(field.peek(self))
            for name, field in self._options.fields.items()
            if self._is_kept(field)
        }
        set_row(self, {})
        set_origin(self, attrs.evolve(self._origin, deleted=key, prefetched=frozenset()))
        set_touched(self, kept)

    def _is_gone(self) -> bool:
        """Return whether the server has deleted it although it failed afterwards.

        It fails so where it cannot count the labels of an annotation.
        """
        try:
            self._ask("GET", f"looking for {self!r}")
        except DoesNotExist:
            return True
        except LabelStudioError:
            return False
        return False

    def _is_kept(self, field: Field) -> bool:
        """Return whether a deleted object keeps the field, to be created again with it."""
        return not field.read_only and (field.name in self.__dict__ or field.wire in self._row)
