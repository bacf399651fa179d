"""The values of the regions of a control, and the regions for values.

Values are written back as they were read: those without a place for it (a choice is a text) stand
under a name that remembers their regions, spans and shapes remember theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from .._engine.values.brief import brief
from .._engine.values.codec import plain_json, same_json
from .forms import as_list
from .kinds import KINDS, Kind
from .marks import Mark, options_of, patched
from .regions import Region, new_region
from .shapes import Span
from .tags import ControlTag

Regions: TypeAlias = "Sequence[Mapping[str, Any]]"

_SEVERAL = frozenset({"choices", "taxonomy", "textarea"})
"""The types whose regions hold several values at once."""

UNREADABLE = (
    KeyError, TypeError, ValueError, AttributeError, ArithmeticError,
    RecursionError,  # the message shows a value that is nested very deeply
)  # fmt: skip
"""What the readers of ``KINDS`` raise for a region of another form."""


class ControlName(str):
    """The name of a control in the result of ``LabelConfig.values``.

    It remembers the ``regions`` that were read, and the ``result`` that they are from.
    """

    __slots__ = ("control", "regions", "result")

    control: ControlTag | None
    regions: Regions
    result: Sequence[Any]

    def __new__(
        cls, name: str, control: ControlTag | None, regions: Regions, result: Sequence[Any]
    ) -> ControlName:
        """Return the name with what it remembers; the control is None where there is none."""
        made = super().__new__(cls, name)
        made.control, made.regions, made.result = control, regions, result
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.control, self.regions, self.result)

    @property
    def others(self) -> list[Mapping[str, Any]]:
        """Return the regions of the result that belong to no control: its relations."""
        return [one for one in self.result if isinstance(one, Mapping) and not is_named(one)]


def is_named(region: Mapping[str, Any]) -> bool:
    """Return whether a region names its control."""
    return isinstance(region.get("from_name"), str)


def region_id(end: Any) -> Any:
    """Return the id of a region, of the mark read from it, or as it was given."""
    if isinstance(end, str):
        found: Any = end
    else:
        found = end.get("id") if isinstance(end, Mapping) else getattr(end, "id", None)
    if found in (None, ""):
        raise ValueError(f"a relation needs two regions with ids, not {end!r:.80}")
    return found


# -- reading ---------------------------------------------------------------------------------------


def read(control: ControlTag, regions: Regions) -> Any:
    """Return the values of regions of a control: see ``LabelConfig.values``. Never raises."""
    key = _told_apart_by(control, regions)
    if key is None:
        return _read(control, regions)
    about: dict[Any, list[Mapping[str, Any]]] = {}
    for region in regions:
        about.setdefault(_token(region, key), []).append(region)
    return {
        token: same if token is None and _has_any(same, key) else _read(control, same)
        for token, same in about.items()
    }


def _told_apart_by(control: ControlTag, regions: Regions) -> str | None:
    """Return the key beside the value by which values of one control are about several things."""
    if control.per_region:
        return "id"
    kind = KINDS.get(control.tag.lower())
    if kind is None or kind.mark is not None:
        return None
    return "item_index" if control.per_item or _has_any(regions, "item_index") else None


def _has_any(regions: Regions, key: str) -> bool:
    return any(region.get(key) is not None for region in regions)


def _token(region: Mapping[str, Any], key: str) -> str | int | None:
    found = region.get(key)
    return found if isinstance(found, (str, int)) and not isinstance(found, bool) else None


def _read(control: ControlTag, regions: Regions) -> Any:
    kind = KINDS.get(control.tag.lower())
    if kind is None:
        return list(regions)
    readings = [reading for region in regions for reading in _readings(kind, region)]
    alone = len(readings) == 1 and not kind.many and not control.multiple
    return readings[0] if alone else readings


def _readings(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    type_ = region.get("type")
    if type_ != kind.type and str(type_).lower() != kind.type:
        return [region]
    try:
        return kind.read(kind, region)
    except UNREADABLE:
        return [region]


# -- writing ---------------------------------------------------------------------------------------


def write(
    control: ControlTag, value: Any, was: Regions = (), options: Mapping[str, Any] | None = None
) -> list[Region]:
    """Return the regions for a value: see ``LabelConfig.regions``.

    ``was``: the existing regions. Those with this value already are returned themselves, not
    copied; in others everything but the value stays. ``options`` are those of the builders.
    """
    options = dict(options or {})
    if hasattr(value, "tolist"):  # an array, or a number of one
        value = value.tolist()
    if was and same_json(read(control, was), value):
        return list(was)  # type: ignore[arg-type]
    key = _told_apart_in(control, value, options)
    if key is None:
        return _write(control, value, was, options)
    return [
        region
        for token, about in value.items()
        for region in _write(
            control,
            about,
            [one for one in was if _token(one, key) == token],
            {**options, key: token},
        )
    ]


def _told_apart_in(control: ControlTag, value: Any, options: Mapping[str, Any]) -> str | None:
    if not isinstance(value, Mapping) or _is_region(value):
        return None
    if control.per_region:
        return None if "id" in options else "id"
    by_item = bool(value) and all(isinstance(token, (int, type(None))) for token in value)
    return "item_index" if by_item and "item_index" not in options else None


def _write(control: ControlTag, value: Any, was: Regions, options: dict[str, Any]) -> list[Region]:
    if was and same_json(_read(control, was), value):
        return list(was)  # type: ignore[arg-type]
    several = value if isinstance(value, (list, tuple)) else [value]
    as_stored = [_own(control, one) for one in several if _is_region(one)]
    if as_stored and len(as_stored) == len(several):
        return as_stored
    kind = KINDS.get(control.tag.lower())
    if kind is None or not kind.builders:
        raise TypeError(f"{control} has no builder: write its regions as dicts")
    if kind.mark is not None:
        return [_write_group(control, kind, group, options) for group in _groups(kind, several)]
    if as_stored:
        rest = [one for one in several if not _is_region(one)]
        alone = len(rest) == 1 and not kind.many and not control.multiple
        return [*as_stored, *_write(control, rest[0] if alone else rest, (), options)]
    if len(was) == 1:
        options = {**options, **_kept_options(control, was[0])}
    built = _build(control, kind, value, options)
    return (
        [_kept(control, kind, was[0], built[0], options)] if len(was) == len(built) == 1 else built
    )


def _is_region(value: Any) -> bool:
    """Return whether a value is a whole region, not only the value of one."""
    return isinstance(value, Mapping) and {"from_name", "type", "value"} <= value.keys()


def _own(control: ControlTag, region: Any) -> Region:
    if region["from_name"] != control.name:
        raise ValueError(
            f"{control}: a region of {brief(region['from_name'])} does not belong to it"
        )
    return region  # type: ignore[no-any-return]


def _build(control: ControlTag, kind: Kind, value: Any, options: Mapping[str, Any]) -> list[Region]:
    """Return new regions of a control without marks."""
    several = value if isinstance(value, (list, tuple)) else [value]
    if kind.type == "chatmessage":
        return [new_region(control, kind, plain_json(dict(one)), options) for one in several]
    if kind.type in _SEVERAL and (kind.type != "choices" or control.multiple):
        return [getattr(control, kind.builders[-1])(*several, **options)]
    return [getattr(control, kind.builders[0])(value, **options)]


_ANY_ID = "-"
"""Stands for the id of a region that keeps its own, whatever its type."""


def _kept_options(control: ControlTag, region: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a builder for a region that keeps its place."""
    kept: dict[str, Any] = {"id": _ANY_ID, "item_index": None}
    if region.get("to_name") in control.to_name:
        kept["to_name"] = region["to_name"]
    return kept


def _kept(
    control: ControlTag,
    kind: Kind,
    region: Mapping[str, Any],
    built: Region,
    options: Mapping[str, Any],
) -> Region:
    """Return a region with another value, and everything else as it is."""
    if str(region.get("type")).lower() != kind.type:
        return {**built, "id": region.get("id")}
    before = _or_nothing(lambda: _build(control, kind, _read(control, [region]), options)[0])
    return {**region, "value": patched(region.get("value"), before["value"], built["value"])}


def _or_nothing(build: Callable[[], Region]) -> Region:
    try:
        return build()
    except (TypeError, ValueError):  # a stored region may be one that no builder makes
        return {"value": {}}


def remembered(names: Iterable[str], written: Regions) -> list[Region]:
    """Return the parts of the remembered results that belong to no control.

    A relation is dropped with either of its ends, if ``written`` lacks it.
    """
    found: list[Any] = []
    for name in _of_one_result_each(names):
        ids, left = ({_token(one, "id") for one in all_} for all_ in (_maps(name.result), written))
        gone = ids - left - {None}
        found += [one for one in name.others if not gone & {*_ends(one)}]
    return found


def in_order(names: Iterable[str], written: list[Region]) -> list[Region]:
    """Return regions in the order of the result that they are all from, else as they are."""
    of = _of_one_result_each(names)
    places = {id(one): place for place, one in enumerate(of[0].result)} if len(of) == 1 else {}
    if all(id(one) in places for one in written):
        return sorted(written, key=lambda one: places[id(one)])
    return written


def _of_one_result_each(names: Iterable[str]) -> list[ControlName]:
    known = [name for name in names if isinstance(name, ControlName)]
    return [*{id(name.result): name for name in known}.values()]


def _maps(result: Iterable[Any]) -> list[Mapping[str, Any]]:
    return [one for one in result if isinstance(one, Mapping)]


def _ends(relation: Mapping[str, Any]) -> list[str | int | None]:
    return [_token(relation, "from_id"), _token(relation, "to_id")]


# -- spans and shapes ------------------------------------------------------------------------------


def _groups(kind: Kind, several: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the spans of one region each: on a timeline all those with the same id."""
    groups: list[list[Any]] = []
    for one in several:
        group = next((g for g in groups if _is_of_one_region(kind, g[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    yield from groups


def _is_of_one_region(kind: Kind, first: Any, one: Any) -> bool:
    if kind.type != "timelinelabels" or not isinstance(first, Span) or not isinstance(one, Span):
        return False
    if first.id != one.id:
        return False
    return one.id is not None if one.raw is None else one.raw is first.raw


def _write_group(
    control: ControlTag, kind: Kind, group: list[Any], options: dict[str, Any]
) -> Region:
    first = group[0]
    if _is_region(first):
        return _own(control, first)
    if isinstance(first, Mapping):  # the value as it is to be stored
        return new_region(control, attrs.evolve(kind, key=None), None, options, first)
    if not isinstance(first, Mark):
        raise TypeError(f"{control}: a span, a shape or a dict is needed, not {first!r:.80}")
    raw = first.raw
    if raw is None or raw.get("from_name") != control.name or options:
        return _marked(control, kind, group, options)
    was = _readings(kind, raw)
    if was == group:
        return raw  # type: ignore[return-value]
    if not isinstance(was[0], type(first)):
        return _marked(control, kind, group, options)
    return _changed(control, kind, raw, was, group)


def _changed(
    control: ControlTag, kind: Kind, raw: Mapping[str, Any], was: list[Any], group: list[Any]
) -> Region:
    """Return the region that was read with its new values, and everything else as it is."""
    names = _names_beside(group[0])
    same = {name for name in names if getattr(group[0], name) == getattr(was[0], name)}
    options = {k: v for k, v in _kept_options(control, raw).items() if k not in names - same}
    before = _or_nothing(lambda: _marked(control, kind, was, options, same))
    made: Region = patched(raw, before, _marked(control, kind, group, options, same))
    return made


def _names_beside(mark: Mark) -> frozenset[str]:
    return options_of(type(mark)) | {"id"}


def _marked(
    control: ControlTag,
    kind: Kind,
    group: list[Any],
    options: Mapping[str, Any],
    without: Iterable[str] = (),
) -> Region:
    """Return the new region of a mark, or of several on a timeline; ``without`` some fields."""
    first, *more = (_built(control, kind, one, options, without) for one in group)
    for one in more:
        first["value"]["ranges"] += one["value"]["ranges"]
        if {**one, "value": {**one["value"], "ranges": first["value"]["ranges"]}} != first:
            raise ValueError(
                f"{control}: the spans of one region differ in start and end only: {group!r:.200}"
            )
    return first


def _built(
    control: ControlTag, kind: Kind, mark: Any, options: Mapping[str, Any], without: Iterable[str]
) -> Region:
    where = {one.name: getattr(mark, one.name) for one in attrs.fields(type(mark))}
    for name in ("raw", "labels", "format", *without):
        where.pop(name, None)
    given = {name: value for name, value in where.items() if value is not None}
    build: Callable[..., Region] = getattr(control, kind.builders[0])
    labels = as_list(mark.labels, f"{control}: labels")
    return build(*labels, **{**given, **options})
