"""Checks of a task or a result against a labelling config."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._engine.values.brief import brief
from .._engine.values.near import unknown
from . import forms
from .forms import Form, fields, is_number
from .kinds import DATA, GEOMETRY, KINDS, Kind
from .parsed import ParsedConfig, Shown
from .results import regions_without_size
from .tags import ControlTag, most_stars

DIRECTIONS = ("left", "right", "bi")
"""The directions that a relation may have."""

_UNDEFINED = "$undefined$"
"""The key of data imported without a name, which the server takes for the first variable shown."""

_FORMS = "a task, an annotation or prediction, a dict of one, or a list of regions"
"""The forms of an item that can be checked."""

_RELATION = {
    "from_id": forms.text,
    "to_id": forms.text,
    "direction": forms.one_of(DIRECTIONS),
}

_BESIDE: Mapping[str, tuple[Form, str]] = {
    **dict.fromkeys(("id", "parentID"), (forms.text, "the labelling editor fails otherwise")),
    "item_index": (forms.whole(0), "the labelling editor fails otherwise"),
    **dict.fromkeys(
        ("original_width", "original_height"), (forms.whole(1), "exports fail otherwise")
    ),
}
"""The keys beside the value of a region that must have a form, and why."""


_SHOWN = 20
"""The number of shapes that a warning names."""


def without_sizes(places: Sequence[str]) -> str:
    """Return the message of a ``MissingSizeWarning`` for the shapes at these places."""
    shown = ", ".join(places[:_SHOWN]) + (", ..." if len(places) > _SHOWN else "")
    return (
        f"{len(places)} of the shapes have no original_width and original_height ({shown}): "
        "exports in pixels (COCO, YOLO, VOC) leave them out, or fail; give builders "
        "size=(width, height)"
    )


class Check:
    """A config, ready to check many items. Nothing is sent.

    It rejects what the server rejects, and what the official client's validation rejects, by which
    the server judges predictions.

    >>> check = Check(config)
    >>> check.problem({"data": {"txt": "a"}})
    "data: the labelling config shows $text, but there is no key 'text'"
    """

    def __init__(self, config: ParsedConfig) -> None:
        self.config = config

    def problem(self, item: Mapping[str, Any]) -> str | None:
        """Return the first problem of a task in its full form, with its place; else None."""
        return next(self._of_task(item), None)

    def of_data(self, data: Mapping[str, Any]) -> str | None:
        """Return the first problem of the data of a task; else None."""
        return next(self._of_data(data), None)

    def of_result(self, result: Any) -> str | None:
        """Return the first problem of the regions of a result, with its place; else None."""
        return next(self._of_result(result), None)

    def of_prediction(self, prediction: Mapping[str, Any]) -> str | None:
        """Return the first problem of a prediction's result and score; else None."""
        return next(self._of_labelled(prediction), None)

    def problems(self, item: Any) -> Iterator[str]:
        """Yield all problems of an item in any form: see ``LabelConfig.problems``."""
        if isinstance(item, (list, tuple)):
            return self._of_result(item)
        if not isinstance(item, Mapping):
            keys = ("result", "score") if hasattr(item, "result") else ("data",)
            found = {key: getattr(item, key) for key in keys if hasattr(item, key)}
            if not found:
                return iter([f"{_FORMS} is needed, not {item!r:.80}"])
            item = found
        if "result" in item:
            return self._of_labelled(item)
        return self._of_task(item if "data" in item else {"data": item})

    def of_places(self, result: Sequence[Any], places: Iterable[int]) -> Iterator[str]:
        """Yield the problems of the regions at these places of a result."""
        siblings = _Siblings(result)
        for number in places:
            yield from self._of_one(result[number], f"result[{number}]", siblings)

    def without_size(self, item: Any) -> list[str]:
        """Return the places of shapes on an image that lack its size in pixels."""
        return [
            f"{place}result[{number}]"
            for place, result in _results(item)
            for number in regions_without_size(result)
        ]

    # -- tasks -----------------------------------------------------------------------------------

    def _of_task(self, task: Mapping[str, Any]) -> Iterator[str]:
        for problem in self._of_data(task.get("data")):
            yield f"data: {problem}"
        for key in ("annotations", "predictions"):
            labelled = task.get(key) or []
            if not isinstance(labelled, (list, tuple)):
                yield f"{key}: a list is needed, not {labelled!r:.80}"
                continue
            for number, one in enumerate(labelled):
                for problem in self._of_labelled(one):
                    yield f"{key}[{number}].{problem}"

    def _of_data(self, data: Any) -> Iterator[str]:
        if not isinstance(data, Mapping):
            yield f"an object is needed, not {data!r:.80}"
            return
        if _UNDEFINED in data and self.config.shown:
            data = {next(iter(self.config.shown)): data[_UNDEFINED], **data}
        for shown in self.config.shown.values():
            yield from _of_shown(shown, data)

    # -- results ---------------------------------------------------------------------------------

    def _of_labelled(self, labelled: Any) -> Iterator[str]:
        """Yield the problems of an annotation or a prediction."""
        if not isinstance(labelled, Mapping) or "result" not in labelled:
            yield f"result: it is missing in {labelled!r:.80}"
            return
        score = labelled.get("score")
        if score is not None and not (is_number(score) and 0 <= score <= 1):
            yield f"score: a number from 0 to 1 is needed, not {score!r:.80}"
        yield from self._of_result(labelled["result"])

    def _of_result(self, result: Any) -> Iterator[str]:
        if not isinstance(result, (list, tuple)):
            yield f"result: a list of regions is needed, not {result!r:.80}"
            return
        for number, region in enumerate(result):
            yield from _of_ids(region, f"result[{number}]")
        yield from self.of_places(result, range(len(result)))

    def _of_one(self, region: Any, place: str, siblings: _Siblings) -> Iterator[str]:
        if not isinstance(region, Mapping):
            yield f"{place}: a region must be an object, not {region!r:.80}"
        elif region.get("type") == "relation":
            yield from siblings.of_relation(region, place)
        else:
            yield from self._of_region(region, place, siblings)

    def _of_region(
        self, region: Mapping[str, Any], place: str, siblings: _Siblings
    ) -> Iterator[str]:
        name = region.get("from_name")
        control = self.config.get(name)
        if control is None or control.index_flags:
            what = f"{place}.from_name: the labelling config has no control"
            yield unknown(what, str(name), self.config.controls)
            return
        # A control of several objects names them all, a pairwise itself.
        objects = [*control.to_name, ",".join(control.to_name)]
        if control.tag.lower() == "pairwise":
            objects.append(control.name)
        if region.get("to_name") not in objects:
            what = f"{place}.to_name: {control} is not about"
            yield unknown(what, str(region.get("to_name")), control.to_name)
        type_ = str(region.get("type")).lower()
        kind = KINDS.get(control.tag.lower())
        if self._is_drawn_with(control, type_):
            kind = KINDS[type_]
        elif type_ != control.tag.lower():
            of = control.tag.lower()
            yield f"{place}.type: a region of {control} is {of!r}, not {brief(region.get('type'))}"
            return
        elif kind and (beside := siblings.shape_of(region)):
            kind = _labelling(kind, beside)
        value = region.get("value")
        if not isinstance(value, Mapping):
            yield f"{place}.value: a region of {control} needs one"
        elif kind is not None:
            found = list(fields(kind.form)(value, f"{place}.value"))
            yield from found or _of_labels(control, kind, value, f"{place}.value")

    def _is_drawn_with(self, control: ControlTag, type_: str) -> bool:
        """Return whether the tool for another shape made a region of the ``<Labels>`` beside it."""
        tool = type_.removesuffix("labels")
        return (
            control.tag.lower() == "labels"
            and tool not in ("", type_)
            and type_ in KINDS
            and any(
                one.tag.lower() == tool and {*one.to_name} & {*control.to_name}
                for one in self.config.controls.values()
            )
        )


class _Siblings:
    """The ids and shapes in one result that its regions refer to."""

    def __init__(self, result: Any) -> None:
        regions = [one for one in result if isinstance(one, Mapping)]
        self._ids = {
            one["id"]
            for one in regions
            if isinstance(one.get("id"), str) and one.get("type") != "relation"
        }
        self._shapes = {
            one["id"]: type_
            for one in regions
            if isinstance(one.get("id"), str)
            and (type_ := str(one.get("type")).lower()) in GEOMETRY
        }

    def shape_of(self, region: Mapping[str, Any]) -> Kind | None:
        """Return the kind of the shape with the same id, whose labels a region holds."""
        if str(region.get("type")).lower() != "labels" or not isinstance(region.get("id"), str):
            return None
        return KINDS.get(self._shapes.get(region["id"], ""))

    def of_relation(self, relation: Mapping[str, Any], place: str) -> Iterator[str]:
        yield from fields(_RELATION)(relation, place)
        for key in ("from_id", "to_id"):
            if isinstance(relation.get(key), str) and relation[key] not in self._ids:
                yield f"{place}.{key}: no region of this result has the id {brief(relation[key])}"


def _results(item: Any) -> Iterator[tuple[str, Any]]:
    """Yield the results in an item of any form, each with its place."""
    if isinstance(item, (list, tuple)):
        yield "", item
    elif isinstance(item, Mapping):
        yield "", item.get("result")
        for key in ("annotations", "predictions"):
            labelled = item.get(key)
            for number, one in enumerate(labelled if isinstance(labelled, (list, tuple)) else ()):
                for place, result in _results(one if isinstance(one, Mapping) else {}):
                    yield f"{key}[{number}].{place}", result
    else:
        yield "", getattr(item, "result", None)


def _of_ids(region: Any, place: str) -> Iterator[str]:
    """Yield the problems beside the value of a region that break the editor or exports."""
    for key, (form, why) in _BESIDE.items() if isinstance(region, Mapping) else ():
        if region.get(key) is not None:
            for problem in form(region[key], f"{place}.{key}"):
                yield f"{problem}; {why}"


def _labelling(labels: Kind, shape: Kind) -> Kind:
    """Return the kind of a ``<Labels>`` with the labels of a shape, which has no start and end."""
    form: dict[str, Form] = {**shape.form, "labels": labels.form["labels"]}
    return Kind(labels.type, labels.key, (), labels.read, form)


def _of_shown(shown: Shown, data: Mapping[str, Any]) -> Iterator[str]:
    what = f"the labelling config shows ${shown.name}, but"
    inner: Any = data
    for step in shown.path:
        if not isinstance(inner, Mapping) or step not in inner:
            yield f"{what} there is no key {brief(step)}"
            return
        inner = inner[step]
    if shown.tag is None:
        is_valid = inner is not None
    elif shown.listed:
        is_valid = isinstance(inner, list)
    else:
        is_valid = isinstance(inner, DATA.get(shown.tag, (str,)))
    if not is_valid:
        kind = "a list" if shown.listed else f"what a <{shown.tag}> can show"
        yield f"{what} {brief('.'.join(shown.path))} is not {kind}: {inner!r:.80}"


def _of_labels(
    control: ControlTag, kind: Kind, value: Mapping[str, Any], place: str
) -> Iterator[str]:
    most = most_stars(control)
    if kind.type == "rating" and most is not None and value["rating"] > most:
        yield f"{place}.rating: {control} has {most:g} stars, not {value['rating']}"
    if kind.type == "choices" and not control.nested:
        for number, label in enumerate(value["choices"]):
            if not isinstance(label, str):
                what = f"{place}.choices[{number}]: {control} is not nested"
                yield f"{what}: a text is needed, not {label!r:.80}"
                return
    if kind.key is None or not control.label_tags:
        return
    labels = value.get(kind.key)
    if labels is None or (kind.type != control.tag.lower() and not labels):
        yield f"{place}: {kind.key!r} is missing"
        return
    for number, label in enumerate(labels if isinstance(labels, list) else ()):
        if not _has_label(control, label):
            shown = label if isinstance(label, str) else " > ".join(map(str, label))
            what = f"{place}.{kind.key}[{number}]: {control} has no label"
            yield unknown(what, shown, control.labels)


def _has_label(control: ControlTag, label: Any) -> bool:
    if control.dynamic:
        return True
    if isinstance(label, str):
        return label in control.labels
    return any(one.path == tuple(label) for one in control.label_tags)
