"""What the newest official client sends otherwise than the one with the published reference.

The two have other names for some operations and arguments, and the newest one takes more: those
that are LACKING here are left out of its requests before they are compared. RULES, REFUSED and
DIFFERENT are added to those of ``differences.py``, and what is in SAME is no more different.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from .calls import STORAGES
from .capture import Request
from .differences import LISTED, MADE, NEEDED, STATE, Change, Rule

OPERATIONS: Mapping[str, str] = {
    "jwt_settings.update": "jwt_settings.create",
    "organizations.invites.get_invite_link": "organizations.get_invite",
    "projects.validate_label_config": "projects.validate_config",
    "tokens.list": "tokens.get",
}
"""Operations that have another name in the newest client."""

_PROMPT, _PROJECT, _PK = {"prompt_id": "id"}, {"id": "project_id"}, {"id": "pk"}

ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "comments.list": {"projects": "project"},
    "files.update": {"id": "id_"},
    "model_providers": _PK,
    **{f"projects.exports.{verb}": _PROJECT for verb in ("list", "create", "get", "delete")},
    **{f"projects.exports.{verb}": _PROJECT for verb in ("convert", "download")},
    "prompts.indicators": _PK,
    "prompts.runs": _PROMPT,
    **{f"prompts.versions.{verb}": _PROMPT for verb in ("list", "create", "get", "update")},
    "prompts.versions.delete": _PROMPT,
    "webhooks.update": {"id": "id_"},
    "workspaces.members": {"user_id": "user"},
}
"""Arguments that have another name in the newest client, by group or by operation."""

# -- what is not said here ------------------------------------------------------------------------

COMPUTED = "computed by the server, which stores what it is sent"
ENTERPRISE = "a setting of the Enterprise edition: client.request sends it"
FILTERED = "conditions are written as lookups, and checked here where the server has no parameter"
ORDERED = "orders are made here"
INTERFACES = "interfaces are of the Enterprise edition: client.request sends it"

_SYNC = ("last_sync", "last_sync_count", "last_sync_job", "meta", "status", "traceback")
_KEYS = ("access_key_id", "secret_access_key", "session_token", "sse_kms_key_id")
_STORAGE = {"ordering": ORDERED, "synchronizable": STATE}
_AUTHOR = {"created_by": MADE, "organization": MADE}
_COUNTERS = (
    *("avg_lead_time", "cancelled_annotations", "comment_authors", "comment_count"),
    *("completed_at", "draft_exists", "ground_truth", "inner_id", "is_labeled"),
    *("last_comment_updated_at", "precomputed_agreement", "predictions_score", "reviewed"),
    *("reviewed_at", "reviews_accepted", "reviews_rejected", "total_annotations"),
    *("total_predictions", "unresolved_comment_count"),
)
_INTERFACE = (
    *("custom_interface_code", "custom_interface_compiled", "custom_interface_params"),
    *("input_schema", "output_schema", "source_interface_id", "source_interface_version"),
    "use_custom_interface",
)
_REVIEWED = (
    *("agreement_methodology", "agreement_threshold", "annotator_evaluation_continuous_tasks"),
    *("annotator_evaluation_metric", "annotator_evaluation_minimum_score", "custom_script"),
    *("annotator_evaluation_minimum_tasks", "annotator_evaluation_onboarding_tasks"),
    *("assignment_settings", "collection_mode", "comment_classification_config"),
    *("custom_task_lock_ttl", "dm_column_defaults", "internal_description"),
    *("max_additional_annotators_assignable", "members_limit"),
    *("pause_on_failed_annotator_evaluation", "require_comment_on_skip", "review_settings"),
    *("show_unused_data_columns_to_annotators", "strict_task_overlap"),
)

LACKING: Mapping[str, Mapping[str, str]] = {
    "annotations.create_bulk": dict.fromkeys(
        (
            *("bulk_created", "completed_by", "draft_created_at", "ground_truth", "import_id"),
            *("parent_annotation", "parent_prediction", "task", "unique_id", "was_cancelled"),
        ),
        "annotations with more than a result and a time are created one by one",
    ),
    "annotations": {
        "bulk_created": STATE,
        "last_action": STATE,
        "last_created_by": MADE,
        "ordering": ORDERED,
        "updated_by": MADE,
    },
    "comments.list": {"annotators": FILTERED, "ordering": ORDERED},
    **{
        f"comments.{verb}": {"expand_created_by": "comments.with_created_by() expands them"}
        for verb in ("create", "get", "update", "delete")
    },
    "files.list": {"ordering": ORDERED},
    "ml": {
        "is_interactive": FILTERED,
        **dict.fromkeys(("auto_update", "model_version"), "set from what the service says"),
    },
    "model_providers": {"cached_available_models": STATE, "ordering": ORDERED},
    "organizations.list": {"ordering": ORDERED},
    "organizations.members.list": dict.fromkeys(
        (
            *("exclude_project_id", "exclude_workspace_id", "is_deleted", "role", "search", "tags"),
            *("user__last_activity__gte", "user__last_activity__lte", "user_type"),
            *("user_last_activity_gte", "user_last_activity_lte", "ordering"),
        ),
        FILTERED,
    ),
    "organizations.members.get": {"contributed_to_projects": "members.with_projects() brings them"},
    "organizations.update": dict.fromkeys(
        (
            *("custom_interfaces_enabled", "custom_scripts_enabled", "email_notification_settings"),
            *("embed_domains", "embed_enabled", "embed_settings", "interface_settings"),
            "react_code_settings",
        ),
        ENTERPRISE,
    ),
    "predictions": {
        "project": MADE,
        **dict.fromkeys(("task_project", "task__project"), FILTERED),
    },
    "projects.import_predictions": {"project": MADE},
    "projects": {
        **_AUTHOR,
        **dict.fromkeys(_INTERFACE, INTERFACES),
        **dict.fromkeys(_REVIEWED, ENTERPRISE),
        **dict.fromkeys(("archived", "filter", "include", "search", "state"), FILTERED),
        "annotation_limit_percent": "a number, which the newest client writes as a text",
        "is_draft": "ignored by the server",
    },
    "projects.list_counts": dict.fromkeys(
        ("ids", "ordering", "title", "workspaces", "source_interface_id"), FILTERED
    ),
    "projects.exports": {"ordering": ORDERED},
    "projects.pauses": {"ordering": ORDERED},
    "prompts.list": dict.fromkeys(("page", "page_size"), "pages are read as a whole"),
    "prompts": {**_AUTHOR, "search": FILTERED, "ordering": ORDERED},
    "prompts.batch_predictions": {"job_id": STATE, "num_predictions": STATE},
    "prompts.batch_failed_predictions": {"job_id": STATE, "num_failed_predictions": STATE},
    "prompts.runs": {
        "job_id": STATE,
        "only_missing_predictions": ENTERPRISE,
        "ordering": ORDERED,
        "organization": MADE,
        "parent_model": "the address says it",
        "predictions_updated_at": STATE,
        **dict.fromkeys(("total_correct_predictions", "total_predictions", "total_tasks"), STATE),
    },
    "prompts.versions": {**_AUTHOR, "ordering": ORDERED},
    "tasks": {
        **dict.fromkeys(_COUNTERS, COMPUTED),
        **dict.fromkeys(("file_upload", "updated_by"), MADE),
        "allow_skip": "tasks have it in imports only",
        "only_annotated": FILTERED,
        "selectedItems": FILTERED,
        "selected_items": FILTERED,
    },
    "states.state_history": {
        **dict.fromkeys(("created_at_from", "created_at_to", "previous_state", "state"), FILTERED),
        **dict.fromkeys(("page", "page_size", "ordering"), "read by id, as all pages are"),
        **dict.fromkeys(("transition_name", "triggered_by"), FILTERED),
    },
    "tokens.get": {"ordering": ORDERED},
    "users": {
        **dict.fromkeys(("active_organization", "date_joined"), MADE),
        **dict.fromkeys(("is_email_verified", "onboarding_state"), STATE),
        "custom_hotkeys": "users.me().update_hotkeys() sets them",
        "email_notification_settings": ENTERPRISE,
        "ordering": ORDERED,
        "password": "set by the user",
    },
    "users.get_hotkeys": {"project": ENTERPRISE},
    "users.update_hotkeys": {"project": ENTERPRISE},
    "workspaces.list": {
        **dict.fromkeys(("include_all_workspaces", "is_archived", "is_personal"), FILTERED),
        "ordering": ORDERED,
    },
    "workspaces.members.create": {"workspace": "the address says it"},
    **dict.fromkeys(STORAGES, _STORAGE),
    **{
        f"{family}_storage.s3s": {
            **_STORAGE,
            **dict.fromkeys(_SYNC, STATE),
            **dict.fromkeys((f"aws_{key}" for key in _KEYS), "a role stands for the keys"),
            "legacy_auth": ENTERPRISE,
        }
        for family in ("import", "export")
    },
}
"""Arguments by group or by operation, also names in queries and bodies, and why there are none."""


def in_old_names(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recording with the names of the reference, without what is lacking."""
    found = {}
    for given, requests in recorded.items():
        name = OPERATIONS.get(given, given)
        found[name] = {variant: _known(name, request) for variant, request in requests.items()}
    return found


def _known(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    left_out = lacking(operation)
    body = request["body"]
    arguments = _without(_renamed(operation, request["arguments"]), left_out)
    if "request" in arguments:
        arguments["request"] = [_without(row, left_out) for row in arguments["request"]]
    return {
        **request,
        "arguments": arguments,
        "query": [pair for pair in request["query"] if pair[0] not in left_out],
        "body": [_without(row, left_out) for row in body]
        if isinstance(body, list)
        else _without(body, left_out),
    }


def lacking(operation: str) -> Collection[str]:
    """Return the names that an operation has for the newest client only."""
    group = operation.rpartition(".")[0]
    return {*LACKING.get(group, ()), *LACKING.get(operation, ())}


def _renamed(operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    group = operation.rpartition(".")[0]
    names = {**ARGUMENTS.get(group, {}), **ARGUMENTS.get(operation, {})}
    return {names.get(name, name): value for name, value in arguments.items()}


def _without(fields: Any, names: Collection[str]) -> Any:
    if not isinstance(fields, dict):
        return fields
    return {name: value for name, value in fields.items() if name not in names}


# -- what is said otherwise -----------------------------------------------------------------------


def last_slashes(operation: str, theirs: Request, ours: Request) -> Request:
    """A path is found without its last slash on every server, and with one too many on none."""
    same = theirs.path.rstrip("/") == ours.path.rstrip("/")
    return attrs.evolve(theirs, path=ours.path) if same else theirs


def whole_numbers(operation: str, theirs: Request, ours: Request) -> Request:
    """An id is no fraction."""
    return attrs.evolve(
        theirs, query=[(name, value.removesuffix(".0")) for name, value in theirs.query]
    )


RULES: list[Rule] = [last_slashes, whole_numbers]

REFUSED: Mapping[tuple[str, str], str] = {
    ("annotations.create_bulk", "fewest"): NEEDED + "tasks and result",
    ("ml.list", "fewest"): LISTED,
    ("model_providers.create", "fewest"): "whose models?",
    ("prompts.create", "fewest"): "from which fields to which classes?",
    ("prompts.versions.get_refined_prompt", "fewest"): "of which job?",
    ("tasks.create", "fewest"): NEEDED + "project and data",
    ("tasks.list", "fewest"): LISTED,
    ("users.create", "fewest"): NEEDED + "email",
    ("views.create", "fewest"): NEEDED + "project",
    ("workspaces.members.delete", "fewest"): "whom?",
}
"""What can be said to the newest client and is a ValueError or a TypeError here."""

SAME: Collection[tuple[str, str]] = [
    ("actions.list", "fewest"),
    ("files.update", "all"),
    ("webhooks.update", "all"),
]
"""What is said otherwise to the older client only."""

DIFFERENT: Mapping[tuple[str, str], tuple[str, Change]] = {
    ("jwt_settings.create", "fewest"): (
        "the server resets what it is not sent",
        lambda theirs, said: theirs.say(
            {"api_tokens_enabled": None, "legacy_api_tokens_enabled": None, **theirs.body}
        ),
    ),
    ("projects.exports.convert", "fewest"): (
        "a format with images is refused here, since no snapshot has any",
        lambda theirs, said: theirs.say({"export_type": "VOC"}),
    ),
    ("prompts.runs.create", "fewest"): (
        "the default is said",
        lambda theirs, said: theirs.say({"project_subset": "All", **theirs.body}),
    ),
    ("prompts.versions.cost_estimate", "fewest"): (
        "the parameters of the reference, which the newest client describes and does not have",
        lambda theirs, said: theirs.ask(project_id="1", project_subset="All"),
    ),
    ("users.update_hotkeys", "fewest"): (
        "hotkeys are replaced as a whole, by none for example",
        lambda theirs, said: theirs.say({"custom_hotkeys": {}}),
    ),
    ("views.delete_all", "fewest"): (
        "the project is said in the body, as the reference has it",
        lambda theirs, said: theirs.ask(project=None).say({"project": said["project"]}),
    ),
}
