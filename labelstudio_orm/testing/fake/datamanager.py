"""The Data Manager's query language, as SQL with the server's meaning on SQLite.

A query is `{"filters": {"conjunction", "items"}, "ordering": [...], "selectedItems": {...}}`. The
traps
are kept: an unknown operator means `equal`, an empty selection means everything, only the first
ordering
key counts, a child filter sees the same annotation as its parent, and most mistakes are a 500.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from urllib.parse import unquote

from attrs import define, evolve, field

from . import markup
from .fields import parse_moment
from .routing import Request, cast_bool, crash, invalid, not_found, not_implemented, to_integer
from .store import Row, Store, dumps, id_list, loads, stored_time

_SUFFIX = {
    "less": "lt",
    "greater": "gt",
    "less_or_equal": "lte",
    "greater_or_equal": "gte",
    "contains": "like",
    "not_contains": "like",
    "regex": "regex",
}
_COMPARE = {"lt": "<", "gt": ">", "lte": "<=", "gte": ">="}
_COUNTERS = ("total_annotations", "cancelled_annotations", "total_predictions")
_BAD_ALIAS = re.compile(r"['`\"\]\[;\s#\x00-\x1f\x7f-\x9f]|--|/\*|\*/")
# As a data key these would be read as an operation on the key before them.
_LOOKUP_NAMES = {
    *("exact", "iexact", "contains", "contained_by", "icontains", "gt", "gte", "lt", "lte", "in"),
    *("startswith", "istartswith", "endswith", "iendswith", "range", "isnull", "regex", "iregex"),
    *("has_key", "has_keys", "has_any_keys"),
}
_ALLOWED_RELATIONS = ("annotations__completed_by", "updated_by__active_organization")


@define(frozen=True)
class Range:
    """The value of `in` and `not_in`."""

    min: Any
    max: Any

    def __str__(self) -> str:
        return f"min={self.min!r} max={self.max!r}"


@define(frozen=True)
class Filter:
    """One line of a filter list."""

    column: str
    operator: str
    type: str
    value: Any
    child: Filter | None = None


@define
class Selection:
    """Which tasks a request is about."""

    conjunction: str = "and"
    filters: list[Filter] = field(factory=list)
    ordering: list[str] = field(factory=list)
    everything: bool | None = None
    included: list[int] = field(factory=list)
    excluded: list[int] = field(factory=list)
    data: dict[str, Any] = field(factory=dict)


class _Nothing(Exception):
    """The query can have no result, whatever the rest of it says."""


# --- reading a query ------------------------------------------------------------------------------


def read_selection(request: Request, project: Row) -> Selection:
    """The selection of a request: a saved view wins over `query`, which wins over the body."""
    body = request.body if request.body is not None else {}
    if not isinstance(body, dict):
        raise crash(f"'{type(body).__name__}' object has no attribute 'get'")
    view_id = request.query.integer("view", 0) or to_integer(body.get("view"), "view", 0)
    if view_id > 0:
        view = request.fake.store.get("view", view_id)
        if view is None:
            raise not_found("View")
        if view["project_id"] != project["id"]:
            raise crash("Project and View mismatch")
        return view_selection(view)
    query = request.query.get("query")
    if query is not None:
        try:
            body = json.loads(unquote(query))
        except ValueError as error:
            raise crash(str(error)) from None
        if not isinstance(body, dict):
            raise crash(f"'{type(body).__name__}' object has no attribute 'get'")
    return parse_selection(body)


def view_selection(view: Row) -> Selection:
    """The selection of a saved view."""
    return parse_selection(
        {
            "filters": loads(view["filters"]),
            "ordering": loads(view["ordering"]) or [],
            "selectedItems": loads(view["selected_items"]) or {"all": True},
        },
        hidden=loads(view["data"]),
    )


def parse_selection(data: dict[str, Any], hidden: Any = None) -> Selection:
    """Checks a query as the server does: a wrong shape is a 500, a `__` in a column a 400."""
    selected = data.get("selectedItems", {"all": True, "excluded": []})
    if isinstance(selected, str):
        try:
            selected = json.loads(selected)
        except ValueError:
            raise crash("selectedItems must be JSON encoded string for dict") from None
    if not isinstance(selected, dict):
        raise crash(f"selectedItems must be dict. Found type: {type(selected)}")
    ordering = data.get("ordering", [])
    if not isinstance(ordering, list) or not all(isinstance(key, str) for key in ordering):
        raise _shape("ordering")
    for key in ordering:
        _check_relations(key)
    filters = data.get("filters")
    selection = Selection(
        ordering=ordering,
        everything=_lax_bool(selected.get("all")),
        included=_lax_ints(selected.get("included", [])),
        excluded=_lax_ints(selected.get("excluded", [])),
        data=data if hidden is None else hidden,
    )
    if filters is not None:
        if not isinstance(filters, dict) or not isinstance(filters.get("items"), list):
            raise _shape("filters.items")
        if filters.get("conjunction") not in ("and", "or"):
            raise _shape("filters.conjunction")
        selection.conjunction = filters["conjunction"]
        selection.filters = [_parse_filter(item) for item in filters["items"]]
    return selection


def _shape(where: str) -> Exception:
    return crash(f"1 validation error for PrepareParams\n{where}")


def _lax_bool(value: Any) -> bool:
    text = value.lower() if isinstance(value, str) else value
    if isinstance(text, (str, int, float)):
        if text in (True, "true", "t", "yes", "y", "on", "1"):
            return True
        if text in (False, "false", "f", "no", "n", "off", "0"):
            return False
    raise _shape("selectedItems.all")


def _lax_ints(values: Any) -> list[int]:
    if not isinstance(values, list):
        raise _shape("selectedItems")
    try:
        numbers = [int(value) for value in values]
    except (TypeError, ValueError):
        raise _shape("selectedItems") from None
    if any(isinstance(v, float) and v != n for v, n in zip(values, numbers, strict=True)):
        raise _shape("selectedItems")
    return numbers


def _check_relations(column: str) -> None:
    name = column.removeprefix("-").removeprefix("filter:").removeprefix("tasks:").removeprefix("-")
    if not name.startswith("data.") and name not in _ALLOWED_RELATIONS and "__" in name:
        raise invalid(relations_refused(name))


def relations_refused(name: str) -> str:
    """Why a column with a `__` is refused."""
    return (
        '"__" is not generally allowed in filters. Consider asking your administrator to add '
        f'"{name}" to DATA_MANAGER_FILTER_ALLOWLIST, but note that some filter expressions '
        "may pose a security risk"
    )


def _parse_filter(item: Any) -> Filter:
    if not isinstance(item, dict):
        raise _shape("filters.items")
    for key in ("filter", "operator", "type"):
        if not isinstance(item.get(key), str):
            raise _shape(f"filters.items.{key}")
    child = item.get("child_filter")
    parsed_child = None if child is None else _parse_filter(child)
    if item["filter"].startswith("filter:tasks:"):
        _check_relations(item["filter"])
    value = item.get("value")
    if isinstance(value, dict):
        ends = value.get("min"), value.get("max")
        if not all(
            isinstance(end, (int, float, str)) and not isinstance(end, bool) for end in ends
        ):
            raise _shape("filters.items.value")
        value = Range(*ends)
    if value is None:
        raise _shape("filters.items.value")
    return Filter(item["filter"], item["operator"], item["type"], value, parsed_child)


# --- columns --------------------------------------------------------------------------------------


@define(frozen=True)
class Column:
    """Where a column's value comes from. `kind` says how values are compared with it."""

    sql: str
    kind: str
    nullable: bool = False  # a stored column that can be NULL: its negations include NULL
    relation: str = ""  # annotation or prediction: one value per row of it
    aggregate: bool = False
    foreign: bool = False


_STORED = {
    **{
        name: Column(f"task.{name}", "int")
        for name in ("id", "overlap", "comment_count", *_COUNTERS)
    },
    "unresolved_comment_count": Column("task.unresolved_comment_count", "int"),
    "pk": Column("task.id", "int"),
    "inner_id": Column("task.inner_id", "int", nullable=True),
    "is_labeled": Column("task.is_labeled", "bool"),
    "allow_skip": Column("task.allow_skip", "bool", nullable=True),
    "created_at": Column("task.created_at", "time"),
    "updated_at": Column("task.updated_at", "time"),
    "last_comment_updated_at": Column("task.last_comment_updated_at", "time", nullable=True),
    "precomputed_agreement": Column("task.precomputed_agreement", "float", nullable=True),
    "data": Column("task.data", "json"),
    "meta": Column("task.meta", "json", nullable=True),
    "project": Column("task.project_id", "int", nullable=True, foreign=True),
    "updated_by": Column("task.updated_by_id", "int", nullable=True, foreign=True),
    "file_upload_id": Column("task.file_upload_id", "int", nullable=True, foreign=True),
    "annotations__id": Column("id", "int", relation="annotation"),
    "annotations": Column("id", "int", relation="annotation", foreign=True),
    "predictions": Column("id", "int", relation="prediction", foreign=True),
    "annotations__completed_by": Column(
        "completed_by_id", "int", relation="annotation", foreign=True
    ),
}
_NEWEST = (
    "(SELECT u.created_at FROM annotation u WHERE u.task_id = task.id ORDER BY u.id DESC LIMIT 1)"
)
# In the order in which the server joins their tables.
COMPUTED = {
    "avg_lead_time": Column("AVG(annotation.lead_time)", "float", aggregate=True),
    "completed_at": Column(f"CASE WHEN task.is_labeled THEN {_NEWEST} ELSE NULL END", "time"),
    "annotations_results": Column(
        "COALESCE(GROUP_CONCAT(annotation.result), '')", "text", aggregate=True
    ),
    "predictions_results": Column(
        "COALESCE(GROUP_CONCAT(prediction.result), '')", "text", aggregate=True
    ),
    "predictions_model_versions": Column(
        "GROUP_CONCAT(prediction.model_version)", "text", aggregate=True
    ),
    "predictions_score": Column("AVG(prediction.score)", "float", aggregate=True),
    "annotators": Column(
        "COALESCE(GROUP_CONCAT(annotation.completed_by_id), '')", "text", aggregate=True
    ),
    "annotations_ids": Column("GROUP_CONCAT(annotation.id)", "text", aggregate=True),
    "file_upload": Column(
        "(SELECT f.file FROM file_upload f WHERE f.id = task.file_upload_id)", "text"
    ),
    "draft_exists": Column(
        "EXISTS(SELECT 1 FROM draft u WHERE u.task_id = task.id LIMIT 1)", "bool"
    ),
    "storage_filename": Column(
        "(SELECT "
        + " || ';' || ".join(
            "COALESCE((SELECT l.key FROM storage_link l JOIN storage s ON s.id = l.storage_id "
            f"WHERE l.task_id = task.id AND s.kind = '{kind}'), '')"
            for kind in ("s3", "gcs", "azure", "localfiles", "redis")
        )
        + ")",
        "text",
    ),
}


def computed_column(name: str, project: Row) -> Column:
    """A computed column; the score is the mean over the project's current model version only."""
    column = COMPUTED[name]
    if name == "predictions_score" and project["model_version"] is not None:
        version = project["model_version"].replace("'", "''")
        return evolve(
            column, sql=f"{column.sql} FILTER (WHERE prediction.model_version = '{version}')"
        )
    return column


def joins_for(columns: Iterable[Column]) -> str:
    """The tables that aggregate columns need, joined once each."""
    tables = dict.fromkeys(
        table
        for column in columns
        if column.aggregate
        for table in re.findall(r"\((\w+)\.", column.sql)
    )
    return "".join(f" LEFT JOIN {table} ON task.id = {table}.task_id" for table in tables)


# --- conditions -----------------------------------------------------------------------------------


@define
class Condition:
    """A piece of SQL. An aggregate one belongs into HAVING, where its `columns` must be grouped
    by."""

    sql: str
    parameters: list[Any] = field(factory=list)
    aggregate: bool = False
    columns: list[str] = field(factory=list)


def _combine(conditions: list[Condition], word: str) -> Condition:
    return Condition(
        "(" + f" {word} ".join(c.sql for c in conditions) + ")",
        [p for c in conditions for p in c.parameters],
        any(c.aggregate for c in conditions),
        [name for c in conditions for name in c.columns],
    )


def _json_operand(value: Any) -> tuple[str, str]:
    text = dumps(value)
    return ("?" if text in ("null", "true", "false") else "JSON_EXTRACT(?, '$')"), text


def _prepare(kind: str, value: Any) -> Any:
    """A value of a filter as a column of that kind stores it; ValueError or TypeError become a
    500."""
    if isinstance(value, Range):
        raise TypeError(f"a range is no value of a {kind} column")
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "text":
        return str(value)
    if kind == "json":
        return dumps(value)
    if kind == "bool":
        if not isinstance(value, (list, dict)):
            if value in (True, "t", "True", "1"):
                return 1
            if value in (False, "f", "False", "0"):
                return 0
        raise ValueError(f"“{value}” value must be either True or False.")
    if kind == "time":
        if isinstance(value, datetime):
            return stored_time(value)
        if not isinstance(value, str):
            raise TypeError("fromisoformat: argument must be str")
        parsed = parse_moment(value)
        if parsed is None and re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", value):
            parsed = datetime.combine(date(*map(int, value.split("-"))), datetime.min.time())
        if parsed is None:
            raise ValueError(f"“{value}” value has an invalid format.")
        return stored_time(parsed)
    return value


def _compare(column: Column, lhs: str, lookup: str, value: Any) -> Condition:
    """One comparison of the expression `lhs` with a value. `lookup` "" is equality."""
    if lookup == "isnull":
        return Condition(f"{lhs} IS NULL")
    if lookup in ("like", "regex"):
        if column.foreign:
            raise crash("Unsupported lookup for ForeignKey or join on the field not permitted.")
        if lookup == "regex":
            return Condition(f"{lhs} REGEXP ?", [str(value) if isinstance(value, Range) else value])
        text = str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return Condition(f"{lhs} LIKE ? ESCAPE '\\'", [f"%{text}%"])
    if lookup == "in":
        return _compare_in(column, lhs, value)
    if column.kind == "key":
        if lookup:
            if isinstance(value, (list, dict, Range)):
                raise crash(
                    f"Error binding parameter: type '{type(value).__name__}' is not supported"
                )
            return Condition(f"{lhs} {_COMPARE[lookup]} ?", [value])
        operand, text = _json_operand(value)
        return Condition(f"{lhs} = {operand}", [text])
    if (
        column.kind == "int"
        and isinstance(value, float)
        and lookup in ("gte", "lt")
        and not column.foreign
    ):
        value = math.ceil(value)
    value = _prepare(column.kind, value)
    if column.kind == "int" and abs(value) >= 2**63:
        above = lookup in (("lt", "lte") if value > 0 else ("gt", "gte"))
        return Condition("1" if above else "0")
    if column.kind == "bool" and not lookup:
        return Condition(lhs if value else f"NOT {lhs}")
    return Condition(f"{lhs} {_COMPARE.get(lookup, '=')} ?", [value])


def _compare_in(column: Column, lhs: str, values: Any) -> Condition:
    if isinstance(values, Range):
        raise not_implemented("in_list with a {min, max} value")
    if column.kind != "key":
        values = [None if value is None else _prepare(column.kind, value) for value in values]
    try:
        values = list(dict.fromkeys(values))
    except TypeError:
        values = list(values)
    values = [value for value in values if value is not None]
    if not values:
        return Condition("0")
    if column.kind == "key":
        operands = [_json_operand(value) for value in values]
        return Condition(
            f"{lhs} IN ({', '.join(o for o, _ in operands)})", [t for _, t in operands]
        )
    if column.kind == "int":
        if any(abs(value) >= 2**63 for value in values):
            raise crash("Python int too large to convert to SQLite INTEGER")
        return Condition(f"{lhs} IN {id_list(values)}")
    return Condition(f"{lhs} IN ({', '.join('?' * len(values))})", values)


# --- the query ------------------------------------------------------------------------------------


class TaskQuery:
    """One selection of one project's tasks: how many there are, and the ids of a page of them."""

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
        except _Nothing:
            self._where.append(Condition("0"))
        except (ValueError, TypeError, OverflowError) as error:
            raise crash(str(error)) from None
        self._order = self._order_by()
        if selection.everything is False and selection.included:
            self._where.append(_select_ids("IN", selection.included))
        elif selection.everything is True and selection.excluded:
            self._where.append(_select_ids("NOT IN", selection.excluded))

    def _is_computable(self, name: str) -> bool:
        return name != "predictions_score" or self._has_tasks  # the server looks at the first task

    def totals(self) -> tuple[int, int, int]:
        """(tasks, annotations, predictions) of the selection; the latter are sums of the tasks'
        counters."""
        sql, parameters = self._select("task.total_annotations AS a, task.total_predictions AS p")
        row = self._run(
            "SELECT COUNT(*) AS n, COALESCE(SUM(a), 0) AS a, COALESCE(SUM(p), 0) AS p "
            f"FROM ({sql})",
            parameters,
        )[0]
        return row["n"], row["a"], row["p"]

    def ids(self, offset: int = 0, limit: int = -1) -> list[int]:
        """The ids of the selection in its order."""
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
                self._aliases = {}  # every line looks at annotations of its own
            leaves = [
                leaf for one in (item, item.child) if one for leaf in [self._leaf(one)] if leaf
            ]
            if not leaves:
                raise crash("reduce() of empty iterable with no initial value")
            if self.selection.conjunction == "and":
                lines += leaves
            else:
                lines.append(_combine(leaves, "AND"))
        if self.selection.conjunction == "or" and lines:
            lines = [_combine(lines, "OR")]
        for key in self._numbers:
            if any(other.startswith(key + "__") for other in self._numbers):
                raise crash("Unsupported lookup for FloatField or join on the field not permitted.")
        for line in lines:
            (self._having if line.aggregate else self._where).append(line)

    def _leaf(self, item: Filter) -> Condition | None:
        if not item.column.startswith("filter:tasks:"):
            return None
        name = item.column.removeprefix("filter:tasks:").removeprefix("-")
        special = _SPECIAL.get(name)
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
        if name in ("drafts", "locks", "comment_authors", *_ALLOWED_RELATIONS[1:]):
            raise not_implemented(f"filters on {name}")
        if name not in _STORED:
            raise crash(f"Cannot resolve keyword '{name}' into field.")
        return _STORED[name]

    def _data_leaf(self, name: str, item: Filter) -> Condition:
        field_name = self._data_field(name)
        keys = field_name.removeprefix("data__").split("__")
        number = item.type == "Number"
        if keys[-1] in _LOOKUP_NAMES:
            raise not_implemented(f"filters on a data key named {keys[-1]}")
        if (number or self._has_tasks) and _BAD_ALIAS.search(field_name):
            raise crash("Column aliases cannot contain whitespace characters, quotation marks, ...")
        whole = field_name.replace("data__", "")
        lhs = key_sql(keys)
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
        """The server's name for `data.x`. What has no name of its own yet is meant by the only name
        in the configuration, or by `data` when there is none; if it is in every task."""
        names = list(markup.data_types(self.project["label_config"])) or ["data"]
        if names == [name.replace("data.", "")]:
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
        """The server adapts to the type of the value in the first task it finds."""
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
        """`empty` of a text: null, missing, or "" (the latter only when the first value is a
        text)."""
        tests = [Condition(f"{column.sql} = 'null'"), Condition(f"{exists} IS NULL")]
        if isinstance(first, str):
            tests.append(_compare(column, column.sql, "", ""))
        elif isinstance(first, list):
            tests = [_compare(column, column.sql, "", [None])]
        if cast_bool(item.value):
            return _combine(tests, "OR")
        return _combine([Condition(f"NOT ({t.sql})", t.parameters) for t in tests], "AND")

    def _column_leaf(self, column: Column, item: Filter) -> Condition:
        operator, value = item.operator, item.value
        if operator == "empty":
            wanted = cast_bool(value)
            if column.sql.removeprefix("task.") in _COUNTERS:
                return self._test(column, [("", 0)], negated=not wanted)
            tests: list[tuple[str, Any]] = [("isnull", None)]
            if item.type in ("String", "Unknown"):
                if column.kind == "json":
                    tests.append(("", None))
                elif column is COMPUTED["storage_filename"]:  # the one text that is never NULL
                    tests.append(("", ""))
            parts = [self._test(column, [test], negated=not wanted) for test in tests]
            return _combine(parts, "OR" if wanted else "AND")
        if operator == "regex":
            try:
                re.compile(str(value))
            except re.error:
                raise _Nothing from None
        if operator in ("in_list", "not_in_list"):
            return self._test(column, [("in", value)], negated=operator == "not_in_list")
        value = _cast(item)
        if operator in ("in", "not_in"):
            if isinstance(value, datetime):  # Python's own datetime.min and datetime.max are taken
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
        """All of `tests` on one column, or not. A negation over a relation is: no row of it at
        all."""
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
                inner = _compare(column, f"u.{column.sql}", lookup, value)
                same = self._same(column.relation)
                sql = f"EXISTS(SELECT 1 FROM {column.relation} u WHERE {same} AND {inner.sql})"
                parts.append(Condition(sql, inner.parameters))
        else:
            lhs = f"{self._alias(column.relation)}.{column.sql}" if column.relation else column.sql
            guard = f" AND {lhs} IS NOT NULL" if negated and column.nullable else ""
            parts = [_compare(column, lhs, lookup, value) for lookup, value in tests]
            for part, (lookup, _) in zip(parts, tests, strict=True):
                part.sql = f"{part.sql}{guard}" if lookup != "isnull" else part.sql
                part.aggregate = column.aggregate
                part.columns = [] if column.aggregate else re.findall(r"\b(?:task|f\d+)\.\w+", lhs)
        condition = _combine(parts, "AND")
        return evolve(condition, sql=f"NOT {condition.sql}") if negated else condition

    def _same(self, relation: str) -> str:
        """What ties a negated condition to the task, or, by an accident of the server, to one row
        of it:
        when this filter looks at the first join of the table at all."""
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
        # The server names no second key either: ties come as SQLite happens to find them.
        return f"{sql} {'DESC' if descending else 'ASC'} NULLS LAST"

    # columns with a meaning of their own
    # ---------------------------------------------------------------

    def _user_leaf(self, name: str, item: Filter) -> Condition | None:
        column = _STORED["annotations__completed_by" if name == "annotators" else name]
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
                raise _Nothing from None
            condition = Condition(f"EXISTS({of_task} AND u.result = ?)", [dumps(value)])
        elif item.operator in ("contains", "not_contains"):
            like = _compare(Column("", "text"), "CAST(u.result AS text)", "like", item.value)
            condition = Condition(f"EXISTS({of_task} AND {like.sql})", like.parameters)
        elif item.operator == "empty":
            # A bug of the server: for predictions_results too it is the annotations that are
            # looked at.
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
        return _combine(parts, "AND" if negated else "OR") if parts else Condition("1")


_SPECIAL = {
    "annotators": TaskQuery._user_leaf,
    "updated_by": TaskQuery._user_leaf,
    "annotations_results": TaskQuery._results_leaf,
    "predictions_results": TaskQuery._results_leaf,
    "predictions_model_versions": TaskQuery._versions_leaf,
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
    """The value after the cast that `type` asks for; the type of the column does not matter."""

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


def key_path(keys: list[str]) -> str:
    """An SQL literal of the JSON path; a key of digits is an index of a list."""
    path = "$" + "".join(
        f"[{int(key)}]" if re.fullmatch(r"\s*[+-]?\d+\s*", key) else "." + dumps(key)
        for key in keys
    )
    return "'" + path.replace("'", "''") + "'"


def key_sql(keys: list[str]) -> str:
    """The value of a data key: JSON true, false and null are their names, as texts."""
    path = key_path(keys)
    kind = f"JSON_TYPE(task.data, {path})"
    value = f"JSON_EXTRACT(task.data, {path})"
    return f"(CASE WHEN {kind} IN ('null', 'true', 'false') THEN {kind} ELSE {value} END)"


def used_columns(selection: Selection) -> set[str]:
    """The columns that the server computes for a query. Those of child filters are forgotten."""
    names = {item.column.replace("filter:tasks:", "") for item in selection.filters}
    if selection.ordering:
        names.add(selection.ordering[0].replace("tasks:", "").replace("-", ""))
    return names


def shown_columns(selection: Selection, store: Store, project: Row) -> set[str]:
    """The computed columns that a list shows: those used, and with `hiddenColumns` all not hidden
    twice."""
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
    """Each data key with its display type: those of the configuration first."""
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
