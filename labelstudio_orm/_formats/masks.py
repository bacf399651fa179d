"""Masks: a PNG file in grey for each region that was painted, as large as its image."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from .._config.shapes import Bitmask, Brush
from .._engine.http.paths import safe_name
from .._engine.values.files import whole_file
from .._tables.regions import RegionRow
from . import rle
from .images import png
from .report import FormatReport, Tally
from .walk import Walk

_PNG: Final = b"\x89PNG\r\n\x1a\n"


def write(walk: Walk, path: Path) -> FormatReport:
    """Write the tasks: ``Tasks.to_masks``."""
    path.mkdir(parents=True, exist_ok=True)
    tally = Tally(path)
    for task in walk.labelled(tally):
        numbers: dict[str, int] = {}
        for row in task.rows:
            try:
                content = _content(row)
            except ValueError as error:
                tally.leave_out(row, str(error))
                continue
            of = "annotation" if row.annotation is not None else "prediction"
            labels = "-".join(row.labels) or "no label"
            number_of = row.annotation or row.prediction
            name = safe_name(f"task-{row.task}-{of}-{number_of}-{row.control}-{labels}")
            numbers[name.lower()] = number = numbers.get(name.lower(), -1) + 1
            with whole_file(path / f"{name}-{number}.png", shared=True) as out:
                out.write(content)
            tally.regions += 1
    return tally.report()


def _content(row: RegionRow) -> bytes:
    """Return the file of a mask. Raises ValueError for any other region."""
    if isinstance(row.mark, Bitmask):
        return _held(row.mark.image_data_url)
    if not isinstance(row.mark, Brush):
        raise ValueError(f"a {row.kind} is not a mask")
    if row.size is None:
        raise ValueError("the size of its image is not known")
    return png(*row.size, rle.mask_of(row.mark.rle, *row.size))


def _held(url: str) -> bytes:
    try:
        content = base64.b64decode(unquote_to_bytes(url.partition(",")[2]), validate=True)
    except binascii.Error:
        content = b""
    if not content.startswith(_PNG):
        raise ValueError("its image is not a PNG")
    return content
