"""Agreement between raters: people, and versions of models beside them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from attrs import field, frozen

from .. import _html, _statistics
from . import coefficients
from .answers import Item, Metric
from .coefficients import Level, Ratings, mean
from .counts import as_table, order, shown, text_table
from .matching import matched

if TYPE_CHECKING:
    import os

    import pandas

S = TypeVar("S")
V = TypeVar("V")
_Of: TypeAlias = "dict[int, dict[Any, V]]"


@frozen
class PairAgreement:
    """The agreement of two raters, of the ``tasks`` that both answered.

    ``observed`` is the mean agreement of a task. Of values there is ``cohen_kappa``, of regions
    ``f1``; what is not defined is None.
    """

    tasks: int
    observed: float | None
    cohen_kappa: float | None = None
    f1: float | None = None


@frozen(repr=False)
class Agreement(Generic[S]):
    """How far raters agree on what a control says: ``project.agreement("sentiment")``.

    Raters are the ids of users, and the names of model versions. Only tasks with the answers of two
    raters or more count. A figure that is not defined is None: where there is nothing to compare,
    and a coefficient where chance alone would give perfect agreement.

    Attributes:
        control: The name of the control.
        metric: ``"equal"`` or ``"iou"``.
        level: How alpha measures differences: ``"nominal"``, ``"ordinal"`` or ``"interval"``.
        raters: In order.
        observed: The mean of the agreement of a task.
        fleiss_kappa: Of values; where tasks have different numbers of answers, generalised so that
            each task counts the same.
        krippendorff_alpha: Of values.
        f1: Of regions: those that are matched, with an overlap of the threshold or more, as a part
            of all.
        pairs: ``PairAgreement`` by two raters, who stand in order.
        labels: Of each label, how often another rater gave it too.
        per_task: The agreement of each task, by its id.

    >>> agreement = project.agreement("sentiment", model_version="v1")
    >>> agreement.observed, agreement.per_task
    (1.0, {4: 1.0})
    >>> agreement.disagreements().count()
    0
    """

    control: str
    metric: Metric
    level: Level
    raters: tuple[Any, ...]
    observed: float | None
    pairs: Mapping[tuple[Any, Any], PairAgreement]
    labels: Mapping[Any, float]
    per_task: Mapping[int, float]
    _select: Callable[[list[int]], S] = field(alias="select", eq=False)
    _of_regions: bool = field(alias="of_regions")
    fleiss_kappa: float | None = None
    krippendorff_alpha: float | None = None
    f1: float | None = None

    def disagreements(self, below: float = 1.0) -> S:
        """Return the tasks whose agreement is less than this, as a queryset; no request.

        >>> project.agreement("sentiment").disagreements(below=0.5).count()
        0
        """
        return self._select([task for task, one in self.per_task.items() if one < below])

    def between(self, first: Any, second: Any) -> PairAgreement:
        """Return the agreement of two raters in any order: users, their ids, model versions.

        Raises KeyError for two who answered no task together.
        """
        pair = tuple(getattr(one, "id", one) for one in (first, second))
        found = self.pairs.get(pair) or self.pairs.get(pair[::-1])
        if found is None:
            raise KeyError(f"{pair[0]!r:.80} and {pair[1]!r:.80} answered no task together")
        return found

    @property
    def by_rater(self) -> dict[Any, float]:
        """The mean agreement of each rater with another one, over all tasks of their pairs."""
        shared, tasks = defaultdict[Any, float](float), Counter[Any]()
        for pair, one in self.pairs.items():
            for rater in pair:
                shared[rater] += (one.observed or 0.0) * one.tasks
                tasks[rater] += one.tasks
        return {rater: shared[rater] / tasks[rater] for rater in self.raters if tasks[rater]}

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table with a row for each pair of raters.

        Raises ImportError without pandas (the extra ``[pandas]``).
        """
        figures = self._figures
        head = ["first", "second", "tasks", *figures]
        return as_table(
            head,
            [
                [*map(str, pair), one.tasks, *(getattr(one, name) for name in figures)]
                for pair, one in self.pairs.items()
            ],
        )

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        figure: str = "observed",
        title: str | None = None,
    ) -> Any:
        """Draw a matrix of the agreement between each two raters.

        Args:
            path: A file to write, in the format of its suffix; its folder must exist.
            figure: ``"observed"``, ``"cohen_kappa"`` or ``"f1"``.
            title: Shown above the matrix.

        Returns the figure of matplotlib, which a notebook shows. Raises ImportError without
        matplotlib (the extra ``[plot]``).

        >>> drawn = project.agreement("sentiment", model_version="v1").plot("agreement.png")
        """
        if figure not in self._figures:
            raise ValueError(
                f"figure must be one of {', '.join(self._figures)}, not {figure!r:.80}"
            )
        cells = {pair: getattr(one, figure) for pair, one in self.pairs.items()}
        both = {**cells, **{(b, a): cell for (a, b), cell in cells.items()}}
        name = figure.replace("_", " ")
        return _statistics.plots.matrix(self.raters, both, name, path, title or self.control)

    @property
    def _figures(self) -> tuple[str, str]:
        """The names of the figures of a pair."""
        return ("observed", "f1") if self._of_regions else ("observed", "cohen_kappa")

    def _repr_html_(self) -> str:
        return _html.markup.written(repr(self))

    def __repr__(self) -> str:
        said = {
            "observed": self.observed,
            "F1": self.f1,
            "Fleiss' kappa": self.fleiss_kappa,
            f"Krippendorff's alpha ({self.level})": self.krippendorff_alpha,
        }
        told = ", ".join(f"{name} {one:.3f}" for name, one in said.items() if one is not None)
        tasks, raters = _number(len(self.per_task), "task"), _number(len(self.raters), "rater")
        head = f"Agreement on {self.control}: {tasks}, {raters}"
        figures = self._figures
        rows = [
            [*map(shown, pair), f"{one.tasks:,}", *(_cell(getattr(one, name)) for name in figures)]
            for pair, one in self.pairs.items()
        ]
        table = text_table(["first", "second", "tasks", *figures], rows, 2)
        return "\n".join([head, *([told] if told else []), *([table] if rows else [])])


def _number(number: int, of: str) -> str:
    return f"{number:,} {of}" if number == 1 else f"{number:,} {of}s"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _by_pair(ratings: Mapping[int, Mapping[Any, V]]) -> dict[tuple[Any, Any], _Of[V]]:
    """Return the tasks that two raters both answered, with their answers, by the two in order."""
    found: defaultdict[tuple[Any, Any], _Of[V]] = defaultdict(dict)
    for task, of in ratings.items():
        for first, second in combinations(sorted(of, key=order), 2):
            found[first, second][task] = {first: of[first], second: of[second]}
    return {pair: found[pair] for pair in sorted(found, key=lambda pair: [*map(order, pair)])}


def _raters_in(ratings: Mapping[int, Mapping[Any, Any]]) -> tuple[Any, ...]:
    return tuple(sorted({rater for of in ratings.values() for rater in of}, key=order))


def of_values(
    ratings: Ratings,
    *,
    control: str,
    level: Level,
    choices: Sequence[Hashable],
    select: Callable[[list[int]], S],
) -> Agreement[S]:
    """Return the agreement of answers that are equal or not."""
    per_task = coefficients.observed_by_unit(ratings)
    pairs = {}
    for pair, both in _by_pair(ratings).items():
        observed = mean(coefficients.observed_by_unit(both).values())
        pairs[pair] = PairAgreement(len(both), observed, coefficients.cohen_kappa(both, *pair))
    return Agreement(
        control=control,
        metric="equal",
        level=level,
        raters=_raters_in(ratings),
        observed=mean(per_task.values()),
        pairs=pairs,
        labels=coefficients.by_label(ratings),
        per_task=per_task,
        select=select,
        of_regions=False,
        fleiss_kappa=coefficients.fleiss_kappa(ratings),
        krippendorff_alpha=coefficients.krippendorff_alpha(ratings, level, choices),
    )


def of_regions(
    ratings: Mapping[int, Mapping[Any, Sequence[Item]]],
    *,
    control: str,
    metric: Metric,
    threshold: float,
    select: Callable[[list[int]], S],
) -> Agreement[S]:
    """Return the agreement of answers that are regions, which are matched for each two raters."""
    pairs, scores = {}, defaultdict[int, list[float]](list)
    every: list[_Match] = []
    given, same = Counter[str](), Counter[str]()
    for pair, both in _by_pair(ratings).items():
        matches = []
        for task, of in both.items():
            try:
                match = _matched(of[pair[0]], of[pair[1]], metric, threshold)
            except ValueError as error:
                raise ValueError(f"agreement on {control} of Task {task}: {error}") from error
            matches.append(match)
            scores[task].append(match.score)
            given.update(match.given)
            same.update(match.same)
        every += matches
        observed = mean(match.score for match in matches)
        pairs[pair] = PairAgreement(len(matches), observed, f1=_f1(matches))
    per_task = {task: mean(scores[task]) or 0.0 for task in ratings if task in scores}
    return Agreement(
        control=control,
        metric=metric,
        level="nominal",
        raters=_raters_in(ratings),
        observed=mean(per_task.values()),
        pairs=pairs,
        labels={label: 2 * same[label] / given[label] for label in given},
        per_task=per_task,
        select=select,
        of_regions=True,
        f1=_f1(every),
    )


@frozen
class _Match:
    """Two answers: what they share, how many regions both have, and how many are matched."""

    score: float
    regions: int
    pairs: int
    given: Counter[str]
    same: Counter[str]


def _f1(matches: Sequence[_Match]) -> float | None:
    """Return twice the matched pairs as a part of all regions; None where there are none."""
    regions = sum(one.regions for one in matches)
    return 2 * sum(one.pairs for one in matches) / regions if regions else None


def _matched(
    first: Sequence[Item], second: Sequence[Item], metric: Metric, threshold: float
) -> _Match:
    """Return how two answers match.

    The score is what matched regions share, for the assignment that gives the most of it, twice,
    as a part of the number of regions; of two answers without any it is 1. For F1, the assignment
    has as many pairs with the threshold as there can be.
    """
    shares = {
        (n, m): share
        for n, one in enumerate(first)
        for m, other in enumerate(second)
        if (share := one.shared(other, metric)) > 0
    }
    regions = len(first) + len(second)
    shared = math.fsum(shares[pair] for pair in matched(shares))
    enough = {pair: share for pair, share in shares.items() if share >= threshold}
    more = 1 + min(len(first), len(second))  # one pair more outweighs what all of them share
    pairs = matched({pair: more + share for pair, share in enough.items()})
    return _Match(
        2 * shared / regions if regions else 1.0,
        regions,
        len(pairs),
        Counter(label for one in (*first, *second) for label in one.labels),
        Counter(label for n, _ in pairs for label in first[n].labels),
    )
