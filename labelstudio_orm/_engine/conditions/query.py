"""Query: which objects are meant, in which order, and how much of each. Plans and pages take it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from ..fields.options import Options, options_of
from ..http.connection import Connection, default_client
from ..values.ids import scope_text
from .tree import EVERYTHING, Node, describe

if TYPE_CHECKING:
    from typing_extensions import Self

    from .ordering import Key


@attrs.frozen(slots=False, eq=False)
class Query:
    """The state of a queryset.

    Attributes:
        model: The resource.
        connection: The client that is asked; the address of its server after unpickling.
        scope: The objects, or ids, that the listing belongs to, by relation.
        params: Parameters that every request carries.
        where: The condition.
        ordering: The keys of the order; none is the order by id.
        start: How many objects are skipped.
        stop: Where the slice ends; None for no end.
        fields: The only fields to bring; None for all that a listing has.
        relations: The related rows to bring along.
        related_fields: The only fields of these, by relation.
        forward: The relations to single objects that are brought along.
        all_confirmed: ``all()`` was called, so that a bulk verb may act on everything.
        is_strict: Refuse what the server cannot filter exactly.
        from_end: The order of a view, from its end.
        named: Keys that the rows are made of, for warnings about unknown ones.
        may_be_new: An unknown key is no mistake, since an object with it may be created.
        loaded: The objects themselves, where they came inside of another row.
    """

    model: type[Any]
    connection: Connection | str
    scope: Mapping[str, Any] = attrs.field(factory=dict)
    params: Mapping[str, Any] = attrs.field(factory=dict)
    where: Node = EVERYTHING
    ordering: tuple[Key, ...] = ()
    start: int = 0
    stop: int | None = None
    fields: frozenset[str] | None = None
    relations: frozenset[str] = frozenset()
    related_fields: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    forward: frozenset[str] = frozenset()
    all_confirmed: bool = False
    is_strict: bool = False
    from_end: bool = False
    named: tuple[Key, ...] = ()
    may_be_new: bool = False
    loaded: list[Any] | None = None

    @property
    def client(self) -> Connection:
        """The client that is asked.

        After unpickling it is the default one (``connect()``); ValueError if there is none for the
        same server.
        """
        if isinstance(self.connection, str):
            return default_client(url=self.connection)
        return self.connection

    @property
    def url(self) -> str:
        """The address of the server."""
        return self.connection if isinstance(self.connection, str) else self.connection.url

    @property
    def options(self) -> Options:
        """The options of the resource."""
        return options_of(self.model)

    def but(self, **state: Any) -> Self:
        """Return the same query with some of its state replaced."""
        return attrs.evolve(self, **state)

    def light(self) -> Self:
        """Return the query of the ids of the same objects, by id."""
        none = frozenset[str]()
        return self.but(fields=frozenset({"id"}), relations=none, forward=none, ordering=())

    def sliced(self, start: int, stop: int | None) -> Self:
        """Return the query of the objects from one place to another within this one."""
        ends = self.stop, None if stop is None else self.start + stop
        stops = [end for end in ends if end is not None]
        first = self.start + start
        return self.but(start=first, stop=max(first, min(stops)) if stops else None)

    # -- what it is -------------------------------------------------------------------------------

    @property
    def is_slice(self) -> bool:
        """Return whether objects are skipped or cut off."""
        return self.start != 0 or self.stop is not None

    @property
    def is_of_view(self) -> bool:
        """Return whether it reads the tasks of a view, beside which a server drops conditions."""
        return "view" in self.scope

    @property
    def is_everything(self) -> bool:
        """Return whether nothing is left out, sorted or cut."""
        return self.where == EVERYTHING and not self.ordering and not self.is_slice

    @property
    def is_by_id(self) -> bool:
        """Return whether the objects are wanted by id, as the server lists them."""
        return not self.ordering or (self.ordering[0].field.name == "id" and self.is_listed_by_id)

    @property
    def is_listed_by_id(self) -> bool:
        """Return whether a listing comes by id; a project's annotations come by their tasks."""
        within = self.options.pages.by_id_within
        return not within or within in self.scope

    @property
    def is_descending(self) -> bool:
        """Return whether the ids descend."""
        return self.is_by_id and bool(self.ordering) and self.ordering[0].descending

    @property
    def project(self) -> Any:
        """The project, or its id, that the objects are listed in; None where it is not known."""
        return self.scope.get("project")

    @cached_property
    def description(self) -> str:
        """The objects in words, for messages: ``"Tasks of project 1 where overlap=2"``."""
        scope = scope_text(self.scope)
        where = "" if self.where == EVERYTHING else f" where {describe(self.where)}"
        return f"{self.options.name}s" + (f" of {scope}" if scope else "") + where

    # -- what it must be --------------------------------------------------------------------------

    def refuse_slice(self, verb: str) -> None:
        """Raise TypeError for a slice."""
        if self.is_slice:
            raise TypeError(
                f"{verb} a slice of a queryset is refused, since its meaning is unclear; slice last"
            )

    def require_confirmation(self, verb: str) -> None:
        """Raise ValueError where a verb would act on everything without ``all()``.

        A server takes an empty selection for all tasks.
        """
        if self.where != EVERYTHING or self.all_confirmed or self.is_slice or self.is_of_view:
            return
        name = verb.partition("(")[0]
        raise ValueError(f"{verb} on {self.description} would {name} all; say so: .all().{verb}")
