"""The tasks of a queryset with the rows of their regions, as every format is written from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs

from .._config.labelconfig import LabelConfig
from .._tables.regions import RegionRow, region_rows
from .images import size_of
from .report import Tally

Of: TypeAlias = Literal["annotations", "predictions"]
"""What is written of each task."""

Size: TypeAlias = "tuple[int, int] | None"

Fetch: TypeAlias = Callable[["Iterable[Picture]", Path], "Iterator[Picture]"]
"""Copies images into a folder, each under its name, and yields them in their order."""


@attrs.frozen
class Labelled:
    """A task and the rows of what was chosen of it; ``scores`` are those of its predictions."""

    id: int
    data: Mapping[str, Any]
    rows: list[RegionRow]
    scores: Mapping[int | None, float | None]


@attrs.frozen
class Walk:
    """What is written: the tasks, the labelling config, and the choice among their regions."""

    tasks: Any
    config: LabelConfig
    of: Of
    keep: Callable[[Any], bool] | None
    controls: Collection[str] | None

    def labelled(self, tally: Tally) -> Iterator[Labelled]:
        """Yield each task, in the order of the queryset; cancelled annotations do not count."""
        for task in self.tasks.only("data").prefetch(self.of).iterator():
            tally.tasks += 1
            rows: list[RegionRow] = []
            scores = {}
            for one in getattr(task, self.of):
                if getattr(one, "was_cancelled", False) or (self.keep and not self.keep(one)):
                    continue
                of_one = {self.of.removesuffix("s"): one.id}
                scores[one.id] = getattr(one, "score", None)
                rows += filter(
                    self._is_chosen, region_rows(one.result, self.config, task=task.id, **of_one)
                )
            data = task.data if isinstance(task.data, Mapping) else {}
            yield Labelled(task.id, data, rows, scores)

    def _is_chosen(self, row: RegionRow) -> bool:
        # The row of the shape with the same id has these labels.
        is_read = row.mark is not None or row.value is not None
        is_beside = row.kind == "labels" and not is_read and bool(row.raw.get("value"))
        return not is_beside and (self.controls is None or row.control in self.controls)

    def labels(self) -> list[str]:
        """Return the labels of the controls that mark something, in the order of the config."""
        controls = [
            control
            for name, control in self.config.controls.items()
            if self.controls is None or name in self.controls
        ]
        marks = [control for control in controls if control.tag.lower().endswith("labels")]
        return [*dict.fromkeys(one.stored for control in marks for one in control.label_tags)]


# -- images ---------------------------------------------------------------------------------------

_IMAGE: Final = "image"

_BEYOND_TASKS: Final = 1_000_000_000
"""More than any id of a task, so that no two images have one id."""


@attrs.frozen
class Picture:
    """An image of a task, with its regions; ``size`` in pixels is None where nothing has it.

    ``place`` is its place among the images of the task, from 0.
    """

    task: int
    place: int
    key: str
    item_index: int | None
    address: str
    name: str
    rows: list[RegionRow]
    size: Size
    scores: Mapping[int | None, float | None]

    @property
    def number(self) -> int:
        """The id of the image: that of the task, for its first image."""
        return self.task + self.place * _BEYOND_TASKS

    def score(self, row: RegionRow) -> float | None:
        """Return the score of a region, else that of its prediction."""
        return self.scores.get(row.prediction) if row.score is None else row.score


def pictures(
    walk: Walk, tally: Tally, folder: Path, fetch: Fetch | None, name_of: Callable[[str, int], str]
) -> Iterator[Picture]:
    """Yield the images of tasks, also those without regions.

    ``fetch`` copies them into ``folder``; without it their sizes are those that regions hold.
    ``name_of`` gives an address its name there. Regions on anything else are left out.
    """
    found = _pictures(walk, tally, name_of)
    for picture in found if fetch is None else fetch(found, folder):
        tally.images += 1
        if fetch is None or picture.size is not None:
            yield picture
        else:
            yield attrs.evolve(picture, size=size_of(folder / picture.name))


def _pictures(walk: Walk, tally: Tally, name_of: Callable[[str, int], str]) -> Iterator[Picture]:
    keys = {
        name: value[1:]
        for name, tag in walk.config.objects.items()
        if tag.tag.lower() == _IMAGE and (value := tag.value or "").startswith("$")
    }
    if not keys:
        raise ValueError(
            "the labelling config shows no image, so there is nothing to write in this format"
        )
    for task in walk.labelled(tally):
        on: dict[tuple[str | None, int], list[RegionRow]] = {}
        for row in task.rows:
            if row.object not in keys:
                tally.leave_out(row, "it is on no image")
            else:
                on.setdefault((keys[row.object], row.item_index or 0), []).append(row)
        named = (image for key in dict.fromkeys(keys.values()) for image in _images(task, key))
        for number, (key, place, address) in enumerate(named):
            rows = on.pop((key, place or 0), [])
            size = next((row.size for row in rows if row.size), None)
            # Several tasks may name one image, and each has labels of its own.
            before = f"{task.id}-{number}" if number else f"{task.id}"
            name = f"{before}-{name_of(address, task.id)}"
            yield Picture(task.id, number, key, place, address, name, rows, size, task.scores)
        for row in (row for rows in on.values() for row in rows):
            tally.leave_out(row, "the task has no such image")


def _images(task: Labelled, key: str) -> Iterator[tuple[str, int | None, str]]:
    """Yield the key, the place in a list and the address of the images under a key."""
    value: Any = task.data
    for step in key.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    several = isinstance(value, (list, tuple))
    for index, address in enumerate(value if several else [value]):
        if isinstance(address, str) and address:
            yield key, index if several else None, address


# -- what formats of shapes share -----------------------------------------------------------------


def label_of(row: RegionRow, tally: Tally) -> str | None:
    """Return the first label of a shape, and list what is lost of it; None if it has none."""
    if not row.labels:
        tally.leave_out(row, "it has no label")
        return None
    if len(row.labels) > 1:
        tally.leave_out(row, "only the first of its labels is in it")
    return row.labels[0]


class Categories:
    """Labels by number: those of the config in its order, then others as they come."""

    def __init__(self, labels: Iterable[str], fixed: Mapping[str, int] | None = None) -> None:
        self.ids: dict[str, int] = dict(fixed or {})
        for label in labels:
            self.id(label)

    def id(self, label: str) -> int:
        """Return the number of a label; a new one gets the next that is free."""
        if label not in self.ids:
            taken = {*self.ids.values()}
            self.ids[label] = next(n for n in range(len(taken) + 1) if n not in taken)
        return self.ids[label]


def stem(name: str) -> str:
    """Return the name of a file without its suffix."""
    return name.rpartition(".")[0] or name
