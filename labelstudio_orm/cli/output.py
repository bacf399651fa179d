"""What a command tells: text for people, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from ..bulk.summary import Summary

if TYPE_CHECKING:
    from ..bulk.dryrun import DryRun


def tell(result: Any, plans: Iterable[DryRun] = (), *, as_json: bool = False) -> int:
    """Print what a command found, and what a dry run would have written; returns the exit code: 1
    where something is different or failed.
    """
    plans = list(plans)
    if as_json:
        told = plain(result)
        if plans:
            told = {"result": told, "writes": [one for plan in plans for one in _writes(plan)]}
        print(json.dumps(told, default=str))
    else:
        if result is not None:
            print(_text(result))
        for plan in plans:
            print(plan.summary())
    failed = isinstance(result, Summary) and result.failed
    return 1 if failed else int(getattr(result, "exit_code", 0))


@singledispatch
def plain(result: Any) -> Any:
    """A result as JSON has it."""
    return result.as_json() if hasattr(result, "as_json") else result


@plain.register
def _(result: Summary) -> dict[str, Any]:
    counts = {name: getattr(result, name) for name in ("created", "updated", "deleted", "skipped")}
    return {**counts, "failed": [{"place": f.place, "reason": f.reason} for f in result.failed]}


def _text(result: Any) -> str:
    if isinstance(result, Summary):
        said = repr(result).removeprefix("<Summary: ").removesuffix(">")
        return "\n".join([said, *(f"item {f.place}: {f.reason}" for f in result.failed)])
    if isinstance(result, dict):
        return "\n".join(f"{name}: {value}" for name, value in result.items())
    return str(result)


def _writes(plan: DryRun) -> list[dict[str, Any]]:
    """The writes of a dry run, by verb and resource."""
    requests: Counter[tuple[str, str]] = Counter()
    items: Counter[tuple[str, str]] = Counter()
    for write in plan.writes:
        kind = write.method, write.what
        requests[kind] += 1
        items[kind] += write.items or 0
    return [
        {"method": method, "what": what, "requests": number, "items": items[method, what]}
        for (method, what), number in requests.items()
    ]
