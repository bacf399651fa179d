"""Local files as tasks: they are uploaded, many in a request, and the tasks name them."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from ..._config.marks import SIZE
from ..._config.results import regions_without_size
from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.places import Place
from ..._engine.pages.sources import chunked
from ..._engine.values.codec import copy_given
from ..._engine.values.misuse import check_number
from ..._engine.values.summary import Created, Summary
from ..._formats.images import size_of
from ..files import stored_at
from .creation import create_tasks
from .existing import ExistingTasks, ItemKey, hashable_key
from .forms import data_with
from .nouns import Project, project_of

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet

AT_ONCE: Final = 50
"""Files in one request; the server takes 100."""

Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"


@attrs.frozen(slots=False)
class LocalFile:
    """A file that becomes a task: what ``data=`` and ``annotations=`` of ``upload()`` are given.

    >>> LocalFile(Path("photos/cat.png")).name
    'cat.png'
    """

    path: Path

    @property
    def name(self) -> str:
        """The name of the file, without its folder."""
        return self.path.name

    @cached_property
    def size(self) -> tuple[int, int]:
        """The width and the height of an image in pixels, read when it is touched.

        Raises ImportError without Pillow (the extra ``[vision]``), ValueError for what is no image.
        """
        return size_of(self.path)


Data: TypeAlias = "Mapping[str, Any] | Callable[[LocalFile], Mapping[str, Any]] | None"
Annotations: TypeAlias = "Callable[[LocalFile], Iterable[Mapping[str, Any]]] | None"


def upload(
    tasks: QuerySet[Any],
    files: Paths,
    run: BulkRun,
    *,
    to: str | None,
    data: Data,
    annotations: Annotations,
    key: str | Place | None,
    at_once: int | None,
) -> Created[Any]:
    """Create a task of each file: ``Tasks.upload``."""
    project = project_of(tasks)
    found = [LocalFile(path) for path in _paths(files)]
    shown = _shown_key(project, to)
    size = AT_ONCE if at_once is None else check_number("at_once", at_once)
    item_key = None if key is None else ItemKey.of(tasks, key)
    own = [_own_data(file, data, item_key) for file in found]
    for file, given in zip(found, own, strict=True):
        if _has(given, shown):
            raise ValueError(
                f"upload(): {shown!r:.80} of {file.path} is the address that the file gets; data= "
                'sets other keys, and key= is one of these, such as "data.name"'
            )
    there = {} if item_key is None else _existing(tasks, found, own, item_key)
    todo = [place for place in range(len(found)) if place not in there]

    def items() -> Iterator[dict[str, Any]]:
        for some in chunked(todo, size):
            addresses = stored_at(project, [found[place].path for place in some])
            for place, address in zip(some, addresses, strict=True):
                item: dict[str, Any] = {"data": data_with(own[place], shown, address)}
                if annotations is not None:
                    item["annotations"] = _sized(annotations(found[place]), found[place])
                yield item

    made = create_tasks(tasks, items(), run, batch_size=size)
    objects = {**there, **dict(zip(todo, made, strict=True))}
    summary = Summary(created=made.summary.created, skipped=len(there))
    return Created([objects[place] for place in range(len(found))], summary)


def _paths(files: Paths) -> list[Path]:
    """Return the paths of files, those of a pattern in order. Raises FileNotFoundError for none."""
    if not isinstance(files, (str, os.PathLike)):
        found = [Path(one) for one in files]
    elif glob.has_magic(os.fspath(files)) and not os.path.exists(files):
        matching = sorted(glob.glob(os.fspath(files), recursive=True))
        found = [Path(one) for one in matching if os.path.isfile(one)]
        if not found:
            raise FileNotFoundError(f"upload(): no file matches {os.fspath(files)!r:.200}")
    else:
        found = [Path(files)]
    for path in found:
        if path.is_dir():
            raise IsADirectoryError(f"upload(): {path} is a folder; give {path}/*")
        if not path.is_file():
            raise FileNotFoundError(f"upload(): there is no file {path}")
    return found


def _shown_key(project: Project, to: str | None) -> str:
    """Return the key of data that gets the address: the one that the labelling config shows."""
    config = project.config
    paths = {".".join(one.path) for one in config.shown.values() if "$" not in one.path[0]}
    heads = {path.partition(".")[0] for path in paths}
    keys = sorted(paths | (config.data_keys - heads))
    if len(keys) > 1:
        raise ValueError(
            f"upload(): the labelling config of {project!r} shows {', '.join(keys):.200}, and the "
            "server takes files only where a config shows one key; put the addresses of files "
            "that are elsewhere into the data, and use bulk_create()"
        )
    if to is None and not keys:
        raise ValueError(
            f"upload(): the labelling config of {project!r} shows no key of data; name the one "
            'that gets the address of a file: upload(..., to="image")'
        )
    return keys[0] if to is None else to


def _has(data: Any, key: str) -> bool:
    first, _, rest = key.partition(".")
    is_there = isinstance(data, Mapping) and first in data
    return is_there and (
        not rest or not isinstance(data[first], Mapping) or _has(data[first], rest)
    )


def _own_data(file: LocalFile, data: Data, key: ItemKey | None) -> dict[str, Any]:
    given = dict((data(file) if callable(data) else data) or {})
    if key is None or key.way.field.name != "data":
        return given
    if key.value({"data": given}) is None and len(key.way.path) == 1:
        given[key.way.path[0]] = file.name
    return given


def _existing(
    tasks: QuerySet[Any], files: list[LocalFile], own: list[dict[str, Any]], key: ItemKey
) -> dict[int, Any]:
    """Return the tasks that have the keys of files already, by the places of the files.

    Raises ValueError for a file without a key, and for two with the same one.
    """
    wanted: dict[Any, Any] = {}
    places: dict[Any, int] = {}
    for place, (file, data) in enumerate(zip(files, own, strict=True)):
        value = key.value({"data": data})
        if value is None:
            raise ValueError(f"upload(): {file.path} has no {key}, by which files are identified")
        one = hashable_key(value)
        if one in places:
            raise ValueError(
                f"upload(): {files[places[one]].path} and {file.path} have the same {key}, "
                f"{value!r:.80}; set it with data="
            )
        places[one], wanted[one] = place, value
    found = ExistingTasks(tasks, key, (), wanted, empty=False).find(wanted)
    return {places[one]: same[0] for one, same in found.items()}


def _sized(given: Iterable[Mapping[str, Any]], file: LocalFile) -> list[Any]:
    """Return annotations whose shapes have the size of the image."""
    made = []
    for annotation in given:
        result = annotation.get("result") if isinstance(annotation, Mapping) else None
        lacking = regions_without_size(result)
        if lacking and isinstance(result, list):
            sizes = dict(zip(SIZE, file.size, strict=True))
            result = [
                {**copy_given(region), **sizes} if place in lacking else region
                for place, region in enumerate(result)
            ]
            annotation = {**annotation, "result": result}
        made.append(annotation)
    return made
