"""Optional packages, which are imported when something that needs them is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def extra(module: str, name: str, verb: str) -> Any:
    """Return a module of an optional package. Raises ImportError naming the extra that brings it.

    >>> extra("json", "json", "dumping").dumps([1])
    '[1]'
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{verb} needs {package}: python -m pip install 'labelstudio_orm[{name}]'"
        ) from error
