"""The addresses of uploaded files in texts: the only paths that task data can lead to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from ..._engine.values.codec import with_leaves
from ...resources.files import upload_path
from .fingerprints import CONTENTS

if TYPE_CHECKING:
    from ..._engine.values.codec import Row

_ENDS: Final = r"\s\"'<>()\[\]{},;|`"
"""Characters that no address has, so that one may begin or end beside them."""

_ADDRESS: Final = re.compile(rf"/data/(upload/[0-9]+/[\w.%\-]+)(?=$|[{_ENDS}:!?#&*])")

_END: Final = re.compile(f"[{_ENDS}]")

_LEAD: Final = re.compile(r"[^\x00-\x7f]+|[\w\-]+=")
"""What may precede an address without a space: ``src=``, or a word of another script."""

_LONGEST: Final = 2000
"""Characters before a path in which the address of a server is searched for."""

_PREFIX: Final = re.compile(r"^[0-9a-f]{8}-")


def original_name(file: str) -> str:
    """Return the name of a file before its upload, to which the server adds a prefix.

    >>> original_name("upload/5/6d957f64-cat.png")
    'cat.png'
    """
    return _PREFIX.sub("", file.rpartition("/")[2])


def address_on(server: str, file: str) -> str:
    """Return the address of a file in task data, as the server itself writes it.

    >>> address_on("http://localhost:8080/label-studio", "upload/5/6d957f64-cat.png")
    '/label-studio/data/upload/5/6d957f64-cat.png'
    """
    return f"{_split(server).path}/data/{file}"


def files_in(value: Any, server: str = "") -> set[str]:
    """Return the uploaded files that some JSON names: ``{"upload/5/1a2b3c4d-a.png"}``."""
    found: set[str] = set()
    replace_files(value, found.add, server)
    return found


def files_of(row: Row, server: str = "") -> set[str]:
    """Return the uploaded files that a task names, also in its results."""
    results = (one["result"] for kind in CONTENTS for one in row.get(kind) or ())
    return files_in([row["data"], row.get("meta"), *results], server)


def replace_files(value: Any, new: Callable[[str], str | None], server: str = "") -> Any:
    """Return JSON with other addresses of files: ``new`` gives one for a path, or None to keep it.

    A file is named by ``/data/upload/<number>/<name>``, which may follow the path or the whole
    address of ``server``; these are replaced too. The decoded name is plain, as the server makes
    them. All else is text: an address of another server, a longer path, encoded slashes.

    >>> replace_files("<img src='/data/upload/5/1a-a.png'>", lambda file: f"/new/{file}")
    "<img src='/new/upload/5/1a-a.png'>"
    """

    def replaced(leaf: Any) -> Any:
        is_address = isinstance(leaf, str) and "/data/upload/" in leaf
        return _replaced(leaf, new, server) if is_address else leaf

    return with_leaves(value, replaced)


def _replaced(text: str, new: Callable[[str], str | None], server: str) -> str:
    parts: list[str] = []
    done = 0
    for start, end, file in _found(text, _split(server)):
        address = new(file)
        if address is not None:
            parts += [text[done:start], address]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _found(text: str, server: SplitResult) -> Iterator[tuple[int, int, str]]:
    """Yield the start and the end of addresses, and the files that they name."""
    for match in _ADDRESS.finditer(text):
        start, named = match.start(), match[1].rstrip(".")
        file = upload_path(named)
        lead = _lead(_END.split(text[max(0, start - _LONGEST) : start])[-1], server)
        if file is not None and lead is not None:
            yield start - lead, match.start(1) + len(named), file


def _lead(before: str, server: SplitResult) -> int | None:
    """Return how many characters before a path belong to its address; None for another server."""
    for text in (before, _LEAD.sub("", before, count=1) if _LEAD.match(before) else before):
        if text in ("", server.path) or ("://" in text and _is_of(text, server)):
            return len(text)
    return None


def _is_of(text: str, server: SplitResult) -> bool:
    """Return whether an address is the base of a server, however its host is spelled."""
    try:
        return _base(_split(text)) == _base(server)
    except ValueError:  # the port is not a number
        return False


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # half an IPv6 address
        return urlsplit("")


def _base(parts: SplitResult) -> tuple[object, ...]:
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.username, parts.hostname, port, parts.path, parts.query
