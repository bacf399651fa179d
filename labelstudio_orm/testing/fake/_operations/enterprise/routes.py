"""The routes of the Enterprise edition: prompts, comments, workspaces, pauses and the rest.

Unlike everything else here, this does not follow an observed server. The contract says what may
be sent and what the answers look like; what it leaves open is decided here as simply as possible.
A Community server has none of these paths and answers them all with its web page for a 404.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import evolve

from ..._rows import serializers
from ..._rows.enterprise import get_row
from ..._wire.answers import invalid, not_found
from ..._wire.routes import Routes
from ..tasks import create_annotation
from . import prompts
from .calls import Call, serve
from .kinds import (
    COMMENT,
    EXPORT_S3S,
    IMPORT_S3S,
    MEMBER,
    METHODS,
    MODEL_PROVIDER,
    PAUSE,
    PROMPT,
    PROMPT_VERSION,
    RUN,
    WORKSPACE,
    create,
)

ROUTES = Routes(enterprise=True)
_serve = partial(serve, ROUTES)


def _list_members(call: Call) -> Any:
    members = MEMBER.rows(call.store, MEMBER.owned(call))
    return [
        {"user": serializers.user_short(call.store, call.find("user", row["user"]))}
        for row in members
    ]


def _add_member(call: Call) -> Any:
    member = {**MEMBER.owned(call), "user": call.body["user"]}
    if not MEMBER.rows(call.store, member):
        MEMBER.save(call, member)
    return {"user": member["user"]}


def _remove_member(call: Call) -> None:
    rows = MEMBER.rows(call.store, {**MEMBER.owned(call), "user": call.body["user"]})
    if not rows:
        raise not_found(MEMBER.name)
    call.store.execute("DELETE FROM enterprise WHERE id = ?", rows[0]["id"])


def _sync(call: Call) -> Any:
    """Synchronise nothing: there is no bucket."""
    row = {**IMPORT_S3S.find(call), "last_sync": call.now(), "last_sync_count": 0}
    return IMPORT_S3S.shown(call, IMPORT_S3S.save(call, {**row, "status": "completed"}))


def _annotate_many(call: Call) -> Any:
    chosen, project = call.body.get("selectedItems"), call.body.get("project")
    if call.body.get("tasks"):
        ids = call.body["tasks"]
    elif chosen is None or project is None:
        raise invalid({"tasks": ["Give tasks, or selectedItems and their project."]})
    elif chosen.get("all"):
        rows = call.store.rows("SELECT id FROM task WHERE project_id = ? ORDER BY id", project)
        ids = [row["id"] for row in rows if row["id"] not in chosen.get("excluded", ())]
    else:
        ids = chosen.get("included", [])
    for pk in ids:
        task = get_row(call.store, "task", pk)
        if task is None or project not in (None, task["project_id"]):
            raise invalid({"tasks": [f'Invalid pk "{pk}" - object does not exist.']})
    result = call.body.get("result", [])
    body = {"result": result if isinstance(result, list) else [result]}
    body |= {name: call.body[name] for name in ("lead_time",) if name in call.body}
    answers = [create_annotation(evolve(call.request, body=body), pk) for pk in ids]
    return [{"id": answer.body["id"]} for answer in answers]


for _kind in (
    COMMENT, PAUSE, WORKSPACE, MODEL_PROVIDER, PROMPT, PROMPT_VERSION, EXPORT_S3S, IMPORT_S3S
):  # fmt: skip
    for _name, _function in METHODS.items():
        _serve(
            f"{_kind.group}.{_name}",
            partial(_function, _kind),
            _kind.requires if _name == "create" else (),
        )
_serve("workspaces.members.list", _list_members)
_serve("workspaces.members.create", _add_member, ["user"])
_serve("workspaces.members.delete", _remove_member, ["user"])
_serve("prompts.runs.list", prompts.get_run)
_serve("prompts.runs.create", partial(create, RUN))
_serve("prompts.indicators.list", prompts.list_indicators)
_serve("prompts.indicators.get", prompts.get_indicator)
_serve("prompts.batch_predictions", prompts.submit_predictions, ["modelrun_id", "results"])
_serve(
    "prompts.batch_failed_predictions",
    prompts.submit_failures,
    ["modelrun_id", "failed_predictions"],
)
_serve("prompts.versions.cost_estimate", prompts.estimate_cost)
_serve("prompts.versions.refine_prompt", prompts.refine)
_serve("prompts.versions.get_refined_prompt", prompts.get_refinement)
_serve("annotations.create_bulk", _annotate_many)
_serve("import_storage.s3s.sync", _sync)
for _storage in (EXPORT_S3S, IMPORT_S3S):
    _serve(f"{_storage.group}.validate", lambda call: None, _storage.requires)
