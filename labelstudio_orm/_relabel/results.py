"""Labels within results: their new labels, and how a change is undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from .._config.controls import Control
from .._config.editing import Path
from .._config.kinds import KINDS

Result: TypeAlias = list[dict[str, Any]]
Trace: TypeAlias = dict[str, Any]
"""One change of a result, as JSON: its place, and the previous state. For labels, the region's id
and control, the old labels and the new ones; for a region that was removed, the region.
"""


@frozen
class Relabelling:
    """The new labels of a control: for each path the new one, or None to remove it.

    Branches follow their parent. A region that is left without labels is removed, with everything
    that refers to it: its other results, and its relations.

    >>> change = Relabelling(project.config["sentiment"], {("Neutral",): ("Mixed",)})
    >>> result, traces = change.apply([project.config["sentiment"].choice("Neutral")])
    >>> result[0]["value"], traces[0]["was"]
    ({'choices': ['Mixed']}, ['Neutral'])
    """

    control: Control
    becomes: Mapping[Path, Path | None]

    @property
    def names(self) -> list[str]:
        """Return the names to look for: an object with none of them has nothing to change."""
        return list(dict.fromkeys(path[-1] for path in self.becomes))

    def apply(self, result: Any) -> tuple[Result, list[Trace]]:
        """Return the changed result, and the traces by which the change can be undone.

        Without traces nothing changes. The given result stays as it is.
        """
        if not isinstance(result, list):
            return result, []
        made: list[Any] = []
        traces: list[Trace] = []
        emptied: list[int] = []
        for place, region in enumerate(result):
            labels = self._labels(region)
            new = labels if labels is None else self._new(labels)
            made.append(region)
            if new == labels:
                continue
            if not new:
                emptied.append(place)
                continue
            key = key_of(region)
            made[place] = {**region, "value": {**region["value"], key: new}}
            traces.append(
                {
                    "at": place,
                    "id": region.get("id"),
                    "from_name": region.get("from_name"),
                    "was": labels,
                    "now": new,
                }
            )
        gone = self._gone(made, emptied)
        traces = [one for one in traces if one["at"] not in gone]
        traces += [{"at": place, "region": result[place]} for place in sorted(gone)]
        return [one for place, one in enumerate(made) if place not in gone], traces

    def paths(self, result: Any) -> set[Path]:
        """Return the labels of the control in a result, with the branches that they are in."""
        found = [self._labels(region) for region in result] if isinstance(result, list) else []
        several = [[one] if isinstance(one, str) else one or [] for one in found]
        steps = [_steps(label) for labels in several for label in labels]
        return {path[:depth] for path in steps for depth in range(1, len(path) + 1)}

    def _labels(self, region: Any) -> Any:
        """Return the labels of a region of this control as stored; None for another control."""
        if not isinstance(region, dict) or not isinstance(value := region.get("value"), dict):
            return None
        labels = value.get(key_of(region)) if self._is_mine(region) else None
        return labels if isinstance(labels, (list, str)) else None

    def _is_mine(self, region: Mapping[str, Any]) -> bool:
        name, control = region.get("from_name"), self.control
        if not isinstance(name, str):
            return False
        if name == control.name or control.at(name) is not None:
            return True
        # In a video the shape holds the labels of another control.
        return (
            control.tag.lower() == "labels"
            and key_of(region) == "labels"
            and region.get("type") != "labels"
            and region.get("to_name") in control.to_name
        )

    def _new(self, labels: list[Any] | str) -> Any:
        if isinstance(labels, str):
            return self._become(labels)
        made: list[Any] = []
        arrived: list[Any] = []
        for label in labels:
            new = self._become(label)
            if new is None or (new in made and (new != label or new in arrived)):
                continue
            made.append(new)
            if new != label:
                arrived.append(new)
        return made

    def _become(self, label: Any) -> Any:
        steps = _steps(label)
        for depth in range(len(steps), 0, -1):
            if steps[:depth] in self.becomes:
                new = self.becomes[steps[:depth]]
                if new is None:
                    return None
                path = [*new, *steps[depth:]]
                return path[0] if isinstance(label, str) and len(path) == 1 else path
        return label

    def _gone(self, result: Sequence[Any], emptied: Iterable[int]) -> set[int]:
        """Return the places of regions without labels, and of those that refer to them."""
        gone = set(emptied)
        whole: set[Any] = set()
        for place in emptied:
            id_ = _id(result[place])
            others = [
                one
                for n, one in enumerate(result)
                if n != place and isinstance(one, dict) and id_ is not None and _id(one) == id_
            ]
            if not self.control.per_region and not any(map(_is_labelled, others)):
                whole.add(id_)
        for place, one in enumerate(result):
            if isinstance(one, dict) and whole & {_id(one), *_ends(one)} - {None}:
                gone.add(place)
        return gone


def key_of(region: Mapping[str, Any]) -> str:
    """Return the key of the labels in a region's value."""
    type_ = str(region.get("type"))
    kind = KINDS.get(type_.lower())
    return (kind.key if kind else None) or type_


def _steps(label: Any) -> Path:
    """Return the path of a label as it is stored; an empty one for anything else."""
    if isinstance(label, str):
        return (label,)
    is_path = isinstance(label, list) and all(isinstance(step, str) for step in label)
    return tuple(label) if is_path else ()


def _is_labelled(region: Mapping[str, Any]) -> bool:
    """Return whether a region labels a shape or span, and does not only add to another one."""
    key = key_of(region)
    value = region.get("value")
    return key.endswith("labels") and isinstance(value, dict) and bool(value.get(key))


def _ends(region: Mapping[str, Any]) -> Iterator[Any]:
    if region.get("type") == "relation":
        yield from (_id(region, "from_id"), _id(region, "to_id"))


def _id(region: Mapping[str, Any], key: str = "id") -> str | int | None:
    """Return an id of a region; None for an invalid one."""
    found = region.get(key)
    return found if isinstance(found, (str, int)) else None


def restored(result: Any, traces: Iterable[Trace]) -> tuple[Result, list[Trace]]:
    """Return the result with the changes undone, and those whose labels were changed again.

    Changes that were undone already are skipped.
    """
    now: list[Any] = list(result or ())
    changed: list[Trace] = []
    taken: set[int] = set()
    for trace in sorted(traces, key=lambda one: ("region" not in one, one["at"])):
        if "region" in trace:
            if not any(_same(trace["region"], one) for one in now):
                now.insert(trace["at"], trace["region"])
            continue
        places = [
            place
            for place, one in enumerate(now)
            if place not in taken
            and isinstance(one, dict)
            and (one.get("id"), one.get("from_name")) == (trace["id"], trace["from_name"])
        ]
        for state in ("now", "was"):
            matching = [n for n in places if _labels_of(now[n]) == trace[state]]
            if matching:
                place = trace["at"] if trace["at"] in matching else matching[0]
                key = key_of(now[place])
                value = {**now[place]["value"], key: trace["was"]}
                now[place] = {**now[place], "value": value}
                taken.add(place)
                break
        else:
            changed.append(trace)
    return now, changed


def _labels_of(region: Mapping[str, Any]) -> Any:
    value = region.get("value")
    return value.get(key_of(region)) if isinstance(value, dict) else None


def _same(left: Mapping[str, Any], right: Any) -> bool:
    if left == right or not isinstance(right, dict) or left.get("id") is None:
        return bool(left == right)
    return all(left.get(key) == right.get(key) for key in ("id", "from_name", "type"))
