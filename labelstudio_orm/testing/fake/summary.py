"""What a project remembers about its annotations: it decides which configurations it still accepts.

Imported annotations are not counted by the server, but do count when they are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from . import markup
from .routing import invalid
from .store import Row, Store, dumps, loads


def _key(region: dict[str, Any]) -> str | None:
    kind = region.get("type")
    if kind in ("relation", "pairwise", None) or not {"from_name", "to_name"} <= region.keys():
        return None
    target = region["to_name"]
    target = ",".join(target) if isinstance(target, list) else target
    return f"{region['from_name']}|{target}|{kind.lower()}"


def _labels(region: dict[str, Any]) -> list[str]:
    kind = "labels" if region.get("type") == "videorectangle" else region.get("type")
    values = region["value"].get(kind)
    if not isinstance(values, list) or kind == "text":
        return []
    flat: list[str] = []
    for value in values:
        nested = kind == "taxonomy" and isinstance(value, list)
        flat += [str(inner) for inner in value] if nested else [str(value)]
    return flat


def count(store: Store, project_id: int, results: Iterable[Any], step: int) -> None:
    """Adds (`step` 1) or removes (-1) the regions of annotations."""
    project = store.get("project", project_id)
    if project is None:
        return
    annotations, labels = loads(project["created_annotations"]), loads(project["created_labels"])
    for result in results:
        for region in result if isinstance(result, list) else []:
            key = _key(region)
            if step > 0:
                if key:
                    annotations[key] = annotations.get(key, 0) + 1
                    known = labels.setdefault(region["from_name"], {})
                    for label in _labels(region):
                        known[label] = known.get(label, 0) + 1
                continue
            if key is not None and key in annotations:
                _decrease(annotations, key)
            name = region.get("from_name")
            if name in labels:
                for label in _labels(region):
                    if label in labels[name]:
                        _decrease(labels[name], label)
                if not labels[name]:
                    del labels[name]
    store.update(
        "project",
        project_id,
        {"created_annotations": dumps(annotations), "created_labels": dumps(labels)},
    )


def _decrease(counter: dict[str, int], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def forget(store: Store, project_id: int, annotations: list[Row]) -> None:
    """Annotations are about to be deleted; with the last of a project everything is forgotten."""
    if store.value("SELECT COUNT(*) FROM annotation WHERE project_id = ?", project_id) == len(
        annotations
    ):
        reset(store, project_id)
    else:
        count(store, project_id, [loads(row["result"]) for row in annotations], -1)


def reset(store: Store, project_id: int) -> None:
    """Forgets everything."""
    store.update("project", project_id, {"created_annotations": "{}", "created_labels": "{}"})


def check_config(store: Store, project: Row, config: str, *, strict: bool = False) -> None:
    """Refuses (400) a configuration that lacks a control that existing annotations use.

    `strict` also refuses one that lacks a label they use. `strict` is what the validation endpoint
    does.
    """
    markup.check(config)
    pk = project["id"]
    if not store.value("SELECT COUNT(*) FROM task WHERE project_id = ?", pk):
        return reset(store, pk)
    if not markup.data_types(config):
        return None
    if not store.value("SELECT COUNT(*) FROM annotation WHERE project_id = ?", pk):
        return reset(store, pk)
    controls = markup.controls(config)
    if not controls:
        return None
    created = loads(project["created_annotations"])
    tuples = {
        f"{name}|{','.join(c['to_name'])}|{c['type'].lower()}" for name, c in controls.items()
    }
    types = {c["type"].lower() for c in controls.values()}
    lines = []
    for key, number in created.items():
        name, target, kind = key.split("|")
        known = any(re.fullmatch(control, name) for control in controls)
        reachable = any(target in c["to_name"] for c in controls.values())
        if key not in tuples and kind != "textarea" and not (known and reachable and kind in types):
            lines.append(f"{number} with from_name={name}, to_name={target}, type={kind}")
    where = "non_field_errors" if strict else "label_config"
    if lines:
        raise invalid(
            {
                where: [
                    "Created annotations are incompatible with provided labeling schema, "
                    "we found:\n" + "\n".join(lines)
                ]
            }
        )
    for name, labels in loads(project["created_labels"]).items():
        if labels and name not in controls:
            text = (
                f"There are {sum(labels.values())} annotation(s) created with tag "
                f'"{name}", you can\'t remove it'
            )
            raise invalid({where: [text]})
        lost = [label for label in labels if label not in controls.get(name, {}).get("labels", [])]
        if strict and lost and not controls[name].get("dynamic_labels"):
            counts = "".join(
                f"{x} ({labels[x]} annotation{'s' if labels[x] > 1 else ''})\n" for x in lost
            )
            raise invalid(
                {
                    where: [
                        f"These labels still exist in annotations or drafts:\n{counts}"
                        f'Please add labels to tag with name="{name}".'
                    ]
                }
            )
    return None
