"""Active records: a resource loads from a row, knows what was changed, saves, deletes and
refreshes itself.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import attrs

from ...errors import Conflict, DoesNotExist, LabelStudioError, NotFound, ServerError
from ..fields.fields import UNSET, Field, ForeignKey, _Related, readonly
from ..fields.options import Options, options_of
from ..http.addresses import fill, names_in
from ..http.connection import default_client
from ..http.deadline import one_call
from ..records.origin import NOWHERE, Origin
from ..values import codec
from ..values.brief import brief
from ..values.ids import as_id
from ..values.misuse import MISSING, brief_name, of_attribute, read_again
from ..values.near import did_you_mean
from ..values.secret import seal
from .queryset import QuerySet

if TYPE_CHECKING:
    from typing_extensions import Self

    from ...client import LabelStudio

R = TypeVar("R", bound="Resource")

_Shared: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"
"""A row, and what is touched of it."""


CONTAINERS = frozenset({"project", "task"})
"""Relations to what holds something and all that belongs to it."""

SHARED = 1000
"""Related objects that the rows of one listing keep for each other."""


class NoId(ValueError, AttributeError):
    """An object that was never saved, or was deleted, was asked for what only the server has. It is
    an AttributeError too, so that tools can look at the object.
    """


class Objects:
    """``Project.objects``: every object of the class on the default client's server
    (``connect()``).
    """

    def __get__(self, instance: Resource | None, owner: type[R]) -> QuerySet[R]:
        if instance is not None:
            raise AttributeError(f"objects is of the class, {owner.__name__}.objects")
        return default_client().all_of(owner)


@attrs.define(slots=False, eq=False, repr=False, kw_only=True, on_setattr=None)
class Resource:
    """The base of every resource.

    Equality and hash go by (type, id, server); an object that was never saved equals only itself
    and has no hash. Fields are read from the row when they are touched; edits, also in place, are
    found by ``save``.
    """

    __slots__ = ("_origin", "_row")

    id: int = readonly()

    objects: ClassVar[Objects] = Objects()
    _options: ClassVar[Options]
    _row: ClassVar[dict[str, Any]]
    _origin: ClassVar[Origin]

    def __attrs_pre_init__(self) -> None:
        _set_row(self, {})
        _set_origin(self, NOWHERE)

    # -- loading ----------------------------------------------------------------------------------

    @classmethod
    def _load(cls, rows: Iterable[dict[str, Any]], origin: Origin) -> Iterator[Self]:
        """Objects of rows as they came. The loop that every listing runs: it must stay this
        short.
        """
        new, set_row, set_origin = cls.__new__, _set_row, _set_origin
        for row in rows:
            obj = new(cls)
            set_row(obj, row)
            set_origin(obj, origin)
            yield obj

    @classmethod
    def _view(cls, shared: Iterable[_Shared], origin: Origin) -> Iterator[Self]:
        """Objects over rows that they share, edits included, with other objects."""
        for row, touched in shared:
            obj = cls.__new__(cls)
            _set_row(obj, row)
            _set_origin(obj, origin)
            object.__setattr__(obj, "__dict__", touched)
            yield obj

    @classmethod
    def _from_row(cls, row: dict[str, Any], origin: Origin) -> Self:
        return next(cls._load((row,), origin))

    def _uncomputed(self, field: Field) -> bool:
        return field.name in self._origin.uncomputed

    def _missing(self, field: Field) -> Any:
        """The value of a field which the row does not have: fetched for a saved object, else the
        default.
        """
        if field.references:
            known = self._known_by_ancestors(field.references)
            if known is not None:
                return known
            if field.references in names_in(self._options.item):
                return _default(field)  # without it there is no address to fetch it from
        if field.name == "id" or not self._is_saved:
            return _default(field)
        if not self._has_all(field):
            self._complete()
            if field.wire in self._row:
                return field.read(self._row[field.wire])
        return _default(field)

    def _has_all(self, field: Field) -> bool:
        """Has the row every such field that the server has, so that a missing one is the
        default?
        """
        origin = self._origin
        if field.deferred:
            return origin.fetched
        return origin.fetched or origin.whole or field.name in origin.asked

    def _known_by_ancestors(self, relation: str) -> Any:
        """The id of a related object that this one was reached through, or that one's of the same:
        the project of an annotation is that of its task.
        """
        if relation in self._origin.parents:
            return self._origin.parents[relation]._key
        if relation not in CONTAINERS:
            return None
        for ancestor in self._ancestors():
            if relation in ancestor._origin.parents:
                return ancestor._origin.parents[relation]._key
            owner = options_of(ancestor).relations.get(relation)
            field = owner and options_of(ancestor).fields[owner.id_name]
            if field and ancestor._row.get(field.wire) is not None:
                return as_id(ancestor._row[field.wire])
        return None

    def _complete(self) -> None:
        """Fetch the object once and fill in what is missing; what is here already stays as it
        is.
        """
        fetched = self._get_row(f"reading the deferred fields of {self!r}")
        fields = self._options.fields
        for name in self._origin.uncomputed:
            self._row.pop(fields[name].wire, None)
        for wire, value in fetched.items():
            self._row.setdefault(wire, value)
        _set_origin(
            self,
            attrs.evolve(self._origin, client=self._client, uncomputed=frozenset(), fetched=True),
        )

    def _get_row(self, doing: str) -> dict[str, Any]:
        row = self._ask("GET", doing, params=self._options.get_params, expect=self._options.expects)
        return self._addressed(self._accept(row))

    def _addressed(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with what the object's address says, as far as it is known here; the server may
        leave it out.
        """
        options = self._options
        for name in {
            *names_in(options.item),
            *names_in(options.collection),
        } & options.relations.keys():
            field = options.fields[options.relations[name].id_name]
            parent = self._origin.parents.get(name)
            known = parent._key if parent is not None else self.__dict__.get(field.name)
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
        """One request to this object's own address, or below it: ``path="/sync"``."""
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
        """A row without what cannot be believed in it: see ``counter`` and
        ``readonly(only=...)``.
        """
        if not isinstance(row, dict):
            raise LabelStudioError(
                f"the server answered {type(row).__name__} where a {cls.__name__} was expected"
            )
        wires = cls._options.wires
        return {
            key: wires[key].keep(value) if key in wires else value
            for key, value in row.items()
            if key not in wires or wires[key].believes(value)
        }

    # -- what the object is -----------------------------------------------------------------------

    @property
    def _key(self) -> Any:
        """What tells it from others of its kind, mostly the id; None for an unsaved object."""
        return as_id(self._row.get(self._options.key_wire))

    @property
    def _is_saved(self) -> bool:
        wire = self._options.key_wire
        return self._row.get(wire) is not None if wire else bool(self._row)

    @property
    def _client(self) -> LabelStudio:
        origin = self._origin
        if origin.client is not None:
            return typing.cast("LabelStudio", origin.client)
        return default_client(url=origin.url)

    @property
    def _deadline(self) -> float | None:
        try:
            return self._client._deadline
        except ValueError:  # it has no client yet
            return None

    @property
    def _server(self) -> str | None:
        return self._origin.client.url if self._origin.client is not None else self._origin.url

    @property
    def _last_key(self) -> Any:
        """The key, also of an object that was deleted."""
        return self._key if self._is_saved else self._origin.deleted

    def _saved_id(self, what: str) -> int:
        if not self._is_saved:
            name = self._options.name
            if self._origin.deleted is not None:
                raise NoId(f"{what}: {name} {self._origin.deleted} was deleted")
            raise NoId(f"{what} needs a saved {name}; call save() on {self!r} first")
        return typing.cast(int, self._as_id(what, self._options.key, self._key))

    def _as_id(self, what: str, name: str, value: Any) -> int | str:
        """An id that the server gave. Raises LabelStudioError where it is none."""
        if isinstance(value, (int, str)) and not isinstance(value, bool) and value != "":
            return value
        raise LabelStudioError(f"{what}: {self!r}.{name} is {brief(value, 80)}, which is no id")

    def _url(self, template: str | None = None) -> str:
        """The address of this object, or of another template of this resource, with the ids filled
        in.
        """
        return fill(template or self._options.item, self._named)

    def _named(self, name: str) -> Any:
        """What an address calls so: an object where one is at hand, else an id."""
        relation = self._options.relations.get(name)
        if relation is None:
            return self._saved_id("a request about it") if name == "id" else getattr(self, name)
        value = getattr(self, relation.id_name)
        if value is None:
            if self._is_saved:
                raise LabelStudioError(f"a request about it: {self!r} has no {name}")
            raise ValueError(f"{self!r} has no {name}; set it, or create it through its {name}")
        self._as_id("a request about it", relation.id_name, value)
        at_hand = self._origin.parents.get(name) or self._related_cache().get(name)
        return at_hand if at_hand is not None and at_hand._key == value else value

    def __repr__(self) -> str:
        options = self._options
        state = str(self._key) if self._is_saved else "unsaved"
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
            return NotImplemented if not isinstance(other, Resource) else False
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
        """A copy of the JSON as it came, unknown keys included and secrets left out. Costs no
        request.
        """
        hidden = self._options.secret_wires
        return {key: self._copied(key) for key in self._row if key not in hidden}

    def _copied(self, wire: str) -> Any:
        """A copy of a value of the row; rows inside may hold records."""
        copy = codec.copy_rows if wire in self._options.embedded else codec.copy_json
        return copy(self._row[wire])

    @property
    def extra(self) -> dict[str, Any]:
        """What the server sent that this version does not know. Kept, and never sent back."""
        known = (
            self._options.wires.keys() | self._options.sets.keys() | self._options.relations.keys()
        )
        return {key: value for key, value in self.raw.items() if key not in known}

    # -- changes ----------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._options.fields.get(name)
        if field is not None:
            if value is UNSET:
                return
            if field.secret:
                value = seal(value)  # the frame of an error shows it
            self._refuse_fixed(field, name)
            if field.references:
                self._options.relations[field.references].__set__(self, value)
            else:
                self.__dict__[name] = field.check(value)
        elif name in self._options.relations:
            relation = self._options.relations[name]
            if value is not UNSET:
                self._refuse_fixed(self._options.fields[relation.id_name], name)
                relation.__set__(self, value)
        elif name in self._options.sets:
            raise AttributeError(
                f"{self!r}.{name} is what the server has, and nothing to be set: "
                f".{name}.create(...), .{name}.bulk_create([...]), or change one and save() it"
            )
        elif hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            known = [*self._options.fields, *self._options.relations]
            value = seal(value)  # its name may be the misspelt one of a secret
            shown = brief_name(name)
            raise AttributeError(
                f"{type(self).__name__} has no field {shown!r}{did_you_mean(name, known)}"
            )

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Only for what there is not, and for what raised AttributeError: that is then said."""
            if (found := read_again(self, name)) is not MISSING:
                return found
            data = self.__dict__.get("data", self._row.get("data"))
            raise AttributeError(of_attribute(self, name, data))

    def _refuse_fixed(self, field: Field, name: str) -> None:
        if field.read_only:
            raise AttributeError(f"{type(self).__name__}.{name} is read-only")
        if field.fixed and self._is_saved:
            raise AttributeError(
                f"{type(self).__name__}.{name} cannot be changed once the object is saved"
            )

    def _is_writable(self, field: Field) -> bool:
        return not field.read_only and not (field.fixed and self._is_saved)

    def _peek(self, field: Field) -> Any:
        """The value to compare with: nested JSON is not copied for it."""
        untouched = field.nested and field.name not in self.__dict__
        if untouched and field.wire in self._row and not self._uncomputed(field):
            return self._row[field.wire]
        return getattr(self, field.name)

    def _old(self, field: Field) -> Any:
        return field.read(self._row[field.wire]) if field.wire in self._row else _default(field)

    def _changed(self) -> dict[str, tuple[Any, Any]]:
        found = {}
        for name, field in self._options.fields.items():
            if name not in self.__dict__ or not self._is_writable(field):
                continue
            new = self.__dict__[name]
            if not self._is_saved and field.wire not in self._row:
                if not (field.nested and field.same(new, _default(field))):
                    found[name] = (None, new)
            elif field.wire not in self._row and not self._has_all(field):
                found[name] = (None, new)  # what the server has is not known here
            elif not (field.nested and codec.is_recorded(new, self._row.get(field.wire))):
                old = self._old(field)
                if not field.same(old, new):
                    found[name] = (old, new)
        return found

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """What ``save`` would send: ``{field: (old, new)}``; in-place edits included. Costs no
        request.

        >>> from labelstudio_orm import Project
        >>> Project(title="Reviews").changes
        {'title': (None, 'Reviews')}
        """
        return {
            name: ("***", "***") if self._options.fields[name].secret else pair
            for name, pair in self._changed().items()
        }

    # -- verbs ------------------------------------------------------------------------------------

    @one_call
    def save(
        self,
        *,
        using: LabelStudio | None = None,
        fields: Iterable[str] | None = None,
        force: bool = False,
        check: bool = False,
    ) -> Self:
        """Create the object, or send what was changed; returns self.

        One POST for a new object; one PATCH that holds only the changed fields for a saved one; no
        request when nothing was changed.

        ``using``: the client, for an object that has none yet. ``fields``: save only these.
        ``force``: send every writable field. ``check``: first compare ``updated_at``, and the
        fields to be sent, with the server's (one more request; the server has no conditional
        writes) and raise Conflict if somebody else saved in the meantime.

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
                _set_origin(self, origin)  # it may be saved to another server
            raise
        return self

    @contextmanager
    def _unless_it_fails(self) -> Iterator[None]:
        """What a verb sets on the object is taken back where it could not be saved."""
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

    def _came_through(self, parents: Mapping[str, Any]) -> None:
        """Note the objects that this one was reached through, by relation."""
        _set_origin(self, attrs.evolve(self._origin, parents=parents))

    def _bind(self, client: LabelStudio) -> None:
        if self._server not in (None, client.url):
            raise ValueError(
                f"{self!r} belongs to {self._server}, not to {client.url}; make a new object there"
            )
        _set_origin(self, attrs.evolve(self._origin, client=client))

    def _chosen(self, names: Iterable[str] | None, force: bool) -> list[Field]:
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
                shown = f"{brief(name, 60)}{did_you_mean(str(name), known)}"
                raise ValueError(f"{type(self).__name__} has no writable field {shown}")
        return [fields[name] for name in names if name in changed]

    def _body(self, chosen: Iterable[Field]) -> dict[str, Any]:
        edited = self._changed().keys()
        return {field.wire: self._sent(field, field.name in edited) for field in chosen}

    def _sent(self, field: Field, is_edited: bool) -> Any:
        """A value as it is sent. What is only carried along is as the server has it, be it odd."""
        value = getattr(self, field.name)
        if not is_edited and self._is_saved:
            return codec.write(value)
        if field.judge is not None and value is not None:
            old = codec.copy_json(self._row.get(field.wire))
            field.judge(value, f"{self!r}.{field.name}", old)
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
        row = self._post(
            client, self._body(field for field in chosen if field.references not in in_path)
        )
        self._absorb(self._addressed(row))
        _set_origin(self, attrs.evolve(self._origin, client=client, fetched=False, deleted=None))

    def _post(self, client: LabelStudio, body: dict[str, Any]) -> Any:
        """Send the creation; a resource whose creation can be made safe to repeat overrides
        this.
        """
        return client.request(
            "POST",
            self._url(self._options.collection),
            json=body,
            doing=f"creating {self._options.name}",
            expect=(self._options.key_wire,),
            edition=self._options.edition,
        )

    def _update(self, chosen: list[Field]) -> None:
        if not chosen:
            return
        carried = [
            field
            for field in self._options.fields.values()
            if field.always_sent and field not in chosen
        ]
        body = self._body([*chosen, *carried])
        options = self._options
        row = self._ask(options.update, f"saving {self!r}", json=body, expect=options.expects)
        said = {
            field.wire: codec.copy_json(body[field.wire]) for field in chosen if not field.secret
        }
        self._absorb(self._addressed({**said, **row}), sent=chosen)

    def _absorb(self, row: Any, sent: Iterable[Field] = ()) -> None:
        """Take the answer to a write: the server's values win, edits that were not sent stay
        edits.
        """
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
                self._settle(self._options.fields[name])

    def _settle(self, field: Field) -> None:
        """Let a field that was touched say what the row says. Whoever holds nested JSON goes on to
        hold it: it is changed in place, and only where the server has something else, or where it
        holds what JSON has not, such as numbers of numpy.
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
                f"{self!r} has no updated_at here, so save(check=True) cannot tell a conflict; "
                "bring it along with only(..., 'updated_at') where the resource has one"
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
        """Read the object again and drop unsaved edits; returns self. One request.

        Raises DoesNotExist when it has been deleted.
        """
        self._saved_id("refresh()")
        row = self._get_row(f"refreshing {self!r}")
        client = self._client
        self.__dict__.clear()
        self._row.clear()
        self._row.update(row)
        _set_origin(
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
        """Delete the object on the server. One request; an object that is already gone raises
        DoesNotExist.
        """
        key = self._saved_id("delete()")
        try:
            self._ask("DELETE", f"deleting {self!r}")
        except ServerError as error:
            if error.status != 500 or not self._is_gone():
                raise
        self._tell_parents()
        kept = {
            name: field.keep(self._peek(field))
            for name, field in self._options.fields.items()
            if self._is_kept(field)
        }
        _set_row(self, {})
        _set_origin(self, attrs.evolve(self._origin, deleted=key))
        object.__setattr__(self, "__dict__", kept)

    def _is_gone(self) -> bool:
        """Whether the server has deleted it although it failed afterwards, as it does where it
        cannot count the labels of an annotation.
        """
        try:
            self._ask("GET", f"looking for {self!r}")
        except DoesNotExist:
            return True
        except LabelStudioError:
            return False
        return False

    def _is_kept(self, field: Field) -> bool:
        """Is it part of what a deleted object would be created again with?"""
        return not field.read_only and (field.name in self.__dict__ or field.wire in self._row)

    # -- relations --------------------------------------------------------------------------------

    def _related_cache(self) -> dict[str, Any]:
        cache: dict[str, Any] = self.__dict__.setdefault("_related", {})
        return cache

    def _remember(self, name: str, value: Resource | None) -> None:
        if value is None:
            return
        self._related_cache()[name] = value
        if self._origin.client is None and value._origin.client is not None:
            self._bind(value._client)
        elif self._server and value._server and self._server != value._server:
            raise ValueError(f"{value!r} is on {value._server}, {self!r} on {self._server}")

    def _forget(self, name: str) -> None:
        self.__dict__.get("_related", {}).pop(name, None)

    def _related_object(self, relation: ForeignKey[Any]) -> Resource | None:
        identifier = getattr(self, relation.id_name)
        if identifier is None:
            return None
        for ancestor in self._ancestors():
            if type(ancestor) is relation.target and ancestor.id == identifier:
                return ancestor
        self._as_id(f"reading its {relation.name}", relation.id_name, identifier)
        cached = self._related_cache().get(relation.name)
        if cached is not None and cached.id == identifier:
            return typing.cast(Resource, cached)
        found = self._shared_object(relation.target, identifier)
        if found is None:
            embedded = self._row.get(self._options.fields[relation.id_name].wire)
            if isinstance(embedded, dict) and as_id(embedded) == identifier:
                row = codec.copy_json(embedded)
                found = relation.target._from_row(row, Origin(self._client))
            else:
                found = self._with_peers(relation, identifier) or self._fetched(
                    relation, identifier
                )
            if self._origin.shared is not None:
                self._origin.shared[relation.target, identifier] = found
        self._related_cache()[relation.name] = found
        return found

    def _with_peers(self, relation: ForeignKey[Any], identifier: int | str) -> Resource | None:
        """A task, brought with those of the rows after this one: see ``Peers``. None where it is to
        be fetched alone.
        """
        peers, shared = self._origin.peers.get(relation.name), self._origin.shared
        ids = peers.to_fetch(identifier) if peers else []
        project = self._origin.parents.get("project") or as_id(self._row.get("project"))
        if len(ids) < 2 or shared is None or project is None:
            return None
        tasks = self._client.all_of(relation.target).filter(project=project, id__in=ids)
        shared.update(((relation.target, task.id), task) for task in tasks)
        return shared.get((relation.target, identifier))

    def _fetched(self, relation: ForeignKey[Any], identifier: int | str) -> Resource:
        objects = self._client.all_of(relation.target)
        try:
            return objects.get(identifier)
        except LabelStudioError:
            raise
        except ValueError as error:
            raise LabelStudioError(f"reading the {relation.name} of {self!r}: {error}") from error

    def _shared_object(self, target: type[Resource], identifier: int | str) -> Resource | None:
        shared = self._origin.shared
        if shared is None:
            return None
        if len(shared) > SHARED:  # an endless listing must not keep an endless number of them
            shared.clear()
        return shared.get((target, identifier))

    def _ancestors(self) -> Iterator[Resource]:
        """The objects that this one was reached through: an annotation's task, and its project."""
        for parent in self._origin.parents.values():
            yield parent
            yield from parent._ancestors()

    def _related_set(self, relation: _Related) -> QuerySet[Any]:
        if not self._is_saved:
            self._saved_id(f"{type(self).__name__}.{relation.name}")
        client, scope = self._client, {relation.via: self}
        here = None
        if relation.name in self._origin.prefetched:
            asked = self._origin.inside.get(relation.name, frozenset())
            origin = Origin(client, scope, whole=not asked, asked=asked, shared=self._origin.shared)
            here = list(relation.target._view(self._prefetched_rows(relation.name), origin))
        return QuerySet.of(relation.target, client, scope=scope, loaded=here)

    def _prefetched_rows(self, name: str) -> list[_Shared]:
        """Related rows by id, each with what is touched and edited of it.

        It is this that all accesses to a relation share, and not the objects: they hold this object
        as their parent, and would keep each other alive until the garbage collector comes.
        """
        cache = self._related_cache()
        if name not in cache:
            cache[name] = [(row, {}) for row in self._rows_inside(name)]
        found: list[_Shared] = cache[name]
        return found

    def _rows_inside(self, name: str) -> list[dict[str, Any]]:
        rows = self._row.get(name) or []
        try:
            return sorted(rows, key=itemgetter("id"))
        except (TypeError, KeyError, IndexError):
            raise LabelStudioError(
                f"{self!r}: its {name} are no objects with ids, but {brief(rows, 200)}"
            ) from None

    def _drop_prefetched(self, name: str) -> None:
        """After a write to a relation its rows here are no longer the truth."""
        self._forget(name)
        if name in self._origin.prefetched:
            _set_origin(
                self, attrs.evolve(self._origin, prefetched=self._origin.prefetched - {name})
            )

    def _tell_parents(self) -> None:
        for name, parent in self._origin.parents.items():
            for relation in options_of(parent).sets.values():
                if relation.target is type(self) and relation.via == name:
                    parent._drop_prefetched(relation.name)

    # -- pickling ---------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        fields = self._options.fields
        touched = {
            name: codec.portable(value)
            for name, value in self.__dict__.items()
            if name in fields and not fields[name].secret
        }
        parents = {name: parent._key for name, parent in self._origin.parents.items()}
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
        _set_row(self, {key: codec.copy_json(value) for key, value in state["row"].items()})
        _set_origin(self, state["origin"])
        self.__dict__.update(
            (name, codec.copy_json(value) if type(value) is bytes else value)
            for name, value in state["touched"].items()
        )


# The private state lies in slots beside the __dict__ that holds the touched fields: setting it
# through the slot's own descriptor costs no call of __setattr__, which counts in a loop over a
# hundred thousand rows.
_set_row: Callable[[Resource, dict[str, Any]], None] = Resource.__dict__["_row"].__set__
_set_origin: Callable[[Resource, Origin], None] = Resource.__dict__["_origin"].__set__


def _default(field: Field) -> Any:
    default = field.default
    if default is UNSET:
        return None
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
