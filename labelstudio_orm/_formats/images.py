"""Images as far as formats need them: sizes, masks, and PNG files of masks."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from .._engine.values.extras import extra

_PNG = b"\x89PNG\r\n\x1a\n"


def size_of(path: Path) -> tuple[int, int]:
    """Return the width and the height of an image in pixels.

    Raises ImportError without Pillow (the extra ``[vision]``), and ValueError for a file that is no
    image.
    """
    pillow = extra("PIL.Image", "vision", "reading the sizes of images")
    try:
        with pillow.open(path) as image:
            width, height = image.size
            return width, height
    except (pillow.UnidentifiedImageError, pillow.DecompressionBombError) as error:
        raise ValueError(f"{path} is not an image whose size could be read: {error}") from error


def png(width: int, height: int, pixels: bytes) -> bytes:
    r"""Return a PNG file of grey pixels, a byte each, row by row.

    >>> png(1, 1, bytes([255]))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    rows = b"".join(
        b"\0" + pixels[start : start + width] for start in range(0, width * height, width)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return _PNG + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
