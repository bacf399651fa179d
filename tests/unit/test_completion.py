"""What an editor completes: verbs, fields and relations, and nothing of the state."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, QuerySet, Task
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.resource import Resource
from labelstudio_orm._engine.values.registry import registry

OF_A_CLIENT = {
    *("url", "page_size", "workers", "retries", "long_timeout", "is_dry"),
    *("request", "stream", "using", "dry_run", "close"),
    *("version", "server", "jwt_settings", "session_policy", "all_of", "tokens"),
    *("projects", "tasks", "annotations", "predictions", "drafts", "views", "files"),
    *("import_storages", "export_storages", "ml_backends", "webhooks", "users", "organizations"),
    *("workspaces", "comments", "prompts", "model_providers"),
}
OF_A_QUERYSET = {
    *("model", "client", "all", "filter", "exclude", "order_by", "reverse", "only", "prefetch"),
    *("strict", "explain", "get", "first", "last", "count", "exists", "ref", "in_bulk", "values"),
    *(
        "values_list",
        "iterator",
        "pages",
        "partitions",
        "to_dask",
        "to_arrow",
        "to_datasets",
        "to_pandas",
        "to_parquet",
        "to_polars",
        *("count_by", "distinct", "per_day", "aggregate"),
        "create",
        "get_or_create",
    ),
    *("get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete"),
}
OF_AN_OBJECT = {"objects", "save", "delete", "refresh", "changes", "raw", "extra"}
FURTHER: dict[str, set[str]] = {
    "Annotation": {"show", "transition", "update_values", "values"},
    "Export": {"convert", "download", "wait"},
    "FileUpload": {"download", "name", "open", "replace"},
    "ImportJob": {"wait"},
    "MLBackend": {"model_versions", "predict_interactive", "train"},
    "Prediction": {"show", "values"},
    "Project": {
        *("agreement", "annotators", "config", "export", "labels", "reassign", "transition", "url"),
        "validate_config",
    },
    "PromptRun": {"submit_failed_predictions", "submit_predictions", "wait"},
    "PromptVersion": {"cost_estimate", "get_refined_prompt", "refine"},
    "Task": {"annotate", "download", "show", "transition", "url"},
    "User": {"get_hotkeys", "get_token", "reset_token", "update_hotkeys"},
    "View": {"filters", "tasks", "title", "url"},
}
OF_A_STORAGE = {"sync", "validate", "wait"}
FURTHER_OF_QUERYSETS: dict[str, set[str]] = {
    "Annotations": {"agreement"},
    "Comments": {"with_created_by"},
    "ExportStorages": {"azure", "gcs", "local", "redis", "s3", "s3s", "types"},
    "Exports": {"formats"},
    "Files": {"open", "upload"},
    "ImportStorages": {"azure", "gcs", "local", "redis", "s3", "s3s", "types"},
    "OrganizationMembers": {"with_projects"},
    "Organizations": {"get_invite", "reset_token"},
    "Pauses": {"with_deleted"},
    "Predictions": {"delete_duplicates", "promote"},
    "Projects": {"counts"},
    "Tasks": {
        *("create_annotations", "download", "export", "from_coco", "from_conll", "from_yolo"),
        *("perform", "to_coco", "to_conll", "to_jsonl", "to_masks", "to_voc", "to_yolo", "upload"),
        *("sample", "show"),
    },
    "Users": {"me"},
    "Views": {"set_order"},
    "Webhooks": {"info"},
    "WorkspaceMembers": {"add", "remove"},
}

MODELS = sorted(name for name, one in registry.items() if one.__module__.startswith("labelstudio"))


def completed(obj: Any) -> set[str]:
    return {name for name in dir(obj) if not name.startswith("_")}


def of_objects(name: str) -> set[str]:
    options = options_of(registry[name])
    further = OF_A_STORAGE if "Storage." in name else FURTHER.get(name, set())
    return {*options.fields, *options.relations, *options.sets} | further | OF_AN_OBJECT


def test_a_client(ls: LabelStudio) -> None:
    assert completed(ls) == OF_A_CLIENT


@pytest.mark.parametrize("name", MODELS)
def test_the_class_of_a_resource(name: str) -> None:
    assert completed(registry[name]) == of_objects(name)


@pytest.mark.parametrize("name", MODELS)
def test_the_querysets_of_a_resource(name: str, ls: LabelStudio) -> None:
    queryset = options_of(registry[name]).queryset or QuerySet
    further = FURTHER_OF_QUERYSETS.get(queryset.__name__, set())
    assert completed(queryset(registry[name], ls)) == OF_A_QUERYSET | further


def test_objects_that_were_loaded_and_edited(project: Project, task: Task) -> None:
    task.data["seen"] = True
    assert task.project.title  # type: ignore[union-attr]
    assert list(project.tasks.prefetch("annotations"))
    assert completed(project) == of_objects("Project")
    assert completed(task) == of_objects("Task")
    assert completed(Resource) >= OF_AN_OBJECT


@pytest.fixture
def task(project: Project) -> Task:
    return project.tasks.create(data={"text": "a"})
