"""The files that tasks name, as the server itself gives them: local files, objects of storages."""

from __future__ import annotations

import base64
import mimetypes
import posixpath
from typing import Any
from urllib.parse import unquote

from .._state.blobs import PLACES, local_path
from .._state.store import loads
from .._wire.answers import Answer
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()

_CLOUDS = ("s3", "gcs", "azure")


@routes.add("GET", "/tasks/{id}/presign/")
@routes.add("GET", "/tasks/{id}/resolve/")
def resolve_of_task(request: Request, id: int) -> Any:
    """Answer with an object; the server redirects to a link of the storage, if it is presigned."""
    task = request.fake.store.get("task", id)
    uri = request.query.get("fileuri")
    if uri is None:
        return Answer(status=400)
    if task is None:
        return Answer(status=404)
    try:
        uri = base64.urlsafe_b64decode(uri.encode()).decode()
    except ValueError:
        uri = unquote(uri)
    sql = "SELECT kind, fields FROM storage WHERE project_id = ? AND NOT export"
    rows = request.fake.store.rows(sql, task["project_id"])
    roots = [
        PLACES[row["kind"]].root(loads(row["fields"])) for row in rows if row["kind"] in _CLOUDS
    ]
    if not uri.startswith(tuple(roots)) or not roots:
        return Answer(status=404)
    return _content(request.fake.blobs.get(uri), uri)


@routes.add("GET", "/data/local-files/")
def local_file(request: Request) -> Any:
    """Answer with a file below the folder of a local storage."""
    given = request.query.get("d")
    if not given:
        return Answer(status=403)
    root = local_path(request.fake.local_files_root)
    path = posixpath.join(root, posixpath.normpath(given).lstrip("/"))
    rows = request.fake.store.rows(
        "SELECT fields FROM storage WHERE kind = 'localfiles' AND NOT export"
    )
    folders = [local_path(loads(row["fields"])["path"]) for row in rows]
    is_open = any(path.startswith(f"{folder.rstrip('/')}/") for folder in folders)
    return _content(request.fake.blobs.get(f"localfiles://{path}") if is_open else None, path)


def _content(found: bytes | None, name: str) -> Answer:
    if found is None:
        return Answer(status=404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Answer(found, headers={"Content-Type": kind})
