"""What is known of the server itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..values.declared import Record, header_of
from ..values.registry import registry

_DIGITS = 9
"""Of one number of a version, at most: what has more is none."""


@attrs.frozen
class ServerInfo:
    """Version and edition of a server, and what it has: ``ls.server()``.

    ``release`` is its version, ``edition`` "Community" or "Enterprise"; ``packages`` are the
    versions of its parts, as the server gives them.

    >>> ls.server().release
    '1.23.2'
    """

    release: str
    edition: str
    packages: Mapping[str, Any] = attrs.field(repr=False)

    @classmethod
    def from_version(cls, answer: Mapping[str, Any]) -> ServerInfo:
        """From the answer of ``ls.version()``; a missing edition means Community."""
        return cls(
            str(answer.get("release", "")), str(answer.get("edition") or "Community"), dict(answer)
        )

    @property
    def is_enterprise(self) -> bool:
        """Has it the operations of the enterprise edition?"""
        return self.edition.lower() == "enterprise"

    def supports(self, model: type[Record]) -> bool:
        """Has this server's edition the resource? Costs no request.

        >>> ls.server().supports(Project)
        True
        """
        return header_of(model).edition.lower() in ("", self.edition.lower())

    @property
    def unsupported(self) -> list[str]:
        """The names of the resources that this server's edition does not have: "Comment",
        "Workspace" ...
        """
        return sorted(name for name, model in registry.items() if not self.supports(model))

    @property
    def version(self) -> tuple[int, ...]:
        """The release as numbers, for comparisons: ``ls.server().version >= (1, 20)``."""
        numbers = []
        for part in self.release.split("."):
            digits = part[: len(part) - len(part.lstrip("0123456789"))]
            if not digits or len(digits) > _DIGITS:
                break
            numbers.append(int(digits))
        return tuple(numbers)
