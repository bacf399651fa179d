"""Parameters and ids that a request needs: a missing one is an error, and never left out.

The server takes a missing condition for none at all, so a request about one view would become one
about the whole project.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def query_of(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters of a request as they are sent. Raises ValueError for an empty value.

    A parameter that is None or empty must be left out by the caller.

    >>> query_of({"project": 1, "resolve_uri": False}, "GET /api/tasks/")
    {'project': 1, 'resolve_uri': 'false'}
    """
    return {key: _value_of(key, value, name) for key, value in params.items()}


def _value_of(key: str, value: Any, name: str) -> Any:
    several = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
    values = list(value) if several else [value]
    if not values or any(one is None or one == "" for one in values):
        raise ValueError(
            f"{name}: the parameter {key!r:.80} is {value!r}, which the server would ignore "
            "as if there were no condition; give a value, or leave the parameter out"
        )
    values = [str(one).lower() if isinstance(one, bool) else one for one in values]
    return values if several else values[0]


def check_address(path: str) -> None:
    """Raise ValueError for an address of the API with "None" in the place of an id.

    >>> check_address("/api/tasks/5/")
    """
    if path.startswith("/api/") and "None" in path.partition("?")[0].split("/"):
        raise ValueError(f"{path!r:.80} lacks an id, so the request would be about something else")
