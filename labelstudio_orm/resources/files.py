"""Uploaded files: what tasks were imported from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ..bulk.summary import Summary
from ..conditions import EVERYTHING
from ..declaration import resource
from ..fields import ForeignKey, belongs_to, id_of, readonly
from ..http.download import download
from ..paging.pages import Plain
from ..paging.pages import id_of as id_in
from ..progress import Progress
from ..queryset import QuerySet
from ..resource import Resource

if TYPE_CHECKING:
    from typing_extensions import Self

    from .projects import Project


class Files(QuerySet["FileUpload"]):
    """``project.files``: the files that the current user uploaded into a project."""

    def upload(self, path: str | os.PathLike[str]) -> FileUpload:
        """Upload a file without making tasks of it; two requests.

        The type must be one that the server knows, since it looks into it as for an import.
        """
        job = self.scope["project"].imports.create(file=path, commit_to_project=False)
        return self.get(job.file_upload_ids[0])

    @contextmanager
    def open(self, file: str) -> Iterator[BinaryIO]:
        """The content of a file by its path on the server, as ``FileUpload.file`` and task data
        have it (``"/data/upload/1/6d957f64-a.png"``): a stream of bytes, to be read once. One
        request. So also files can be read that somebody else uploaded, which no listing shows.

        >>> with project.files.open(file.file) as stream:
        ...     content = stream.read()
        """
        path = file.removeprefix("/").removeprefix("data/")
        with self.client.stream("GET", f"/data/{path}", doing=f"reading {path}") as response:
            response.raw.decode_content = True
            yield cast(BinaryIO, response.raw)

    def delete(self, **_: Any) -> Summary:
        """Delete the files; returns a summary with ``deleted``. The tasks stay. One request, and
        one more for the ids where there is a condition.
        """
        body: dict[str, Any] | None = None
        if self.where != EVERYTHING or self._is_slice:
            ids = list(self.values_list("id", flat=True))
            if not ids:  # the server would take that for all
                return Summary()
            body = {"file_upload_ids": ids}
        else:
            self._must_be_said("delete()")
        project = id_in(self.scope["project"])
        answer = self.client.request(
            "DELETE",
            f"/api/projects/{project}/file-uploads",
            json=body,
            doing=f"deleting {self._what}",
            dry=lambda: {"deleted": len(body["file_upload_ids"]) if body else self.count()},
        )
        return Summary(deleted=answer["deleted"] if isinstance(answer, dict) else 0)


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

    project_id: int = id_of("project", read_only=True)
    project: ForeignKey[Project] = belongs_to(init=False)
    file: str = readonly()
    size: int | None = readonly()

    @property
    def name(self) -> str:
        """The name that the server gave the file: eight characters, a minus and the original
        name.
        """
        return self.file.rpartition("/")[2]

    def download(self, path: str | os.PathLike[str], *, progress: Progress = None) -> Path:
        """Write the file to a path, streamed; returns the path. One request.

        It appears under its name only when it is complete. ``progress``: True for a line on stderr,
        or a function ``(bytes so far, bytes in all or None)``.
        """
        address, doing = f"/data/{self.file}", f"downloading {self!r}"
        return download(
            self._client, address, Path(path), doing=doing, progress=progress, is_export=False
        )

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The content as a stream of bytes, to be read once: ``with file.open() as stream``. One
        request.
        """
        doing = f"reading {self!r}"
        with self._client.stream("GET", f"/data/{self.file}", doing=doing) as response:
            yield cast(BinaryIO, response.raw)

    def replace(self, path: str | os.PathLike[str]) -> Self:
        """Put another file in its place, also under another name; returns self. One request.

        Tasks that were made from it stay as they are.
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
