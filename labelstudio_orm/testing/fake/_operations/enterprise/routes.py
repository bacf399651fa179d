"""The routes of the Enterprise edition: prompts, comments, workspaces, pauses and the rest.

Unlike everything else in the fake, this does not follow an observed server. The contract says what
may be sent and what the answers look like, as the published reference or as the newest client has
it; what that leaves open is decided here as simply as possible. A Community server has none of
these paths and answers them all with its web page for a 404.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import evolve

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
    Kind,
    create,
    shown_user,
)

ROUTES = Routes(enterprise=True)
"""The operations of the published reference."""

NEWEST = Routes(enterprise=True)
"""The same as the newest official client declares them."""


def _list_members(call: Call) -> Any:
    members = MEMBER.rows(call.store, MEMBER.owned(call))
    more = {"workspace": call.path[0]} if call.is_newest else {}
    return [{"user": shown_user(call, row["user"]), **more} for row in members]


def _add_member(call: Call) -> Any:
    member = {**MEMBER.owned(call), "user": call.body["user"]}
    if not MEMBER.rows(call.store, member):
        MEMBER.save(call, member)
    return member if call.is_newest else {"user": member["user"]}


def _remove_member(call: Call) -> None:
    user = call.query.get("user_id") if call.is_newest else call.body["user"]
    rows = MEMBER.rows(call.store, {**MEMBER.owned(call), "user": user})
    if not rows:
        raise not_found(MEMBER.name)
    call.store.execute("DELETE FROM enterprise WHERE id = ?", rows[0]["id"])


def _sync(kind: Kind, call: Call) -> Any:
    """Synchronise nothing: there is no bucket."""
    row = {**kind.find(call), "last_sync": call.now(), "last_sync_count": 0}
    return kind.shown(call, kind.save(call, {**row, "status": "completed"}))


def _annotate_many(call: Call) -> Any:
    chosen, project = call.body.get("selectedItems"), call.body.get("project")
    chosen = call.body.get("selected_items", chosen)
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


def _route(routes: Routes, is_newest: bool) -> None:
    _serve = partial(serve, routes, is_newest)
    for kind in _KINDS:
        for name, function in METHODS.items():
            requires = kind.requires if name == "create" else ()
            _serve(f"{kind.group}.{name}", partial(function, kind), requires)
    removed = () if is_newest else ("user",)
    _serve("workspaces.members.list", _list_members)
    _serve("workspaces.members.create", _add_member, ["user"])
    _serve("workspaces.members.delete", _remove_member, removed)
    _serve("prompts.runs.list", prompts.list_runs if is_newest else prompts.get_run)
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
    _serve("import_storage.s3s.sync", partial(_sync, IMPORT_S3S))
    if is_newest:
        _serve("export_storage.s3s.sync", partial(_sync, EXPORT_S3S))
    for storage in (EXPORT_S3S, IMPORT_S3S):
        _serve(f"{storage.group}.validate", lambda call: None, storage.requires)


_KINDS = (
    COMMENT,
    PAUSE,
    WORKSPACE,
    MODEL_PROVIDER,
    PROMPT,
    PROMPT_VERSION,
    EXPORT_S3S,
    IMPORT_S3S,
)
_route(ROUTES, is_newest=False)
_route(NEWEST, is_newest=True)
