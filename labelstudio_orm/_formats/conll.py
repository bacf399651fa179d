"""CoNLL 2003: a token a line with the label of its span, ``B-`` at its beginning and ``I-`` inside.

Tokens are words and single other characters, cut where spans begin and end. No spaces are in it:
texts are read with one between tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .._config.labelconfig import LabelConfig
from .._config.shapes import Span
from .._engine.values.files import whole_file
from .._tables.regions import RegionRow
from .read import Item, Reading, control_for
from .report import FormatReport, Tally
from .walk import Walk, label_of

_TOKEN: Final = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
_START: Final = "-DOCSTART-"
_SPACE: Final = re.compile(r"\s+")

Found = "tuple[int, int, str]"
"""The start, the end and the label of a span."""


def write(walk: Walk, path: Path, keys: dict[str, str]) -> FormatReport:
    """Write the tasks: ``Tasks.to_conll``. ``keys`` of data by the names of objects that show text.

    Each text is a document; a task without spans has its tokens, too.
    """
    tally = Tally(path)
    with whole_file(path, shared=True) as out:
        for task in walk.labelled(tally):
            on: dict[str | None, list[RegionRow]] = {}
            for row in task.rows:
                on.setdefault(row.object, []).append(row)
            for name, key in keys.items():
                text = _at(task.data, key)
                rows = on.pop(name, []) if isinstance(text, str) else []
                if isinstance(text, str):
                    spans = [*_spans(rows, text, tally)]
                    tally.regions += len(spans)
                    lines = (f"{token} -X- _ {tag}\n" for token, tag in tagged(text, spans))
                    out.write(f"{_START} -X- O\n\n{''.join(lines)}\n".encode())
            for row in (row for rows in on.values() for row in rows):
                tally.leave_out(row, "it is on no text")
    return tally.report()


def _at(data: Any, key: str) -> Any:
    for step in key.split("."):
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _spans(rows: Sequence[RegionRow], text: str, tally: Tally) -> Iterator[tuple[int, int, str]]:
    """Yield the spans that do not overlap, in the order of the text."""
    marked = []
    for row in rows:
        if not isinstance(row.mark, Span):
            tally.leave_out(row, f"CoNLL has no {row.kind}")
        elif not text[int(row.mark.start) : int(row.mark.end)].strip():
            tally.leave_out(row, "it marks no token of the text")
        else:
            marked.append((int(row.mark.start), int(row.mark.end), row))
    last = 0
    for start, end, row in sorted(marked, key=lambda one: one[:2]):
        if start < last:
            tally.leave_out(row, "it overlaps with another span")
            continue
        label = label_of(row, tally)
        if label is not None:
            last = end
            yield start, end, _SPACE.sub("_", label)


def tagged(text: str, spans: Sequence[tuple[int, int, str]]) -> Iterator[tuple[str, str]]:
    """Yield the tokens of a text with their tags.

    >>> list(tagged("Ann is in Rio.", [(0, 3, "PER"), (10, 13, "LOC")]))
    [('Ann', 'B-PER'), ('is', 'O'), ('in', 'O'), ('Rio', 'B-LOC'), ('.', 'O')]
    """
    done = 0
    for start, end, label in spans:
        yield from ((token, "O") for token in _TOKEN.findall(text[done:start]))
        for number, token in enumerate(_TOKEN.findall(text[start:end])):
            yield token, f"{'I' if number else 'B'}-{label}"
        done = end
    yield from ((token, "O") for token in _TOKEN.findall(text[done:]))


# -- reading --------------------------------------------------------------------------------------


def labels_in(path: Path) -> list[str]:
    """Return the labels of a file, in the order in which they come."""
    tags = (line.split()[-1] for line in _lines(path) if line.strip())
    return [*dict.fromkeys(tag[2:] for tag in tags if _is_of_span(tag))]


_BEGINS: Final = "BISEUL"
"""What tags of spans begin with: those of IOB, and of IOBES or BILOU for single and last tokens."""


def _is_of_span(tag: str) -> bool:
    return len(tag) > 2 and tag[0] in _BEGINS and tag[1] == "-"


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            if not line.startswith(_START):
                yield line


def read(path: Path, config: LabelConfig, reading: Reading) -> Iterator[Item]:
    """Yield the sentences of a file: ``Tasks.from_conll``."""
    control = control_for(config, "labels", reading.control)
    names = {_SPACE.sub("_", label.stored): label.stored for label in control.label_tags}
    for tokens in _sentences(path):
        words = [token for token, _ in tokens]
        starts = [0]
        for word in words:
            starts.append(starts[-1] + len(word) + 1)
        text = " ".join(words)
        regions: list[dict[str, Any]] = []
        for word, tag in tokens:
            if tag != "O" and not _is_of_span(tag):
                reading.tally.skip(word, f"{tag!r:.80} is not a tag of a span")
        for first, last, label in _chunks([tag for _, tag in tokens]):
            start, end = starts[first], starts[last] + len(words[last])
            name = names.get(label, label)
            regions.append(control.label(name, start=start, end=end, text=text[start:end]))
        reading.tally.regions += len(regions)
        yield Item("", regions, text=text)


def _sentences(path: Path) -> Iterator[list[tuple[str, str]]]:
    tokens: list[tuple[str, str]] = []
    for line in (*_lines(path), ""):
        parts = line.split()
        if parts:
            tokens.append((parts[0], parts[-1] if len(parts) > 1 else "O"))
        elif tokens:
            yield tokens
            tokens = []


def _chunks(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the first and the last token and the label of each span."""
    first: int | None = None
    for place, tag in enumerate((*tags, "O")):
        kind, label = tag[:1], tag[2:]
        goes_on = kind in "IEL" and first is not None and tags[first][2:] == label
        if first is not None and not goes_on:
            yield first, place - 1, tags[first][2:]
            first = None
        if first is None and _is_of_span(tag):
            first = place
