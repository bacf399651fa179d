"""What the bulk verbs share: telling what was done, one by one, batches that are refused."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs

from ...errors import BadRequest, LabelStudioError, render_validation
from ..fields.options import options_of
from ..models.queryset import QuerySet
from ..models.resource import Resource
from ..pages.sources import chunked
from .imports import refused
from .tally import Tally, is_of_one
from .workers import Outcome, each

T = TypeVar("T")
V = TypeVar("V")


@contextmanager
def telling(tally: Tally, created: Callable[[], list[Any]] = list) -> Iterator[None]:
    """Let an error that ends a verb say what was done before it."""
    tally.report()
    try:
        yield
        tally.total = tally.done if tally.total is None else tally.total
        tally.report()
    except LabelStudioError as error:
        error.created, error.summary = created(), tally.summary()
        raise
    finally:
        tally.close()


def outcomes(
    items: Iterable[T],
    do: Callable[[T], V],
    tally: Tally,
    *,
    workers: int,
    identity: Callable[[T], object] | None = None,
    told: Callable[[T], tuple[int, Any]] | None = None,
) -> Iterator[Outcome[T, V]]:
    """Do it for each item, by workers; what succeeded comes out in order, to be counted. An error
    that is not collected is raised once all that was under way has ended. ``told``: the place and
    the item that a failure names, where these are not.
    """
    failure: Exception | None = None

    def ends(error: Exception) -> bool:
        return not tally.collects or not is_of_one(error)

    for outcome in each(items, do, workers=workers, until=ends, identity=identity):
        if outcome.error is None:
            yield outcome
        else:
            place, item = told(outcome.item) if told else (outcome.place, outcome.item)
            try:
                tally.fail(place, item, outcome.error)
            except Exception as error:
                failure = failure or error
        tally.report()
    if failure is not None:
        raise failure


def tell_parents(queryset: QuerySet[Any]) -> None:
    """What was prefetched of a relation is no longer the truth after a write to it."""
    for name, parent in queryset.scope.items():
        if isinstance(parent, Resource):
            for relation in options_of(parent).sets.values():
                if relation.target is queryset.model and relation.via == name:
                    parent._drop_prefetched(relation.name)


# -- a batch that is refused ----------------------------------------------------------------------


@attrs.frozen
class Item:
    """One item of an input: its place, what it was, and how it is sent; ``key`` tells it from
    others, ``token`` is the same to look up by; ``size`` are its bytes.
    """

    place: int
    given: Any
    form: dict[str, Any]
    key: Any = None
    token: Hashable = None
    size: int = 0

    def __str__(self) -> str:
        return f"item {self.place}"


NAMED = 99
"""Items of which an import surely names each that it refuses."""


def sift(batch: list[Item], send: Callable[[list[Item]], None], tally: Tally) -> None:
    """Send a batch. Where it is refused, which means that nothing of it was stored, find the items
    that it was refused for, and send the others: without those that the server named, or in two
    halves where it named none.
    """
    try:
        send(batch)
        return
    except BadRequest as caught:
        error = caught
    reasons, whole = refused(error, len(batch))
    if not tally.collects:
        raise _naming(batch, reasons, error) from error
    if not reasons and len(batch) == 1:
        reasons = {0: render_validation(error.validation_errors) or error.detail or str(error)}
    for place, reason in reasons.items():
        tally.fail(batch[place].place, batch[place].given, error, reason)
    rest = [item for place, item in enumerate(batch) if place not in reasons]
    size = -(-len(rest) // 2) if not reasons else len(rest) if whole else NAMED
    for part in chunked(rest, size):
        sift(part, send, tally)


def _naming(batch: list[Item], reasons: dict[int, str], error: BadRequest) -> BadRequest:
    """The same error with the item of the caller's in its text; the server counts within the
    batch.
    """
    if not reasons:
        return error
    place = min(reasons)
    return BadRequest(
        f"{batch[place]} was refused, and with it its batch: {reasons[place]}",
        status=error.status,
        detail=error.detail,
        validation_errors=error.validation_errors,
        request=error.request,
    )
