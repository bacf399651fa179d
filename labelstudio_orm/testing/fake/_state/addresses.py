"""The URLs that a server refuses to call, as a guard against requests forged through it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from .state import State

_RESERVED = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)


def refusal(fake: State, url: str) -> str | None:
    """Return why the server does not call a URL; None when it does.

    Names are not looked up: only an IPv4 address or ``localhost`` can be refused.
    """
    if not fake.ssrf_protection:
        return None
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.IPv4Address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None
    block = next((network for network in _RESERVED if address in network), None)
    return None if block is None else f"URL resolves to a reserved network address (block: {block})"
