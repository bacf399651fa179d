"""Uploaded files: the tasks in them, and the files themselves."""

from __future__ import annotations

import json
import mimetypes
import posixpath
import re
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from attrs import define, field

from .._formats import markup
from .._formats.tables import TableError, read_table
from .._rows.bookkeeping import find_project
from .._state.addresses import refusal
from .._state.store import Row, Store, id_list
from .._wire import forms
from .._wire.answers import Answer, Failure, crash, invalid, not_implemented, page_not_found
from .._wire.forms import Form, Upload
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()

UNDEFINED = markup.UNDEFINED
_EXTENSIONS = {
    *(".bmp", ".csv", ".flac", ".gif", ".htm", ".html", ".jpg", ".jpeg", ".json", ".m4a", ".mp3"),
    *(".mp4", ".ogg", ".pdf", ".png", ".svg", ".tsv", ".txt", ".wav", ".webm", ".webp", ".xml"),
}
_MOST = 100
_LONGEST = 100
_LISTS = (".csv", ".tsv", ".txt")


@define
class Uploaded:
    """The contents of a form: the ids of its files, and the tasks in them."""

    file_ids: list[int] = field(factory=list)
    formats: dict[str, int] = field(factory=dict)
    keys: set[str] = field(factory=set)
    tasks: list[Row] = field(factory=list)

    @property
    def could_be_lists(self) -> bool:
        """Return whether a file may contain one task a line."""
        return any(name in _LISTS for name in self.formats)


# --- files in forms -------------------------------------------------------------------------------


def store_files(request: Request, project: Row, form: Form) -> list[int]:
    """Store the files of a form and return their ids; 400 for no file or one of an unknown type."""
    if form.kind == forms.URLENCODED:
        return [_store(request, project, _by_address(request, form.fields.get("url")))]
    if not form.files:
        raise invalid("load_tasks: No data found in DATA or in FILES")
    if form.parts > _MOST:
        raise crash("The number of files exceeded settings.DATA_UPLOAD_MAX_NUMBER_FILES.")
    for upload in form.files.values():
        _check_extension(upload.name)
    return [_store(request, project, upload) for upload in form.files.values()]


def _check_extension(name: str) -> None:
    extension = posixpath.splitext(name)[1]
    if extension.lower() not in _EXTENSIONS:
        raise invalid(f"{extension} extension is not supported")


def _by_address(request: Request, url: str | None) -> Upload:
    if not url:
        raise invalid('"url" is not found in request data')
    try:
        in_place = json.loads(url.replace("'", '"'))
    except ValueError:
        in_place = None
    if in_place:
        return Upload("inplace.json", url.encode())
    if not url.startswith(("http://", "https://")):
        raise invalid("")
    reason = refusal(request.fake, url)
    if reason:
        raise invalid(reason)
    content = request.fake.blobs.get(url)
    if content is None:
        raise not_implemented(f"downloading; put the file into FakeLabelStudio.blobs[{url!r}]")
    name = url.rpartition("/")[2]
    if posixpath.splitext(name)[1]:
        _check_extension(name)
    return Upload(name, content)


def _store(request: Request, project: Row, upload: Upload) -> int:
    row = {"user_id": request.user["id"], "project_id": project["id"]}
    return request.fake.store.insert("file_upload", {**row, **_named(project["id"], upload)})


def _named(project_id: int, upload: Upload) -> Row:
    base = re.sub(r"[^-\w.]", "", upload.name.strip().replace(" ", "_"))
    name = _shortened(f"{uuid.uuid4().hex[:8]}-{base}", _LONGEST - len(f"upload/{project_id}/"))
    return {"file": f"upload/{project_id}/{name}", "content": upload.content}


def _shortened(name: str, longest: int) -> str:
    """Return a name that is short enough, with seven random characters in place of the rest."""
    if len(name) <= longest:
        return name
    end = "".join(PurePosixPath(name).suffixes)
    start = name.removesuffix(end)[: longest - len(end) - 8]
    if not start:
        raise crash("Storage can not find an available filename")
    return f"{start}_{uuid.uuid4().hex[:7]}{end}"


# --- tasks in files -------------------------------------------------------------------------------


def read_files(store: Store, project: Row, file_ids: Iterable[int]) -> Uploaded:
    """Return the tasks in files, in the order of their ids."""
    found = Uploaded(list(file_ids))
    formats: list[str] = []
    sql = f"SELECT * FROM file_upload WHERE id IN {id_list(found.file_ids)} ORDER BY id"
    for row in store.rows(sql):
        tasks = _read(row, project)
        keys = set(tasks[0]["data"]) if tasks else set()
        if found.keys and not found.keys & keys:
            raise invalid(_inconsistent(keys, found.keys, row["file"]))
        found.keys = found.keys & keys if found.keys else keys
        found.tasks += [{**task, "file_upload_id": row["id"]} for task in tasks]
        formats.append(posixpath.splitext(row["file"])[1])
    found.formats = dict(Counter(formats))
    return found


def _inconsistent(new: set[str], old: set[str], name: str) -> str:
    news, olds = ",".join(new), ",".join(old)
    start = "You're trying to import inconsistent data:\n"
    clash = f'clashes with data key(s) found from other files:\n"{olds}"'
    if news == UNDEFINED:
        return f"{start}uploading a single file {name} {clash}"
    if olds == UNDEFINED:
        return (
            f"{start}uploading tabular data from {name} with data key(s) {news}, "
            "clashes with other raw binary files (images, audios, etc.)"
        )
    return f'{start}uploading tabular data from "{name}" with data key(s) "{news}", {clash}'


def _read(row: Row, project: Row) -> list[Row]:
    name, content = row["file"], row["content"]
    extension = posixpath.splitext(name)[1]
    try:
        if extension in (".csv", ".tsv"):
            first = content.partition(b"\n")[0]
            comma = ";" if first.count(b";") > first.count(b",") else ","
            table = read_table(content, "\t" if extension == ".tsv" else comma)
            return [{"data": item} for item in table]
        if extension == ".txt":
            return [{"data": {UNDEFINED: line}} for line in _decoded(content).splitlines()]
        if extension == ".json":
            return read_json(_decoded(content))
        if len(markup.data_types(project["label_config"])) > 1:
            raise TableError(
                "Your label config has more than one data key and direct file upload supports "
                "only one data key. To import data with multiple data keys, use a JSON or CSV file."
            )
        if extension in (".html", ".htm", ".xml"):
            return [{"data": {UNDEFINED: _decoded(content)}}]
        return [{"data": {UNDEFINED: f"/data/{name}"}}]
    except TableError as error:
        text = f"Failed to parse input file {posixpath.basename(name)}: {error}"
        raise invalid(text) from None


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise TableError(" ".join(map(str, error.args))) from None


def read_json(text: str) -> list[Row]:
    """Return the tasks in a JSON file: a list of tasks, or one task."""
    try:
        items = json.loads(text)
    except ValueError:
        raise TableError("Expected object or value") from None
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, (list, str)):
        raise TableError(f"'{type(items).__name__}' object is not iterable")
    tasks = []
    for item in items:
        if not isinstance(item, dict):
            raise TableError(f"'{type(item).__name__}' object has no attribute 'get'")
        task = item if item.get("data") else {"data": item}
        if not isinstance(task["data"], dict):
            raise TableError("Task item should be dict")
        tasks.append(task)
    return tasks


# --- operations on files --------------------------------------------------------------------------


def _shown(row: Row) -> Row:
    return {"id": row["id"], "file": row["file"], "size": len(row["content"])}


def _find(request: Request, pk: int) -> Row:
    row = request.fake.store.get("file_upload", pk)
    if row is None:
        raise page_not_found()
    return row


def _of_project(request: Request, pk: int) -> Row:
    try:
        return find_project(request, pk)
    except Failure:
        raise page_not_found() from None


def _numbers(values: Any) -> list[int]:
    try:
        return [int(value) for value in values]
    except (TypeError, ValueError) as error:
        raise crash(str(error)) from None


@routes.add("GET", "/api/projects/{id}/file-uploads")
def list_files(request: Request, id: int) -> Any:
    project, where = _of_project(request, id), "1"
    if not project["is_draft"] and not request.query.flag("all", False):
        try:
            wanted = json.loads(
                request.query.get("ids") or ("[]" if "ids" not in request.query else "")
            )
        except ValueError as error:
            raise crash(str(error)) from None
        where = f"id IN {id_list(_numbers(wanted))}"
    sql = f"SELECT * FROM file_upload WHERE project_id = ? AND user_id = ? AND {where} ORDER BY id"
    return [_shown(row) for row in request.fake.store.rows(sql, id, request.user["id"])]


@routes.add("DELETE", "/api/projects/{id}/file-uploads")
def delete_files(request: Request, id: int) -> Any:
    _of_project(request, id)
    chosen, where = request.data().get("file_upload_ids"), "1"  # no ids: all
    if chosen is not None:
        if not isinstance(chosen, list):
            raise crash('"file_upload_ids" parameter must be a list of integers')
        where = f"id IN {id_list(_numbers(chosen))}"
    sql = f"DELETE FROM file_upload WHERE project_id = ? AND {where}"
    return {"deleted": request.fake.store.execute(sql, id)}


@routes.add("GET", "/api/import/file-upload/{id}")
def get_file(request: Request, id: int) -> Any:
    return _shown(_find(request, id))


@routes.add("PATCH PUT", "/api/import/file-upload/{id}", forms=True)
def replace_file(request: Request, id: int) -> Any:
    row = _find(request, id)
    upload = request.form.files.get("file") if request.form else None
    if upload is None:
        given = "file" in (request.form.fields if request.form else request.data())
        if given:
            text = "The submitted data was not a file. Check the encoding type on the form."
            raise invalid({"file": [text]})
        if request.method == "PUT":
            raise invalid({"file": ["No file was submitted."]})
        return _shown(row)
    if not upload.content:
        raise invalid({"file": ["The submitted file is empty."]})
    request.fake.store.update("file_upload", id, _named(row["project_id"], upload))
    return _shown(_find(request, id))


@routes.add("DELETE", "/api/import/file-upload/{id}")
def delete_file(request: Request, id: int) -> Any:
    _find(request, id)
    request.fake.store.execute("DELETE FROM file_upload WHERE id = ?", id)
    return Answer(status=204)


@routes.add("GET", "/data/upload/{folder}/{name:text}")
def download_file(request: Request, folder: int, name: str) -> Any:
    path = f"upload/{folder}/{name}"
    row = request.fake.store.one("SELECT * FROM file_upload WHERE file = ?", path)
    if row is None:
        raise crash("'NoneType' object has no attribute 'has_permission'")
    if "range" in request.headers:
        raise not_implemented("a range of a file")
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Answer(row["content"], headers={"Content-Type": kind})
