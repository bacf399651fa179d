"""Exported tasks in formats other than JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from attrs import define

from .._state.store import Row
from .._wire.answers import crash, not_implemented
from . import formats, markup

_SEPARATORS = {"CSV": ",", "TSV": "\t"}
_ALWAYS = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def convert(items: list[Row], kind: str, project: Row) -> tuple[bytes, str]:
    """Return the content in a format, and the extension of its file; 500 for an unknown format."""
    formats.suitable_formats(project["label_config"])
    if kind in _SEPARATORS:
        return _table(items, project, _SEPARATORS[kind]).encode(), "csv"
    if kind in ("JSON", "JSON_MIN"):
        rows = items if kind == "JSON" else [_flat(found) for found in _annotated(items, project)]
        return json.dumps(rows, ensure_ascii=False).encode(), "json"
    if kind in formats.FORMATS:
        raise not_implemented(f"the export format {kind}")
    raise crash("")


@define
class _Annotated:
    """A task with one of its annotations (an empty one if it has none), and the values in it."""

    task: Row
    annotation: Row
    values: dict[str, list[Row]]


def _annotated(items: list[Row], project: Row) -> Iterator[_Annotated]:
    """Return a pair for each annotation that is not cancelled, the newest one of a task first."""
    controls = markup.controls(project["label_config"])
    for item in items:
        living = [one for one in item["annotations"] if not one["was_cancelled"]]
        if not item["annotations"]:
            yield _Annotated(item, {"completed_by": {}}, {})
        for annotation in sorted(living, key=lambda a: str(a["created_at"]), reverse=True):
            yield _Annotated(item, annotation, _values(annotation, controls))


def _values(annotation: Row, controls: dict[str, Any]) -> dict[str, list[Row]]:
    values: dict[str, list[Row]] = {}
    for region in annotation["result"] or []:
        name = region.get("from_name")
        control = controls.get(name)
        if not name or (controls and control is None):
            continue
        kind = control["type"] if control else region.get("type")
        value = {**(region.get("value") or {}), "type": kind}
        sizes = ("original_width", "original_height")
        value.update({key: region[key] for key in sizes if key in region})
        values.setdefault(name, []).append(value)
    return values


def _simplest(values: list[Row]) -> Any:
    shown: list[Any] = []
    kind = None
    for found in values:
        value = dict(found)
        kind = value.pop("type")
        content = value.get({"Choices": "choices", "TextArea": "text"}.get(kind, ""))
        shown.append(content[0] if content is not None and len(content) == 1 else value)
    return shown[0] if kind in ("Choices", "TextArea") and len(shown) == 1 else shown


def _about(found: _Annotated) -> Row:
    annotation = found.annotation
    author = annotation["completed_by"]
    about = {name: annotation.get(name) for name in ("created_at", "updated_at", "lead_time")}
    author = author.get("email") if isinstance(author, dict) else author
    return {"annotator": author, "annotation_id": annotation.get("id"), **about}


def _flat(found: _Annotated) -> Row:
    """Return the content of JSON_MIN."""
    values = {name: _simplest(value) for name, value in found.values.items()}
    return {**found.task["data"], "id": found.task["id"], **values, **_about(found)}


def _table(items: list[Row], project: Row, separator: str) -> str:
    """Return the content of a CSV, in which a data key with a control's name gets another name."""
    rows = list(_annotated(items, project))
    clashing = {k for row in rows for k in row.task["data"]} & {k for r in rows for k in r.values}
    records = []
    for row in rows:
        record: Row = {"id": row.task["id"]}
        for name, value in row.values.items():
            simplest = _simplest(value)
            record[name] = simplest if isinstance(simplest, str) else _compact(simplest)
        for name, value in row.task["data"].items():
            nested = isinstance(value, (dict, list))
            column = f"_data_{name}" if name in clashing else name
            record[column] = _compact(value) if nested else value
        about = _about(row)
        if isinstance(about["annotator"], int):
            about["annotator"] = str(about["annotator"])
        records.append({**record, **about})
    names = sorted({*_ALWAYS, *(name for record in records for name in record)})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, quoting=csv.QUOTE_NONNUMERIC, delimiter=separator)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _compact(value: Any) -> str:
    dumped = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return dumped.replace("/", "\\/")
