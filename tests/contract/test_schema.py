"""Every declaration against the schema that the running server gives of itself."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

import pytest

import labelstudio_orm
from labelstudio_orm import LabelStudio, Task
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.resource import Resource
from labelstudio_orm._engine.values.codec import parts
from labelstudio_orm._engine.values.registry import registry

assert labelstudio_orm  # importing it declares them all
UNDESCRIBED = {"Draft", "TaskState", "AnnotationState", "ProjectState"}  # by the schema
MODELS = {
    name: model
    for name, model in registry.items()
    if not options_of(model).edition and name not in UNDESCRIBED
}

# What the server has and its schema does not.
NOT_IN_SCHEMA = {
    "ImportJob": {"traceback": "older servers send it beside `error`"},
    "MLBackend": {"basic_auth_pass": "write-only"},
    "Annotation": {"unique_id": "write-only: taken by POST, shown by exports"},
    "User": {"permissions": "only in the answer about the current user"},
    "JWTSettings": {"api_token_ttl_days": "this server has dropped it; saving it is refused"},
    "OrganizationMember": {"id": "only in the listing"},
    "Export": dict.fromkeys(
        ("task_filter_options", "annotation_filter_options", "serialization_options"),
        "taken by POST, shown in its answer only",
    ),
    "Action": dict.fromkeys(
        ("disabled", "disabled_reason", "hidden", "reload"), "sent, but not described"
    ),
    "Project": dict.fromkeys(
        ("annotation_limit_count", "annotation_limit_percent", "prompts", "workspace"), "enterprise"
    ),
}

# What the schema has and no declaration.
NOT_DECLARED = {
    "Task": dict.fromkeys(
        ("annotations_results", "annotations_ids", "predictions_results",
         "predictions_model_versions"),
        "a display text that the server cuts and garbles; lookups read the objects themselves",
    ),
    "View": dict.fromkeys(
        ("filter_group", "ordering"), "not sent, and ignored: it lies inside `data`"
    ),
}  # fmt: skip

# Writable for the schema, read-only here.
PROTECTED = {
    "Project": {
        "organization": "validated and then ignored",
        "created_by": "a PATCH with it answers 500",
        "is_draft": "ignored",
    },
    "Task": {
        "completed_at": "computed",
        "predictions_score": "computed",
        "avg_lead_time": "computed",
        "draft_exists": "computed",
        "is_labeled": "computed; the server stores what it is sent",
        "inner_id": "stored as sent, and later tasks count on from it",
        "last_comment_updated_at": "the server stores what it is sent",
        **dict.fromkeys(
            ("total_annotations", "cancelled_annotations", "total_predictions", "comment_count",
             "unresolved_comment_count", "comment_authors"),
            "counter; the server stores what it is sent",
        ),
    },
    "Annotation": {
        "project": "moving it does not move the counters",
        "updated_by": "always the caller",
        "last_created_by": "always the caller",
    },
    "Prediction": {"project": "believed as sent, also when it is wrong"},
    "User": {
        "custom_hotkeys": "has an address of its own",
        "active_organization": "not changed by a PATCH",
        "date_joined": "not changed by a PATCH",
    },
    "View": dict.fromkeys(("order", "user"), "ignored by a PATCH"),
    "FileUpload": {"file": "replaced by an upload; as text it is a 400"},
    "MLBackend": dict.fromkeys(
        ("state", "error_message", "model_version", "auto_update"), "set from what the service says"
    ),
    "OrganizationMember": dict.fromkeys(("organization", "user"), "its own address"),
    "Action": dict.fromkeys(
        ("id", "title", "order", "permission", "experimental", "dialog"), "cannot be written"
    ),
    "Export": dict.fromkeys(
        ("status", "md5", "counters", "converted_formats", "created_by", "finished_at"),
        "set by the job",
    ),
    "ImportJob": dict.fromkeys(
        ("status", "error", "url", "tasks", "task_ids", "task_count", "annotation_count",
         "prediction_count", "duration", "file_upload_ids", "could_be_tasks_list", "found_formats",
         "data_columns", "preannotated_from_fields", "commit_to_project", "return_task_ids",
         "finished_at", "project"),
        "set by the job",
    ),
}  # fmt: skip
SYNC = (
    "synchronizable",
    "status",
    "traceback",
    "meta",
    "last_sync",
    "last_sync_count",
    "last_sync_job",
)
for _name in MODELS:
    if "Storage." in _name:
        PROTECTED[_name] = dict.fromkeys(
            SYNC, "state of the sync; the server stores what it is sent"
        )

# The verbs of an address: where the schema has another than the declaration needs.
WRONG_VERBS = {
    "ImportJob": "there is no listing of imports; imports.create() posts to an address of its own",
}


@pytest.fixture(scope="module")
def schema(server: Any) -> Any:
    """What the server says of itself."""
    with server.client() as ls:
        return ls.request("GET", "/docs/api/schema/json/")


def bare(path: str) -> str:
    """A path without the names of its placeholders, and without a slash at its end."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def operations(schema: Any, path: str) -> dict[str, Any]:
    """The verbs of an address."""
    found: dict[str, Any] = {}
    for theirs, verbs in schema["paths"].items():
        if bare(theirs) == bare(path):
            found.update(verbs)
    return found


def resolved(schema: Any, part: Any) -> Any:
    """A type with its references followed."""
    for inner in (part, *part.get("allOf", ()), *part.get("oneOf", ())):
        if "$ref" in inner:
            named = schema["components"]["schemas"][inner["$ref"].rsplit("/", 1)[1]]
            return {**resolved(schema, named), **{k: v for k, v in part.items() if k != "allOf"}}
    return part


def properties(schema: Any, model: type[Resource]) -> dict[str, Any]:
    """The fields of one object of a resource, as the answer to a GET has them."""
    options = options_of(model)
    answers = operations(schema, options.item or options.collection)["get"]["responses"]
    shape = resolved(schema, answers["200"]["content"]["application/json"]["schema"])
    if shape.get("type") == "array":
        shape = resolved(schema, shape["items"])
    found: dict[str, Any] = shape.get("properties", {})
    return found


IN_SCHEMA = [name for name in MODELS if not name.endswith("Storage.Any")]
"""The resources whose fields the schema describes: not the listings of storages of all types."""


def test_the_listing_of_all_storages_is_not_described(schema: Any) -> None:
    for name in MODELS.keys() - set(IN_SCHEMA):
        assert properties(schema, MODELS[name]) == {}


@pytest.mark.parametrize("name", MODELS)
def test_a_declaration_has_the_addresses_of_the_schema(schema: Any, name: str) -> None:
    options = options_of(MODELS[name])
    if options.item:
        verbs = set(operations(schema, options.item))
        assert "get" in verbs
        writable = any(not f.read_only and not f.fixed for f in options.fields.values())
        assert (options.update.lower() in verbs) >= (writable and bool(verbs))
    if options.collection != options.item and options.item:
        wanted = {"get"} | ({"post"} if creatable(MODELS[name]) else set())
        missing = wanted - set(operations(schema, options.collection))
        assert not missing or name in WRONG_VERBS


def creatable(model: type[Resource]) -> bool:
    """Has it anything that a constructor takes?"""
    others = {"Organization"}  # made with the server
    return model.__name__ not in others and any(
        not field.read_only for field in options_of(model).fields.values()
    )


@pytest.mark.parametrize("name", IN_SCHEMA)
def test_a_declaration_has_the_fields_of_the_schema(schema: Any, name: str) -> None:
    options = options_of(MODELS[name])
    theirs = set(properties(schema, MODELS[name]))
    assert theirs - set(options.wires) - set(options.sets) == set(NOT_DECLARED.get(name, {}))
    by_address = {
        options.fields[relation.id_name].wire
        for relation in options.relations.values()
        if f"{{{relation.name}}}" in options.item + options.collection
    }
    by_scope = {"project"} if "project" in options.pages.scoped_by else set()
    extra = set(options.wires) - theirs - by_address - by_scope
    if not options.key:
        extra -= {"id"}
    assert extra == set(NOT_IN_SCHEMA.get(name, {}))


@pytest.mark.parametrize("name", IN_SCHEMA)
def test_what_is_read_only(schema: Any, name: str) -> None:
    options = options_of(MODELS[name])
    theirs = properties(schema, MODELS[name])
    ours = {field.wire for field in options.fields.values() if field.read_only}
    marked = {one for one, shape in theirs.items() if shape.get("readOnly")}
    marked -= options.sets.keys() | set(NOT_DECLARED.get(name, {}))
    assert marked <= ours
    assert (ours & set(theirs)) - marked == set(PROTECTED.get(name, {}))


@pytest.mark.parametrize("name", IN_SCHEMA)
def test_enums_have_the_values_of_the_schema(schema: Any, name: str) -> None:
    theirs = properties(schema, MODELS[name])
    for field in options_of(MODELS[name]).fields.values():
        shape = resolved(schema, theirs.get(field.wire, {}))
        shape = resolved(schema, shape["items"]) if shape.get("type") == "array" else shape
        listed = [
            set(get_args(inner))
            for part in parts(field.annotation)
            for inner in (part, *get_args(part))
            if get_origin(inner) is Literal
        ]
        if listed:
            assert listed[0] == set(shape["enum"]) - {None, ""}, field
        elif "enum" in shape and not field.read_only:
            raise AssertionError(f"{field} is an enum for the server: {shape['enum']}")


def test_no_real_answer_has_a_field_that_is_unknown(ls: LabelStudio) -> None:
    """What the schema leaves out would show here."""
    project = ls.projects.create(title="Unknown", label_config="<View/>")
    task = project.tasks.create(data={"text": "a"})
    seen = [
        project.refresh(),
        task.refresh(),
        task.annotations.create(result=[]).refresh(),
        task.predictions.create(result=[]).refresh(),
        project.views.create(title="v").refresh(),
        project.exports.create(title="e").refresh(),
        *project.actions.all(),
        *ls.users.all(),
        ls.users.me(),
        *ls.organizations.all(),
        *ls.organizations[0].members,
        ls.organizations[0].members[0].refresh(),
        ls.jwt_settings(),
        ls.session_policy(),
    ]
    display = {Task: set(NOT_DECLARED["Task"])}
    assert [
        (one, one.extra) for one in seen if one.extra.keys() - display.get(type(one), set())
    ] == []
    project.delete()
