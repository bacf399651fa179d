"""The columns of the Data Manager, as SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import define, evolve

from .._state.store import Row, dumps

COUNTERS = ("total_annotations", "cancelled_annotations", "total_predictions")


@define(frozen=True)
class Column:
    """The SQL of a column's value; ``kind`` says how values are compared with it."""

    sql: str
    kind: str
    nullable: bool = False  # a stored column that can be NULL: its negations include NULL
    relation: str = ""  # annotation or prediction: one value per row of it
    aggregate: bool = False
    foreign: bool = False


STORED = {
    **{
        name: Column(f"task.{name}", "int")
        for name in ("id", "overlap", "comment_count", *COUNTERS)
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
    """Return a computed column; the score is the mean of the project's current version only."""
    column = COMPUTED[name]
    if name == "predictions_score" and project["model_version"] is not None:
        version = project["model_version"].replace("'", "''")
        return evolve(
            column, sql=f"{column.sql} FILTER (WHERE prediction.model_version = '{version}')"
        )
    return column


def joins_for(columns: Iterable[Column]) -> str:
    """Return the joins that aggregate columns need, one for each table."""
    tables = dict.fromkeys(
        table
        for column in columns
        if column.aggregate
        for table in re.findall(r"\((\w+)\.", column.sql)
    )
    return "".join(f" LEFT JOIN {table} ON task.id = {table}.task_id" for table in tables)


def key_path(keys: list[str]) -> str:
    """Return an SQL literal of a JSON path, in which a key of digits is an index of a list."""
    path = "$" + "".join(
        f"[{int(key)}]" if re.fullmatch(r"\s*[+-]?\d+\s*", key) else "." + dumps(key)
        for key in keys
    )
    return "'" + path.replace("'", "''") + "'"


def key_sql(keys: list[str], *, is_old: bool = False) -> str:
    """Return the SQL of a data key's value; JSON true, false and null are their names, as texts.

    ``is_old``: as releases before 1.14 have it, to which true is 1 and false is 0.
    """
    path = key_path(keys)
    if is_old:
        return f"JSON_EXTRACT(task.data, {path})"
    kind = f"JSON_TYPE(task.data, {path})"
    value = f"JSON_EXTRACT(task.data, {path})"
    return f"(CASE WHEN {kind} IN ('null', 'true', 'false') THEN {kind} ELSE {value} END)"
