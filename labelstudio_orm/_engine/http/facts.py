"""What a client has learnt of its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import ServerVersion


class ServerFacts:
    """What a client has learnt of its server, so that it is asked once.

    Attributes:
        database: "sqlite" or "postgresql"; None where it is not known.
        server: The release and the edition; None where they are not known.
        may_be_old: Whether a release that this library does not work with was allowed.
    """

    database: str | None = None
    server: ServerVersion | None = None

    def __init__(self, *, may_be_old: bool = False) -> None:
        self.may_be_old = may_be_old
