"""Figures of querysets: counts by value, aggregates, and agreement between annotators."""

from __future__ import annotations

from ._statistics.aggregates import Aggregate, Avg, Count, Figures, Max, Min, Sum
from ._statistics.agreement import Agreement, PairAgreement
from ._statistics.counts import Counts

__all__ = [
    "Aggregate",
    "Agreement",
    "Avg",
    "Count",
    "Counts",
    "Figures",
    "Max",
    "Min",
    "PairAgreement",
    "Sum",
]
