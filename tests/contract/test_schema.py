"""Each declaration against the schema that the running server gives of itself."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import pytest

from labelstudio_orm import Annotation, LabelStudio, Prediction, Project, Task, User
from labelstudio_orm.codec import parts
from labelstudio_orm.resource import Resource

SCHEMAS = {
    Project: "Project",
    Task: "data_manager_task_serializer",
    Annotation: "Annotation",
    Prediction: "Prediction",
    User: "BaseWhoAmIUser",
}

# Display texts, which the server cuts and garbles; lookups read the objects themselves.
NOT_DECLARED = {
    Task: {
        "annotations_results",
        "annotations_ids",
        "predictions_results",
        "predictions_model_versions",
    }
}

# Declared though this server's schema does not have them.
NOT_IN_SCHEMA = {
    Project: {
        "annotation_limit_count": "enterprise",
        "annotation_limit_percent": "enterprise",
        "prompts": "enterprise",
        "workspace": "enterprise",
    },
    Annotation: {"unique_id": "write-only: taken by POST, shown by exports"},
}

# Writable for the schema, read-only here.
PROTECTED = {
    Project: {
        "organization": "validated and then ignored",
        "created_by": "a PATCH with it answers 500",
        "is_draft": "ignored",
    },
    Task: {
        "inner_id": "stored as sent, and later tasks count on from it",
        "is_labeled": "computed; the server stores what it is sent",
        "total_annotations": "counter; the server stores what it is sent",
        "cancelled_annotations": "counter; the server stores what it is sent",
        "total_predictions": "counter; the server stores what it is sent",
        "comment_count": "counter; the server stores what it is sent",
        "unresolved_comment_count": "counter; the server stores what it is sent",
        "comment_authors": "counter; the server stores what it is sent",
        "last_comment_updated_at": "the server stores what it is sent",
        "completed_at": "computed",
        "predictions_score": "computed",
        "avg_lead_time": "computed",
        "draft_exists": "computed",
    },
    Annotation: {
        "project": "moving it does not move the counters",
        "updated_by": "always the caller",
        "last_created_by": "always the caller",
    },
    Prediction: {"project": "believed as sent, also when it is wrong"},
    User: {
        "custom_hotkeys": "has an address of its own",
        "active_organization": "not changed by a PATCH",
        "date_joined": "not changed by a PATCH",
    },
}

# Read-only for the schema, yet writable: what a PATCH of the real server shows.
SCHEMA_ERRORS: dict[type[Resource], set[str]] = {}


@pytest.fixture(scope="module")
def components(server: Any) -> Any:
    """The schema's own types."""
    with server.client() as ls:
        return ls.request("GET", "/docs/api/schema/json/")["components"]["schemas"]


def resolved(components: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """A property with its references followed."""
    for part in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if "$ref" in part:
            return {**components[part["$ref"].rsplit("/", 1)[1]], **schema}
    return schema


@pytest.mark.parametrize("model", SCHEMAS, ids=lambda model: str(model.__name__))
def test_a_declaration_has_the_fields_of_the_schema(
    components: Any, ls: LabelStudio, model: type[Resource]
) -> None:
    properties = components[SCHEMAS[model]]["properties"]
    declared = set(model._options.wires) | set(model._options.sets)
    assert set(properties) - declared == NOT_DECLARED.get(model, set())
    extra = declared - set(properties) - set(model._options.sets)
    assert extra == set(NOT_IN_SCHEMA.get(model, {}))


@pytest.mark.parametrize("model", SCHEMAS, ids=lambda model: str(model.__name__))
def test_what_is_read_only(components: Any, model: type[Resource]) -> None:
    properties = components[SCHEMAS[model]]["properties"]
    ours = {
        field.wire
        for field in model._options.fields.values()
        if field.read_only and field.wire in properties
    }
    theirs = {name for name, schema in properties.items() if schema.get("readOnly")}
    theirs -= model._options.sets.keys() | NOT_DECLARED.get(model, set())
    assert theirs - ours == SCHEMA_ERRORS.get(model, set())
    assert ours - theirs == set(PROTECTED.get(model, {}))


@pytest.mark.parametrize("model", SCHEMAS, ids=lambda model: str(model.__name__))
def test_enums_have_the_values_of_the_schema(components: Any, model: type[Resource]) -> None:
    properties = components[SCHEMAS[model]]["properties"]
    for field in model._options.fields.values():
        listed = [get_args(p) for p in parts(field.annotation) if get_origin(p) is Literal]
        theirs = resolved(components, properties.get(field.wire, {})).get("enum")
        if listed:
            assert set(listed[0]) == set(theirs) - {None, ""}, field
        else:
            assert theirs is None, field
