"""Coefficients of agreement, of the answers that raters gave to units.

``Ratings`` has for each unit the answer of each rater who gave one. Units with fewer than two
answers say nothing of agreement, and are left out of everything. Where agreement by chance alone
would be perfect, or nothing is left, a coefficient is not defined, and is None.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

Rater: TypeAlias = Any
Unit: TypeAlias = Any
Ratings: TypeAlias = "Mapping[Unit, Mapping[Rater, Hashable]]"
Level: TypeAlias = Literal["nominal", "ordinal", "interval"]


def paired(ratings: Ratings) -> dict[Unit, Sequence[Hashable]]:
    """Return the answers of the units with two or more."""
    return {unit: list(of.values()) for unit, of in ratings.items() if len(of) > 1}


def observed_by_unit(ratings: Ratings) -> dict[Unit, float]:
    """Return for each unit the part of the pairs of raters who gave the same answer."""
    return {unit: _same_pairs(answers) for unit, answers in paired(ratings).items()}


def _same_pairs(answers: Sequence[Hashable]) -> float:
    number = len(answers)
    return sum(n * (n - 1) for n in Counter(answers).values()) / (number * (number - 1))


def mean(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    found = list(values)
    return math.fsum(found) / len(found) if found else None


def by_label(ratings: Ratings) -> dict[Hashable, float]:
    """Return for each label how often another rater of the unit gave it too: its agreement.

    Of two raters it is the F1 between them. An answer that is a set has several labels.
    """
    same: defaultdict[Hashable, float] = defaultdict(float)
    given: Counter[Hashable] = Counter()
    for answers in paired(ratings).values():
        labels = Counter(label for one in answers for label in labels_of(one))
        for label, number in labels.items():
            same[label] += number * (number - 1) / (len(answers) - 1)
            given[label] += number
    return {label: same[label] / given[label] for label in given}


def labels_of(answer: Hashable) -> Iterable[Hashable]:
    """Return the labels of an answer."""
    return answer if isinstance(answer, frozenset) else (answer,)


def of_pair(ratings: Ratings, first: Rater, second: Rater) -> dict[Unit, Mapping[Rater, Hashable]]:
    """Return the ratings of two raters, of the units that both answered."""
    return {
        unit: {rater: of[rater] for rater in (first, second)}
        for unit, of in ratings.items()
        if first in of and second in of
    }


def cohen_kappa(ratings: Ratings, first: Rater, second: Rater) -> float | None:
    """Return Cohen's kappa of two raters, of the units that both answered."""
    both = of_pair(ratings, first, second).values()
    if not both:
        return None
    one, other = (Counter(of[rater] for of in both) for rater in (first, second))
    observed = sum(of[first] == of[second] for of in both) / len(both)
    expected = sum(one[answer] * other[answer] for answer in one) / len(both) ** 2
    return _beyond_chance(observed, expected)


def fleiss_kappa(ratings: Ratings) -> float | None:
    """Return Fleiss' kappa.

    Units may have different numbers of answers: then each counts the same, as in the statistics
    of Gwet. With as many everywhere it is what Fleiss has defined.
    """
    units = list(paired(ratings).values())
    if not units:
        return None
    parts: Counter[Hashable] = Counter()
    for answers in units:
        for answer, number in Counter(answers).items():
            parts[answer] += number / len(answers)  # type: ignore[assignment]
    expected = math.fsum((part / len(units)) ** 2 for part in parts.values())
    return _beyond_chance(mean(map(_same_pairs, units)) or 0.0, expected)


def _beyond_chance(observed: float, expected: float) -> float | None:
    if math.isclose(expected, 1.0, abs_tol=1e-12):
        return None
    return (observed - expected) / (1 - expected)


def krippendorff_alpha(
    ratings: Ratings, level: Level = "nominal", order: Sequence[Hashable] = ()
) -> float | None:
    """Return Krippendorff's alpha, for answers of a level of measurement.

    ``"nominal"``: different or not; ``"ordinal"``: by how many answers lie between two; and
    ``"interval"``: by the square of their difference. ``order``: the answers from the least on,
    where they are no numbers. Raises TypeError for an answer without a place where one is needed.
    """
    units = [Counter(answers) for answers in paired(ratings).values()]
    totals: Counter[Any] = Counter()
    for answers in units:
        totals.update(answers)
    places = None if level == "nominal" else _places(totals, level, order)
    observed = math.fsum(_disagreement(one, places) / (one.total() - 1) for one in units)
    expected = _disagreement(totals, places)
    return None if not expected else 1 - (totals.total() - 1) * observed / expected


def _disagreement(answers: Counter[Any], places: Mapping[Any, float] | None) -> float:
    """Return the sum of the distances between all pairs of answers.

    That is the number of different ones, or the sum of the squares of their differences.
    """
    number = answers.total()
    if len(answers) < 2:
        return 0.0
    if places is None:
        return float(number**2 - sum(n**2 for n in answers.values())) / 2
    middle = math.fsum(places[one] * n for one, n in answers.items()) / number
    return number * math.fsum(n * (places[one] - middle) ** 2 for one, n in answers.items())


def _places(totals: Counter[Any], level: Level, order: Sequence[Hashable]) -> Mapping[Any, float]:
    """Return the place of each answer, on a line where distances are their differences."""
    given = {answer: n for n, answer in enumerate(order)}
    lines = {one: given.get(one, one) for one in totals}
    wrong = [one for one, place in lines.items() if type(place) not in (int, float)]
    if wrong:
        raise TypeError(
            f"{level} agreement is of numbers, as of a <Rating>, or of the choices of the "
            f'labelling config, not of {wrong[0]!r:.80}: level="nominal"'
        )
    if level == "interval":
        return lines
    below, ranks = 0.0, {}
    for one in sorted(totals, key=lambda answer: lines[answer]):
        ranks[one] = below + totals[one] / 2
        below += totals[one]
    return ranks
