"""The version and the edition of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ServerVersion"]

_DIGITS = 9
"""Digits that one number of a version has at most; a longer one is none."""


@attrs.frozen
class ServerVersion:
    """Version and edition of a server, as its answer to ``ls.version()`` gives them."""

    release: str
    edition: str
    packages: Mapping[str, Any] = attrs.field(repr=False)

    @classmethod
    def from_version(cls, answer: Mapping[str, Any]) -> Self:
        """Read the answer of ``ls.version()``; a missing edition means Community."""
        return cls(
            str(answer.get("release", "")), str(answer.get("edition") or "Community"), dict(answer)
        )

    def is_edition(self, edition: str) -> bool:
        """Return whether the server is of this edition."""
        return self.edition.lower() == edition.lower()

    @property
    def is_enterprise(self) -> bool:
        """Whether the server has the operations of the Enterprise edition."""
        return self.is_edition("Enterprise")

    @property
    def version(self) -> tuple[int, ...]:
        """The release as numbers, for comparisons: ``ls.server().version >= (1, 20)``."""
        return numbers_of(self.release)


def numbers_of(release: str) -> tuple[int, ...]:
    """Return the numbers that a release begins with: ``(1, 14, 0)`` for ``"1.14.0.post0"``."""
    numbers = []
    for part in release.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits or len(digits) > _DIGITS:
            break
        numbers.append(int(digits))
    return tuple(numbers)
