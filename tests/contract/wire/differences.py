"""Where this library sends something else than the official client, and why. Nothing else differs.

RULES hold for many operations. The tables name single ones: OWNED and FIXED fields, which cannot be
assigned here; calls that are REFUSED before anything is sent; and DIFFERENT ones, mostly where the
official client does not say what it means. What a server does was observed on 1.23.2.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs

from labelstudio_orm.testing.fake._checks import contract

from .calls import STORAGES, region
from .capture import Request

# -- fields that are not assigned here ------------------------------------------------------------

MADE = "when and by whom is the server's to say"
STATE = "how far a job is and what it brought is the server's to say"

OWNED: Mapping[str, Mapping[str, str]] = {
    "annotations": {
        "project": "that of the task: another one moves no counters",
        "updated_by": "the caller, whatever is sent",
    },
    "model_providers": {
        "budget_last_reset_date": STATE,
        "budget_total_spent": STATE,
        "created_at": MADE,
        "created_by": MADE,
        "is_internal": MADE,
        "organization": MADE,
        "updated_at": MADE,
    },
    "projects.exports": {
        "converted_formats": STATE,
        "counters": STATE,
        "created_at": MADE,
        "created_by": MADE,
        "finished_at": STATE,
        "id": MADE,
        "md5": STATE,
        "status": STATE,
    },
    "prompts": {
        "created_at": MADE,
        "created_by": MADE,
        "organization": MADE,
        "updated_at": MADE,
    },
    "prompts.runs": {
        "completed_at": STATE,
        "created_at": MADE,
        "created_by": MADE,
        "job_id": STATE,
        "organization": MADE,
        "predictions_updated_at": STATE,
        "status": STATE,
        "triggered_at": STATE,
    },
    "prompts.versions": {
        "created_at": MADE,
        "created_by": MADE,
        "organization": MADE,
        "updated_at": MADE,
    },
    "users": {
        "avatar": "no image can be sent as text",
        "id": MADE,
        "users_update_request_id": MADE,
        "initials": "made of the names",
    },
    "webhooks": {
        "created_at": MADE,
        "id": MADE,
        "organization": MADE,
        "updated_at": MADE,
    },
}
"""Fields by group that neither a creation nor an update takes."""

ADDRESSED: Mapping[str, Collection[str]] = {
    "annotations": ["task"],
    "prompts.runs": ["model_version"],
    "prompts.versions": ["parent_model"],
}
"""Fields by group that the address of a creation says, and its body need not."""

MOVED = "stays as it was created; a server ignores another one, or loses count"

FIXED: Mapping[str, Mapping[str, str]] = {
    "annotations": {"task": MOVED, "unique_id": "a new annotation is given one, for good"},
    "comments": {"annotation": MOVED, "draft": MOVED, "project": MOVED},
    "ml": {"project": MOVED},
    "predictions": {"task": MOVED},
    "prompts.versions": {"parent_model": MOVED},
    "tasks": {"project": "404, as the task is looked for in that project; with null an orphan"},
    "users": {"email": "the server answers 405: Cannot update read-only field"},
    "views": {"project": MOVED},
    "webhooks": {"project": MOVED},
    **{group: {"project": "the server moves the storage, not its tasks"} for group in STORAGES},
}
"""Fields by group that a creation takes and an update does not."""

CARRIED: Mapping[str, Collection[str]] = {
    "ml.update": ["project"],  # 500 without it
    "predictions.update": ["task"],  # 400 without it, where a server validates predictions
    **{f"{group}.validate": ["project"] for group in STORAGES},
}
"""Fields of an object that are sent as they are, since the server needs them."""


def unassigned(operation: str, said: Collection[str] = ("id",)) -> set[str]:
    """The fields of a request that are not assigned here, if it was ``said`` with these names."""
    group, _, verb = operation.rpartition(".")
    if verb == "create":
        return {*OWNED.get(group, ()), *ADDRESSED.get(group, ())}
    if verb == "update":
        return {*OWNED.get(group, ()), *FIXED.get(group, ())}
    existing = verb == "validate" and "id" in said
    return {*FIXED.get(group, ())} if existing else set()


# -- calls that send nothing ----------------------------------------------------------------------

NEEDED = "the server refuses a creation without it: "
LISTED = "the server answers 404 or 400, or with nothing, to a listing that is not of a project"

REFUSED: Mapping[tuple[str, str], str] = {
    ("annotations.create_bulk", "fewest"): NEEDED + "tasks and result",
    ("ml.create", "fewest"): NEEDED + "url and project",
    ("ml.list", "fewest"): LISTED,
    ("predictions.create", "fewest"): NEEDED + "task",
    ("projects.exports.convert", "fewest"): "to which format?",
    ("prompts.batch_failed_predictions", "fewest"): "of which run?",
    ("prompts.batch_predictions", "fewest"): "of which run?",
    ("prompts.versions.refine_prompt", "fewest"): "by which model?",
    ("tasks.create", "fewest"): NEEDED + "project and data",
    ("tasks.list", "fewest"): LISTED,
    ("users.create", "fewest"): NEEDED + "username",
    ("views.create", "fewest"): NEEDED + "project",
    ("workspaces.members.create", "fewest"): "whom?",
    ("workspaces.members.delete", "fewest"): "whom?",
    **{(f"{group}.create", "fewest"): NEEDED + "project" for group in STORAGES},
    **{(f"{group}.list", "fewest"): LISTED for group in STORAGES},
    **{(f"{group}.validate", "fewest"): NEEDED + "project" for group in STORAGES},
}
"""What can be said to the official client and is a ValueError or a TypeError here."""

# -- rules ----------------------------------------------------------------------------------------

Rule = Callable[[str, Request, Request], Request]
"""Takes an operation, the official client's request and ours; gives the first as it should be."""

RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """A difference on purpose; its docstring is the reason."""
    RULES.append(function)
    return function


@rule
def assigned(operation: str, theirs: Request, ours: Request) -> Request:
    """What is not assigned here is not sent, unless the server needs it."""
    return theirs.without(unassigned(operation) - {*CARRIED.get(operation, ())})


@rule
def slashes(operation: str, theirs: Request, ours: Request) -> Request:
    """A path may end as the server's own; it is found without its slash, yet not with one more."""
    own = contract.operation(operation).path
    more = own.endswith("/") and ours.path == theirs.path + "/"
    return attrs.evolve(theirs, path=ours.path) if more else theirs


@rule
def nothing(operation: str, theirs: Request, ours: Request) -> Request:
    """Where there is nothing to say, a POST has an empty object instead of no body."""
    return theirs.say({}) if ours.body == {} and theirs.body is None else theirs


@rule
def pages(operation: str, theirs: Request, ours: Request) -> Request:
    """Which pages a listing is read in is decided here; tasks are read by id and need no number."""
    if not (contract.operation(operation).items or operation == "prompts.list"):
        return theirs
    return theirs.ask(page=ours.asked("page"), page_size=ours.asked("page_size"))


@rule
def order(operation: str, theirs: Request, ours: Request) -> Request:
    """Pages are read by id, so that no object is lost when another goes; orders are made here."""
    if operation in ("projects.list", "states.state_history"):
        return theirs.ask(ordering="id")
    if operation == "tasks.list":
        query = json.loads(theirs.asked("query") or "{}")
        query.pop("ordering", None)
        return theirs.ask(query=compact({"ordering": ["tasks:id"], **query}))
    return theirs


@rule
def light(operation: str, theirs: Request, ours: Request) -> Request:
    """Tasks come without what was not asked for, and with their URIs as they are stored."""
    if operation == "tasks.get":
        return theirs.ask(omit="annotations,predictions", resolve_uri="false")
    if operation == "tasks.list":
        include = theirs.asked("include")
        names = ",".join(sorted(include.split(","))) if include else None
        omit = None if include else "annotations,predictions"
        return theirs.ask(fields=None, resolve_uri="false", review=None, include=names, omit=omit)
    return theirs


@rule
def unique_id(operation: str, theirs: Request, ours: Request) -> Request:
    """A new annotation has a unique id, so that its creation can be repeated, and a result, since
    the server stores a null that cannot be saved again.
    """
    if operation != "annotations.create":
        return theirs
    made = str(uuid.UUID(ours.body["unique_id"]))
    return theirs.say({"result": [], **(theirs.body or {}), "unique_id": made})


@rule
def both_names(operation: str, theirs: Request, ours: Request) -> Request:
    """What two releases of the client call otherwise is sent under both names: servers read one."""
    if operation == "comments.list":
        project = theirs.asked("project") or theirs.asked("projects")
        return theirs.ask(project=project, projects=project)
    if operation == "workspaces.members.delete":
        user = theirs.asked("user_id") or str((theirs.body or {})["user"])
        return theirs.ask(user_id=user).say({"user": int(user)})
    return theirs


def compact(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


# -- what is said otherwise -----------------------------------------------------------------------

Change = Callable[[Request, Mapping[str, Any]], Request]
"""Takes the official client's request and the arguments; gives what is sent here instead."""

ALL_TASKS = {
    "filters": {"conjunction": "and", "items": []},
    "ordering": ["tasks:id"],
    "selectedItems": {"all": True, "excluded": []},
}

DIFFERENT: Mapping[tuple[str, str], tuple[str, Change]] = {
    ("actions.create", "fewest"): (
        "the official client says no selection, which means all tasks; all are said here",
        lambda theirs, said: theirs.say(ALL_TASKS),
    ),
    ("actions.create", "some"): (
        "conditions select all that they hold for; the order means nothing to an action",
        lambda theirs, said: theirs.say({**ALL_TASKS, "filters": said["filters"]}),
    ),
    ("actions.create", "all"): (
        "a view, conditions and ids narrow each other; here the ids say it all",
        lambda theirs, said: theirs.ask(view=None).say({"selectedItems": said["selected_items"]}),
    ),
    ("actions.list", "fewest"): (
        "404 without a project, for which the official client has no argument",
        lambda theirs, said: theirs.ask(project="1"),
    ),
    ("annotations.create_bulk", "all"): (
        "the ids of the tasks instead of a selection; a result is a list of regions",
        lambda theirs, said: theirs.say(
            {
                "tasks": said["selected_items"]["included"],
                "project": said["project"],
                "result": [region(said["result"])],
                "lead_time": said["lead_time"],
            }
        ),
    ),
    **{
        (f"{group}.validate", "all"): (
            "with an id the server stores what it should only try, so unsaved settings go without",
            lambda theirs, said: theirs.say({k: v for k, v in theirs.body.items() if k != "id"}),
        )
        for group in STORAGES
        if not group.endswith("s3s")
    },
    ("files.list", "fewest"): (
        "nothing is listed unless all files are asked for, or some",
        lambda theirs, said: theirs.ask(all="true"),
    ),
    ("files.list", "all"): (
        "ids are one JSON list: the official client's, one parameter each, answer 500",
        lambda theirs, said: theirs.ask(all=None, ids=json.dumps([int(id) for id in said["ids"]])),
    ),
    ("files.update", "fewest"): (
        "400 without a file, which no JSON can be",
        lambda theirs, said: theirs.say({"form": ["file"]}),
    ),
    ("files.update", "all"): (
        "400 to a file that is a text in JSON; it is a form",
        lambda theirs, said: theirs.say({"form": ["file"]}),
    ),
    ("projects.exports.convert", "all"): (
        "a format with images is refused here, since no snapshot has any",
        lambda theirs, said: theirs.say({"export_type": "VOC", "download_resources": True}),
    ),
    ("projects.exports.download", "all"): (
        "a format with images is refused here, since no snapshot has any",
        lambda theirs, said: theirs.ask(exportType="VOC"),
    ),
    ("projects.exports.download_sync", "fewest"): (
        "the default is said: JSON of the annotated tasks",
        lambda theirs, said: theirs.ask(exportType="JSON", download_all_tasks="false"),
    ),
    ("projects.exports.download_sync", "all"): (
        "the server knows ids[] and not ids, which would be all tasks; ids mean these tasks",
        lambda theirs, said: attrs.evolve(
            theirs,
            query=[
                ("exportType", said["export_type"]),
                ("download_all_tasks", "true"),
                *(("ids[]", str(id)) for id in said["ids"]),
            ],
        ),
    ),
    ("projects.import_tasks", "fewest"): (
        "the ids are wanted, and the default is said",
        lambda theirs, said: theirs.ask(commit_to_project="true", return_task_ids="true"),
    ),
    ("projects.import_tasks", "all"): (
        "the ids are wanted; of fields in one parameter each the server reads only the last",
        lambda theirs, said: theirs.ask(
            return_task_ids="true",
            preannotated_from_fields=",".join(said["preannotated_from_fields"]),
        ),
    ),
    ("projects.list", "all"): (
        "of the text the part that every database finds; the rest of it is checked here",
        lambda theirs, said: theirs.ask(title=" &?/=+%"),
    ),
    ("tasks.list", "all"): (
        "the server drops a query beside a view: the ids of the view are listed first",
        lambda theirs, said: theirs.ask(query=None, include="id"),
    ),
    ("webhooks.update", "fewest"): (
        "the official client repeats what is meant for the body in the query, and null for what was"
        " not said; an update without actions clears them",
        lambda theirs, said: theirs.ask(url=None).say(
            {"url": said["webhook_serializer_for_update_url"], "actions": ["TASKS_CREATED"]}
        ),
    ),
    ("webhooks.update", "all"): (
        "the official client fills the body from what is meant for the query, which nobody reads",
        lambda theirs, said: attrs.evolve(theirs, query=[], body=webhook_body(said)),
    ),
}


def webhook_body(said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a webhook's update among the arguments of the official client."""
    prefix = "webhook_serializer_for_update_"
    return {n.removeprefix(prefix): value for n, value in said.items() if n.startswith(prefix)}
