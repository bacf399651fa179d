"""Rows as answers show them.

A list, a single object and the answer to a write differ, as on the server.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Collection
from datetime import datetime, timezone
from typing import Any

from .._formats import markup
from .._query.columns import COMPUTED, computed_column, joins_for
from .._state.blobs import PLACES
from .._state.store import Row, Store, id_list, iso, loads
from .._wire.requests import Request

_UNITS = [
    ("year", 31_536_000),
    ("month", 2_592_000),
    ("week", 604_800),
    ("day", 86_400),
    ("hour", 3600),
]


def created_ago(stored: str) -> str:
    """Return the age of a stored time: ``0 minutes``, with the server's non-breaking space."""
    then = datetime.fromisoformat(stored).replace(tzinfo=timezone.utc)
    seconds = int((datetime.now(timezone.utc) - then).total_seconds())
    words = []
    for unit, length in [*_UNITS, ("minute", 60)]:
        count, seconds = divmod(seconds, length)
        if count:
            words.append(f"{count}\xa0{unit}{'s' if count > 1 else ''}")
        elif words:
            break
    return ", ".join(words[:2]) or "0\xa0minutes"


NAMES = ("first_name", "last_name", "username", "email")


def removed_names(store: Store, user: Row) -> Row:
    """Return the names that replace those of a user removed from the organization, else nothing."""
    if store.value("SELECT deleted_at FROM member WHERE user_id = ?", user["id"]) is None:
        return {}
    return {**dict.fromkeys(NAMES, "Deleted"), "last_name": "User"}


def user_short(store: Store, user: Row) -> Row:
    """Return a user as other objects contain them."""
    shown = {name: user[name] for name in ("id", "first_name", "last_name", "email")}
    return {**shown, "avatar": None, **removed_names(store, user)}


def initials(store: Store, user: Row) -> str:
    """Return the letters in the user's badge."""
    user = {**user, **removed_names(store, user)}
    return (user["first_name"][:1] + user["last_name"][:1]) or (user["email"] or "")[:2]


def annotation(store: Store, row: Row, *, expand: bool = False, export: bool = False) -> Row:
    """Return an annotation; ``expand`` shows its user as an object and not as an id."""
    author = store.get("user", row["completed_by_id"])
    item: Row = {"id": row["id"]}
    if not export:
        item["result"] = loads(row["result"])
        item["created_username"] = _username(author)
        item["created_ago"] = created_ago(row["created_at"])
        item["completed_by"] = row["completed_by_id"]
        if expand and author:
            badge = {"initials": initials(store, author)}
            item["completed_by"] = {**user_short(store, author), **badge}
    else:
        item["completed_by"] = row["completed_by_id"]
        item["result"] = loads(row["result"])
        item["prediction"] = loads(row["prediction"])
        item["result_count"] = row["result_count"]
        item["unique_id"] = str(uuid.UUID(row["unique_id"])) if row["unique_id"] else None
    for name in ("was_cancelled", "ground_truth"):
        item[name] = bool(row[name])
    for name in ("created_at", "updated_at", "draft_created_at"):
        item[name] = iso(row[name])
    for name in ("lead_time", "import_id", "last_action"):
        item[name] = row[name]
    item["bulk_created"] = None if row["bulk_created"] is None else bool(row["bulk_created"])
    item["task"], item["project"] = row["task_id"], row["project_id"]
    for name in ("updated_by", "parent_prediction", "parent_annotation", "last_created_by"):
        item[name] = row[name + "_id"]
    return item


def _username(user: Row | None) -> str:
    if user is None:
        return ""
    name = user["first_name"] + (" " + user["last_name"] if user["last_name"] else "")
    return f"{name} {user['email']}, {user['id']}"


def prediction(row: Row) -> Row:
    """Return a prediction."""
    return {
        **{
            name: row[name]
            for name in ("id", "score", "cluster", "mislabeling", "model", "model_run")
        },
        "result": loads(row["result"]),
        "neighbors": loads(row["neighbors"]),
        "model_version": row["model_version"],
        "created_ago": created_ago(row["created_at"]),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "task": row["task_id"],
        "project": row["project_id"],
    }


def _task(store: Store, row: Row) -> Row:
    return {
        **{name: row[name] for name in ("id", "overlap", "inner_id", "total_annotations")},
        **{
            name: row[name]
            for name in ("cancelled_annotations", "total_predictions", "comment_count")
        },
        "unresolved_comment_count": row["unresolved_comment_count"],
        "data": _data(store, row),
        "meta": loads(row["meta"]),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "last_comment_updated_at": iso(row["last_comment_updated_at"]),
        "is_labeled": bool(row["is_labeled"]),
        "project": row["project_id"],
        "comment_authors": [],
    }


def _data(store: Store, row: Row) -> Any:
    data = loads(row["data"])
    if markup.UNDEFINED not in row["data"]:
        return data
    sql = "SELECT label_config FROM project WHERE id = ?"
    return markup.name_undefined(data, store.value(sql, row["project_id"]))


def task_after_write(store: Store, row: Row, *, embed: bool) -> Row:
    """Return a task as POST and PATCH answer it; ``updated_by`` is an id here."""
    item = {
        **_task(store, row),
        "updated_by": row["updated_by_id"],
        "file_upload": row["file_upload_id"],
    }
    if embed:
        item["annotations"] = [
            annotation(store, a) for a in _of_tasks(store, "annotation", [row["id"]])
        ]
        item["predictions"] = [prediction(p) for p in _of_tasks(store, "prediction", [row["id"]])]
    return item


def task_full(store: Store, row: Row) -> Row:
    """Return a task as webhooks and export storages receive it."""
    return {
        **task_after_write(store, row, embed=False),
        "allow_skip": None if row["allow_skip"] is None else bool(row["allow_skip"]),
        "precomputed_agreement": row["precomputed_agreement"],
    }


def draft(store: Store, row: Row) -> Row:
    """Return a draft."""
    user = store.get("user", row["user_id"])
    return {
        **{name: row[name] for name in ("id", "lead_time", "import_id")},
        "user": user["email"] if user else "",
        "created_username": _username(user).lstrip(),
        "created_ago": created_ago(row["created_at"]),
        "result": loads(row["result"]),
        "was_postponed": bool(row["was_postponed"]),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "task": row["task_id"],
        "annotation": row["annotation_id"],
    }


def task_exported(
    store: Store,
    row: Row,
    annotations: list[Row],
    predictions: list[Row],
    drafts: list[Row],
    *,
    expand: Collection[str] = (),
) -> Row:
    """Return a task of an export, with an id for everything that is not in ``expand``."""
    item = {**_task(store, row), "updated_by": row["updated_by_id"]}
    del item["is_labeled"], item["overlap"]
    item["allow_skip"] = None if row["allow_skip"] is None else bool(row["allow_skip"])
    item["annotations"] = [annotation(store, a, export=True) for a in annotations]
    item["predictions"] = [p["id"] for p in predictions]
    item["drafts"] = [d["id"] for d in drafts]
    if "predictions" in expand:
        item["predictions"] = [prediction(p) for p in predictions]
    if "drafts" in expand:
        item["drafts"] = [draft(store, d) for d in drafts]
    if "completed_by" in expand:
        for one in item["annotations"]:
            user = store.get("user", one["completed_by"])
            names = ("id", "email", "first_name", "last_name")
            one["completed_by"] = user and {name: user[name] for name in names}
    if row["file_upload_id"] is not None:
        path = store.value("SELECT file FROM file_upload WHERE id = ?", row["file_upload_id"])
        item["file_upload"] = path.rpartition("/")[2]
    return item


def task_list(
    request: Request,
    project: Row,
    ids: list[int],
    columns: Collection[str],
    *,
    embed: bool,
    single: bool,
) -> list[Row]:
    """Return tasks as lists show them, in the order of ``ids``.

    Args:
        request: The request.
        project: The row of the project.
        ids: The ids of the tasks.
        columns: The computed columns to show; others are absent or, some of them, empty.
        embed: Whether annotations and predictions are shown.
        single: Whether it is the answer to GET of one task: authors are objects, and the columns
            with texts of results are absent.
    """
    store = request.fake.store
    wanted = {name: computed_column(name, project) for name in COMPUTED if name in columns}
    extra = "".join(f', {column.sql} AS "c_{name}"' for name, column in wanted.items())
    rows = {
        row["id"]: row
        for row in store.rows(
            f"SELECT task.*{extra} FROM task{joins_for(wanted.values())} "
            f"WHERE task.id IN {id_list(ids)} GROUP BY task.id"
        )
    }
    annotations: dict[int, list[Row]] = {}
    predictions: dict[int, list[Row]] = {}
    drafts: dict[int, list[Row]] = {}
    if embed:
        for row in _of_tasks(store, "draft", ids):
            if row["user_id"] == request.user["id"]:
                drafts.setdefault(row["task_id"], []).append(draft(store, row))
        for row in _of_tasks(store, "annotation", ids):
            annotations.setdefault(row["task_id"], []).append(annotation(store, row, expand=single))
        for row in _of_tasks(store, "prediction", ids):
            predictions.setdefault(row["task_id"], []).append(prediction(row))
    sql = f'SELECT task_id, "key" FROM storage_link WHERE task_id IN {id_list(ids)}'
    links = {row["task_id"]: row["key"] for row in store.rows(sql)}
    resolving = _buckets(store, project) if request.query.flag("resolve_uri", True) else ()
    shown = []
    for pk in ids:
        row = rows[pk]
        item = {
            **_task(store, row),
            "drafts": drafts.get(pk, []),
            "file_upload": None,
            "storage_filename": None,
        }
        item["storage_filename"] = links.get(pk)
        if resolving:
            item["data"] = _resolved(item["data"], pk, resolving)
        item["updated_by"] = [{"user_id": row["updated_by_id"]}] if row["updated_by_id"] else []
        texts = {name: row.get("c_" + name) for name in COMPUTED}
        users = [int(part) for part in (texts["annotators"] or "").split(",") if part]
        item["annotators"] = list(set(users))
        for name in ("annotations_results", "predictions_results"):
            item[name] = _pretty(texts[name])
        for name in ("annotations_ids", "predictions_model_versions"):
            text = texts[name]
            item[name] = _pretty(
                None if text is None else ",".join(dict.fromkeys(str(text).split(",")))
            )
        item["file_upload"] = texts["file_upload"] and texts["file_upload"].rpartition("/")[2]
        for name in ("predictions_score", "avg_lead_time"):
            if name in wanted:
                item[name] = texts[name]
        if "completed_at" in wanted:
            item["completed_at"] = iso(texts["completed_at"])
        if "draft_exists" in wanted:
            item["draft_exists"] = bool(texts["draft_exists"])
        if embed:
            item["annotations"] = annotations.get(pk, [])
            item["predictions"] = predictions.get(pk, [])
        shown.append(request.flex(item, () if single else ("annotations",)))
    return shown


def _buckets(store: Store, project: Row) -> tuple[str, ...]:
    """Return the addresses of the buckets that a project imports from."""
    sql = "SELECT kind, fields FROM storage WHERE project_id = ? AND NOT export"
    rows = store.rows(sql, project["id"])
    clouds = [row for row in rows if row["kind"] in ("s3", "gcs", "azure")]
    return tuple(PLACES[row["kind"]].root(loads(row["fields"])) for row in clouds)


def _resolved(value: Any, task_id: int, buckets: tuple[str, ...]) -> Any:
    """Return task data with addresses in these buckets replaced by those of the server's proxy."""
    if isinstance(value, dict):
        return {key: _resolved(inner, task_id, buckets) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, task_id, buckets) for inner in value]
    if not isinstance(value, str) or not value.startswith(buckets):
        return value
    coded = base64.urlsafe_b64encode(value.encode()).decode()
    return f"/tasks/{task_id}/resolve/?fileuri={coded}"


def _pretty(text: Any) -> str:
    if text is None:
        return ""
    return str(text)[:500].replace(',"', ', "').replace("],[", "] [").replace('"', "")


def _of_tasks(store: Store, table: str, ids: list[int]) -> list[Row]:
    return store.rows(f"SELECT * FROM {table} WHERE task_id IN {id_list(ids)} ORDER BY id")


def result_count(result: Any) -> int:
    """Return the number of different region ids; a missing id is one of them."""
    return len({region.get("id") for region in result or []})
