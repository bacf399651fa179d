"""Uploaded files: what tasks were imported from."""

from __future__ import annotations

import json
import mimetypes
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, unquote, urlsplit

from .._engine.conditions.tree import EVERYTHING
from .._engine.http.deadline import one_call
from .._engine.http.download import download
from .._engine.http.outcome import matches
from .._engine.http.paths import at, safe_name
from .._engine.records.inside import client_of
from .._engine.values.ids import id_of as id_in
from .._engine.values.summary import Summary
from ..errors import APIError, LabelStudioError, OutcomeUnknown
from ..orm import ForeignKey, Plain, QuerySet, Resource, readonly, readonly_foreign_key, resource
from ..progress import Progress
from ._tasks.forms import Renamed

if TYPE_CHECKING:
    from requests import Response
    from typing_extensions import Self

    from .._engine.http.connection import Connection
    from .projects import Project

__all__ = ["FileUpload", "Files", "upload_path"]


_PAGES = {
    "text/html": "a web page",
    "application/xhtml+xml": "a web page",
    "application/json": "JSON",
    "application/problem+json": "JSON",
}
"""The types of answers that may come instead of a file; a file can be of such a type, too."""

_UPLOAD = re.compile(r"/?(?:data/)?(upload/[0-9]+/[\w.\-]*[\w\-][\w.\-]*)")


def upload_path(file: str) -> str | None:
    """Return the path of an uploaded file, ``upload/<number>/<name>``; None for anything else.

    It may be given with ``/data/`` or without, encoded or not. The server gives files plain names,
    of letters, digits, ``_``, ``-`` and ``.``; anything else in one leads elsewhere.

    >>> upload_path("/data/upload/1/6d957f64-%C3%A9.png")
    'upload/1/6d957f64-é.png'
    >>> upload_path("/data/upload/1/..%2F..%2Fapi%2Fcurrent-user%2Ftoken")
    """
    found = _UPLOAD.fullmatch(unquote(file))
    return None if found is None else found[1]


def _address(path: str) -> str:
    return f"/data/{quote(path)}"


def refuse_page(response: Response, name: str, doing: str, request: str) -> None:
    """Raise APIError for a page or JSON that comes instead of a file of this name."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _PAGES and kind != mimetypes.guess_type(name)[0]:
        raise APIError(
            f"{doing} failed: the answer is {_PAGES[kind]} and not this file ({kind}). Is the "
            "base URL right, or does a proxy or a login page answer instead?",
            status=response.status_code,
            request=request,
        )


@contextmanager
def _content(client: Connection, path: str, doing: str) -> Iterator[BinaryIO]:
    """Open the content of a file by its path; raise APIError if the answer is something else."""
    with client.stream("GET", _address(path), doing=doing) as response:
        refuse_page(response, path, doing, f"GET {_address(path)}")
        response.raw.decode_content = True
        yield cast(BinaryIO, response.raw)


def store(project: Project, files: Sequence[str | os.PathLike[str]]) -> list[int]:
    """Upload files into a project in one request, without making tasks; return their ids in order.

    Raises OutcomeUnknown for an answer without the ids.
    """
    job = project.imports.create(file=files, commit_to_project=False)
    ids = job.file_upload_ids
    are_ids = client_of(project).is_dry or matches(ids, [int])
    if not are_ids or not isinstance(ids, list) or len({*ids}) != len(files):
        what = "1 file" if len(files) == 1 else f"{len(files)} files"
        raise OutcomeUnknown(f"uploading {what}: the server gave {ids!r:.80} as the ids")
    return ids


def stored_at(project: Project, files: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Upload files as ``store`` does, and return their addresses for the data of tasks, in order.

    Two requests. Raises LabelStudioError for a file that the server does not list afterwards.
    """
    ids = store(project, files)
    rows = {file.id: file.file for file in project.files.filter(id__in=ids)}
    for file, id in zip(files, ids, strict=True):
        if id not in rows and not client_of(project).is_dry:
            raise LabelStudioError(f"uploading {os.fspath(file)}: the server does not list it")
    names = [os.path.basename(os.fspath(file)) for file in files]
    base = urlsplit(client_of(project).url).path  # as the server itself writes addresses
    return [f"{base}/data/{rows.get(id, name)}" for name, id in zip(names, ids, strict=True)]


class Files(QuerySet["FileUpload"]):
    """``project.files``: the files that the current user uploaded into a project."""

    @one_call
    def upload(self, path: str | os.PathLike[str], *, name: str | None = None) -> FileUpload:
        """Upload a file without creating tasks from it. Two requests.

        ``name``: another one than the local name. The type must be one that the server knows, since
        it reads the file as for an import.
        """
        file = path if name is None else Renamed(path, name)
        return self.get(store(self._query.scope["project"], [file])[0])

    @contextmanager
    def open(self, file: str) -> Iterator[BinaryIO]:
        """Open a file by its path on the server: a stream of bytes, to be read once. One request.

        ``file``: the path as ``FileUpload.file`` and task data have it
        (``"/data/upload/1/6d957f64-a.png"``). So files of other users can be read, too, which no
        listing shows.

        Raises ValueError for what is no such path, and APIError for a web page or JSON that comes
        instead of a file of another type.

        >>> with project.files.open(file.file) as stream:
        ...     content = stream.read()
        """
        path = upload_path(file)
        if path is None:
            raise ValueError(
                f"{file!r:.200} is not the path of an uploaded file, upload/<number>/<name>"
            )
        with _content(self.client, path, f"reading {path}") as stream:
            yield stream

    @one_call
    def delete(self, **_: Any) -> Summary:
        """Delete the files; return a summary with ``deleted``. The tasks stay.

        One request, and one more for the ids where there is a condition.
        """
        body: dict[str, Any] | None = None
        if self._query.where != EVERYTHING or self._query.is_slice:
            ids = list(self.values_list("id", flat=True))
            if not ids:  # the server would take that for all
                return Summary()
            body = {"file_upload_ids": ids}
        else:
            self._query.require_confirmation("delete()")
        project = id_in(self._query.scope["project"])
        answer = self.client.request(
            "DELETE",
            at("/api/projects/{}/file-uploads", project),
            json=body,
            doing=f"deleting {self._query.description}",
            dry=lambda: {"deleted": len(body["file_upload_ids"]) if body else self.count()},
        )
        deleted = answer.get("deleted") if isinstance(answer, dict) else 0
        return Summary(deleted=deleted if type(deleted) is int else 0)


@resource(
    "/api/import/file-upload/{id}",
    collection="/api/projects/{project}/file-uploads",
    pages=Plain(scoped_by=("project",), unfiltered={"all": "true"}),
    params={"id__in": ("ids", lambda ids: json.dumps(list(ids)))},
    label="file",
    queryset=Files,
)
class FileUpload(Resource):
    """A file on the server; ``file`` is its path there, ``size`` its bytes.

    >>> for file in project.files.all():
    ...     file.download(file.name)
    """

    project: ForeignKey[Project] = readonly_foreign_key()
    project_id = project.id
    file: str = readonly()
    size: int | None = readonly()

    def _addressed(self, row: dict[str, Any]) -> dict[str, Any]:
        path = upload_path(row["file"]) if isinstance(row.get("file"), str) else None
        if path is not None:  # which alone says of which project a file is
            row.setdefault("project", int(path.split("/")[1]))
        return super()._addressed(row)

    @property
    def name(self) -> str:
        """The file's name on the server: eight characters, a hyphen and the original name.

        Characters that some system does not allow in the name of a file are replaced by ``_``.
        """
        if not isinstance(self.file or "", str):
            raise LabelStudioError(f"{self!r}: the server gave {self.file!r:.80} as its path")
        return safe_name(self.file.rpartition("/")[2]) if self.file else ""

    def _path(self) -> str:
        """Return the path that the server gave, if it is one of an uploaded file."""
        path = upload_path(self.file) if isinstance(self.file, str) else None
        if path is None:
            raise LabelStudioError(
                f"{self!r}: its path on the server is {self.file!r:.200}, which is not that of an "
                "uploaded file, upload/<number>/<name>; nothing was requested"
            )
        return path

    @one_call
    def download(self, path: str | os.PathLike[str], *, progress: Progress = None) -> Path:
        """Write the file to a path, streamed; return the path. One request.

        It appears under its name only when it is complete. ``progress``: True for a line on stderr,
        or a function ``(bytes so far, bytes in all or None)``.
        """
        address, doing = _address(self._path()), f"downloading {self!r}"
        return download(
            self._client, address, Path(path), doing=doing, progress=progress, is_export=False
        )

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the content, a stream of bytes to be read once: ``with file.open() as stream``.

        One request.
        """
        with _content(self._client, self._path(), f"reading {self!r}") as stream:
            yield stream

    @one_call
    def replace(self, path: str | os.PathLike[str]) -> Self:
        """Replace the file by another one, also of another name; return self. One request.

        Tasks that were created from it stay as they are.
        """
        source = Path(path)
        with source.open("rb") as content:
            row = self._ask(
                "PATCH",
                f"replacing {self!r}",
                files={"file": (source.name, content)},
                timeout=self._client.long_timeout,
                expect=("id", "file"),
                dry={"id": self.id, "file": self.file},
            )
        self._absorb(self._addressed(row))
        return self
