"""Maps what rows refer to from one server to another: users, uploaded files, tasks in views."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from .fingerprints import TASK_KINDS
from .uploads import address_on, replace_files

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .journal import Journal

USER_COLUMNS: Final = frozenset({"annotators", "updated_by", "comment_authors"})
TASK_COLUMNS: Final = frozenset({"id"})
_MEANINGLESS: Final = frozenset({"inner_id", "annotations_ids", "file_upload", "storage_filename"})
"""The columns whose values belong to one server."""

EXACT: Final = frozenset(
    {"equal", "not_equal", "in_list", "not_in_list", "contains", "not_contains"}
)
"""The operators with which a filter of a view names users or tasks one by one."""


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

        return cls(lambda email: users.get(email or "", email), file, server)

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
