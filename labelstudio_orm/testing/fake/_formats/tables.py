"""CSV and TSV files as the server reads them, with the types that pandas finds in a column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from .._wire.answers import not_implemented

# Texts for a missing value, which the server replaces by an empty text.
_MISSING = {
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
}
_BOOLEANS = {
    word: word.lower() == "true" for word in ["True", "TRUE", "true", "False", "FALSE", "false"]
}
_INTEGER = re.compile(r"\s*[+-]?\d+\s*")
_NUMBER = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)\s*", re.IGNORECASE)


class TableError(Exception):
    """The file cannot be read; the message is that of the server's reader."""


def read_table(content: bytes, separator: str) -> list[dict[str, Any]]:
    """Return the rows, each a dict by column."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    numbered = enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), 1)
    lines = [
        (number, [_decoded(cell) for cell in cells])
        for number, cells in numbered
        if cells and not (len(cells) == 1 and cells[0] and not cells[0].strip(" \t"))
    ]
    if not lines:
        raise TableError("No columns to parse from file")
    header, rows = _header(lines[0][1]), lines[1:]
    if not rows:
        return []
    width = max(len(header), len(rows[0][1]))
    for number, cells in rows:
        if len(cells) > width:
            raise TableError(
                f"Error tokenizing data. C error: Expected {width} fields "
                f"in line {number}, saw {len(cells)}\n"
            )
        cells += [""] * (width - len(cells))
    # With more cells than column names the first cells count as names of the rows, and are lost.
    extra = width - len(header)
    columns = [_typed([cells[extra + place] for _, cells in rows]) for place in range(len(header))]
    return [dict(zip(header, values, strict=True)) for values in zip(*columns, strict=True)]


def _decoded(cell: str) -> str:
    raw = cell.encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise TableError(" ".join(map(str, error.args))) from None


def _header(cells: list[str]) -> list[str]:
    names: list[str] = []
    for place, cell in enumerate(cells):
        base = name = cell or f"Unnamed: {place}"
        count = 0
        while name in names:
            count += 1
            name = f"{base}.{count}"
        names.append(name)
    return names


def _typed(cells: list[str]) -> list[Any]:
    """Return the values of a column: integers, numbers, booleans, else texts."""
    given = [cell for cell in cells if cell not in _MISSING]
    convert: Callable[[str], Any] = str
    if all(_INTEGER.fullmatch(cell) for cell in given):
        if any(abs(int(cell)) >= 2**63 for cell in given):
            raise not_implemented("a column with whole numbers of more than 63 bits")
        convert = int if len(given) == len(cells) else float
    elif all(_NUMBER.fullmatch(cell) for cell in given):
        convert = float
    elif all(cell in _BOOLEANS for cell in given):
        convert = _BOOLEANS.__getitem__
    return ["" if cell in _MISSING else convert(cell) for cell in cells]
