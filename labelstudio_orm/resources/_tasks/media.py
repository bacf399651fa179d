"""The files that tasks name in their data, copied into a folder on this machine.

A file is named by the server's own path, by an address in the web, by an object of a storage, or is
held by a ``data:`` URL. Its copy is named by a digest of that, so it is found again by a later run.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urljoin, urlsplit

import attrs

from ..._engine.conditions.places import Place
from ..._engine.http.connection import stream_elsewhere
from ..._engine.http.paths import safe_name
from ..._engine.http.transport import origin
from ..._engine.records.inside import client_of, saved_id
from ..._engine.values.files import whole_file
from ...errors import (
    AuthenticationError,
    ConnectionFailed,
    LabelStudioError,
    RateLimited,
    Timeout,
    shorten,
)
from ..files import refuse_page, upload_path
from .nouns import project_of

if TYPE_CHECKING:
    from ..._engine.bulk.run import BulkRun
    from ..._engine.http.connection import Connection
    from ..._engine.models.queryset import QuerySet
    from ..._engine.values.summary import Created

Task = Any

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_LOCAL: Final = re.compile(r"/data/local-files/?")
_LINK: Final = re.compile(r"/(tasks|projects)/[0-9]+/(resolve|presign)/|/storage-data/\w+/")
_NAMING: Final = ("d", "filepath", "fileuri")
"""Parameters of the server's own addresses that hold the path of a file."""

_FILES: Final = frozenset({"image", "audio", "audioplus", "video", "pdf", "timeseries"})
"""The tags that show files, in lower case; others do so with ``valueType="url"``."""

_OF_ONE: Final = (AuthenticationError, ConnectionFailed, RateLimited, Timeout)
"""Errors that concern one file alone where they come from another server."""

_DIGITS: Final = 16


@attrs.frozen
class MediaFile:
    """A file that a task names, and its copy at ``path``.

    ``key`` is the key of the data, ``item_index`` the place in it where it holds several files.

    >>> task.data["image"] = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    >>> task = task.save()
    >>> [file.key for file in project.tasks.filter(id=task.id).download("files", key="image")]
    ['image']
    """

    task_id: int
    key: str
    path: Path
    item_index: int | None = None
    address: str = attrs.field(default="", repr=False)


# -- addresses ------------------------------------------------------------------------------------


@attrs.frozen
class Address:
    """Where a file is: ``path`` on the server that gets the credential, else ``text``."""

    text: str = attrs.field(repr=False)
    name: str
    path: str | None = None

    @property
    def shown(self) -> str:
        """The address for messages, without what may be secret in it."""
        plain = re.sub("//[^/]*@", "//", self.text.partition(",")[0].partition("?")[0])
        return shorten(plain, 200)

    @property
    def is_data(self) -> bool:
        """Whether it holds the file itself."""
        return self.path is None and self.text[:5].lower() == "data:"


def address_of(value: object, server: str, task_id: int) -> Address:
    """Return the address of a file that a task names.

    ``server``: the address of the task's server. Only what that serves as files is read with its
    credential, and never its API. Raises ValueError for anything but an address.

    >>> address_of("s3://bucket/cats/a.png", "http://localhost:8080", 5)
    Address(name='a.png', path='/tasks/5/presign/?fileuri=czM6Ly9idWNrZXQvY2F0cy9hLnBuZw==')
    """
    text = value.strip() if isinstance(value, str) else ""
    scheme = _SCHEME.match(text)
    kind = scheme[1].lower() if scheme else ""
    if kind == "data":
        suffix = mimetypes.guess_extension(re.split("[;,]", text[5:105])[0]) or ""
        return Address(text, f"data{suffix}")
    if not scheme and not text.startswith("/"):
        raise ValueError(f"{value!r:.80} is not the address of a file")
    if kind not in ("", "http", "https"):
        if kind == "file" or not text.startswith("//", len(kind) + 1):
            raise ValueError(f"{value!r:.80}: a file of this kind cannot be downloaded")
        coded = base64.urlsafe_b64encode(text.encode()).decode()
        # Newer releases call it /resolve/, and have this too.
        return Address(text, _name(text), f"/tasks/{task_id}/presign/?fileuri={coded}")
    try:
        whole = urljoin(f"{server}/", text)
        path = _path_on(whole, server)
    except ValueError as error:
        raise ValueError(f"{value!r:.80} is not the address of a file: {error}") from None
    return Address(whole, _name(whole), path)


def _path_on(whole: str, server: str) -> str | None:
    """Return the path of an address on a server if it is one of its files, else None."""
    parts, base = urlsplit(whole), urlsplit(server)
    if origin(parts) != origin(base) or not parts.path.startswith(f"{base.path}/"):
        return None
    path = parts.path.removeprefix(base.path)
    if (upload := upload_path(path)) is not None and path.startswith("/data/"):
        return f"/data/{quote(upload)}"
    if parts.query and (_LOCAL.fullmatch(path) or _LINK.fullmatch(path)):
        return f"{path}?{parts.query}"
    return None


def _name(address: str) -> str:
    parts = urlsplit(address)
    inner = next((value for key, value in parse_qsl(parts.query) if key in _NAMING), None)
    if inner is None or not parts.path.endswith(("/", "local-files")):
        return unquote(parts.path).rstrip("/").rpartition("/")[2]
    with suppress(ValueError):
        inner = base64.urlsafe_b64decode(inner.encode()).decode()
    return unquote(inner.partition("?")[0]).rstrip("/").rpartition("/")[2]


def copy_name(address: Address, server: str) -> str:
    """Return the name of the copy of a file: the same for the same file alone, on every system."""
    of = f"{server} {address.text}" if address.path is not None else address.text
    digest = hashlib.sha256(of.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return safe_name(f"{digest}-{safe_name(address.name)}")


# -- what tasks name ------------------------------------------------------------------------------


def paths_of(tasks: QuerySet[Any], key: object) -> list[tuple[str, ...]]:
    """Return the paths in the data that were given, else those that the config shows as files."""
    if key is not None:
        given = [key] if isinstance(key, (str, Place)) else key
        if not isinstance(given, Iterable):
            raise TypeError(f"key must be a key in the data, or several, not {key!r:.80}")
        return [_path(one) for one in given]
    project = project_of(tasks)
    shown = dict.fromkeys(one.path for one in project.config.shown.values())
    files = [path for path in shown if _is_file(project.config, path)]
    if not files:
        raise ValueError(
            f"the labelling config of {project!r} shows no files; name a key of the data: "
            'download(folder, key="image")'
        )
    return files


def _path(key: Any) -> tuple[str, ...]:
    """Return the keys that a name means: ``"image"``, ``"data.a.image"`` or ``data["image"]``."""
    if isinstance(key, str) and not key.startswith(("data.", "data__", "data[")):
        return (key,)
    place = Place.of(key)
    place = place if place.literal else Place.of(str(key).replace(".", "__"))
    if place.head != "data" or not place.keys or place.descending or place.rest:
        raise ValueError(f'{key!r:.80} is no key of the data: key="image", key=data["image"]')
    return place.keys


def _is_file(config: Any, path: tuple[str, ...]) -> bool:
    name = ".".join(path)
    tags = (tag for tag in config.objects.values() if (tag.value or "").lstrip("$") == name)
    return any(
        tag.tag.lower() in _FILES or tag.attributes.get("valueType", "").lower() == "url"
        for tag in tags
    )


def _files(task: Task, path: tuple[str, ...], folder: Path, server: str) -> Iterator[MediaFile]:
    """Yield the files that a task names under a path, one or those of a list."""
    value: Any = task.data
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    several = isinstance(value, (list, tuple))
    for index, one in enumerate(value if several else [value]):
        file = MediaFile(task.id, ".".join(path), folder, index if several else None, one or "")
        try:
            name = copy_name(address_of(one, server, task.id), server)
        except ValueError:  # which the download itself raises, where it can be collected
            name = ""
        yield attrs.evolve(file, path=folder / name)


# -- downloading ----------------------------------------------------------------------------------


def download_all(
    tasks: QuerySet[Any], folder: Path, run: BulkRun, key: object
) -> Created[MediaFile]:
    """Download the files of tasks: ``Tasks.download``."""
    paths, client = paths_of(tasks, key), tasks.client
    folder.mkdir(parents=True, exist_ok=True)
    files = (
        file
        for task in tasks.only("data").iterator(workers=run.workers)
        for path in paths
        for file in _files(task, path, folder, client.url)
        if file.address or key is not None
    )
    with run:
        for outcome in run.each(files, partial(fetch, client), identity=lambda one: one.path):
            if outcome.value:
                run.created += 1
            else:
                run.skipped += 1
            run.made[outcome.place] = outcome.item
    return run.result()


def download_one(
    task: Task, key: str | Place, to: str | os.PathLike[str], item: int | None
) -> Path:
    """Download one file of a task: ``Task.download``."""
    saved_id(task, "download()")
    client, target = client_of(task), Path(to)
    is_folder = target.is_dir() or os.fspath(to).endswith((os.sep, "/"))
    folder = target if is_folder else target.parent
    files = [*_files(task, _path(key), folder, client.url)]
    chosen = [file for file in files if item is None or file.item_index == item]
    if len(chosen) != 1:
        raise ValueError(
            f"{task!r}: data[{str(key)!r:.80}] holds {len(files)} files; choose one by item_index= "
            "from 0, or download them all: tasks.filter(id=...).download(folder)"
        )
    file = chosen[0] if is_folder else attrs.evolve(chosen[0], path=target)
    if is_folder:
        folder.mkdir(parents=True, exist_ok=True)
    fetch(client, file, again=not is_folder)
    return file.path


def fetch(client: Connection, file: MediaFile, *, again: bool = False) -> bool:
    """Copy a file, unless its copy is there; return whether it was copied."""
    place = "" if file.item_index is None else f"[{file.item_index}]"
    doing = f"downloading data[{file.key!r:.80}]{place} of task {file.task_id}"
    try:
        if not file.address:
            raise ValueError("the task has nothing there")
        address = address_of(file.address, client.url, file.task_id)
        doing = f"{doing}, {address.shown}"
        if not again and file.path.is_file():
            return False
        with _opened(client, address, doing) as pieces, whole_file(file.path, shared=True) as copy:
            for piece in pieces:
                copy.write(piece)
    except _OF_ONE as error:
        if address.path is not None:
            raise
        raise LabelStudioError(str(error)) from error  # the other files may be there
    except ValueError as error:
        if isinstance(error, LabelStudioError):
            raise
        raise ValueError(f"{doing} failed: {error}") from error
    return True


@contextmanager
def _opened(client: Connection, address: Address, doing: str) -> Iterator[Iterable[bytes]]:
    if address.is_data:
        yield [_held(address.text)]
        return
    stream = (
        stream_elsewhere(client, address.text, doing=doing)
        if address.path is None
        else client.stream("GET", address.path, timeout=client.long_timeout, doing=doing)
    )
    with stream as response:
        if address.path is not None or mimetypes.guess_type(address.name)[0] is not None:
            refuse_page(response, address.name, doing, f"GET {address.shown}")
        yield response.raw.stream()


def _held(url: str) -> bytes:
    """Return the content of a ``data:`` URL."""
    head, comma, body = url.partition(",")
    if not comma:
        raise ValueError("it is a data: URL without content")
    content = unquote_to_bytes(body)
    if not head.lower().endswith(";base64"):
        return content
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"it is a data: URL that is not base64 ({error})") from None
