"""The Data Manager's query language, run on the store with the server's meaning on SQLite.

The traps are kept: an unknown operator means ``equal``, an empty selection means everything, only
the first ordering key counts, a child filter applies to the same annotation as its parent, and most
mistakes are a 500.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from attrs import evolve

from .._formats import markup
from .._state.store import Row, Store, dumps, id_list
from .._wire.answers import crash, invalid, not_implemented
from .._wire.requests import cast_bool
from .columns import (
    COMPUTED,
    COUNTERS,
    STORED,
    Column,
    computed_column,
    joins_for,
    key_path,
    key_sql,
)
from .conditions import Condition, combine, compare
from .selection import ALLOWED_RELATIONS, Filter, Range, Selection

_SUFFIX = {
    "less": "lt",
    "greater": "gt",
    "less_or_equal": "lte",
    "greater_or_equal": "gte",
    "contains": "like",
    "not_contains": "like",
    "regex": "regex",
}
_BAD_ALIAS = re.compile(r"['`\"\]\[;\s#\x00-\x1f\x7f-\x9f]|--|/\*|\*/")
# As a data key these would be read as an operation on the key before them.
_LOOKUP_NAMES = {
    *("exact", "iexact", "contains", "contained_by", "icontains", "gt", "gte", "lt", "lte", "in"),
    *("startswith", "istartswith", "endswith", "iendswith", "range", "isnull", "regex", "iregex"),
    *("has_key", "has_keys", "has_any_keys"),
}


class _NoResult(Exception):
    """The query has no result, whatever the rest of it is."""


class TaskQuery:
    """A selection of a project's tasks: their number, and the ids of a page of them."""

    def __init__(self, store: Store, project: Row, selection: Selection) -> None:
        self.store, self.project, self.selection = store, project, selection
        self._joins: list[str] = []
        self._aliases: dict[str, str] = {}
        self._first_joins: set[str] = set()
        self._numbers: set[str] = set()  # data keys that are compared as numbers
        self._where = [Condition("task.project_id = ?", [project["id"]])]
        self._having: list[Condition] = []
        self._has_tasks = (
            store.value("SELECT 1 FROM task WHERE project_id = ?", project["id"]) is not None
        )
        self.computed = [
            name
            for name in COMPUTED
            if name in used_columns(selection) and self._is_computable(name)
        ]
        self._columns = {name: computed_column(name, project) for name in self.computed}
        try:
            self._add_filters()
        except _NoResult:
            self._where.append(Condition("0"))
        except (ValueError, TypeError, OverflowError) as error:
            raise crash(str(error)) from None
        self._order = self._order_by()
        if selection.everything is False and selection.included:
            self._where.append(_select_ids("IN", selection.included))
        elif selection.everything is True and selection.excluded:
            self._where.append(_select_ids("NOT IN", selection.excluded))

    def _is_computable(self, name: str) -> bool:
        return (
            name != "predictions_score" or self._has_tasks
        )  # the server computes it only if there is a first task

    def totals(self) -> tuple[int, int, int]:
        """Return the number of tasks, annotations and predictions of the selection.

        The latter two are sums of the tasks' counters.
        """
        sql, parameters = self._select("task.total_annotations AS a, task.total_predictions AS p")
        row = self._run(
            "SELECT COUNT(*) AS n, COALESCE(SUM(a), 0) AS a, COALESCE(SUM(p), 0) AS p "
            f"FROM ({sql})",
            parameters,
        )[0]
        return row["n"], row["a"], row["p"]

    def ids(self, offset: int = 0, limit: int = -1) -> list[int]:
        """Return the ids of the selection in its order."""
        sql, parameters = self._select("task.id AS id")
        order = f" ORDER BY {self._order} LIMIT {limit} OFFSET {offset}"
        return [row["id"] for row in self._run(sql + order, parameters)]

    def _run(self, sql: str, parameters: list[Any]) -> list[Row]:
        try:
            return self.store.rows(sql, *parameters)
        except (sqlite3.Error, OverflowError) as error:
            raise crash(str(error)) from None

    def _select(self, what: str) -> tuple[str, list[Any]]:
        parts = [f"SELECT {what} FROM task{joins_for(self._columns.values())}", *self._joins]
        parts.append("WHERE " + " AND ".join(c.sql for c in self._where))
        if any(column.aggregate for column in self._columns.values()):
            group = dict.fromkeys(["task.id", *(name for c in self._having for name in c.columns)])
            parts.append("GROUP BY " + ", ".join(group))
            if self._having:
                parts.append("HAVING " + " AND ".join(c.sql for c in self._having))
        return " ".join(parts), [p for c in (*self._where, *self._having) for p in c.parameters]

    def _add_filters(self) -> None:
        lines = []
        for item in self.selection.filters:
            if self.selection.conjunction == "and":
                self._aliases = {}  # each filter joins the annotations itself
            leaves = [
                leaf for one in (item, item.child) if one for leaf in [self._leaf(one)] if leaf
            ]
            if not leaves:
                raise crash("reduce() of empty iterable with no initial value")
            if self.selection.conjunction == "and":
                lines += leaves
            else:
                lines.append(combine(leaves, "AND"))
        if self.selection.conjunction == "or" and lines:
            lines = [combine(lines, "OR")]
        for key in self._numbers:
            if any(other.startswith(key + "__") for other in self._numbers):
                raise crash("Unsupported lookup for FloatField or join on the field not permitted.")
        for line in lines:
            (self._having if line.aggregate else self._where).append(line)

    def _leaf(self, item: Filter) -> Condition | None:
        if not item.column.startswith("filter:tasks:"):
            return None
        name = item.column.removeprefix("filter:tasks:").removeprefix("-")
        special = self._SPECIAL.get(name)
        if special is not None:
            condition = special(self, name, item)
            if condition is not None:
                return condition
        if name == "annotations_ids":
            name, item = _annotation_ids(item)
        if name.startswith("data."):
            return self._data_leaf(name, item)
        return self._column_leaf(self._column(name), item)

    def _column(self, name: str) -> Column:
        if name in self._columns:
            return self._columns[name]
        if name in ("drafts", "locks", "comment_authors", *ALLOWED_RELATIONS[1:]):
            raise not_implemented(f"filters on {name}")
        if name not in STORED:
            raise crash(f"Cannot resolve keyword '{name}' into field.")
        return STORED[name]

    def _data_leaf(self, name: str, item: Filter) -> Condition:
        field_name = self._data_field(name)
        keys = field_name.removeprefix("data__").split("__")
        number = item.type == "Number"
        if keys[-1] in _LOOKUP_NAMES:
            raise not_implemented(f"filters on a data key named {keys[-1]}")
        if (number or self._has_tasks) and _BAD_ALIAS.search(field_name):
            raise crash("Column aliases cannot contain whitespace characters, quotation marks, ...")
        whole = field_name.replace("data__", "")
        lhs = key_sql(keys, is_old="numbers for booleans" in self.store.quirks)
        first = self._first_value(lhs)
        if isinstance(first, list) and "equal" in item.operator:
            raise invalid("Not supported filter type")
        column = Column(lhs, "key")
        if item.type in ("String", "Unknown") and item.operator == "empty":
            return self._empty_text(column, item, f"JSON_TYPE(task.data, {key_path(keys)})", first)
        if number:
            self._numbers.add(whole)
            column = Column(f"CAST({key_sql([whole])} AS real)", "float")
        elif item.operator == "empty":
            column = evolve(column, sql=f"JSON_TYPE(task.data, {key_path(keys)})")
        return self._column_leaf(column, item)

    def _data_field(self, name: str) -> str:
        """Return the server's name of ``data.x``.

        The only name in the config, or ``data`` without any, stands for data without a name of its
        own if every task has such data; on releases before 1.15 any other name does too.
        """
        names = list(markup.data_types(self.project["label_config"])) or ["data"]
        is_old = "undefined data" in self.store.quirks
        if len(names) == 1 and (is_old or names == [name.replace("data.", "")]):
            path = key_path([markup.UNDEFINED])
            row = self._run(
                f"SELECT COUNT(*) AS n, SUM(JSON_TYPE(data, {path}) IS NULL) AS other FROM task "
                "WHERE project_id = ?",
                [self.project["id"]],
            )[0]
            if row["n"] and not row["other"]:
                return f"data__{markup.UNDEFINED}"
        return name.replace("data.", "data__")

    def _first_value(self, lhs: str) -> Any:
        """Return the value in the first task found, to whose type the server adapts."""
        rows = self._run(
            f"SELECT {lhs} AS v FROM task{joins_for(self._columns.values())} "
            "WHERE task.project_id = ?"
            + (" GROUP BY task.id" if any(c.aggregate for c in self._columns.values()) else "")
            + " LIMIT 1",
            [self.project["id"]],
        )
        value = rows[0]["v"] if rows else ""
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    def _empty_text(self, column: Column, item: Filter, exists: str, first: Any) -> Condition:
        """Return the condition of ``empty`` for a text: null, missing, or "".

        The latter only counts when the first value is a text.
        """
        tests = [Condition(f"{column.sql} = 'null'"), Condition(f"{exists} IS NULL")]
        if isinstance(first, str):
            tests.append(compare(column, column.sql, "", ""))
        elif isinstance(first, list):
            tests = [compare(column, column.sql, "", [None])]
        if cast_bool(item.value):
            return combine(tests, "OR")
        return combine([Condition(f"NOT ({t.sql})", t.parameters) for t in tests], "AND")

    def _column_leaf(self, column: Column, item: Filter) -> Condition:
        operator, value = item.operator, item.value
        if operator == "empty":
            wanted = cast_bool(value)
            if column.sql.removeprefix("task.") in COUNTERS:
                return self._test(column, [("", 0)], negated=not wanted)
            tests: list[tuple[str, Any]] = [("isnull", None)]
            if item.type in ("String", "Unknown"):
                if column.kind == "json":
                    tests.append(("", None))
                elif column is COMPUTED["storage_filename"]:  # the one text that is never NULL
                    tests.append(("", ""))
            parts = [self._test(column, [test], negated=not wanted) for test in tests]
            return combine(parts, "OR" if wanted else "AND")
        if operator == "regex":
            try:
                re.compile(str(value))
            except re.error:
                raise _NoResult from None
        if operator in ("in_list", "not_in_list"):
            return self._test(column, [("in", value)], negated=operator == "not_in_list")
        value = _cast(item)
        if operator in ("in", "not_in"):
            if isinstance(
                value, datetime
            ):  # the server takes Python's datetime.min and datetime.max
                value = Range(datetime.min, datetime.max)
            if not isinstance(value, Range):
                raise crash(f"'{type(value).__name__}' object has no attribute 'min'")
            bounds = [("gte", value.min), ("lte", value.max)]
            return self._test(column, bounds, negated=operator == "not_in")
        return self._test(
            column, [(_SUFFIX.get(operator, ""), value)], negated=operator.startswith("not_")
        )

    def _test(
        self, column: Column, tests: list[tuple[str, Any]], *, negated: bool = False
    ) -> Condition:
        """Return the condition that all ``tests`` hold for a column, or its negation.

        A negation over a relation holds when it has no row for which they do.
        """
        if column.relation and negated:
            parts = []
            for lookup, value in tests:
                if lookup == "isnull":
                    parts.append(
                        Condition(
                            f"NOT EXISTS(SELECT 1 FROM {column.relation} u "
                            "WHERE u.task_id = task.id)"
                        )
                    )
                    continue
                inner = compare(column, f"u.{column.sql}", lookup, value)
                same = self._same(column.relation)
                sql = f"EXISTS(SELECT 1 FROM {column.relation} u WHERE {same} AND {inner.sql})"
                parts.append(Condition(sql, inner.parameters))
        else:
            lhs = f"{self._alias(column.relation)}.{column.sql}" if column.relation else column.sql
            guard = f" AND {lhs} IS NOT NULL" if negated and column.nullable else ""
            parts = [compare(column, lhs, lookup, value) for lookup, value in tests]
            for part, (lookup, _) in zip(parts, tests, strict=True):
                part.sql = f"{part.sql}{guard}" if lookup != "isnull" else part.sql
                part.aggregate = column.aggregate
                part.columns = [] if column.aggregate else re.findall(r"\b(?:task|f\d+)\.\w+", lhs)
        condition = combine(parts, "AND")
        return evolve(condition, sql=f"NOT {condition.sql}") if negated else condition

    def _same(self, relation: str) -> str:
        """Return what ties a negated condition to the task.

        By an accident of the server it is tied to one row of the relation instead, if this filter
        uses the first join of the table at all.
        """
        alias = self._aliases.get(relation)
        return f"u.id = {alias}.id" if alias in self._first_joins else "u.task_id = task.id"

    def _alias(self, relation: str) -> str:
        if relation not in self._aliases:
            alias = f"f{len(self._joins)}"
            if relation not in joins_for(self._columns.values()) + "".join(self._joins):
                self._first_joins.add(alias)
            self._joins.append(f"LEFT JOIN {relation} {alias} ON task.id = {alias}.task_id")
            self._aliases[relation] = alias
        return self._aliases[relation]

    def _order_by(self) -> str:
        if not self.selection.ordering:
            return "task.id"
        raw = self.selection.ordering[0]
        name = raw.removeprefix("-").removeprefix("filter:").removeprefix("tasks:")
        descending = raw.startswith("-") or name.startswith("-")
        if not raw.startswith("-"):
            name = name.removeprefix("-")
        if name.startswith("data."):
            sql = key_sql([self._data_field(name).replace("data__", "")])
            types = self.selection.data.get("columnsDisplayType", {})
            if types.get(raw.lstrip("-+")) == "Number":
                sql = f"CAST({sql} AS real)"
        elif name == "file_upload":
            sql = "task.file_upload_id"
        else:
            column = self._column(name)
            if column.relation:
                raise not_implemented(f"ordering by {name}")
            sql = column.sql
        # The server has no second key either: ties are in the order in which SQLite finds them.
        return f"{sql} {'DESC' if descending else 'ASC'} NULLS LAST"

    # Columns with a meaning of their own.

    def _user_leaf(self, name: str, item: Filter) -> Condition | None:
        column = STORED["annotations__completed_by" if name == "annotators" else name]
        if item.operator in ("contains", "not_contains"):
            value = int(item.value)
            return self._test(column, [("", value)], negated=item.operator == "not_contains")
        if item.operator == "empty":
            lhs = f"{self._alias(column.relation)}.{column.sql}" if column.relation else column.sql
            return Condition(
                f"{lhs} IS {'' if cast_bool(item.value) else 'NOT '}NULL", columns=[lhs]
            )
        return None

    def _results_leaf(self, name: str, item: Filter) -> Condition | None:
        table = "annotation" if name == "annotations_results" else "prediction"
        of_task = f"SELECT 1 FROM {table} u WHERE u.task_id = task.id"
        if item.operator in ("equal", "not_equal"):
            try:
                value = json.loads(item.value)
            except (TypeError, ValueError):
                raise _NoResult from None
            condition = Condition(f"EXISTS({of_task} AND u.result = ?)", [dumps(value)])
        elif item.operator in ("contains", "not_contains"):
            like = compare(Column("", "text"), "CAST(u.result AS text)", "like", item.value)
            condition = Condition(f"EXISTS({of_task} AND {like.sql})", like.parameters)
        elif item.operator == "empty":
            # A bug of the server: it checks the annotations for predictions_results too.
            lhs = f"{self._alias('annotation')}.result"
            if cast_bool(item.value):
                return Condition(f"({lhs} IS NULL OR {lhs} = '[]')", columns=[lhs])
            same = self._same("annotation")
            some = f"EXISTS(SELECT 1 FROM annotation u WHERE {same} AND u.result = '[]')"
            return Condition(f"({lhs} IS NOT NULL AND NOT {some})", columns=[lhs])
        else:
            return None
        if item.operator.startswith("not_"):
            condition.sql = f"NOT {condition.sql}"
        return condition

    def _versions_leaf(self, name: str, item: Filter) -> Condition | None:
        column = Column("model_version", "text", relation="prediction")
        if item.operator == "empty":
            lhs = f"{self._alias('prediction')}.model_version"
            return Condition(
                f"{lhs} IS {'' if cast_bool(item.value) else 'NOT '}NULL", columns=[lhs]
            )
        if item.operator not in ("contains", "not_contains"):
            return None
        if isinstance(item.value, Range):
            raise not_implemented(f"{item.operator} with a {{min, max}} value on {name}")
        negated = item.operator == "not_contains"
        parts = [self._test(column, [("like", value)], negated=negated) for value in item.value]
        return combine(parts, "AND" if negated else "OR") if parts else Condition("1")

    _SPECIAL: ClassVar[Mapping[str, Callable[[TaskQuery, str, Filter], Condition | None]]] = {
        "annotators": _user_leaf,
        "updated_by": _user_leaf,
        "annotations_results": _results_leaf,
        "predictions_results": _results_leaf,
        "predictions_model_versions": _versions_leaf,
    }


def _annotation_ids(item: Filter) -> tuple[str, Filter]:
    value, operator = item.value, item.operator
    if "contains" in operator:
        try:
            value = [int(part) for part in re.split(",|;| ", value) if part and part.isdigit()]
        except TypeError:
            raise crash("expected string or bytes-like object") from None
        operator = "in_list" if operator == "contains" else "not_in_list"
    elif "equal" in operator:
        if not isinstance(value, str):
            raise crash(f"'{type(value).__name__}' object has no attribute 'isdigit'")
        value = value if value.isdigit() else 0
    return "annotations__id", evolve(item, value=value, operator=operator)


def _cast(item: Filter) -> Any:
    """Return a filter's value cast to the filter's ``type``; the column's type does not matter."""

    def one(value: Any) -> Any:
        if item.type == "Number":
            return float(value)
        if item.type == "Datetime":
            return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")
        return value

    if isinstance(item.value, Range):
        return Range(one(item.value.min), one(item.value.max))
    return cast_bool(item.value) if item.type == "Boolean" else one(item.value)


def _select_ids(word: str, ids: list[int]) -> Condition:
    if any(abs(pk) >= 2**63 for pk in ids):
        raise crash("Python int too large to convert to SQLite INTEGER")
    return Condition(f"task.id {word} {id_list(ids)}")


def used_columns(selection: Selection) -> set[str]:
    """Return the columns that the server computes for a query, which are none of child filters."""
    names = {item.column.replace("filter:tasks:", "") for item in selection.filters}
    if selection.ordering:
        names.add(selection.ordering[0].replace("tasks:", "").replace("-", ""))
    return names


def shown_columns(selection: Selection, store: Store, project: Row) -> set[str]:
    """Return the computed columns that a list shows.

    They are those used, and, if the view has ``hiddenColumns``, all that are not hidden in both of
    its lists.
    """
    names = used_columns(selection)
    hidden = selection.data.get("hiddenColumns")
    if hidden:
        try:
            both = set(hidden["explore"]) & set(hidden["labeling"])
        except (KeyError, TypeError) as error:
            raise crash(str(error)) from None
        names |= {name for name in COMPUTED if f"tasks:{name}" not in both}
    return names


def data_keys(store: Store, project: Row) -> dict[str, str]:
    """Return the display type of each data key, those of the config first."""
    keys = {
        key: tag
        for key, tag in markup.data_types(project["label_config"]).items()
        if "[" not in key
    }
    found = store.rows(
        "SELECT j.key AS key FROM task, JSON_EACH(task.data) j WHERE task.project_id = ? "
        "GROUP BY j.key ORDER BY MIN(task.id * 1000000 + j.id)",
        project["id"],
    )
    more = {row["key"] for row in found} - keys.keys() - ({markup.UNDEFINED} if keys else set())
    return {**keys, **{row["key"]: "Unknown" for row in found if row["key"] in more}}
