"""Maps what rows refer to from one server to another: users, uploaded files, tasks in views."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from ..._engine.values.codec import with_leaves
from ...resources.files import upload_path
from .fingerprints import CONTENTS, TASK_KINDS

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .journal import Journal


# -- uploaded files in texts ----------------------------------------------------------------------

_ENDS: Final = r"\s\"'<>()\[\]{},;|`"
"""Characters that no address has, so that one may begin or end beside them."""

_ADDRESS: Final = re.compile(rf"/data/(upload/[0-9]+/[\w.%\-]+)(?=$|[{_ENDS}:!?#&*])")

_PLACE: Final = "/data/upload/"

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

    It is the value itself if it names none.

    A file is named by ``/data/upload/<number>/<name>``, which may follow the path or the whole
    address of ``server``; these are replaced too. The decoded name is plain, as the server makes
    them. All else is text: an address of another server, a longer path, encoded slashes.

    >>> replace_files("<img src='/data/upload/5/1a-a.png'>", lambda file: f"/new/{file}")
    "<img src='/new/upload/5/1a-a.png'>"
    """

    def replaced(leaf: Any) -> Any:
        is_address = isinstance(leaf, str) and _PLACE in leaf
        return _replaced(leaf, new, server) if is_address else leaf

    return with_leaves(value, replaced) if _may_name(value) else value


def _may_name(value: Any) -> bool:
    """Return whether JSON may name a file; its text is searched faster than its leaves."""
    try:
        return _PLACE in json.dumps(value)
    except (RecursionError, TypeError, ValueError):  # too deep, or with secrets in it
        return True


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


# -- rows -----------------------------------------------------------------------------------------


@attrs.frozen
class Translation:
    """How rows of a source read in the target.

    ``email`` maps the e-mail address of an author, ``file`` the path of an uploaded file.
    """

    email: Callable[[str | None], str | None] = lambda email: email
    file: Callable[[str], str | None] = lambda file: None
    server: str = ""

    @classmethod
    def from_journal(cls, journal: Journal, server: str, target: str) -> Translation:
        """Return the translation that the journal of a copy from one server to another has."""
        users, files = journal.map("users"), journal.map("files")

        def file(path: str) -> str | None:
            new = files.get(path)
            return None if new is None else address_on(target, new)

        return cls(cache(lambda email: users.get(email or "", email)), file, server)

    def task(self, row: Row) -> Row:
        """Return a task as the target has it."""
        return {
            **row,
            "data": self.value(row["data"]),
            "meta": {} if (meta := row.get("meta")) is None else self.value(meta),
            **{kind: [self._object(one) for one in row.get(kind) or ()] for kind in TASK_KINDS},
        }

    def _object(self, row: Row) -> Row:
        """Return an annotation, a prediction or a draft as the target has it."""
        found = {**row, "result": self.value(row["result"])}
        if "completed_by" in row:
            found["completed_by"] = self.email(row["completed_by"])
        return found

    def value(self, value: Any) -> Any:
        """Return some JSON with the target's files."""
        return replace_files(value, self.file, self.server)


# -- users and tasks in views ---------------------------------------------------------------------

USER_COLUMNS: Final = frozenset({"annotators", "updated_by", "comment_authors"})
TASK_COLUMNS: Final = frozenset({"id"})
_MEANINGLESS: Final = frozenset({"inner_id", "annotations_ids", "file_upload", "storage_filename"})
"""The columns whose values belong to one server."""

EXACT: Final = frozenset(
    {"equal", "not_equal", "in_list", "not_in_list", "contains", "not_contains"}
)
"""The operators with which a filter of a view names users or tasks one by one."""


def translate_view(
    view: Row, user: Callable[[str], int | None], task: Callable[[int], int | None]
) -> tuple[Row, list[str]]:
    """Return a view with the target's users and tasks.

    With it comes a list of the columns of those filters that mean something else there.
    """
    emails = view.get("users") or {}
    lost: list[str] = []
    ids: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(
            USER_COLUMNS, lambda id: user(emails[str(id)]) if str(id) in emails else None
        ),
        **dict.fromkeys(TASK_COLUMNS, task),
    }

    def new_value(column: str, operator: str, value: Any) -> Any:
        if column in ids and operator != "empty":
            found = _each(value, ids[column]) if operator in EXACT else None
            if found is not None:
                return found
            lost.append(column)
        elif column in _MEANINGLESS:
            lost.append(column)
        return value

    data = _with_values(view.get("data") or {}, new_value)
    chosen = view.get("selected_items") or data.get("selectedItems")
    data.pop("selectedItems", None)
    if isinstance(chosen, Mapping):
        chosen = {
            name: [found for id in ids if (found := _each(id, task))]
            if isinstance(ids, list)
            else ids
            for name, ids in chosen.items()
        }
    return {**view, "data": data, "selected_items": chosen or None}, lost


def users_in(view: Row) -> set[int]:
    """Return the ids of the users that a view's filters name."""
    found: set[int] = set()

    def collect(column: str, operator: str, value: Any) -> None:
        if column in USER_COLUMNS:
            _each(value, lambda id: found.add(id) or id)  # type: ignore[func-returns-value]

    if isinstance(view.get("data"), Mapping):
        _with_values(view["data"], collect)
    return found


def _with_values(data: Mapping[str, Any], new: Callable[[str, str, Any], Any]) -> Row:
    """Return the data of a view whose filters have other values.

    ``new`` gets the column, the operator and the value of each. What another program has written in
    other forms is left alone.
    """

    def item(line: Any) -> Any:
        if not isinstance(line, Mapping):
            return line
        column = str(line.get("filter", "")).removeprefix("filter:tasks:")
        value = new(column, str(line.get("operator")), line.get("value"))
        child = line.get("child_filter")
        return {**line, "value": value, **({"child_filter": item(child)} if child else {})}

    filters = data.get("filters")
    if not isinstance(filters, Mapping) or not isinstance(items := filters.get("items"), list):
        return dict(data)
    return {**data, "filters": {**filters, "items": [item(line) for line in items]}}


def _each(value: Any, new: Callable[[Any], Any]) -> Any:
    """Replace an id, or a list of ids, in the same form; None where one of them is unknown."""
    if isinstance(value, list):
        found = [_each(one, new) for one in value]
        return None if None in found else found
    number = int(value) if re.fullmatch("[0-9]{1,18}", str(value)) else None
    replaced = None if number is None else new(number)
    if replaced is None:
        return None
    return str(replaced) if isinstance(value, str) else replaced
