"""The synchronous export of a project."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import Any

from . import markup, shapes
from .routing import Answer, Failure, Request, crash, not_implemented, page_not_found, route
from .store import Row, id_list
from .tasks import find_project


def _project(request: Request, pk: int) -> Row:
    try:
        return find_project(request, pk)
    except Failure:
        raise page_not_found() from None


@route("GET", "/api/projects/{id}/export")
def export(request: Request, id: int) -> Any:
    project, query, store = _project(request, id), request.query, request.fake.store
    kind = query.get("exportType") or query.get("export_type") or "JSON"
    where, parameters = "project_id = ?", [id]
    ids = query.all("ids[]")
    if ids:
        try:
            where += f" AND id IN {id_list(int(pk) for pk in ids)}"
        except ValueError as error:
            raise crash(str(error)) from None
    if not query.flag("download_all_tasks", False):
        where += " AND EXISTS(SELECT 1 FROM annotation a WHERE a.task_id = task.id)"
    tasks = store.rows(f"SELECT * FROM task WHERE {where} ORDER BY id", *parameters)
    related: dict[str, dict[int, list[Row]]] = {"annotation": {}, "prediction": {}}
    for table, found in related.items():
        pks = id_list(task["id"] for task in tasks)
        for row in store.rows(f"SELECT * FROM {table} WHERE task_id IN {pks} ORDER BY id"):
            found.setdefault(row["task_id"], []).append(row)
    items = [
        shapes.task_exported(
            store,
            task,
            related["annotation"].get(task["id"], []),
            related["prediction"].get(task["id"], []),
        )
        for task in tasks
    ]
    if kind == "JSON":
        content: Any = items
    elif kind == "JSON_MIN":
        content = [row for item in items for row in _flat(item, project)]
    elif kind in _FORMATS:
        raise not_implemented(f"the export format {kind}")
    else:
        raise crash("")
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%d-%H-%M")
    name = f"project-{id}-at-{stamp}-{uuid.uuid4().hex[:8]}.json"
    headers = {
        "Content-Type": "application/.json",
        "Content-Disposition": f'attachment; filename="{name}"',
        "filename": name,
    }
    return Answer(json.dumps(content, ensure_ascii=False).encode(), headers=headers)


# Name and title of each format. Only the first four are enabled for whole-task controls.
_FORMATS = {
    "JSON": "JSON",
    "JSON_MIN": "JSON-MIN",
    "CSV": "CSV",
    "TSV": "TSV",
    "CONLL2003": "CONLL2003",
    "COCO": "COCO",
    "COCO_WITH_IMAGES": "COCO with Images",
    "VOC": "Pascal VOC XML",
    "YOLO": "YOLO",
    "YOLO_WITH_IMAGES": "YOLO with Images",
    "YOLO_OBB": "YOLOv8 OBB",
    "YOLO_OBB_WITH_IMAGES": "YOLOv8 OBB with Images",
    "BRUSH_TO_NUMPY": "Brush labels to NumPy",
    "BRUSH_TO_PNG": "Brush labels to PNG",
    "ASR_MANIFEST": "ASR Manifest",
    "BRUSH_TO_COCO": "Brush labels to COCO",
    "DOCLANG": "DocLang (.dclx)",
}


def _flat(item: Row, project: Row) -> list[Row]:
    """JSON_MIN: one flat row per annotation that is not cancelled, the newest first."""
    rows = []
    controls = markup.controls(project["label_config"])
    living = [annotation for annotation in item["annotations"] if not annotation["was_cancelled"]]
    if not item["annotations"]:
        raise not_implemented("JSON_MIN of tasks without annotations")
    for annotation in sorted(living, key=lambda a: str(a["created_at"]), reverse=True):
        values: dict[str, list[Row]] = {}
        for region in annotation["result"] or []:
            name = region.get("from_name")
            control = controls.get(name)
            if not name or (controls and control is None):
                continue
            value = {
                **(region.get("value") or {}),
                "type": control["type"] if control else region.get("type"),
            }
            value.update(
                {key: region[key] for key in ("original_width", "original_height") if key in region}
            )
            values.setdefault(name, []).append(value)
        rows.append(
            {
                **item["data"],
                "id": item["id"],
                **{name: _simplest(found) for name, found in values.items()},
                "annotator": annotation["completed_by"],
                "annotation_id": annotation["id"],
                **{key: annotation[key] for key in ("created_at", "updated_at", "lead_time")},
            }
        )
    return rows


def _simplest(values: list[Row]) -> Any:
    shown: list[Any] = []
    kind = None
    for value in values:
        kind = value.pop("type")
        content = value.get({"Choices": "choices", "TextArea": "text"}.get(kind, ""))
        shown.append(content[0] if content is not None and len(content) == 1 else value)
    return shown[0] if kind in ("Choices", "TextArea") and len(shown) == 1 else shown


@route("GET", "/api/projects/{id}/export/formats")
def list_formats(request: Request, id: int) -> Any:
    """The formats; their descriptions and links are the fake's own."""
    project = _project(request, id)
    if not markup.suits_bulk_annotation(project["label_config"]):
        raise not_implemented("the export formats of a project with regions")
    return [
        {
            "name": name,
            "title": title,
            "description": title,
            "link": "https://labelstud.io/guide/export.html",
            **({} if name in ("JSON", "JSON_MIN", "CSV", "TSV") else {"disabled": True}),
        }
        for name, title in _FORMATS.items()
    ]
