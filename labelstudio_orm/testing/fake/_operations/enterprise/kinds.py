"""The kinds of rows of the Enterprise edition, and the operations that all kinds share."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from ..._checks import contract
from ..._checks.contract import Member
from ..._rows import serializers
from ..._rows.enterprise import get_row
from ..._state.store import Row, Store, dumps
from ..._wire.answers import invalid, not_found
from .calls import REFERENCES, Call, dangling, ids_in


@define(frozen=True)
class Kind:
    """A kind of rows that one group of operations creates, shows, changes and deletes.

    Attributes:
        name: The name of its type in the contract.
        group: The group of operations in the contract.
        owners: The fields that the numbers in the path stand for, in their order.
        requires: Fields that creation requires beyond the contract.
        defaults: The defaults of fields that may be sent.
        given: The defaults of fields that only the server sets; what is sent there is ignored.
        hidden: Fields of the type that are never shown.
        extra: Fields that are shown although the type lacks them.
        complete: Completes a row before it is stored; it gets the call, the row, and the row as it
            was (empty for a new one).
    """

    name: str
    group: str
    owners: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    defaults: Row = field(factory=dict)
    given: Row = field(factory=dict)
    hidden: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    complete: Callable[[Call, Row, Row], None] = lambda call, row, before: None

    def owned(self, call: Call) -> Row:
        """Return the owners in the path by field; 404 unless all of them exist."""
        owners = dict(zip(self.owners, call.path, strict=False))
        for name, pk in owners.items():
            call.find(REFERENCES[name], pk)
        return owners

    def find(self, call: Call) -> Row:
        """Return the row in the path; 404 when it does not exist or has other owners."""
        owners = self.owned(call)
        row = call.find(self.name, call.path[len(owners)])
        if row.get("deleted_at") or any(row[name] != pk for name, pk in owners.items()):
            raise not_found(self.name)
        return row

    def rows(self, store: Store, wanted: Mapping[str, Any]) -> list[Row]:
        """Return all rows with these values, oldest first."""
        sql = "SELECT * FROM enterprise WHERE kind = ? ORDER BY id"
        rows = [{"id": row["id"], **json.loads(row["body"])} for row in store.rows(sql, self.name)]
        return [row for row in rows if all(row[name] == wanted[name] for name in wanted)]

    def save(self, call: Call, row: Row) -> Row:
        """Store a row, which is new unless it has an id; return it with its id."""
        body = dumps({name: value for name, value in row.items() if name != "id"})
        if "id" in row:
            call.store.update("enterprise", row["id"], {"body": body})
            return row
        return {"id": call.store.insert("enterprise", {"kind": self.name, "body": body}), **row}

    def shown(self, call: Call, row: Row) -> Row:
        """Return a row as answers show it: the fields of its type and an id.

        The contract forgets the id for prompts, their versions and runs, and for model providers,
        though it has paths with it.
        """
        fields = self.fields(call)
        item = {"id": row["id"]}
        item |= {name: row.get(name) for name in (*fields, *self.extra) if name not in self.hidden}
        gone = dangling(call.store, item)
        for name in gone:
            alive = [pk for pk in ids_in(item[name]) if get_row(call.store, REFERENCES[name], pk)]
            item[name] = alive if isinstance(item[name], list) else None
        if call.query.get("expand_created_by"):
            item["created_by"] = shown_user(call, item["created_by"])
        for name, member in fields.items():
            item[name] = _expanded(call, member.type, item.get(name))
        return {name: item[name] for name in item if name not in self.hidden}

    def fields(self, call: Call) -> Mapping[str, Member]:
        """Return the fields that the answer to a call has."""
        own = call.operation.name.rpartition(".")[0] == self.group
        usual = own and call.operation.name.rpartition(".")[2] in (*METHODS, "sync")
        if not (usual and call.operation.answer):
            names = contract.newest() if call.is_newest else contract.operations()
            shows = f"{self.group}.get" if f"{self.group}.get" in names else f"{self.group}.create"
            return _fields(names[shows].answer)
        return _fields(call.operation.answer)


def _fields(kind: str | None) -> Mapping[str, Member]:
    """Return the fields of a type, of one of several of the first."""
    named = contract.types()[kind or ""]
    return _fields(named.union[0]) if named.union else named.fields or {}


def _expanded(call: Call, kind: str, value: Any) -> Any:
    """Return an id as the object that the type of its field is, where it is one."""
    if isinstance(value, list) and kind.startswith("list<"):
        return [_expanded(call, kind[5:-1], one) for one in value]
    named = contract.types().get(kind)
    if not isinstance(value, int) or named is None or not named.fields:
        return value
    if "username" in named.fields:
        return shown_user(call, value)
    project = call.find("project", value)
    return {"id": project["id"], "title": project["title"]}


def shown_user(call: Call, pk: int) -> Row:
    """Return a user as other objects contain them."""
    user = call.find("user", pk)
    more = {"username": user["username"]} if call.is_newest else {}
    return {**serializers.user_short(call.store, user), **more}


def _list(kind: Kind, call: Call) -> Any:
    wanted = kind.owned(call) | {k: v for k, v in call.query.items() if k in kind.fields(call)}
    rows = kind.rows(call.store, wanted)
    if not call.query.get("include_deleted"):
        rows = [row for row in rows if not row.get("deleted_at")]
    if "projects" in call.query:
        chosen = str(call.query["projects"]).split(",")
        rows = [row for row in rows if str(row["project"]) in chosen]
    shown = [kind.shown(call, row) for row in rows]
    return _page(call, shown) if call.operation.items else shown


def _page(call: Call, rows: list[Row]) -> Row:
    number, size = call.query.get("page", 1), call.query.get("page_size", 30)
    first = (number - 1) * size
    if first and first >= len(rows):
        raise not_found("Page")
    more = f"{call.request.path}?page={number + 1}" if first + size < len(rows) else None
    items = rows[first : first + size]
    return {"count": len(rows), "next": more, "previous": None, "results": items}


def _written(kind: Kind, call: Call, before: Row, row: Row) -> Any:
    for name in kind.owners:
        if call.body.get(name, row[name]) != row[name]:
            raise invalid({name: [f"This field cannot be changed; it is {row[name]}."]})
    sent = {k: v for k, v in call.body.items() if k not in kind.given and k not in _ALWAYS_GIVEN}
    row = {**row, **sent, "updated_at": call.now() if before else row["created_at"]}
    kind.complete(call, row, before)
    return kind.shown(call, kind.save(call, row))


_ALWAYS_GIVEN = ("organization", "created_by", "created_at", "updated_at")


def create(kind: Kind, call: Call) -> Any:
    new = {"organization": 1, "created_by": call.me, "created_at": call.now()}
    return _written(kind, call, {}, {**kind.defaults, **kind.given, **new, **kind.owned(call)})


def _get_one(kind: Kind, call: Call) -> Any:
    return kind.shown(call, kind.find(call))


def _update(kind: Kind, call: Call) -> Any:
    row = kind.find(call)
    return _written(kind, call, row, row)


def _delete(kind: Kind, call: Call) -> None:
    row = kind.find(call)
    if "deleted_at" in kind.given:  # kept, and shown on request
        kind.save(call, {**row, "deleted_at": call.now(), "deleted_by": call.me})
    else:
        call.store.execute("DELETE FROM enterprise WHERE id = ?", row["id"])


METHODS = {
    "list": _list,
    "create": create,
    "get": _get_one,
    "update": _update,
    "delete": _delete,
}


def _complete_comment(call: Call, row: Row, before: Row) -> None:
    annotation = call.find("annotation", row["annotation"])
    if row.get("project") not in (None, annotation["project_id"]):
        raise invalid({"project": ["The annotation is of another project."]})
    row["project"], row["task"] = annotation["project_id"], annotation["task_id"]
    row["is_resolved"] = bool(row["is_resolved"])
    if row["is_resolved"] != before.get("is_resolved", False):
        row["resolved_at"] = row["updated_at"] if row["is_resolved"] else None


def _complete_pause(call: Call, row: Row, before: Row) -> None:
    row["paused_by"] = before.get("paused_by", call.me)


def _complete_prompt(call: Call, row: Row, before: Row) -> None:
    row["associated_projects"] = ids_in(row["associated_projects"])


def _complete_run(call: Call, row: Row, before: Row) -> None:
    row["model_version"] = PROMPT_VERSION.find(call)["id"]
    row["job_id"] = str(uuid.uuid4())


COMMENT = Kind(
    "Comment",
    "comments",
    requires=("annotation", "text"),
    defaults={"is_resolved": False},
    given={"resolved_at": None},
    complete=_complete_comment,
)
PAUSE = Kind(
    "Pause",
    "projects.pauses",
    owners=("project", "user"),
    defaults={"verbose_reason": ""},
    given={"deleted_at": None, "deleted_by": None},
    complete=_complete_pause,
)
WORKSPACE = Kind(
    "Workspace",
    "workspaces",
    defaults={
        "title": "",
        "description": "",
        "color": "#FFFFFF",
        "is_public": False,
        "is_personal": False,
        "is_archived": False,
    },
)
MEMBER = Kind("WorkspaceMember", "workspaces.members", owners=("workspace",))
MODEL_PROVIDER = Kind(
    "ModelProviderConnection",
    "model_providers",
    defaults={"scope": "Organization"},
    given={"is_internal": False, "budget_last_reset_date": None, "budget_total_spent": None},
    hidden=("api_key",),  # a secret: the server never shows it again
)
PROMPT = Kind(
    "Prompt",
    "prompts",
    defaults={"description": "", "skill_name": None, "associated_projects": []},
    complete=_complete_prompt,
)
PROMPT_VERSION = Kind("PromptVersion", "prompts.versions", owners=("parent_model",))
RUN = Kind(
    "InferenceRun",
    "prompts.runs",
    given={
        "status": "Pending",
        "model_version": None,
        "job_id": None,
        "triggered_at": None,
        "predictions_updated_at": None,
        "completed_at": None,
    },
    complete=_complete_run,
)
_BUCKET = {"title": "", "description": "", "prefix": "", "region_name": "", "s3_endpoint": ""}
EXPORT_S3S = Kind(
    "S3SExportStorage",
    "export_storage.s3s",
    requires=("project",),
    defaults={**_BUCKET, "can_delete_objects": False},
    extra=("can_delete_objects",),  # may be sent, but is not in the contract's type
)
IMPORT_S3S = Kind(
    "S3SImportStorage",
    "import_storage.s3s",
    requires=("project",),
    defaults={
        **_BUCKET,
        "presign": True,
        "presign_ttl": 15,
        "use_blob_urls": False,
        "recursive_scan": False,
        "regex_filter": "",
    },
    given={
        "synchronizable": True,
        "last_sync": None,
        "last_sync_count": None,
        "last_sync_job": None,
        "status": "initialized",
        "traceback": None,
        "meta": {},
    },
)
