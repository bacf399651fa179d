"""The columns of a queryset as batches of values, a row for each object, annotation or region."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args, get_origin

import attrs

from ..._tables.columns import Batch, Column, Sort, sort_of
from ..._tables.region_columns import RegionColumn, region_columns
from ..._tables.regions import region_rows
from ...errors import FieldError
from ..conditions.ordering import Key
from ..conditions.places import Place, name_of, text_of
from ..conditions.q import build
from ..conditions.query import Query
from ..conditions.tree import EVERYTHING
from ..fields.fields import Field
from ..fields.options import options_of
from ..http.connection import number_of_workers
from ..http.page_sizes import PAGE
from ..pages.sources import chunked
from ..values.codec import parts
from ..values.declared import Record
from . import reader
from .forward import Forward, at_hand, can_bring

if TYPE_CHECKING:
    from ..._config.parsed import ParsedConfig

Per: TypeAlias = Literal["object", "annotation", "region"]
"""What a table has a row for."""

ROWS: Final = 5_000
"""Rows of a batch."""

SAMPLE: Final = 100
"""Objects that say which keys JSON has, where a table has no row: one page."""

_PERS: Final = get_args(Per)
_INSIDE: Final = ("annotations", "predictions")


# -- names ----------------------------------------------------------------------------------------


@attrs.frozen
class Way:
    """The way from an object to a value: over a relation to one object, perhaps, and then by a key.

    ``Way.of(Annotation, "completed_by__email")`` is ``annotation.completed_by.email``.
    """

    name: str
    key: Key
    relation: str | None = None

    @classmethod
    def of(cls, model: type[Record], name: str, as_name: str | None = None) -> Way:
        """Return the way of a name; ``as_name`` is that of the column.

        Raises FieldError for a field that does not exist, that is secret, or lies behind several
        relations.
        """
        place, relation = Place.of(name), None
        relations = options_of(model).relations
        if not place.literal and place.keys and place.head in relations:
            relation = place.head
            if not can_bring(relations[relation]):
                raise FieldError(
                    f"{name}: the {relation} of many objects cannot be read at once; "
                    f"name {relations[relation].id_name!r}"
                )
            model, name = relations[relation].target, "__".join(place.keys)
            if place.keys[0] in options_of(model).relations and place.keys[1:]:
                raise FieldError(f"{as_name or place}: a column may lie behind one relation only")
        key = Key.of(model, name)
        if key.field.secret:
            raise FieldError(f"{model.__name__}.{key.field.name} is secret: no value")
        return cls(as_name or str(place), key, relation)

    def value(self, obj: Record) -> Any:
        """Return the value in an object; None where the way ends before."""
        if self.relation is None:
            return self.key.value(obj)
        related = at_hand(obj, options_of(obj).relations[self.relation])
        return None if related is None else self.key.value(related)

    @property
    def field_name(self) -> str:
        """The field of the object itself that is needed."""
        if self.relation is None:
            return self.key.field.name
        return f"{self.relation}_id"

    @property
    def is_spread(self) -> bool:
        """The column becomes one for each key of the field."""
        field = self.key.field
        return not self.key.path and field.nested and get_origin(field.annotation) is dict

    @property
    def sort(self) -> Sort:
        """The declared sort of values; ``NOTHING`` for a key of JSON, whose values show it."""
        if self.key.path or self.is_spread:
            return Sort.NOTHING
        return _declared(self.key.field)


_SORTS: Final[Mapping[Any, Sort]] = {
    bool: Sort.BOOL, int: Sort.INT, float: Sort.FLOAT, str: Sort.TEXT, datetime: Sort.DATETIME,
    list[int]: Sort.INTS, list[str]: Sort.TEXTS,
}  # fmt: skip


def _declared(field: Field) -> Sort:
    if field.references:
        return Sort.INT
    kinds = [kind for kind in parts(field.annotation) if kind is not type(None)]
    if get_origin(kinds[0]) is Literal:
        kinds = list({type(value) for value in get_args(kinds[0])})
    return _SORTS.get(kinds[0], Sort.JSON) if len(kinds) == 1 else Sort.JSON


# -- layouts --------------------------------------------------------------------------------------

Unit: TypeAlias = tuple[Any, ...]
"""What a row is made of: an object, an annotation in it, a region of that."""


@attrs.frozen
class Slot:
    """A column, or the columns of all keys of a field of JSON."""

    name: str
    sort: Sort
    value: Callable[[Unit], Any]
    is_spread: bool = False

    def columns(self, units: Sequence[Unit]) -> Iterator[tuple[Column, list[Any]]]:
        """Yield the columns of some rows, with their values."""
        values = list(map(self.value, units))
        if not self.is_spread:
            yield Column(self.name, sort_of(values, self.sort)), values
            return
        keys: dict[str, None] = {}
        for one in values:
            if isinstance(one, dict):
                keys.update(dict.fromkeys(one))
        for key in keys:
            inner = [one.get(key) if isinstance(one, dict) else None for one in values]
            name = name_of(self.name, [key])
            yield Column(name, sort_of(inner, Sort.NOTHING), self.name), inner
        others = [None if isinstance(one, dict) else one for one in values]
        if any(one is not None for one in others):
            yield Column(self.name, sort_of(others, Sort.JSON), self.name), others


@attrs.frozen
class Layout:
    """The columns of a table, and how a queryset is read for them."""

    query: Query
    slots: tuple[Slot, ...]
    units: Callable[[list[Any]], Iterator[Unit]]

    def batches(self) -> Iterator[Batch]:
        """Yield the rows in batches; one without rows where there are none.

        Which keys JSON has, other objects of the project show then: one more request.
        """
        is_empty, query, units = True, self.query, list[Unit]()
        objects = reader.objects(query, number_of_workers(None, query.client))
        for some in chunked(objects, PAGE):
            units += self.units(some)
            while len(units) >= ROWS:
                is_empty = False
                yield self._batch(units[:ROWS])
                del units[:ROWS]
        if units or is_empty:
            yield self._batch(units) if units else self._empty()

    def _batch(self, units: Sequence[Unit]) -> Batch:
        found = {
            column.name: (column, values)
            for slot in self.slots
            for column, values in slot.columns(units)
        }
        columns, values = zip(*found.values(), strict=True) if found else ((), ())
        return Batch(columns, values, len(units))

    def _empty(self) -> Batch:
        query = self.query
        is_certain = all(slot.sort is not Sort.NOTHING for slot in self.slots)
        units: list[Unit] = []
        if not is_certain and (query.where != EVERYTHING or query.is_slice):
            sample = query.but(where=EVERYTHING, ordering=(), start=0, stop=SAMPLE, loaded=None)
            units = list(self.units(list(reader.objects(sample))))
        columns = self._batch(units).columns
        return Batch(columns, tuple([] for _ in columns), 0)


def layout(
    query: Query,
    names: Sequence[str | Place],
    per: Per,
    default: Callable[[], Sequence[str]],
) -> Layout:
    """Return the table of these columns, with a row for each of ``per``.

    Raises FieldError for names that are not there, and ValueError for rows that the objects do not
    have. ``default``: the names of the columns of objects where none are given.
    """
    model, texts = query.model, tuple(dict.fromkeys(map(text_of, names)))
    if per not in _PERS:
        raise ValueError(f"per must be one of {', '.join(map(repr, _PERS))}, not {per!r:.80}")
    if per == "object" or (per == "annotation" and _is_annotation(model)):
        found = _by_tasks(query, texts, is_per_region=False)
        return _of_objects(query, texts, default) if found is None else found
    if per == "region" and _has_result(model):
        found = _by_tasks(query, texts)
        return _of_regions(query, texts) if found is None else found
    if options_of(model).pages.filters_tasks:
        relation = _relation_of(texts, per)
        about = _ABOUT[options_of(options_of(model).sets[relation].target).name]
        own = ("id", "data", *(f"{relation}__{one}" for one in ("id", *about[1:])))
        return _inside_tasks(query, relation, {one: one for one in texts or own}, per == "region")
    raise ValueError(f'{options_of(model).name}s have no rows per="{per}"')


def _is_annotation(model: type[Record]) -> bool:
    return options_of(model).name == "Annotation"


def _has_result(model: type[Record]) -> bool:
    field = options_of(model).fields.get("result")
    return field is not None and field.holds_regions


def _slots(ways: Iterable[Way], place: int) -> tuple[Slot, ...]:
    def reader_of(way: Way) -> Callable[[Unit], Any]:
        return lambda unit: way.value(unit[place])

    return tuple(Slot(one.name, one.sort, reader_of(one), one.is_spread) for one in ways)


def _narrowed(query: Query, ways: Sequence[Way], **state: Any) -> Query:
    """Return the query of the same objects with just what these columns need."""
    return query.but(
        fields=frozenset({"id", *(one.field_name for one in ways)}),
        named=tuple(one.key for one in ways if one.relation is None),
        forward=query.forward | frozenset(one.relation for one in ways if one.relation),
        **state,
    )


def _of_objects(
    query: Query, texts: tuple[str, ...], default: Callable[[], Sequence[str]]
) -> Layout:
    ways = [Way.of(query.model, one) for one in texts or default()]
    found = _narrowed(query, ways) if texts else query
    return Layout(found, _slots(ways, 0), lambda objects: ((one,) for one in objects))


# -- rows of annotations and regions --------------------------------------------------------------

_ABOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "Annotation": ("task_id", "completed_by_id", "created_at", "updated_at", "was_cancelled",
                   "ground_truth"),
    "Prediction": ("task_id", "model_version", "score", "created_at"),
}  # fmt: skip
"""The columns of a region that say what it is of, where none are named."""


def _of_regions(query: Query, texts: tuple[str, ...]) -> Layout:
    model = query.model
    kind = options_of(model).name
    ways = [Way.of(model, one) for one in texts or _ABOUT.get(kind, ())]
    own = Slot(kind.lower(), Sort.INT, lambda unit: unit[0].id)
    regions = _Regions(query)
    needed = [*ways, *(Way.of(model, one) for one in ("result", "task_id", "project_id"))]

    def units(objects: list[Any]) -> Iterator[Unit]:
        return ((one, row) for one in objects for row in regions.of(one))

    return Layout(_narrowed(query, needed), (own, *_slots(ways, 0), *regions.slots(1)), units)


def _by_tasks(query: Query, texts: tuple[str, ...], *, is_per_region: bool = True) -> Layout | None:
    """Return the table of all annotations of a project by its tasks, which have them inside.

    That is for columns of the tasks, which come in the same requests then; None where it would not
    be the same table.
    """
    task = query.options.relations.get("task")
    if (
        task is None
        or {*query.scope} != {"project"}
        or query.where != EVERYTHING
        or query.ordering
        or query.is_slice
        or query.loaded is not None
        or not any(one.startswith("task__") for one in texts)
    ):
        return None
    relation = f"{query.options.name.lower()}s"
    if relation not in _INSIDE:
        return None
    names = {
        one: one.removeprefix("task__") if one.startswith("task__") else f"{relation}__{one}"
        for one in texts
    }
    if is_per_region:
        names = {query.options.name.lower(): f"{relation}__id", **names}
    with_some = build(task.target, (), {f"{relation}__id__gt": 0}, query.url)
    tasks = Query(task.target, query.connection, scope=query.scope, where=with_some)
    return _inside_tasks(tasks, relation, names, is_per_region)


def _inside_tasks(
    query: Query, relation: str, names: Mapping[str, str], is_per_region: bool
) -> Layout:
    """Return the table of the annotations, or the predictions, of tasks.

    ``names``: the columns, and where their values are.
    """
    target = options_of(query.model).sets[relation].target
    outer, inside, slots = list[Way](), list[Way](), list[Slot]()
    for column, text in names.items():
        name = text.removeprefix(f"{relation}__")
        is_inside = name != text
        way = Way.of(target if is_inside else query.model, name, column)
        (inside if is_inside else outer).append(way)
        slots += _slots([way], int(is_inside))
    regions = _Regions(query) if is_per_region else None
    fields = {"id", *(one.field_name for one in inside), *(["result"] if regions else [])}
    found = _narrowed(
        query,
        outer,
        relations=query.relations | {relation},
        related_fields={**query.related_fields, relation: frozenset(fields)},
    )
    bring = Forward(
        Query(
            target,
            query.connection,
            scope={name: one for name, one in query.scope.items() if name == "project"},
            forward=frozenset(one.relation for one in inside if one.relation),
        ),
        reader.objects,
    )

    def units(objects: list[Any]) -> Iterator[Unit]:
        pairs = [(task, one) for task in objects for one in getattr(task, relation)]
        bring([one for _, one in pairs])
        if regions is None:
            return iter(pairs)
        return ((task, one, row) for task, one in pairs for row in regions.of(one))

    return Layout(found, (*slots, *(regions.slots(2) if regions else ())), units)


def _relation_of(texts: tuple[str, ...], per: Per) -> str:
    found = [one for one in _INSIDE if any(text.startswith(f"{one}__") for text in texts)]
    if len(found) > 1 or (per == "annotation" and found == ["predictions"]):
        raise FieldError(
            f'per="{per}": a row is of an annotation or of a prediction; '
            f"name columns of {' or of '.join(_INSIDE)} only"
        )
    return found[0] if found else "annotations"


class _Regions:
    """The regions of annotations and predictions, by the labelling configs of their projects."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._configs: dict[Any, ParsedConfig | None] = {}

    def slots(self, place: int) -> Iterator[Slot]:
        """Yield the columns of regions: where there is one project, those of its config."""

        def reader_of(column: RegionColumn) -> Callable[[Unit], Any]:
            return lambda unit: column.of(unit[place])

        for one in region_columns(self._config_of_scope()):
            yield Slot(one.name, one.sort, reader_of(one))

    def of(self, labelled: Any) -> Iterator[Any]:
        """Return the rows of an annotation or a prediction."""
        identifier = labelled.project_id
        if identifier not in self._configs:
            self._configs[identifier] = _config(labelled)
        return region_rows(labelled.result, self._configs[identifier])

    def _config_of_scope(self) -> ParsedConfig | None:
        project = self._query.scope.get("project")
        if project is None:
            project = getattr(self._query.scope.get("task"), "project", None)
        if project is None:
            return None
        if isinstance(project, int):
            projects = Query(
                self._query.options.relations["project"].target, self._query.connection
            )
            project = reader.fetch(projects, project)
        self._configs[project.id] = _config_in(project)
        return self._configs[project.id]


def _config(labelled: Any) -> ParsedConfig | None:
    project = labelled.project
    return None if project is None else _config_in(project)


def _config_in(project: Any) -> ParsedConfig | None:
    try:
        found: ParsedConfig = project.config
    except ValueError:  # a config that is broken
        return None
    return found
