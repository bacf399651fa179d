"""Checks of the path that a file is written to, before anything is requested."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUFFIXES: Final = {
    "JSON": (".json",),
    "JSON_MIN": (".json",),
    "CSV": (".csv",),
    "TSV": (".tsv",),
}
"""Suffixes of the server's formats; a file of another format is an archive, or the one file that
would be in it.
"""

_ARCHIVES: Final = (".zip", ".json")
_TELLING: Final = frozenset({".zip", *(suffix for known in SUFFIXES.values() for suffix in known)})


def check_target(path: Path, format: str | None = None) -> None:
    """Raise an error for a path that cannot be written to, or with the suffix of another format.

    Raises FileNotFoundError or NotADirectoryError for a folder that is not there, IsADirectoryError
    for one that is, and ValueError for the suffix.

    >>> check_target(Path("reviews.csv"), "CSV")
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name the file in it")
    folder = path.parent
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder} to write {path.name} to; make it")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder: {path.name} cannot be written there")
    wanted = _ARCHIVES if format is None else SUFFIXES.get(format, _ARCHIVES)
    suffix = path.suffix.lower()
    if format is not None and suffix in _TELLING and suffix not in wanted:
        others = [name for name, known in SUFFIXES.items() if suffix in known]
        way = f", or export {' or '.join(map(repr, others))}" if others else ""
        raise ValueError(
            f"{path.name}: {format} is no {suffix}; call it {path.with_suffix(wanted[0]).name}{way}"
        )


def format_of(path: Path) -> str | None:
    """Return the format of a file's suffix, or None: several formats are archives.

    >>> format_of(Path("reviews.CSV"))
    'CSV'
    """
    suffix = path.suffix.lower()
    return next((name for name, known in SUFFIXES.items() if suffix in known), None)
