"""Storages: the sources of a project's tasks and the targets of its annotations, six of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._engine.bulk.jobs import Job
from .._engine.fields.options import options_of
from .._engine.http.deadline import one_call
from .._engine.http.releases import FLAT_SCANS
from .._engine.reading.selection import query_of
from .._engine.records.inside import load
from .._engine.records.origin import Origin
from .._engine.values.registry import registry
from ..errors import APIError, DoesNotExist, NotSupportedByServer
from ..orm import (
    ForeignKey,
    Plain,
    QuerySet,
    Resource,
    action,
    always_sent,
    answer,
    field,
    fields,
    foreign_key,
    readonly,
    resource,
    secret,
)
from ..progress import Progress
from .common import CreatedAt, Enterprise

if TYPE_CHECKING:
    from typing_extensions import Self

    from .projects import Project

__all__ = ["ExportStorage", "ExportStorages", "ImportStorage", "ImportStorages", "Storage"]

R = TypeVar("R", bound="Storage")

_IN_PROJECT = Plain(scoped_by=("project",))


@fields
class Storage(CreatedAt, Job, Resource):
    """The settings that every storage has, and the state of its last sync."""

    project: ForeignKey[Project] = foreign_key(fixed=True)
    project_id = project.id
    title: str | None = None
    description: str | None = None
    regex_filter: str | None = None
    use_blob_urls: bool = False
    synchronizable: bool = readonly()
    type: str = readonly()
    status: str = readonly()
    traceback: str | None = readonly()
    last_sync: datetime | None = readonly()
    last_sync_count: int | None = readonly()
    last_sync_job: str | None = readonly()
    meta: dict[str, Any] | None = readonly()

    @classmethod
    def _load(cls, rows: Iterable[dict[str, Any]], origin: Origin) -> Iterator[Any]:
        """Load each row of a listing of all types as an object of its own class.

        Those of a type that this version does not know are of the base class.
        """
        if cls._options.item:
            yield from super()._load(rows, origin)
            return
        kinds = _kinds(cls)
        for row in rows:
            known = kinds.get(str(row.get("type")))
            if known is not None:
                yield from load(known, (row,), origin)
            else:
                yield from super()._load((row,), origin)

    def _ask(self, method: str, doing: str, path: str | None = None, **options: Any) -> Any:
        if not self._options.item:
            raise NotSupportedByServer(
                f"{doing}: this version knows no address for storages of type {self.type!r:.80}, "
                f"only for {', '.join(_kinds(type(self)))}"
            )
        return super()._ask(method, doing, path, **options)

    @one_call
    def validate(self) -> Self:
        """Let the server check that it can reach the storage with these settings; return self.

        The settings may be saved or not. One request.

        Raises BadRequest, PermissionDenied or ServerError with the reason. A host that does not
        exist may take the server a minute and a half (Azure).
        """
        if self._is_saved and not (self._origin.whole or self._origin.fetched):
            self._complete()  # the server resets what it is not sent
        body = self._body(
            field
            for field in self._options.fields.values()
            if not field.read_only and (field.name in self.__dict__ or field.wire in self._row)
        )
        if "synchronizable" in self._row and not self._options.edition:  # else it is reset
            body["synchronizable"] = self.synchronizable
        if self._is_saved and not self._options.edition:
            if not self._changed():
                body["id"] = self.id  # for the secrets that are not here
            elif secrets := self._unknown_secrets():
                raise ValueError(
                    f"validating {self!r}: the server would store its unsaved changes; save() it "
                    f"first, or set its secrets again ({', '.join(secrets)})"
                )
        self._client.request(
            "POST",
            self._url(self._options.collection).rstrip("/") + "/validate",
            json=body,
            idempotent=True,
            timeout=self._client.long_timeout,
            doing=f"validating {self!r}",
            edition=self._options.edition,
            reads=True,
        )
        return self

    def _unknown_secrets(self) -> list[str]:
        """Return the secrets that the server may have, unless some were set here."""
        fields = self._options.fields.values()
        names = [one.name for one in fields if one.secret and one.wire not in self._row]
        return [] if any(name in self.__dict__ for name in names) else names

    @one_call
    def sync(self, *, wait: bool = True, timeout: float = 3600, progress: Progress = None) -> Self:
        """Import what is new in the storage, or write what is new in the project; return self.

        One request, and one for each poll where the server goes on in the background. ``wait``:
        wait until it is done, ``timeout`` seconds at most. Raises JobFailed with the reason: the
        server itself answers 200 to a sync that failed.
        """
        doing = f"synchronising {self!r}"
        long = self._client.long_timeout
        done = {"status": "completed"}
        row = self._ask("POST", doing, "/sync", json={}, idempotent=True, timeout=long, dry=done)
        if isinstance(row, dict) and "status" in row:
            self._absorb(row)
        else:
            self.refresh()
        return self.wait(timeout=timeout, progress=progress) if wait else self


def _kinds(family: type[Any]) -> dict[str, type[Any]]:
    """Return the classes of one family by the server's names of their types."""
    models = [model for model in registry.values() if issubclass(model, family)]
    return {
        options_of(model).item.split("/")[-2]: model for model in models if options_of(model).item
    }


# -- what the kinds of storages are reached by ----------------------------------------------------


@fields
class _Cloud:
    prefix: str | None = None


@fields
class _Presigned:
    presign: bool = True
    presign_ttl: int = 1


@fields
class _Scanned(_Presigned):
    recursive_scan: bool | None = field(default=None, since=FLAT_SCANS)


@fields
class _Azure(_Cloud):
    container: str | None = None
    account_name: str | None = secret(default=None)
    account_key: str | None = secret(default=None)


@fields
class _GCS(_Cloud):
    bucket: str | None = None
    google_application_credentials: str | None = secret(default=None)
    google_project_id: str | None = None


@fields
class _Local:
    path: str | None = always_sent(default=None)


@fields
class _Redis:
    host: str | None = always_sent(default=None)  # a PATCH is tried at localhost:6379 without them
    port: str | None = always_sent(default=None)
    db: int | None = None
    path: str | None = None
    password: str | None = secret(default=None)


@fields
class _Bucket(_Cloud):
    bucket: str | None = None
    region_name: str | None = None
    s3_endpoint: str | None = None


@fields
class _S3(_Bucket):
    aws_access_key_id: str | None = secret(default=None)
    aws_secret_access_key: str | None = secret(default=None)
    aws_session_token: str | None = secret(default=None)
    aws_sse_kms_key_id: str | None = secret(default=None)


@fields
class _S3S(_Bucket):
    external_id: str | None = secret(default=None)
    role_arn: str | None = None


# -- the two families -----------------------------------------------------------------------------


class _OfKind(Generic[R]):
    """The storages of one type, of the same project: ``project.import_storages.s3``."""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    def __get__(self, storages: Any, owner: Any = None) -> QuerySet[R]:
        kinds = {model.__name__.lower(): model for model in _kinds(storages.model).values()}
        return QuerySet(kinds[self.name], storages.client, scope=query_of(storages).scope)


class _Storages(QuerySet[R]):
    @action("GET", "types", "listing the types of storages", expect=[{"name": str}])
    def types(self) -> list[dict[str, str]]:
        """List the types that the server has: ``{"name": "s3", "title": "AWS S3"}``.

        One request.
        """
        return answer()


class ImportStorages(_Storages["ImportStorage.Any"]):
    """``project.import_storages``: the storages of all types, listed in one request.

    Those of one type are an attribute: ``project.import_storages.s3.create(bucket="b")``.
    """

    azure: _OfKind[ImportStorage.Azure] = _OfKind()
    gcs: _OfKind[ImportStorage.GCS] = _OfKind()
    local: _OfKind[ImportStorage.Local] = _OfKind()
    redis: _OfKind[ImportStorage.Redis] = _OfKind()
    s3: _OfKind[ImportStorage.S3] = _OfKind()
    s3s: _OfKind[ImportStorage.S3S] = _OfKind()


class ExportStorages(_Storages["ExportStorage.Any"]):
    """``project.export_storages``: the storages of all types, listed in one request.

    Those of one type are an attribute: ``project.export_storages.local.create(path="/data/out")``.
    """

    azure: _OfKind[ExportStorage.Azure] = _OfKind()
    gcs: _OfKind[ExportStorage.GCS] = _OfKind()
    local: _OfKind[ExportStorage.Local] = _OfKind()
    redis: _OfKind[ExportStorage.Redis] = _OfKind()
    s3: _OfKind[ExportStorage.S3] = _OfKind()
    s3s: _OfKind[ExportStorage.S3S] = _OfKind()


class ImportStorage:
    r"""A source of tasks: ``ImportStorage.S3(project=project, bucket="b").save().sync()``.

    ``regex_filter`` is matched with the whole path; without ``use_blob_urls`` the files are JSON
    tasks. Secrets are never returned by the server and never shown here.

    >>> storage = ImportStorage.S3(project=project, bucket="reviews", regex_filter=r".*\.json")
    >>> storage.save().sync().status
    'completed'
    """

    @resource(
        "", collection="/api/storages/", pages=_IN_PROJECT, label="title", queryset=ImportStorages
    )
    class Any(Storage):
        """Any of the six, for annotations and ``isinstance``."""

    @resource("/api/storages/azure/{id}")
    class Azure(_Azure, _Scanned, Any):
        """A container of Azure Blob Storage."""

    @resource("/api/storages/gcs/{id}")
    class GCS(_GCS, _Scanned, Any):
        """A bucket of Google Cloud Storage."""

    @resource("/api/storages/localfiles/{id}")
    class Local(_Local, Any):
        """A folder on the server, below its document root for local files."""

        recursive_scan: bool | None = field(default=None, since=FLAT_SCANS)

    @resource("/api/storages/redis/{id}")
    class Redis(_Redis, Any):
        """Keys of a Redis database, below a prefix (``path``)."""

    @resource("/api/storages/s3/{id}")
    class S3(_S3, _Presigned, Any):
        """A bucket of S3, or of what speaks its protocol (``s3_endpoint``)."""

        recursive_scan: bool | None = None

    @resource("/api/storages/s3s{/id}")
    class S3S(Enterprise, _S3S, _Scanned, Any):
        """A bucket of S3 that is reached by a role (``role_arn``) instead of keys."""


class ExportStorage:
    """A target of annotations, one object each: ``ExportStorage.S3(project=project, bucket="b")``.

    The server also writes each annotation at once when it is created or changed.

    >>> ExportStorage.S3(project=project, bucket="reviews").save().sync().status
    'completed'
    """

    @resource(
        "",
        collection="/api/storages/export",
        pages=_IN_PROJECT,
        label="title",
        queryset=ExportStorages,
    )
    class Any(Storage):
        """Any of the six, for annotations and ``isinstance``."""

        can_delete_objects: bool | None = None

    @resource("/api/storages/export/azure{/id}")
    class Azure(_Azure, Any):
        """A container of Azure Blob Storage."""

    @resource("/api/storages/export/gcs{/id}")
    class GCS(_GCS, Any):
        """A bucket of Google Cloud Storage."""

    @resource("/api/storages/export/localfiles{/id}")
    class Local(_Local, Any):
        """A folder on the server, below its document root for local files."""

    @resource("/api/storages/export/redis{/id}")
    class Redis(_Redis, Any):
        """Keys of a Redis database, below a prefix (``path``)."""

    @resource("/api/storages/export/s3{/id}")
    class S3(_S3, Any):
        """A bucket of S3, or of what speaks its protocol (``s3_endpoint``)."""

    @resource("/api/storages/export/s3s{/id}")
    class S3S(Enterprise, _S3S, Any):
        """A bucket of S3 that is reached by a role (``role_arn``) instead of keys."""

        @one_call
        def sync(
            self, *, wait: bool = True, timeout: float = 3600, progress: Progress = None
        ) -> Self:
            """Write what is new in the project, as other storages do, where the server can.

            Raises NotSupportedByServer on an older server, which has no such operation.
            """
            try:
                return super().sync(wait=wait, timeout=timeout, progress=progress)
            except (APIError, DoesNotExist) as error:
                if isinstance(error, APIError) and error.status != HTTPStatus.METHOD_NOT_ALLOWED:
                    raise
                self._get_row(f"synchronising {self!r}")  # it may be gone
                raise NotSupportedByServer(
                    f"{self!r}: this server has no sync for export to S3 by a role; annotations "
                    "are written when they are created or changed, and ExportStorage.S3 has a sync"
                ) from error
