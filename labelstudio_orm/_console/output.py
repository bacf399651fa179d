"""The output of commands: text for people, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from .._engine.values.summary import Summary
from .._reports import Report

if TYPE_CHECKING:
    from .._engine.http.dryrun import DryRun


def print_result(
    result: Any, plans: Iterable[tuple[str, DryRun]] = (), *, as_json: bool = False
) -> int:
    """Print the result of a command, and what dry runs would write to which servers.

    Returns the exit code: 1 if anything is different, or failed.
    """
    plans = list(plans)
    if as_json:
        shown = plain(result)
        if plans:
            writes = [{"server": url, **one} for url, plan in plans for one in _writes(plan)]
            shown = {"result": _without_made_up(shown), "writes": writes}
        print(json.dumps(shown, default=str))
    else:
        if result is not None:
            print(_planned(result) if plans else _text(result))
        written = [f"{url}: {plan.summary()}" for url, plan in plans if plan.writes]
        for line in written or ["nothing would be written"] * bool(plans):
            print(line)
    failed = isinstance(result, Summary) and result.failed
    return 1 if failed else int(getattr(result, "exit_code", 0))


@singledispatch
def plain(result: Any) -> Any:
    """Return a result as JSON can hold it."""
    return result.as_json() if hasattr(result, "as_json") else result


@plain.register
def _(result: Summary) -> dict[str, Any]:
    counts = {name: getattr(result, name) for name in ("created", "updated", "deleted", "skipped")}
    return {**counts, "failed": [{"place": f.place, "reason": f.reason} for f in result.failed]}


def _text(result: Any) -> str:
    if isinstance(result, Summary):
        return "\n".join([result.describe(), *(failure.reason for failure in result.failed)])
    if isinstance(result, dict):
        return "\n".join(f"{name}: {value}" for name, value in result.items())
    return str(result)


def _planned(result: Any) -> str:
    """Return the text of a result in a dry run."""
    if isinstance(result, Report):
        return result.describe_plan()
    return f"would be done: {_text(result)}"


def _without_made_up(shown: Any, key: str = "") -> Any:
    """Return JSON with null for the ids that a dry run has made up."""
    if isinstance(shown, dict):
        return {name: _without_made_up(value, name) for name, value in shown.items()}
    if isinstance(shown, list):
        return [_without_made_up(value, key) for value in shown]
    is_made_up = key in ("target", "source") and isinstance(shown, int) and shown < 0
    return None if is_made_up else shown


def _writes(plan: DryRun) -> list[dict[str, Any]]:
    """Return the writes of a dry run, by verb and resource."""
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
