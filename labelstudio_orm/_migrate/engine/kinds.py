"""The kinds of objects that belong to a project, such as views and webhooks, as one table.

Copying, synchronising, verifying, archiving and the command line all work from ``KINDS``: a new
kind takes its noun in ``resources/`` and a row of the table. Tasks and settings are no such kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from ..._engine.http.releases import FLAT_SCANS, without
from ..._engine.values.codec import Row, write_datetime
from ..._engine.values.secret import Secret
from ...errors import LabelStudioError
from .fingerprints import canonical, selected
from .remap import original_name, translate_view, users_in
from .snapshot_form import (
    ANYTHING,
    COUNT,
    FLAG,
    ID,
    NAMES,
    OBJECT,
    PATH,
    PLAIN,
    TEXT,
    TEXTS,
    Form,
    one_of,
    or_null,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ..._engine.http.releases import Feature
    from ..._engine.models.queryset import QuerySet
    from ...client import LabelStudio
    from ...resources.projects import Project
    from .journal import Key

Owner: TypeAlias = "Project | LabelStudio"
"""Where objects are reached from: the project when they are made, later the client."""

Emails: TypeAlias = "Callable[[int], str | None]"
"""Gives the e-mail address of a user by id."""

Secrets: TypeAlias = "Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]"
"""Gives the secrets of an object, by its kind ("storages", "backends") and its settings:
``{"aws_access_key_id": ..., "aws_secret_access_key": ...}``; None leaves the object out.
"""


@attrs.frozen(kw_only=True)
class Names:
    """What the users, tasks and files that a row names are called elsewhere; by default the same.

    ``user`` gives an id for an e-mail address, ``task`` an id for an id, ``file`` a name for a
    path; None where there is no such object. ``has`` says whether a feature is there.
    """

    user: Callable[[str], int | None] | None = None
    task: Callable[[int], int | None] = lambda id: id
    file: Callable[[str], str | None] = lambda path: path
    has: Callable[[Feature], bool] = lambda feature: True


def row_of(obj: Any, fields: Iterable[str]) -> Row:
    """Return an object as a row: its id and those of the fields that its class has."""
    return {"id": obj.id, **{name: plain(getattr(obj, name, None)) for name in fields}}


def plain(value: datetime | Any) -> Any:
    """Return a value as JSON has it."""
    return write_datetime(value) if hasattr(value, "tzinfo") else value


def _read(kind: Kind, project: Project, email: Emails) -> Iterator[Row]:
    return (row_of(obj, kind.fields) for obj in kind.objects(project, {}).all())


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of objects: how they are listed, compared, archived and made.

    A row is a dict with ``id`` and ``fields``; two rows stand for the same object if their
    ``content`` is equal, whatever their ids.
    """

    name: str
    """In reports, journals and snapshots, and as a parameter: ``"backends"``."""
    title: str
    """In sentences: ``"ML backends"``."""
    fields: tuple[str, ...]
    """What a row has beside its id."""
    objects: Callable[[Owner, Row], QuerySet[Any]]
    """Gives the queryset that an object like a row is in; ``{}`` is a row of any."""
    form: Form
    """The types of the values in a snapshot."""
    listed_form: Form | None = None
    """The types as a server lists them, where they are others."""
    read: Callable[[Kind, Project, Emails], Iterator[Row]] = _read
    """Lists the rows of a project."""
    key: Callable[[Row], Key] = itemgetter("id")
    """The key that identifies an object within a project."""
    content: Callable[[Row], dict[str, Any]] = attrs.field()
    """What is the same on every server that holds the same object."""
    remap: Callable[[Row, Names], tuple[Row, Sequence[str]]] = lambda row, names: (row, ())
    """Gives a row with other names in it, and the fields that are lost by that."""
    losses: Mapping[str, str] = MappingProxyType({})
    """Why a field is lost."""
    hidden: tuple[str, ...] = ()
    """Fields that come as a Secret and are never written to a disk."""
    credentials: Callable[[Row], Sequence[str] | None] | None = None
    """Names the secrets that an object needs and no server gives; None where it needs none."""
    written: tuple[str, ...] = attrs.field()
    """The fields that an object is made of."""
    is_fixed: Callable[[Row, Row], bool] = lambda source, target: False
    """Whether the second row cannot be changed into the first."""
    is_opt_in: Callable[[Key], bool] = lambda key: False
    """Whether an object is copied only if all are asked for (``storages="all"``)."""
    set_order: Callable[[Project, list[int]], None] | None = None
    """Puts the objects in order, where their order counts."""
    is_listener: bool = False
    """Whether it calls out on changes, so that it is made last and deleted first."""
    is_uploaded: bool = False
    """Whether the objects are files, which are copied many at a time and named in tasks."""
    goes_with_tasks: bool = False
    """Whether the server deletes the objects when a project loses its last task."""

    @content.default
    def _fields_as_content(self) -> Callable[[Row], dict[str, Any]]:
        return lambda row: selected(row, self.fields)

    @written.default
    def _all_written(self) -> tuple[str, ...]:
        return (*self.fields, *self.hidden)

    def whole(self, row: Row) -> dict[str, Any]:
        """Return the content together with the hidden fields, for this process only."""
        return {**self.content(row), **{name: Secret(row.get(name) or {}) for name in self.hidden}}

    def secret_names(self, row: Row) -> Sequence[str]:
        """Return the names of the secrets that an object needs, as far as they are known."""
        return (self.credentials(row) if self.credentials else None) or ()

    def needs_secrets(self, row: Row) -> bool:
        """Return whether an object cannot be made without secrets."""
        return self.credentials is not None and self.credentials(row) is not None


# -- views ----------------------------------------------------------------------------------------


def _read_views(kind: Kind, project: Project, email: Emails) -> Iterator[Row]:
    def place(view: Any) -> tuple[int, int]:
        return view.order if isinstance(view.order, int) else 0, view.id

    for view in sorted(project.views.all(), key=place):
        row = row_of(view, kind.fields)
        yield {**row, "users": {str(id): email(id) for id in users_in(row)}}


def _remap_view(row: Row, names: Names) -> tuple[Row, Sequence[str]]:
    own = {email: int(id) for id, email in (row.get("users") or {}).items()}
    view, columns = translate_view(row, names.user or own.get, names.task)
    return view, ["filters"] if columns else []


def _view_content(row: Row) -> dict[str, Any]:
    """Return a view's data; a server gives the chosen tasks there, or in a field of their own."""
    data = {key: value for key, value in (row.get("data") or {}).items() if key != "id"}
    chosen = data.pop("selectedItems", None)
    return {
        "data": canonical(data),
        "selected_items": canonical(row.get("selected_items") or chosen),
    }


def _is_fixed_view(source: Row, target: Row) -> bool:
    """Return whether a server would refuse the change.

    It changes neither the chosen tasks of a view nor clears its filters or its order.
    """
    ours, theirs = _view_content(source), _view_content(target)
    return ours["selected_items"] != theirs["selected_items"] or any(
        theirs["data"].get(name) and not ours["data"].get(name) for name in ("filters", "ordering")
    )


# -- webhooks -------------------------------------------------------------------------------------

_WEBHOOK: Final = ("url", "send_payload", "send_for_all_actions", "actions", "is_active")


def _read_webhooks(kind: Kind, project: Project, email: Emails) -> Iterator[Row]:
    for webhook in project.webhooks.all():
        if webhook.project_id != project.id:  # the server lists those of the organization too
            continue
        headers = Secret(webhook.headers or {})
        if not isinstance(headers.reveal(), Mapping):
            raise LabelStudioError(f"reading {webhook!r}: its headers are not a JSON object")
        yield {**row_of(webhook, kind.fields), "headers": headers}


def _webhook_content(row: Row) -> dict[str, Any]:
    found = selected(row, _WEBHOOK)
    found["actions"] = sorted(found["actions"] or ())
    return found


# -- storages -------------------------------------------------------------------------------------

_STORAGE_SECRETS: Final[Mapping[str, Sequence[str]]] = {
    "azure": ("account_name", "account_key"),
    "gcs": ("google_application_credentials",),
    "redis": ("password",),
    "s3": ("aws_access_key_id", "aws_secret_access_key"),
}

_STORAGE: Final = (
    "title", "description", "regex_filter", "use_blob_urls", "prefix", "path", "bucket",
    "region_name", "s3_endpoint", "role_arn", "container", "google_project_id", "host", "port",
    "db", "presign", "presign_ttl", "recursive_scan", "can_delete_objects",
)  # fmt: skip


_SCANNED: Final = ("azure", "gcs", "localfiles")
"""Types of storages that servers before 1.21 read with their folders, without a field for it."""


def _read_storages(kind: Kind, project: Project, email: Emails) -> Iterator[Row]:
    families: list[tuple[str, QuerySet[Any]]] = [
        ("import", project.import_storages),
        ("export", project.export_storages),
    ]
    for family, storages in families:
        for storage in storages.all():
            row = {**row_of(storage, kind.fields), "family": family}
            if family == "import" and row["type"] in _SCANNED and row["recursive_scan"] is None:
                row["recursive_scan"] = True
            yield row


def _remap_storage(row: Row, names: Names) -> tuple[Row, Sequence[str]]:
    is_flat = row["type"] in _SCANNED and row["recursive_scan"] is False
    if row["family"] == "import" and is_flat and not names.has(FLAT_SCANS):
        return {**row, "recursive_scan": True}, ["recursive_scan"]
    return row, ()


def _storages(owner: Owner, row: Row) -> QuerySet[Any]:
    """Return the storages of the family and type of a row, which is a text from a server."""
    family = owner.import_storages if row["family"] == "import" else owner.export_storages
    name = "local" if row["type"] == "localfiles" else row["type"]
    if name not in vars(type(family)) or name.startswith("_"):
        raise ValueError(f"storages of type {row['type']!r:.80} are not known to this version")
    of_type: QuerySet[Any] = getattr(family, name)
    return of_type


def _storage_content(row: Row) -> dict[str, Any]:
    found = selected(row, ("family", "type", *_STORAGE))
    return {name: value for name, value in found.items() if value is not None}


def _storage_key(row: Row) -> str:
    """Return a key that no other storage has; each family and type counts its own ids."""
    return f"{row['family']}:{row['type']}:{row['id']}"


def _storage_credentials(row: Row) -> Sequence[str] | None:
    return None if row["type"] == "localfiles" else _STORAGE_SECRETS.get(row["type"], ())


# -- ML backends and files ------------------------------------------------------------------------

_BACKEND: Final = (
    "url", "title", "description", "is_interactive", "auth_method", "basic_auth_user",
    "extra_params", "timeout",
)  # fmt: skip


def _file_content(row: Row) -> dict[str, Any]:
    return {"name": original_name(row["file"]), "size": row["size"], "content": row["content"]}


# -- the table ------------------------------------------------------------------------------------

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            name="views",
            title="tabs of the data manager",
            fields=("data", "selected_items"),
            objects=lambda owner, row: owner.views,
            form={
                "id": ID,
                "data": or_null(OBJECT),
                "selected_items": ANYTHING,
                "users": NAMES,
            },
            read=_read_views,
            content=_view_content,
            remap=_remap_view,
            losses={"filters": "they name ids, or users, that the target does not have"},
            is_fixed=_is_fixed_view,
            set_order=lambda project, ids: project.views.set_order(ids),
            goes_with_tasks=True,
        ),
        Kind(
            name="webhooks",
            title="webhooks",
            fields=_WEBHOOK,
            objects=lambda owner, row: owner.webhooks,
            form={
                "id": ID,
                "url": TEXT,
                "send_payload": or_null(FLAG),
                "send_for_all_actions": or_null(FLAG),
                "actions": or_null(TEXTS),
                "is_active": or_null(FLAG),
            },
            read=_read_webhooks,
            content=_webhook_content,
            hidden=("headers",),
            is_listener=True,
        ),
        Kind(
            name="storages",
            title="storages",
            fields=("family", "type", *_STORAGE),
            objects=_storages,
            form={
                **dict.fromkeys(_STORAGE, or_null(PLAIN)),
                "id": ID,
                "family": one_of("import", "export"),
                "type": TEXT,
            },
            read=_read_storages,
            key=_storage_key,
            content=_storage_content,
            remap=_remap_storage,
            losses={
                "recursive_scan": f"{without(FLAT_SCANS)} reads the folders of a storage as well",
                "export": (
                    "it would write to the same place, where files are named after the ids of "
                    'annotations; storages="all" copies it'
                ),
            },
            credentials=_storage_credentials,
            written=_STORAGE,
            is_opt_in=lambda key: str(key).startswith("export:"),
        ),
        Kind(
            name="backends",
            title="ML backends",
            fields=_BACKEND,
            objects=lambda owner, row: owner.ml_backends,
            form={
                **dict.fromkeys(_BACKEND, ANYTHING),
                "id": ID,
                "url": TEXT,
                "auth_method": or_null(TEXT),
            },
            credentials=lambda row: (
                ("basic_auth_pass",) if row["auth_method"] == "BASIC_AUTH" else None
            ),
        ),
        Kind(
            name="files",
            title="uploaded files",
            fields=("file", "size"),
            objects=lambda owner, row: owner.files,
            form={"id": or_null(ID), "file": PATH, "size": COUNT},
            listed_form={"id": ID, "file": TEXT, "size": or_null(COUNT)},
            key=itemgetter("file"),
            content=_file_content,
            remap=lambda row, names: ({**row, "content": names.file(row["file"])}, ()),
            is_uploaded=True,
        ),
    )
}
"""All kinds by name."""
