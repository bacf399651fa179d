"""One page of look-ahead: the next page comes while one is in use."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from .parallel import FutureValue
from .select import Page


def look_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """Yield the same pages in halves, reading one page ahead.

    The next page is requested once the second half of a page is asked for.
    """
    page = next(pages, None)
    while page is not None:
        half = len(page.rows) // 2 + 1
        yield attrs.evolve(page, rows=page.rows[:half])
        if len(page.rows) <= half:
            page = next(pages, None)
            continue
        coming = FutureValue(lambda: next(pages, None))
        yield attrs.evolve(page, rows=page.rows[half:])
        page = coming.result()


def page_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """Yield the same pages, whole, reading one page ahead.

    The first page is requested alone; each later one while the one before it is in use.
    """
    page = next(pages, None)
    if page is None:
        return
    yield page
    page = next(pages, None)
    while page is not None:
        coming = FutureValue(lambda: next(pages, None))
        yield page
        page = coming.result()
