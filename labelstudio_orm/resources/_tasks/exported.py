"""Tasks that ``export("JSON")`` wrote, turned into items for an import.

What an import keeps follows a rule, and nothing is lost without an error.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, TypeAlias

from ..._engine.bulk.batches import ItemNames, NamedItems, names_of
from ..._engine.pages.sources import chunked
from ..._engine.values.brief import brief
from ..._engine.values.files import whole_file
from ...errors import LabelStudioError
from .nouns import Project

if TYPE_CHECKING:
    from ..._engine.records.record import Record

Authors: TypeAlias = "Mapping[Any, Any] | Record | int | str | None"
"""The users who take the place of the authors of exported annotations."""

Left: TypeAlias = Literal["drafts", "predictions"]

_TELLING: Final = frozenset({"id", "data", "annotations", "created_at"})
"""Keys that all exported tasks have, and no item that is written for an import."""

_FLAT: Final = frozenset({"annotation_id", "annotator", "created_at", "updated_at", "lead_time"})
"""Keys of a row of JSON_MIN, CSV and TSV."""

_OF_SERVER: Final[Mapping[str, frozenset[str]]] = {
    "tasks": frozenset(
        {
            "id", "created_at", "updated_at", "inner_id", "total_annotations", "project", "state",
            "cancelled_annotations", "total_predictions", "comment_count", "comment_authors",
            "unresolved_comment_count", "last_comment_updated_at", "updated_by", "file_upload",
            "storage_filename", "is_labeled", "overlap", "precomputed_agreement",
        }
    ),
    "annotations": frozenset(
        {
            "created_at", "updated_at", "draft_created_at", "prediction", "result_count",
            "unique_id", "import_id", "last_action", "bulk_created", "task", "project", "state",
            "updated_by", "parent_prediction", "parent_annotation", "last_created_by",
            "created_username", "created_ago",
        }
    ),
    "predictions": frozenset(
        {
            "id", "created_at", "updated_at", "created_ago", "cluster", "neighbors", "mislabeling",
            "model", "model_run", "task", "project", "state",
        }
    ),
}  # fmt: skip
"""What the server says of exported objects and no import takes: ids, dates, counters, links. An
annotation's ``id`` becomes its ``import_id``.
"""


def from_export(
    rows: Iterable[Any], *, authors: Authors = None, leave_out: Collection[Left] = ()
) -> Iterator[Any]:
    """Turn tasks that ``project.export("JSON")`` wrote into items for ``bulk_create``.

    ``bulk_create`` takes exported tasks as they are, too; this is for those of another server.

    Kept are ``data meta allow_skip``, annotations with ``result completed_by was_cancelled
    ground_truth lead_time`` (their ``id`` becomes the ``import_id``), and predictions with ``result
    score model_version``. Ids, dates, counters and links are the server's own and go.

    ``authors``: the users who take the place of the annotations' authors, which are ids of the
    server that exported them: a dict from these ids (or e-mail addresses) to users, ids or e-mail
    addresses of the target, or one user for all. Without it the ids stay, which is right on the
    same server. ``leave_out``: what to leave out of what no import takes: ``"drafts"``, and
    ``"predictions"`` where only their ids were exported. Any item that is no exported task stays as
    it is.

    Raises ValueError, naming the item, for drafts and ids of predictions that are not to be left
    out, for an author that ``authors`` does not name, and for an unknown key.

    >>> rows = json.loads(project.export("JSON", "tasks.json").read_text())
    >>> copy = ls.projects.create(title="Copy", label_config=project.label_config)
    >>> len(copy.tasks.bulk_create(from_export(rows, authors=ls.users.me(), leave_out=["drafts"])))
    4
    """
    names = names_of(rows)
    return NamedItems(_items_from_export(rows, names, authors, leave_out), names)


def _items_from_export(
    rows: Iterable[Any], names: ItemNames, authors: Authors, leave_out: Collection[Left]
) -> Iterator[Any]:
    unknown = [name for name in leave_out if name not in ("drafts", "predictions")]
    if unknown or isinstance(leave_out, str):
        raise ValueError(
            f'leave_out must be a list of "drafts" and "predictions", not {leave_out!r:.80}'
        )
    author_of = _author_of(authors)
    for place, row in enumerate(rows):
        yield as_item(row, names.one(place), author_of, leave_out) if is_exported(row) else row


def is_exported(item: Any) -> bool:
    """Return whether an item is a task as a server exports it."""
    return (
        isinstance(item, Mapping) and item.keys() >= _TELLING and isinstance(item["data"], Mapping)
    )


def refuse_flat(item: Mapping[Any, Any], where: str) -> None:
    """Raise ValueError for a row that was exported as JSON_MIN, CSV or TSV.

    Data and answers are side by side in it, so an import would take all of it for data.
    """
    if item.keys() >= _FLAT:
        raise ValueError(
            f"{where}: this is a row of an export as JSON_MIN, CSV or TSV, in which the answers "
            'would become data; export("JSON", ...) writes what can be imported again. Where it is '
            f"data, leave out one of {', '.join(sorted(_FLAT))}"
        )


def as_item(
    row: Mapping[str, Any],
    where: str,
    author: Callable[[Any, str], Any] = lambda author, where: author,
    leave_out: Collection[str] = (),
) -> dict[str, Any]:
    """Return what an import keeps of an exported task."""
    item = _kept(
        row, "tasks", ("data", "meta", "allow_skip", "annotations", "predictions", "drafts"), where
    )
    drafts = item.pop("drafts", None)
    if drafts and "drafts" not in leave_out:
        raise ValueError(
            f"{where}: it has {len(drafts)} drafts, which no import takes; from_export(rows, "
            'leave_out=["drafts"]) goes on without them, copy_project() copies them'
        )
    annotations = [
        _kept(
            one,
            "annotations",
            ("id", "result", "completed_by", "was_cancelled", "ground_truth", "lead_time"),
            f"{where}, annotations[{n}]",
        )
        for n, one in enumerate(row.get("annotations") or ())
    ]
    for number, one in enumerate(annotations):
        one["result"] = one.get("result") or []
        if one.get("completed_by") is not None:
            one["completed_by"] = author(one["completed_by"], f"{where}, annotations[{number}]")
    predictions = row.get("predictions") or []
    if any(not isinstance(one, Mapping) for one in predictions):
        if "predictions" not in leave_out:
            raise ValueError(
                f"{where}: only the ids of its {len(predictions)} predictions were exported, "
                "which an import cannot use; project.export() of this library writes them "
                'whole, from_export(rows, leave_out=["predictions"]) goes on without them'
            )
        predictions = []
    item["annotations"] = annotations
    item["predictions"] = [
        _kept(
            one, "predictions", ("result", "score", "model_version"), f"{where}, predictions[{n}]"
        )
        for n, one in enumerate(predictions)
    ]
    return {**item, "meta": item.get("meta") or {}}


def _kept(row: Mapping[str, Any], kind: str, keys: Collection[str], where: str) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise TypeError(f"{where}: a dict is needed, not {row!r:.80}")
    unknown = sorted(map(str, row.keys() - _OF_SERVER[kind] - set(keys)))
    if unknown:
        raise ValueError(
            f"{where}: {unknown[0]!r:.80} is not kept by an import, only {', '.join(keys)} are; "
            "leave it out"
        )
    return {key: row[key] for key in keys if key in row}


def _author_of(authors: Authors) -> Callable[[Any, str], Any]:
    if authors is None:
        return lambda author, where: author
    if not isinstance(authors, Mapping):
        return lambda author, where: authors

    def author_of(author: Any, where: str) -> Any:
        names = [author.get("id"), author.get("email")] if isinstance(author, Mapping) else [author]
        for name in names:
            if name in authors:
                return authors[name]
        raise ValueError(f"{where}: authors= has no user for {author!r:.80}")

    return author_of


# -- files ----------------------------------------------------------------------------------------


def check_file(path: str | os.PathLike[str], name: str) -> dict[str, int] | None:
    """Return how many annotations and predictions the tasks of a JSON file have.

    Returns None for another kind of file, and for JSON that is no list of tasks. Raises ValueError
    for what the server would lose, or fail at: drafts, ids of predictions, rows of JSON_MIN.
    """
    if Path(name).suffix.lower() != ".json":
        return None
    counts = {"annotations": 0, "predictions": 0}
    with open(path, "rb") as file:
        try:
            for number, item in enumerate(items_of(file)):
                where = f"{name}: task {number + 1}"
                if not isinstance(item, Mapping):
                    return None
                if not isinstance(item.get("data"), Mapping):
                    refuse_flat(item, where)
                    continue
                if is_exported(item):
                    as_item(item, where)
                for kind in counts:
                    counts[kind] += len(item.get(kind) or ())
        except json.JSONDecodeError:
            return None  # the server says what is wrong with it
    return counts


def with_whole_predictions(project: Project, path: Path) -> Path:
    """Write whole predictions into an exported file, in which the server writes only their ids.

    No request where there are none, else one for 300 tasks that have some. Raises LabelStudioError,
    and leaves no file, where an item is not a task.
    """
    if not _names_predictions(path):
        return path
    try:
        return _with_whole_predictions(project, path)
    except BaseException:
        path.unlink(missing_ok=True)  # what only has the ids is not what was asked for
        raise


def _with_whole_predictions(project: Project, path: Path) -> Path:
    with path.open("rb") as file, whole_file(path) as copy:
        copy.write(b"[")
        first = True
        for rows in chunked(items_of(file), 300):
            for row in rows:
                if not isinstance(row, dict) or not isinstance(row.get("id"), int):
                    raise LabelStudioError(
                        f"exporting {project!r}: a task was expected, not {brief(row, 80)}"
                    )
            whole = _predictions(project, [row["id"] for row in rows if row.get("predictions")])
            for row in rows:
                if isinstance(row.get("predictions"), list):
                    row["predictions"] = [
                        whole.get(one, one) if isinstance(one, int) else one
                        for one in row["predictions"]
                    ]
                text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
                copy.write((b"" if first else b",") + text.encode())
                first = False
        copy.write(b"]")
    return path


def _predictions(project: Project, ids: list[int]) -> dict[int, Any]:
    """Return the predictions of tasks by their ids."""
    found: dict[int, Any] = {}
    if ids:
        tasks = project.tasks.filter(id__in=ids).only("id").prefetch("predictions")
        for task in tasks.iterator():
            found.update((one["id"], one) for one in task.raw.get("predictions") or ())
    return found


_IDS: Final = re.compile(rb'"predictions"\s*:\s*\[\s*\d')


def _names_predictions(path: Path) -> bool:
    rest = b""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            if _IDS.search(rest + piece):
                return True
            rest = piece[-100:]
    return False


def items_of(file: BinaryIO) -> Iterator[Any]:
    """Yield the items of a JSON list, or the one value of a file, with about one item in memory.

    Raises JSONDecodeError for anything that is not JSON.
    """
    text = _Text(file)
    if text.sign() != "[":
        yield text.rest()
        return
    text.at += 1
    while text.sign() != "]":
        yield text.value()
        if text.sign() == ",":
            text.at += 1
        elif text.sign() != "]":
            raise json.JSONDecodeError(
                "a comma or the end of the list is wanted", text.text, text.at
            )


_SPACE: Final = re.compile(r"[ \t\r\n]*")
_AFTER: Final = frozenset(" \t\r\n,]")
_PIECE: Final = 1 << 16


class _Text:
    """The part of a file's text that was read, and the place in it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.text, self.at = file, "", 0
        self.ended, self._size = False, _PIECE
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._decoder = json.JSONDecoder()

    def more(self) -> None:
        """Read on, twice as much each time that it was not enough."""
        piece = self.file.read(self._size)
        self.ended, self._size = not piece, 2 * self._size
        try:
            found = self._decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error
        self.text, self.at = self.text[self.at :] + found, 0

    def sign(self) -> str:
        """Return the next character that is not a space; an empty text at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()

    def value(self) -> Any:
        """Return the next value."""
        self.sign()
        while True:
            try:
                found, end = self._decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError:
                if self.ended:
                    raise
            else:
                if self.ended or self.text[end : end + 1] in _AFTER:  # else a number may go on
                    self.at, self._size = end, _PIECE
                    return found
            self.more()

    def rest(self) -> Any:
        """Return all that is left, as one value."""
        while not self.ended:
            self.more()
        return json.loads(self.text[self.at :])
