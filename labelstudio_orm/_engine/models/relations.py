"""Relations between objects: ``task.project``, ``project.tasks``."""

from __future__ import annotations

from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ...errors import LabelStudioError
from ..conditions.query import Query
from ..fields.options import options_of
from ..fields.relations import Relation, ReverseRelation
from ..reading.selection import holding
from ..records.inside import (
    SharedRow,
    ancestors,
    client_of,
    from_row,
    is_saved,
    kept_with,
    origin_of,
    proper_id,
    row_of,
    saved_id,
    view,
)
from ..records.origin import Origin
from ..records.record import Record
from ..values import codec
from ..values.brief import brief
from ..values.ids import as_id
from .queryset import QuerySet, queryset_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..fields.fields import Field

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=QuerySet[Any])
T = TypeVar("T")

SHARED = 1000
"""Related objects that the rows of one listing keep for each other."""


class ForeignKey(Relation, Generic[R]):
    """A related object, declared by ``foreign_key()``: ``task.project``.

    Reading it costs a request the first time, unless the object came through that very relation,
    or the row had the object inside; in a loop over a listing one request brings 300 tasks that its
    rows are of. Assigning takes an object of the type, its id, or None.
    """

    if TYPE_CHECKING:  # in the class body stands what foreign_key() returned
        id: KeyOf[int]
        optional_id: KeyOf[int | None]

        @overload
        def __get__(self, obj: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, obj: Record, owner: Any = None) -> R | None: ...
        def __get__(self, obj: Record | None, owner: Any = None) -> Any: ...

        def __set__(self, obj: Record, value: R | int | None) -> None: ...

    else:

        def __get__(self, obj, owner=None):
            return self if obj is None else self._object_of(obj)

    def _object_of(self, obj: Record) -> Any:
        identifier = getattr(obj, self.id_name)
        if identifier is None:
            return None
        for ancestor in ancestors(obj):
            if type(ancestor) is self.target and ancestor.id == identifier:
                return ancestor
        proper_id(obj, f"reading its {self.name}", self.id_name, identifier)
        kept = kept_with(obj).get(self.name)
        if kept is not None and kept.id == identifier:
            return kept
        shared = origin_of(obj).shared
        found = self._shared(shared, identifier)
        if found is None:
            found = self._from_inside(obj, identifier)
            if found is None:
                found = self._with_peers(obj, identifier) or self._fetched(obj, identifier)
            if shared is not None:
                shared[self.target, identifier] = found
        kept_with(obj)[self.name] = found
        return found

    def _shared(self, shared: dict[Any, Any] | None, identifier: int | str) -> Any:
        if shared is None:
            return None
        if len(shared) > SHARED:  # an endless listing must not keep an endless number of them
            shared.clear()
        return shared.get((self.target, identifier))

    def _from_inside(self, obj: Record, identifier: int | str) -> Any:
        """Return the object that the row has inside; None if it has none."""
        inside = row_of(obj).get(options_of(obj).fields[self.id_name].wire)
        if not isinstance(inside, dict) or as_id(inside) != identifier:
            return None
        return from_row(self.target, codec.copy_json(inside), Origin(client_of(obj)))

    def _with_peers(self, obj: Record, identifier: int | str) -> Any:
        """Return a task, brought with those of the rows after this one; None to fetch it alone."""
        origin = origin_of(obj)
        peers, shared = origin.peers.get(self.name), origin.shared
        ids = peers.to_fetch(identifier) if peers else []
        project = origin.parents.get("project") or as_id(row_of(obj).get("project"))
        if len(ids) < 2 or shared is None or project is None:
            return None
        tasks = queryset_of(self.target, client_of(obj)).filter(project=project, id__in=ids)
        shared.update(((self.target, task.id), task) for task in tasks)
        return shared.get((self.target, identifier))

    def _fetched(self, obj: Record, identifier: int | str) -> Any:
        objects = queryset_of(self.target, client_of(obj))
        try:
            return objects.get(identifier)
        except LabelStudioError:
            raise
        except ValueError as error:
            raise LabelStudioError(f"reading the {self.name} of {obj!r}: {error}") from error


if TYPE_CHECKING:
    Id = TypeVar("Id", int, "int | None")

    class KeyOf(Generic[Id]):
        """The type of ``project_id``: a field in a class, the id in an object.

        The overload for a foreign key leaves it as it is in a class body.
        """

        @overload
        def __get__(self, obj: None, owner: Any = None) -> Field: ...
        @overload
        def __get__(self, obj: ForeignKey[Any], owner: Any = None) -> Self: ...
        @overload
        def __get__(self, obj: Record, owner: Any = None) -> Id: ...
        def __get__(self, obj: Any, owner: Any = None) -> Any: ...

        def __set__(self, obj: Record, value: Id) -> None: ...


class HasMany(ReverseRelation, Generic[T]):
    """The objects that point here: ``task.annotations`` is a fresh queryset at each touch.

    It costs nothing until it is used. Declared as
    ``annotations: ClassVar[HasMany[Annotation]] = HasMany()``, or by the class of the querysets,
    where these have verbs of their own: ``tasks: ClassVar[HasMany[Tasks]] = HasMany()``. The
    ``foreign_key`` of the other side is found by its type.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, obj: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self: HasMany[S], obj: Record, owner: Any = None) -> S: ...
        @overload
        def __get__(self: HasMany[R], obj: Record, owner: Any = None) -> QuerySet[R]: ...
        def __get__(self, obj: Record | None, owner: Any = None) -> Any: ...

    else:

        def __get__(self, obj, owner=None):
            return self if obj is None else self._queryset_of(obj)

    def _queryset_of(self, obj: Record) -> QuerySet[Any]:
        origin, parents = origin_of(obj), {self.via: obj}
        if self.name not in origin.prefetched:
            if not is_saved(obj):
                saved_id(obj, f"{type(obj).__name__}.{self.name}")  # which raises
            return queryset_of(self.target, client_of(obj), scope=parents)
        loaded = view(self.target, self._shared_rows(obj), origin.inside_of(self.name), parents)
        return holding(self._class, loaded, self._described, obj)

    @cached_property
    def _class(self) -> type[QuerySet[Any]]:
        return options_of(self.target).queryset or QuerySet

    def _described(self, obj: Record, loaded: list[Any]) -> Query:
        return Query(self.target, client_of(obj), scope={self.via: obj}, loaded=loaded)

    def _shared_rows(self, obj: Record) -> list[SharedRow]:
        """Return the related rows by id, each with what is touched and edited of it.

        It is this that all accesses to a relation share, and not the objects: they hold this object
        as their parent, and would keep each other alive until the garbage collector comes.
        """
        kept = kept_with(obj)
        found: list[SharedRow] | None = kept.get(self.name)
        if found is None:
            found = []
            for row in rows_inside(obj, self.name):
                found.append((row, {}))  # a comprehension is one more call
            kept[self.name] = found
        return found


def rows_inside(obj: Record, relation: str) -> list[Any]:
    """Return the rows of a relation that came with the row of an object, by id; no request.

    Raises LabelStudioError for what are no objects with ids.
    """
    rows = row_of(obj).get(relation) or []
    for row in rows if type(rows) is list else (None,):
        if type(row) is not dict or type(row.get("id")) is not int:
            raise LabelStudioError(
                f"{obj!r}: its {relation} are not objects with ids, but {brief(rows, 200)}"
            )
    return sorted(rows, key=itemgetter("id")) if len(rows) > 1 else rows
