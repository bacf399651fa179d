"""The table of routes: which function answers a method on a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, evolve, field

from .answers import page_not_found

Handler = Callable[..., Any]


@define
class Route:
    """A path, and the function that answers each method on it.

    Attributes:
        path: The path, with a name in braces for each variable segment.
        pattern: The path as a regular expression.
        handlers: The functions by method.
        public: Whether no token is needed.
        forms: Whether forms are accepted; otherwise only JSON is.
        enterprise: Whether only servers of the Enterprise edition have the path.
    """

    path: str
    pattern: re.Pattern[str]
    handlers: dict[str, Handler] = field(factory=dict)
    public: bool = False
    forms: bool = False
    enterprise: bool = False


class Routes:
    """A table of routes. Each module of operations has one; the server merges them into its own."""

    def __init__(self, *tables: Routes, enterprise: bool = False) -> None:
        """Make a table with the routes of ``tables``.

        Args:
            tables: Tables to merge.
            enterprise: Whether only servers of the Enterprise edition have the routes added here.
        """
        self._routes: dict[str, Route] = {}
        self._enterprise = enterprise
        for route in (route for table in tables for route in table):
            merged = self._routes.setdefault(route.path, evolve(route, handlers={}))
            merged.handlers.update(route.handlers)
            merged.forms = merged.forms or route.forms

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def add(
        self, methods: str, path: str, *, public: bool = False, forms: bool = False
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that routes ``methods`` (separated by spaces) of a path.

        In the path ``{id}`` is a number and ``{name:text}`` any text without a slash; the function
        gets both by name. A path that ends in a slash is also reached without it, as on the server;
        never the reverse.

        Args:
            methods: The HTTP methods.
            path: The path, without host and query.
            public: Whether no token is needed.
            forms: Whether forms are accepted; otherwise only JSON is.
        """

        def register(function: Handler) -> Handler:
            pattern = re.sub(r"\{(\w+):text\}", r"(?P<\1>[^/]+)", path)
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]+)", pattern)
            pattern = pattern[:-1] + "/?" if path.endswith("/") else pattern
            new = Route(path, re.compile(pattern), public=public, enterprise=self._enterprise)
            route = self._routes.setdefault(path, new)
            route.forms = route.forms or forms
            for method in methods.split():
                route.handlers[method] = function
            return function

        return register

    def find(self, path: str) -> tuple[Route, dict[str, Any]]:
        """Return the route of a path, and the values of the names in its braces.

        Raises:
            Failure: The web page of a 404; there is no such route.
        """
        for route in self:
            match = route.pattern.fullmatch(path)
            if match:
                found = match.groupdict().items()
                return route, {k: int(v) if f"{{{k}}}" in route.path else v for k, v in found}
        raise page_not_found()
