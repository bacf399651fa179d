"""What a format holds of the regions, and what it cannot express."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import attrs

from .._engine.values.summary import Created, Summary
from .._tables.regions import RegionRow
from ..errors import LeftOutWarning

R = TypeVar("R")


@attrs.frozen
class LeftOut:
    """A region, or a part of one, that a format cannot express; ``reason`` says why.

    ``place`` is where it was read, in the file of the other program.

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", LeftOutWarning)
    ...     report = project.tasks.to_conll("reviews.conll")
    >>> [(one.control, one.reason) for one in report.left_out]
    [('sentiment', 'CoNLL has no choices')]
    """

    reason: str
    task: int | None = None
    annotation: int | None = None
    prediction: int | None = None
    control: str | None = None
    region: str | None = None
    place: str = ""


@attrs.frozen
class FormatReport:
    """What was written, or read: numbers, and the regions that the format cannot express.

    ``path`` is the file or the folder, ``images`` the number of images, ``regions`` that of the
    regions in it.

    >>> boxes.tasks.to_voc("voc").regions
    1
    """

    path: Path
    tasks: int = 0
    images: int = 0
    regions: int = 0
    left_out: tuple[LeftOut, ...] = attrs.field(default=(), repr=lambda several: str(len(several)))


class Imported(Created[R]):
    r"""The tasks that were created of a file; ``report`` lists what could not be read of it.

    >>> _ = Path("names.conll").write_text("Ann B-PER\nsings O\n")
    >>> names = ls.projects.create(title="Names")
    >>> names.tasks.from_conll("names.conll", labels="add").report.regions
    1
    """

    def __init__(self, objects: Iterable[R], summary: Summary, report: FormatReport) -> None:
        super().__init__(objects, summary)
        self.report = report


@attrs.define
class Tally:
    """The report while a file is written or read."""

    path: Path
    tasks: int = 0
    images: int = 0
    regions: int = 0
    left_out: list[LeftOut] = attrs.Factory(list)

    def leave_out(self, row: RegionRow, reason: str) -> None:
        """List a region that was not written, or not as it is."""
        self.left_out.append(
            LeftOut(reason, row.task, row.annotation, row.prediction, row.control, row.region)
        )

    def skip(self, place: str, reason: str) -> None:
        """List what was not read."""
        self.left_out.append(LeftOut(reason, place=place))

    def report(self) -> FormatReport:
        """Return the report, and warn of what was left out."""
        if self.left_out:
            reasons = Counter(one.reason for one in self.left_out)
            shown = "; ".join(f"{count:,} of them: {why}" for why, count in reasons.most_common(3))
            number = len(self.left_out)
            several = "1 region is" if number == 1 else f"{number:,} regions are"
            form = "it is" if number == 1 else "they are"
            warnings.warn(
                f"{self.path}: {several} not in it as {form} ({shown}); report.left_out lists them",
                LeftOutWarning,
                stacklevel=3,
            )
        return FormatReport(self.path, self.tasks, self.images, self.regions, tuple(self.left_out))
