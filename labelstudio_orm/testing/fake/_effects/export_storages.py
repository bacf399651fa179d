"""Export storages: each annotation of a project is written to its storages when it is saved."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .._rows import serializers
from .._state.blobs import PLACES, Unreachable
from .._state.store import Row, Store, id_list, loads
from .._wire.answers import not_implemented
from .._wire.requests import Request

_DELETING = ("s3", "localfiles")  # the others leave the objects of deleted annotations


def _storages(store: Store, project_id: int) -> list[Row]:
    sql = "SELECT * FROM storage WHERE project_id = ? AND export ORDER BY id"
    return store.rows(sql, project_id)


def write_to(request: Request, storage: Row, annotation: Row) -> None:
    """Write an annotation to a storage."""
    fields, place = loads(storage["fields"]), PLACES[storage["kind"]]
    key = f"{place.target(fields)}{annotation['id']}"
    content = json.dumps(_content(request.fake.store, annotation))
    request.fake.blobs[place.address(fields, key)] = content.encode()
    link = {"storage_id": storage["id"], "annotation_id": annotation["id"]}
    request.fake.store.execute(
        "INSERT OR IGNORE INTO export_link (storage_id, annotation_id) VALUES (?, ?)",
        *link.values(),
    )


def write_annotation(request: Request, annotation_id: int) -> None:
    """Write an annotation that was saved to the storages of its project."""
    store = request.fake.store
    annotation = store.get("annotation", annotation_id)
    assert annotation is not None
    for storage in _storages(store, annotation["project_id"]):
        try:
            PLACES[storage["kind"]].check(request.fake, loads(storage["fields"]), True)
        except Unreachable as error:
            raise not_implemented(f"saving annotations while an export fails: {error}") from None
        write_to(request, storage, annotation)


def delete_annotations(request: Request, annotation_ids: Iterable[int]) -> None:
    """Delete the objects of annotations that are about to be deleted."""
    store = request.fake.store
    ids = id_list(annotation_ids)
    for row in store.rows(
        f"SELECT storage.*, annotation_id FROM export_link JOIN storage ON storage.id = storage_id "
        f"WHERE annotation_id IN {ids}"
    ):
        fields, place = loads(row["fields"]), PLACES[row["kind"]]
        if fields.get("can_delete_objects") and row["kind"] in _DELETING:
            key = f"{place.target(fields)}{row['annotation_id']}"
            request.fake.blobs.pop(place.address(fields, key), None)


def _content(store: Store, annotation: Row) -> Row:
    task = store.get("task", annotation["task_id"])
    author = store.get("user", annotation["completed_by_id"])
    assert task is not None
    names = ("id", "first_name", "last_name", "email")
    return {
        **serializers.annotation(store, annotation),
        "completed_by": author and {name: author[name] for name in names},
        "task": serializers.task_full(store, task),
    }
