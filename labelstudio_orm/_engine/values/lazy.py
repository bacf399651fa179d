"""Imports that wait until something of a module is named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["importer"]


def importer(
    package: str, modules: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package, which imports its modules when they are named.

    ``modules``: the names that the package has of each. Whatever was named once is an ordinary
    attribute of the package, and type checkers and editors see plain imports beside this. Other
    attributes raise AttributeError.
    """
    places = {name: module for module, names in (modules or {}).items() for name in names}

    def get(name: str) -> Any:
        if name in places:
            found = getattr(import_module(f"{package}.{places[name]}"), name)
        elif not name.startswith("__") and find_spec(f"{package}.{name}") is not None:
            found = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, found)
        return found

    return get
