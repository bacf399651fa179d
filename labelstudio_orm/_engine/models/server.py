"""The resources that a server has: ``ls.server()``."""

from __future__ import annotations

import attrs

from ..fields.options import options_of
from ..http.server import ServerVersion
from ..values.declared import Declared
from ..values.registry import registry

__all__ = ["ServerInfo"]


@attrs.frozen
class ServerInfo(ServerVersion):
    """Version and edition of a server, and the resources that it has: ``ls.server()``.

    ``release`` is its version, ``edition`` "Community" or "Enterprise"; ``packages`` are the
    versions of its parts, as the server gives them.

    >>> ls.server().release
    '1.23.2'
    """

    def supports(self, model: type[Declared]) -> bool:
        """Return whether this server's edition has the resource. Costs no request.

        >>> ls.server().supports(Project)
        True
        """
        edition = options_of(model).edition
        return not edition or self.is_edition(edition)

    @property
    def unsupported(self) -> list[str]:
        """The names of the resources that the server's edition lacks: "Comment", "Prompt" ..."""
        return sorted(name for name, model in registry.items() if not self.supports(model))
