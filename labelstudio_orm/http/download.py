"""Answers that are files: streamed to a disk, and there only when they are complete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import APIError, ConnectionFailed
from ..progress import Progress, reporter

if TYPE_CHECKING:
    from ..client import LabelStudio


def download(
    client: LabelStudio,
    path: str,
    target: Path,
    *,
    doing: str,
    params: Mapping[str, Any] | None = None,
    progress: Progress = None,
    is_export: bool = True,
) -> Path:
    """Stream an answer into a file, which appears under its name only when it is complete.

    ``is_export``: a web page is none, and JSON is a list to its end; a file that somebody uploaded
    may be anything.
    """
    report = reporter(progress, doing)
    part = target.with_name(target.name + ".part")
    try:
        with client.stream(
            "GET", path, params=params, timeout=client.long_timeout, doing=doing
        ) as response:
            kind = response.headers.get("Content-Type", "")
            size = response.headers.get("Content-Length")
            total = int(size) if size and size.isdigit() else None
            done, first, last = 0, b"", b""
            with part.open("wb") as file:
                for piece in response.iter_content(1 << 16):
                    file.write(piece)
                    done += len(piece)
                    first, last = first or piece.lstrip()[:1], piece.rstrip()[-1:] or last
                    report(done, total)
        if is_export and ("html" in kind or ("json" in kind and first not in (b"[", b""))):
            raise APIError(
                f"{doing} failed: the answer is no export ({kind}). Is the base URL right, or does "
                "a proxy or a login page answer instead?",
                status=response.status_code,
                request=f"GET {path}",
            )
        if is_export and "json" in kind and last != b"]":
            raise ConnectionFailed(f"{doing} failed: the answer ended early", request=f"GET {path}")
        part.replace(target)
    finally:
        report.close()
        part.unlink(missing_ok=True)
    return target
