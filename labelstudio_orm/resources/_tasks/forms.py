"""What an import of tasks takes: the full form of each task, and the body of the request."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ..._config.forms import number
from ..._config.results import check_result
from ..._engine.http.connection import pretended, require
from ..._engine.http.outcome import Expected
from ..._engine.http.releases import UNSKIPPABLE
from ..._engine.records.inside import from_row, is_saved, origin_of, saved_id, server_of
from ..._engine.records.origin import Origin
from ..._engine.records.record import Record
from ..._engine.values.codec import plain, plain_json
from ..._engine.values.ids import id_of
from ..._engine.values.misuse import check_items
from ..._engine.values.registry import registry
from ...errors import BadRequest, shorten
from .exported import as_item, check_file, is_exported, refuse_flat

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection

ANSWER: Expected = {"import?": int}
"""The answer to an import: the id of a job that goes on, or what was done."""

# -- one import as it is sent ---------------------------------------------------------------------


@contextmanager
def import_body(
    server: str,
    tasks: Iterable[Any] | None,
    file: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None,
    url: str | None,
) -> Iterator[dict[str, Any]]:
    """Yield the body of an import of one of the three, as options of a request.

    Files are open within the block.
    """
    if sum(given is not None for given in (tasks, file, url)) != 1:
        raise TypeError("imports.create() takes one of: tasks, file=..., url=...")
    if tasks is not None:
        check_items(tasks, "imports.create()")
        numbered = enumerate(tasks)
        yield {"json": [full_form(item, f"item {n}", server=server) for n, item in numbered]}
    elif url is not None:
        yield {"data": {"url": url}}
    else:
        paths = [file] if isinstance(file, (str, os.PathLike)) else list(file or ())
        if not paths:
            raise ValueError("imports.create(file=[]) has nothing to import")
        with ExitStack() as opened:
            # Of several files under one name the server takes only the last.
            yield {
                "files": {
                    f"file{n}": (_name_of(path), opened.enter_context(open(path, "rb")))
                    for n, path in enumerate(paths)
                }
            }


@attrs.frozen
class Renamed:
    """A file that is sent under another name than it has here."""

    path: str | os.PathLike[str]
    name: str

    def __fspath__(self) -> str:
        return os.fspath(self.path)


def _name_of(path: str | os.PathLike[str]) -> str:
    return path.name if isinstance(path, Renamed) else Path(path).name


def held_by(
    file: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None,
) -> tuple[Any, dict[str, int]]:
    """Return the files to import, and the numbers of annotations and predictions in those of JSON.

    Raises ValueError for what the server would lose of them.
    """
    if file is None or isinstance(file, (str, os.PathLike)):
        paths = [] if file is None else [file]
    else:
        file = paths = list(file)
    counts = Counter[str]()
    for path in paths:
        counts.update(check_file(path, _name_of(path)) or {})
    return file, counts


def pretended_import(
    client: Connection,
    project: int,
    tasks: Iterable[Mapping[str, Any]],
    files: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the answer to an import in a dry run, of tasks or of ``files`` by their names.

    The number of tasks in a file, or at an address, is not known.
    """
    shown = ({"data": task["data"], "meta": task.get("meta", {})} for task in tasks)
    ids = [row["id"] for row in pretended(client, ({"project": project, **row} for row in shown))]
    named = ({"project": project, "file": f"upload/{project}/{name}"} for name in files)
    file_ids = [row["id"] for row in pretended(client, named)]
    return {"task_count": len(ids), "task_ids": ids, "file_upload_ids": file_ids}


# -- what an import takes -------------------------------------------------------------------------

_TASK_KEYS = {"data", "meta", "annotations", "predictions", "drafts", "allow_skip"}
_ANNOTATION_KEYS = ("result", "completed_by", "was_cancelled", "ground_truth", "lead_time")
_PREDICTION_KEYS = ("result", "score", "model_version")


def refuse_unskippable(client: Connection, form: Mapping[str, Any], where: str) -> None:
    """Raise NotSupportedByServer for a task that may not be skipped, if the server drops that."""
    if form.get("allow_skip", True) not in UNSKIPPABLE.harmless:
        require(client, UNSKIPPABLE, f"{where}, allow_skip")


def data_with(data: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return data with a value under a key as a labelling config names it: ``a.image``.

    >>> data_with({"a": {"day": 1}}, "a.image", "/a.png")
    {'a': {'day': 1, 'image': '/a.png'}}
    """
    first, _, rest = key.partition(".")
    inner = data.get(first)
    if rest:
        value = data_with(inner if isinstance(inner, Mapping) else {}, rest, value)
    return {**data, first: value}


def job_of(answer: dict[str, Any], client: Connection, project: Any) -> Any:
    """Return the ImportJob of the answer to an import.

    The answer is the id of a job that goes on, or the whole result.
    """
    if "import" in answer:
        row = {"id": answer["import"], "status": "created"}
    else:
        row = {"status": "completed", **answer}
    row["project"] = id_of(project)
    parents = {} if isinstance(project, int) else {"project": project}
    return from_row(registry["ImportJob"], row, Origin(client, parents))


def full_form(
    item: Any, where: str = "item", *, server: str | None = None, may_be_odd: bool = False
) -> dict[str, Any]:
    """Return the full form of a task to import, from any of the forms that ``bulk_create`` takes.

    ``server``: the address of the target; users of another one are refused. ``may_be_odd``: the
    task comes from a server, so that its regions may be odd.

    Raises ValueError or TypeError naming the item and the key for what the server would misread or
    lose.

    >>> full_form({"text": "a"})
    {'data': {'text': 'a'}}
    """
    if isinstance(item, Record):
        return full_form(_item_of(item, where), where, server=server, may_be_odd=may_be_odd)
    item = plain_json(item)
    if not isinstance(item, (dict, Mapping)):  # the first is quicker to be told
        raise TypeError(f"{where}: a task must be a dict or an unsaved Task, not {item!r:.80}")
    if not isinstance(item.get("data"), (dict, Mapping)):
        clashing = sorted({"annotations", "predictions"} & item.keys())
        if clashing:
            raise ValueError(
                f"{where}: {clashing[0]!r:.80} beside bare data would be stored as data; "
                "put the data under the key 'data'"
            )
        refuse_flat(item, where)
        return {"data": _checked_keys(item, where)}
    if len(item) == 1:  # as most are: there is nothing else to check
        return {"data": _checked_keys(item["data"], where)}
    if is_exported(item):
        return full_form(as_item(item, where), where, server=server, may_be_odd=True)
    unknown = sorted(item.keys() - _TASK_KEYS)
    if unknown:
        raise ValueError(
            f"{where}: {unknown[0]!r:.80} is not kept by an import, beside 'data' only "
            f"{', '.join(sorted(_TASK_KEYS - {'data'}))} are; move it into 'data', or leave it out"
        )
    if item.get("drafts"):
        raise ValueError(f"{where}: the server's import drops drafts; leave them out")
    form = {
        key: value
        for key, value in item.items()
        if key not in ("annotations", "predictions", "drafts")
    }
    form["data"] = _checked_keys(item["data"], where)
    for key, make in (("annotations", _annotation_form), ("predictions", _prediction_form)):
        if item.get(key):
            form[key] = [
                make(one, f"{where}, {key}[{n}]", server, may_be_odd)
                for n, one in enumerate(item[key])
            ]
    return form


def _checked_keys(data: Mapping[Any, Any], where: str) -> dict[str, Any]:
    for key in data:
        if not isinstance(key, str):
            raise TypeError(f"{where}: a key of data must be a string, not {key!r:.80}")
    return dict(data)


def _item_of(task: Record, where: str) -> dict[str, Any]:
    """Return the full form of a Task; of a saved one, with what was prefetched."""
    if not is_saved(task):
        return {name: getattr(task, name) for name in task.changes if name != "project_id"}
    item = {"data": getattr(task, "data", None), "meta": getattr(task, "meta", None) or {}}
    counters = {
        "annotations": ("total_annotations", "cancelled_annotations"),
        "predictions": ("total_predictions",),
    }
    for relation, counts in counters.items():
        if relation in origin_of(task).prefetched:
            item[relation] = list(getattr(task, relation))
        elif any(getattr(task, count) for count in counts):
            raise ValueError(
                f"{where}: {task!r} has {relation}, which would be lost; "
                f"bring them with prefetch({relation!r}), or give its data alone"
            )
    return item


def _annotation_form(
    annotation: Any, where: str, server: str | None, may_be_odd: bool
) -> dict[str, Any]:
    if isinstance(annotation, Record):
        _refuse_other_server(annotation, where, server)
    form = _parts(annotation, _ANNOTATION_KEYS, where, may_be_odd, also="id")
    if not may_be_odd:
        _check_types(form, where)
    form["ground_truth"] = bool(form.get("ground_truth", False))  # the import's own default is True
    author = plain(form.pop("completed_by", None))
    if author is not None:
        form["completed_by"] = _author(author, where, server)
    return form


def _check_types(form: dict[str, Any], where: str) -> None:
    """Raise TypeError for values that an import takes for something else: the text ``"false"``."""
    for name in ("ground_truth", "was_cancelled"):
        value = form[name] = plain(form.get(name))
        if value is None:
            del form[name]
        elif not isinstance(value, bool):
            raise TypeError(f"{where}: {name} must be True or False, not {value!r:.80}")
    if form.get("lead_time") is not None:
        form["lead_time"] = number(form["lead_time"], f"{where}: lead_time")


def _refuse_other_server(obj: Record, where: str, server: str | None) -> None:
    if server is not None and server_of(obj) not in (None, server):
        raise ValueError(
            f"{where}: {obj!r} is on {server_of(obj)}, and the ids of users differ there; "
            "give a dict, with the author's e-mail under completed_by"
        )


def _author(author: Any, where: str, server: str | None) -> Any:
    """Return a user, an id or an e-mail as an import takes it: a number or ``{"email": ...}``."""
    if isinstance(author, Record):
        _refuse_other_server(author, where, server)
        return saved_id(author, f"{where}: completed_by")
    if isinstance(author, str) and "@" in author:
        return {"email": author}
    if isinstance(author, Mapping) and author.get("email"):
        return {"email": author["email"]}
    if isinstance(author, int) and not isinstance(author, bool):
        return author
    raise TypeError(f"{where}: completed_by must be a User, an id or an e-mail, not {author!r:.80}")


def _prediction_form(
    prediction: Any, where: str, _: str | None = None, may_be_odd: bool = False
) -> dict[str, Any]:
    form = _parts(prediction, _PREDICTION_KEYS, where, may_be_odd)
    set_score(form, where)
    return form


def set_score(form: dict[str, Any], where: str) -> None:
    """Make the score of a prediction a number: for anything else the server would store null."""
    if form.get("score") is not None:
        form["score"] = number(form["score"], f"{where}: score")


def _parts(
    labelled: Any, keys: tuple[str, ...], where: str, may_be_odd: bool, also: str | None = None
) -> dict[str, Any]:
    if isinstance(labelled, Record):
        names = {key: f"{key}_id" if key == "completed_by" else key for key in keys}
        form = {key: getattr(labelled, name) for key, name in names.items()}
        form = {key: value for key, value in form.items() if value is not None}
        if also and is_saved(labelled):
            form[also] = labelled.id
    elif isinstance(labelled, Mapping):
        unknown = sorted(labelled.keys() - {*keys, also})
        if unknown:
            raise ValueError(
                f"{where}: {unknown[0]!r:.80} is not kept by an import, only "
                f"{', '.join(keys)} are; leave it out"
            )
        form = dict(labelled)
    else:
        raise TypeError(f"{where} must be a dict or an object, not {labelled!r:.80}")
    result = form.get("result")
    may_be_odd = may_be_odd or (isinstance(labelled, Record) and is_saved(labelled))
    if not (may_be_odd and _is_kept(result, keys)):
        check_result(result, f"{where}.result")
    return form


def _is_kept(result: Any, keys: tuple[str, ...]) -> bool:
    """Return whether an import stores a result as another program has written it."""
    return isinstance(result, list) and (
        keys is _ANNOTATION_KEYS or all(isinstance(one, dict) for one in result)
    )


# -- what the server refuses -----------------------------------------------------------------------

_PLACE = re.compile(r"Error at item (\d+): ")


def refused(error: BadRequest, size: int) -> tuple[dict[int, str], bool]:
    """Return the reasons by the places of refused items in a batch, and whether these are all.

    The server stops looking once its list of all is a hundred long.
    """
    details = error.validation_errors
    listed = details.get("non_field_errors") if isinstance(details, dict) else details
    found: dict[int, str] = {}
    whole = True
    for problem in listed if isinstance(listed, list) else ():
        # The place is in the text: in a long list, the hundredth is overwritten with "...".
        named = _PLACE.match(problem) if isinstance(problem, str) else None
        if named and int(named[1]) < size:
            reason = problem[named.end() :].partition(" :: ")[0]  # what follows is the item
            found[int(named[1])] = shorten(reason, 500)
        whole = whole and problem != "..."
    return found, whole
