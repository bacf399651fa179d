"""The addresses in a declaration: templates with names in braces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..values.ids import id_given
from .paths import segment


def names_in(template: str) -> list[str]:
    """Return the names in braces in an address template: ``["version.prompt", "version"]``."""
    return [part.split("}")[0] for part in template.split("{")[1:]]


def fill(template: str, get: Callable[[str], Any]) -> str:
    """Return an address with the ids filled in; ``get`` gives an object or an id by its name."""
    for name in names_in(template):
        first, *further = name.split(".")
        value = get(first)
        for relation in further:
            value = getattr(value, f"{relation}_id")
        found = id_given(value, f"the {name} in {template}")
        template = template.replace(f"{{{name}}}", segment(found))
    return template
