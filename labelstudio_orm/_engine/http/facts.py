"""What a client has learnt of its server."""

from __future__ import annotations


class ServerFacts:
    """What a client has learnt of its server, so that it is asked once.

    Attributes:
        database: "sqlite" or "postgresql"; None where it is not known.
    """

    database: str | None = None
