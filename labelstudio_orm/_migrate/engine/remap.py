"""Maps what rows refer to from one server to another: users, uploaded files, tasks in views."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from .uploads import address_on, replace_files

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .journal import Journal

USER_COLUMNS: Final = frozenset({"annotators", "updated_by", "comment_authors"})
TASK_COLUMNS: Final = frozenset({"id"})
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
            "annotations": [
                {
                    **one,
                    "completed_by": self.email(one["completed_by"]),
                    "result": self.value(one["result"]),
                }
                for one in row.get("annotations") or ()
            ],
            "predictions": [
                {**one, "result": self.value(one["result"])} for one in row.get("predictions") or ()
            ],
            "drafts": [
                {**one, "result": self.value(one["result"])} for one in row.get("drafts") or ()
            ],
        }

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

    def user_of(id: Any) -> Any:
        return user(emails[str(id)]) if str(id) in emails else None

    def item(line: Any) -> Any:
        if not isinstance(line, Mapping):  # of another program, which this library leaves alone
            return line
        column = str(line.get("filter", "")).removeprefix("filter:tasks:")
        new: Callable[[Any], Any] | None = None
        if column in USER_COLUMNS:
            new = user_of
        elif column in TASK_COLUMNS:
            new = task
        value = line.get("value")
        if new is not None and line.get("operator") != "empty":
            known = _each(value, new) if str(line.get("operator")) in EXACT else None
            if known is None:
                lost.append(column)
            else:
                value = known
        elif column in ("inner_id", "annotations_ids", "file_upload", "storage_filename"):
            lost.append(column)
        child = line.get("child_filter")
        return {**line, "value": value, **({"child_filter": item(child)} if child else {})}

    data = dict(view.get("data") or {})
    filters = data.get("filters")
    if isinstance(filters, Mapping) and (lines := _lines(filters)):
        data["filters"] = {**filters, "items": [item(line) for line in lines]}
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

    def collect(line: Any) -> None:
        if not isinstance(line, Mapping):
            return
        column = str(line.get("filter", "")).removeprefix("filter:tasks:")
        if column in USER_COLUMNS:
            _each(line.get("value"), lambda id: found.add(id) or id)  # type: ignore[func-returns-value]
        if line.get("child_filter"):
            collect(line["child_filter"])

    data = view.get("data")
    for line in _lines(data.get("filters") if isinstance(data, Mapping) else None):
        collect(line)
    return found


def _lines(filters: Any) -> list[Any]:
    """Return the conditions of a view; none if another program wrote something else."""
    items = filters.get("items") if isinstance(filters, Mapping) else None
    return items if isinstance(items, list) else []


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
