"""The synchronisation of a storage."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from .._effects import events, export_storages
from .._formats import markup
from .._state import jobs
from .._state.blobs import PLACES, local_path
from .._state.store import Row, dumps, loads
from .._wire.answers import Failure, crash
from .._wire.requests import Request
from .predictions import add_prediction, prediction_columns
from .tasks import add_annotation, annotation_columns

_JSON = (".json", ".jsonl", ".parquet")
# The server's message for any error of an S3 server that is not Amazon's.
HIDDEN = (
    "Debugging info is not available for s3 endpoints on domain: . Please contact your Label "
    "Studio devops team if you require detailed error reporting for this domain."
)


class _Failed(Exception):
    """The storage cannot be read; the text is the end of the server's traceback."""


def queued(request: Request, row: Row) -> Row:
    """Return a storage after its synchronisation is queued."""
    fields = loads(row["fields"])
    if not isinstance(fields["meta"], dict):
        raise crash("'NoneType' object has no attribute 'get'")
    attempts = fields["meta"].get("attempts", 0) + 1
    fields.update(dict.fromkeys(("last_sync", "last_sync_count", "last_sync_job")))
    fields["meta"] = {"attempts": attempts, "time_queued": _now()}
    return _changed(request, row, "queued", fields)


def advanced(request: Request, row: Row) -> Row:
    """Return a storage after its job has advanced, which every request for it causes."""
    if not request.fake.async_jobs:
        return row
    if jobs.advance(request.fake.store, "storage", row):
        return run(request, row)
    found = request.fake.store.get("storage", row["id"])
    assert found is not None
    return found


def run(request: Request, row: Row) -> Row:
    """Synchronise a storage whose job is queued."""
    fields = loads(row["fields"])
    started, meta = datetime.now(timezone.utc), fields["meta"]
    meta["time_in_progress"] = meta["time_last_ping"] = str(started)
    try:
        count, counts = (_export if row["export"] else _import)(request, row)
    except _Failed as error:
        text = str(error)
        if fields.get("s3_endpoint"):
            text = f"io_storages.s3.utils.S3StorageError: {HIDDEN}"
        fields["traceback"] = f"Traceback (most recent call last):\n  ...\n{text}\n"
        meta.update(time_failure=_now(), duration=0.0)
        return _changed(request, row, "failed", fields)
    now = datetime.now(timezone.utc)
    meta.update(time_completed=str(now), duration=(now - started).total_seconds(), **counts)
    fields.update(last_sync=request.fake.store.now(), last_sync_count=count)
    return _changed(request, row, "completed", fields)


def _changed(request: Request, row: Row, status: str, fields: Row) -> Row:
    changes = {"status": status, "fields": dumps(fields)}
    request.fake.store.update("storage", row["id"], changes)
    return {**row, **changes}


def _now() -> str:
    return str(datetime.now(timezone.utc))


def _export(request: Request, row: Row) -> tuple[int, Row]:
    sql = "SELECT * FROM annotation WHERE project_id = ? ORDER BY id"
    annotations = request.fake.store.rows(sql, row["project_id"])
    for annotation in annotations:
        export_storages.write_to(request, row, annotation)
    return len(annotations), {"total_annotations": len(annotations)}


# --- imports --------------------------------------------------------------------------------------


def _import(request: Request, row: Row) -> tuple[int, Row]:
    store, place, fields = request.fake.store, PLACES[row["kind"]], loads(row["fields"])
    try:
        keys = place.keys(request.fake.blobs, fields)
    except re.error as error:
        raise _Failed(f"re.error: {error}") from None
    made: list[int] = []
    existed = 0
    try:
        for key in keys:
            shown = place.shown_key(fields, key)
            sql = 'SELECT COUNT(*) FROM storage_link WHERE storage_id = ? AND "key" = ?'
            known = store.value(sql, row["id"], shown)
            existed += known
            if known:
                continue
            for data in _tasks(request, row["kind"], fields, key):
                with store.attempt():
                    made.append(_add_task(request, row, shown, data))
    finally:  # what was read before a failure stays
        if made:
            events.emit(request, "TASKS_CREATED", row["project_id"], made)
    return len(made), {"tasks_existed": existed}


def _tasks(request: Request, kind: str, fields: Row, key: str) -> Iterator[Any]:
    """Return the tasks in an object."""
    place = PLACES[kind]
    shown = place.shown_key(fields, key)
    if not fields["use_blob_urls"]:
        extension = posixpath.splitext(key.lower())[1]
        if extension and extension not in _JSON:
            raise _Failed(
                f'io_storages.exceptions.UnsupportedFileFormatError: File "{shown}" is not a '
                "JSON/JSONL/Parquet file. Only .json, .jsonl, and .parquet files can be processed."
                "\nIf you're trying to import non-JSON data (images, audio, text, etc.), edit "
                'storage settings and enable "Tasks" import method'
            )
    elif kind != "redis":
        yield {markup.UNDEFINED: _blob_url(request, kind, fields, key)}
        return
    content = request.fake.blobs[place.address(fields, key)]
    if content or kind != "redis":
        yield from _parsed(content, shown)


def _blob_url(request: Request, kind: str, fields: Row, key: str) -> str:
    if kind != "localfiles":
        return PLACES[kind].address(fields, key)
    root = local_path(request.fake.local_files_root)
    path = posixpath.relpath(PLACES[kind].shown_key(fields, key), root)
    return f"/data/local-files/?d={quote(path)}"


def _parsed(content: bytes, shown: str) -> Iterator[Any]:
    wrong = _Failed(
        f"ValueError: Can't import JSON-formatted tasks from {shown}. If you're trying to import "
        'binary objects, perhaps you forgot to enable "Tasks" import method?'
    )
    try:
        text = content.decode().strip()
        if text.startswith("{"):
            try:
                yield json.loads(text)
            except ValueError:
                for line in text.splitlines():
                    if line.strip():
                        yield json.loads(line)
        elif text.startswith("["):
            yield from _items(text)
        else:
            raise wrong
    except ValueError:
        raise wrong from None


def _items(text: str) -> Iterator[Any]:
    """Yield the items of a list, as far as it can be read."""
    decoder, position = json.JSONDecoder(), 1
    while True:
        position = len(text) - len(text[position:].lstrip())
        if text[position : position + 1] == "]":
            break
        item, position = decoder.raw_decode(text, position)
        yield item
        position = len(text) - len(text[position:].lstrip())
        if text[position : position + 1] == ",":
            position += 1
        elif text[position : position + 1] != "]":
            raise ValueError("no more items")


def _add_task(request: Request, storage: Row, key: str, data: Any) -> int:
    store = request.fake.store
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise _Failed(f"AttributeError: '{kind}' object has no attribute 'get'")
    inside = {name: data.get(name) or [] for name in ("predictions", "annotations")}
    for name, items in inside.items():
        if items and "data" not in data:
            raise _Failed(
                f'ValueError: If you use "{name}" field in the task, you must put "data" field in '
                "the task too"
            )
    project = store.get("project", storage["project_id"])
    assert project is not None
    last = store.one(
        "SELECT inner_id FROM task WHERE project_id = ? ORDER BY inner_id DESC", project["id"]
    )
    annotations, overlap = inside["annotations"], project["maximum_annotations"]
    cancelled = sum(bool(one.get("was_cancelled")) for one in annotations)
    now = store.now()
    pk = store.insert(
        "task",
        {
            "data": dumps(data["data"] if isinstance(data.get("data"), dict) else data),
            "meta": "{}",
            "project_id": project["id"],
            "overlap": overlap,
            "is_labeled": len(annotations) >= overlap,
            "inner_id": (last["inner_id"] or 0) + 1 if last else 1,
            "allow_skip": data.get("allow_skip", True),
            "total_annotations": len(annotations) - cancelled,
            "cancelled_annotations": cancelled,
            "total_predictions": len(inside["predictions"]),
            "comment_count": 0,
            "unresolved_comment_count": 0,
            "created_at": now,
            "updated_at": now,
        },
    )
    store.insert("storage_link", {"storage_id": storage["id"], "task_id": pk, "key": key})
    task = store.get("task", pk)
    assert task is not None
    _add_predictions(request, task, inside["predictions"])
    _add_annotations(request, task, annotations)
    return pk


def _add_predictions(request: Request, task: Row, items: list[Any]) -> None:
    try:
        bodies = [{**item, "task": task["id"], "project": task["project_id"]} for item in items]
        columns = [prediction_columns(request.fake.store, body) for body in bodies]
    except Failure:
        return  # if one of them is wrong, none is stored
    for one in columns:
        add_prediction(request, one)


def _add_annotations(request: Request, task: Row, items: list[Any]) -> None:
    try:
        columns = [annotation_columns(request.fake.store, item) for item in items]
    except Failure:
        return  # if one of them is wrong, none is stored
    for one in columns:
        add_annotation(request, task, one)
