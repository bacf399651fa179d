"""The same calls through this library: how each method of the official client is said here.

A call takes a client and the arguments that the official client was given, and sends the request
of that operation (and others, if it has to look at something first). Names change on the way,
values do not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelstudio_orm import LabelStudio, QuerySet
from labelstudio_orm._engine.models.resource import Resource

Said = dict[str, Any]
Call = Callable[[LabelStudio, Said], object]
Find = Callable[[LabelStudio, Said], Any]
"""Where the objects are; takes out of the arguments those that say so."""


def resource(group: str, find: Find, key: str = "id") -> dict[str, Call]:
    """The five calls that most resources have."""

    def update(ls: LabelStudio, said: Said) -> object:
        return changed(find(ls, said).get(said.pop(key)), said).save()

    return {
        f"{group}.list": lambda ls, said: list(find(ls, said).filter(**said)),
        f"{group}.create": lambda ls, said: find(ls, said).create(**said),
        f"{group}.get": lambda ls, said: find(ls, said).get(said[key]),
        f"{group}.delete": lambda ls, said: find(ls, said).ref(said[key]).delete(),
        f"{group}.update": update,
    }


def changed(obj: Resource, said: Said) -> Any:
    """The object with these fields assigned."""
    for name, value in said.items():
        setattr(obj, name, value)
    return obj


def project(ls: LabelStudio, said: Said, name: str = "id") -> Any:
    """A handle on the project that an argument names."""
    return ls.projects.ref(said.pop(name))


# -- projects and tasks ---------------------------------------------------------------------------


def list_projects(ls: LabelStudio, said: Said) -> object:
    found: QuerySet[Any] = ls.projects
    if "ids" in said:
        found = found.filter(id__in=[int(id) for id in said["ids"].split(",")])
    if "title" in said:
        found = found.filter(title__icontains=said["title"])
    if "workspaces" in said:
        found = found.filter(workspace=said["workspaces"])
    return list(found.order_by(said["ordering"]) if "ordering" in said else found)


def import_tasks(ls: LabelStudio, said: Said) -> object:
    imports = project(ls, said).imports
    said.pop("return_task_ids", None)
    return imports.create(said.pop("request"), **said)


def pauses(ls: LabelStudio, said: Said) -> Any:
    found = project(ls, said, "project_pk").pauses.filter(user=said.pop("user_pk"))
    return found.with_deleted() if said.pop("include_deleted", False) else found


def exports(ls: LabelStudio, said: Said) -> Any:
    return project(ls, said, "project_id").exports


def export(ls: LabelStudio, said: Said) -> Any:
    return exports(ls, said).ref(said.pop("export_pk"))


OF_SNAPSHOTS = "VOC"
"""A format that they can be had in: theirs is one with images, which none has."""


def convert(ls: LabelStudio, said: Said) -> object:
    made = export(ls, said)
    form = {"format": OF_SNAPSHOTS} if said.pop("export_type", None) else {}
    return made.convert(**form, **said, wait=False)


def download_export(ls: LabelStudio, said: Said) -> object:
    with tempfile.TemporaryDirectory() as folder:
        format = OF_SNAPSHOTS if "export_type" in said else None
        return export(ls, said).download(Path(folder) / "file", format)


def export_project(ls: LabelStudio, said: Said) -> object:
    source, form = project(ls, said), said.get("export_type", "JSON")
    with tempfile.TemporaryDirectory() as folder:
        if "ids" in said:
            chosen = source.tasks.filter(id__in=[int(id) for id in said["ids"]])
            return chosen.export(form, Path(folder) / "file")
        return source.export(form, Path(folder) / "file", only_annotated=True)


def list_tasks(ls: LabelStudio, said: Said) -> object:
    scope = {name: said[name] for name in ("project", "view") if name in said}
    found = ls.tasks.filter(**scope)
    if "view" not in said and "query" in said:
        found = found.filter(total_annotations=0).only(*said["include"].split(","))
    return list(found)


def perform(ls: LabelStudio, said: Said) -> object:
    tasks = project(ls, said, "project").tasks
    if "selected_items" in said:  # a slice is its ids
        included = said["selected_items"]["included"]
        return tasks.filter(id__in=included)[: len(included)].perform(said["id"])
    found = tasks.filter(total_annotations=0) if "filters" in said else tasks.all()
    return found.perform(said["id"])


def region(said: Any) -> Said:
    """A region that holds what the schema takes for a whole result."""
    names = {"from_name": "label", "to_name": "text", "type": "choices"}
    return {"extra": said, **names, "value": {"choices": ["a"]}}


def create_annotations(ls: LabelStudio, said: Said) -> object:
    tasks = ls.tasks
    if "project" in said:
        tasks = project(ls, said, "project").tasks
        tasks = tasks.filter(id__in=said.pop("selected_items")["included"])
        said["result"] = [region(said["result"])]
    said.pop("tasks", None)
    return tasks.create_annotations(**said)


# -- files ----------------------------------------------------------------------------------------


def list_files(ls: LabelStudio, said: Said) -> object:
    files = project(ls, said).files
    ids = [int(id) for id in said.get("ids", ())]
    return list(files.filter(id__in=ids) if ids else files.all())


def replace_file(ls: LabelStudio, said: Said) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "größe.json"
        path.write_text("[]", encoding="utf-8")
        return ls.files.ref(said["id_"]).replace(path)


def download_file(ls: LabelStudio, said: Said) -> object:
    with ls.files.get(1).open() as stream:
        return stream.read()


# -- the storages: two families of six ------------------------------------------------------------

STORAGES = tuple(
    f"{family}_storage.{kind}"
    for family in ("import", "export")
    for kind in ("azure", "gcs", "local", "redis", "s3", "s3s")
)


def storage(group: str) -> dict[str, Call]:
    """The calls of one kind of storage."""
    family, _, kind = group.partition(".")

    def find(ls: LabelStudio, said: Said) -> Any:
        if "s3endpoint" in said:
            said["s3_endpoint"] = said.pop("s3endpoint")
        return getattr(getattr(ls, f"{family}s"), kind)

    def validate(ls: LabelStudio, said: Said) -> object:
        found = find(ls, said)
        if "id" in said:
            return changed(found.get(said.pop("id")), said).validate()
        if "project" in said:  # it brings the client along
            said["project"] = project(ls, said, "project")
        return found.model(**said).validate()

    return {
        **resource(group, find),
        f"{group}.validate": validate,
        f"{group}.sync": lambda ls, said: find(ls, said).ref(said["id"]).sync(wait=False),
    }


# -- everything else ------------------------------------------------------------------------------


def list_comments(ls: LabelStudio, said: Said) -> object:
    expanded = said.pop("expand_created_by", False)
    if "project" in said:
        said["project"] = int(said["project"])
    return list((ls.comments.with_created_by() if expanded else ls.comments).filter(**said))


def import_predictions(ls: LabelStudio, said: Said) -> object:
    predictions = project(ls, said).predictions
    return predictions.bulk_create(said["request"])


def change_hotkeys(ls: LabelStudio, said: Said) -> object:
    return ls.users.me().update_hotkeys(said.get("custom_hotkeys", {}))


def list_members(ls: LabelStudio, said: Said) -> object:
    found = ls.organizations.ref(said["id"]).members
    return list(found.with_projects() if said.get("contributed_to_projects") else found)


def set_order(ls: LabelStudio, said: Said) -> object:
    return project(ls, said, "project").views.set_order(said["ids"])


def entity(ls: LabelStudio, said: Said) -> Any:
    return getattr(ls, f"{said['entity_name']}s").ref(said["entity_id"])


def update_webhook(ls: LabelStudio, said: Said) -> object:
    """Where there are two arguments, the one with the long name is for the body."""
    prefix, webhook = "webhook_serializer_for_update_", ls.webhooks.get(said.pop("id_"))
    fields = {n.removeprefix(prefix): said[n] for n in said if prefix + n not in said}
    return changed(webhook, fields).save()


def update_user(ls: LabelStudio, said: Said) -> object:
    user = ls.users.get(said.pop("id"))
    if "users_update_request_id" in said:
        said["id"] = said.pop("users_update_request_id")
    return changed(user, said).save()


def version(ls: LabelStudio, said: Said, prompt: str = "prompt_id") -> Any:
    return ls.prompts.ref(said.pop(prompt)).versions.ref(said.pop("version_id"))


def cost_estimate(ls: LabelStudio, said: Said) -> object:
    project, subset = said.get("project_id", 1), said.get("project_subset", "All")
    return version(ls, said).cost_estimate(project, subset)


def refine_prompt(ls: LabelStudio, said: Said) -> object:
    source = version(ls, said)
    into = {"project": said.pop("project_id")} if "project_id" in said else {}
    return source.refine(**into, **said)


def run(ls: LabelStudio, said: Said, name: str) -> Any:
    return ls.prompts.ref(1).versions.ref(1).runs.ref(said.pop(name, None))


def submit_predictions(ls: LabelStudio, said: Said) -> object:
    return run(ls, said, "modelrun_id").submit_predictions(said["results"])


def submit_failed_predictions(ls: LabelStudio, said: Said) -> object:
    return run(ls, said, "modelrun_id").submit_failed_predictions(said["failed_predictions"])


def members(ls: LabelStudio, said: Said) -> Any:
    return ls.workspaces.ref(said.pop("id")).members


CALLS: dict[str, Call] = {
    **resource("projects", lambda ls, said: ls.projects),
    "projects.list": list_projects,
    "projects.import_tasks": import_tasks,
    "projects.validate_config": lambda ls, said: project(ls, said).validate_config(**said),
    **resource("projects.pauses", pauses),
    **resource("projects.exports", exports, "export_pk"),
    "projects.exports.list_formats": lambda ls, said: project(ls, said).exports.formats(),
    "projects.exports.convert": convert,
    "projects.exports.download": download_export,
    "projects.exports.download_sync": export_project,
    **resource("tasks", lambda ls, said: ls.tasks),
    "tasks.list": list_tasks,
    "tasks.create_many_status": lambda ls, said: project(ls, said).imports.get(said["import_pk"]),
    "tasks.delete_all_tasks": lambda ls, said: project(ls, said).tasks.all().delete(),
    **resource("annotations", lambda ls, said: ls.annotations),
    "annotations.list": lambda ls, said: list(
        ls.tasks.ref(said["id"]).annotations.filter(was_cancelled=False)
    ),
    "annotations.create": lambda ls, said: ls.tasks.ref(said.pop("id")).annotations.create(**said),
    "annotations.create_bulk": create_annotations,
    **resource("predictions", lambda ls, said: ls.predictions),
    **resource("views", lambda ls, said: ls.views),
    "views.delete_all": lambda ls, said: project(ls, said, "project").views.all().delete(),
    "actions.list": lambda ls, said: list(ls.projects.ref(said.get("project", 1)).actions.all()),
    "actions.create": perform,
    "files.get": lambda ls, said: ls.files.get(said["id"]),
    "files.delete": lambda ls, said: ls.files.ref(said["id"]).delete(),
    "files.update": replace_file,
    "files.list": list_files,
    "files.delete_many": lambda ls, said: project(ls, said).files.all().delete(),
    "files.download": download_file,
    **{name: call for group in STORAGES for name, call in storage(group).items()},
    "import_storage.list_types": lambda ls, said: ls.import_storages.types(),
    "export_storage.list_types": lambda ls, said: ls.export_storages.types(),
    **resource("ml", lambda ls, said: ls.ml_backends),
    "ml.predict_interactive": lambda ls, said: ls.ml_backends.ref(
        said.pop("id")
    ).predict_interactive(**said),
    "ml.train": lambda ls, said: ls.ml_backends.ref(said.pop("id")).train(**said),
    "ml.list_model_versions": lambda ls, said: ls.ml_backends.ref(said["id"]).model_versions(),
    **resource("webhooks", lambda ls, said: ls.webhooks),
    "webhooks.update": update_webhook,
    "webhooks.info": lambda ls, said: ls.webhooks.info(**said),
    **resource("users", lambda ls, said: ls.users),
    "users.update": update_user,
    "users.whoami": lambda ls, said: ls.users.me(),
    "users.get_token": lambda ls, said: ls.users.me().get_token(),
    "users.reset_token": lambda ls, said: ls.users.me().reset_token(),
    "tokens.get": lambda ls, said: ls.tokens.all(),
    "tokens.create": lambda ls, said: ls.tokens.create(),
    "tokens.refresh": lambda ls, said: ls.tokens.refresh(**said),
    "tokens.blacklist": lambda ls, said: ls.tokens.blacklist(**said),
    "jwt_settings.get": lambda ls, said: ls.jwt_settings(),
    "jwt_settings.create": lambda ls, said: changed(ls.jwt_settings(), said).save(),
    "versions.get": lambda ls, said: ls.version(),
    **resource("model_providers", lambda ls, said: ls.model_providers, "pk"),
    **resource("prompts", lambda ls, said: ls.prompts),
    "prompts.batch_predictions": submit_predictions,
    "prompts.batch_failed_predictions": submit_failed_predictions,
    **resource(
        "prompts.versions",
        lambda ls, said: ls.prompts.ref(said.pop("id")).versions,
        "version_id",
    ),
    "prompts.versions.cost_estimate": cost_estimate,
    "prompts.versions.refine_prompt": refine_prompt,
    "prompts.versions.get_refined_prompt": lambda ls, said: version(ls, said).get_refined_prompt(
        **said
    ),
    **resource("prompts.runs", lambda ls, said: version(ls, said, "id").runs),
    **resource(
        "prompts.indicators", lambda ls, said: run(ls, said, "pk").indicators, "indicator_key"
    ),
    **resource("comments", lambda ls, said: ls.comments),
    "comments.list": list_comments,
    **resource("workspaces", lambda ls, said: ls.workspaces),
    "workspaces.members.list": lambda ls, said: list(members(ls, said).all()),
    "workspaces.members.create": lambda ls, said: members(ls, said).add(**said),
    **resource("organizations", lambda ls, said: ls.organizations),
    "organizations.get_invite": lambda ls, said: ls.organizations.get_invite(),
    "organizations.reset_token": lambda ls, said: ls.organizations.reset_token(),
    "organizations.members.list": list_members,
    "organizations.members.get": lambda ls, said: ls.organizations.ref(said["id"]).members.get(
        said["user_pk"]
    ),
    "organizations.members.delete": lambda ls, said: (
        ls.organizations.ref(said["id"]).members.ref(said["user_pk"]).delete()
    ),
    "projects.import_predictions": import_predictions,
    "projects.list_counts": lambda ls, said: ls.projects.counts(),
    "projects.list_unique_annotators": lambda ls, said: project(ls, said).annotators(),
    "session_policy.get": lambda ls, said: ls.session_policy(),
    "session_policy.update": lambda ls, said: changed(ls.session_policy(), said).save(),
    "states.state_history": lambda ls, said: list(entity(ls, said).states.all()),
    "states.execute_transition": lambda ls, said: entity(ls, said).transition(
        said["transition_name"], said.get("transition_data")
    ),
    "tokens.rotate": lambda ls, said: ls.tokens.rotate(**said),
    "users.get_hotkeys": lambda ls, said: ls.users.me().get_hotkeys(),
    "users.update_hotkeys": change_hotkeys,
    "views.update_order": set_order,
    "workspaces.members.delete": lambda ls, said: members(ls, said).remove(**said),
}
"""By ``group.method``; ``resource`` also gives some that the official client does not have."""
