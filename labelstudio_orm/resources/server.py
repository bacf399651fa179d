"""What is known of the server itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class ServerInfo:
    """Version and edition of a server: ``ls.server()``.

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

    @property
    def version(self) -> tuple[int, ...]:
        """The release as numbers, for comparisons: ``ls.server().version >= (1, 20)``."""
        numbers = []
        for part in self.release.split("."):
            digits = part[: len(part) - len(part.lstrip("0123456789"))]
            if not digits:
                break
            numbers.append(int(digits))
        return tuple(numbers)
