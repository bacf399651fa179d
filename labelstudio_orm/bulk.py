"""The bulk verbs: many objects in few requests, and what to do when an answer is lost on the
way.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .codec import copy_json
from .errors import (
    APIError,
    BadRequest,
    ConnectionFailed,
    DoesNotExist,
    LabelStudioError,
    NotFound,
    OutcomeUnknown,
    ServerError,
)
from .pages import TASKS, chunked, id_of
from .query import EVERYTHING, same
from .resource import Origin, Resource

if TYPE_CHECKING:
    from .client import LabelStudio
    from .queryset import QuerySet

Progress: TypeAlias = "bool | Callable[[int, int | None], object] | None"
"""True for a line on stderr, or a function ``(done, total)``; the total may be None when it is not
known.
"""

DELETE_BATCH = 1000


def reporter(progress: Progress, what: str) -> Callable[[int, int | None], object]:
    """The function to call with ``(done, total)`` for a ``progress`` argument."""
    if callable(progress):
        return progress
    if not progress:
        return lambda done, total: None

    shown = 0.0

    def show(done: int, total: int | None) -> None:
        nonlocal shown
        now = time.monotonic()
        if done != total and now - shown < 0.1:
            return
        shown = now
        of = f" of {total:,}" if total is not None else ""
        end = "\n" if done == total else ""
        print(f"\r{what}: {done:,}{of}", end=end, file=sys.stderr, flush=True)

    return show


# -- creating -------------------------------------------------------------------------------------


def create_many(
    queryset: QuerySet[Any],
    items: Iterable[Any],
    *,
    batch_size: int,
    batch_bytes: int,
    progress: Progress,
) -> list[Any]:
    """See ``QuerySet.bulk_create``."""
    total = len(items) if isinstance(items, Sized) else None
    report = reporter(progress, f"creating {queryset._what}")
    report(0, total)
    created: list[Any] = []
    try:
        for stored in _stored(queryset, items, batch_size, batch_bytes):
            created.extend(stored)
            report(len(created), total)
    except LabelStudioError as error:
        error.created = created
        raise
    if total is None:
        report(len(created), len(created))
    return created


def _stored(
    queryset: QuerySet[Any], items: Iterable[Any], batch_size: int, batch_bytes: int
) -> Iterator[list[Any]]:
    """The objects of each request. What can be measured is checked as a whole before the first."""
    if queryset.model._options.pages is not TASKS:
        yield from ([queryset.create(**_fields(item))] for item in items)
        return
    server = queryset.client.url
    forms: Iterable[dict[str, Any]] = (
        import_form(item, f"item {number}", server=server) for number, item in enumerate(items)
    )
    if isinstance(items, Sized):
        forms = list(forms)
    importer = _Import(queryset)
    done = 0
    for batch in _batches(forms, batch_size, batch_bytes):
        yield importer.store(batch, offset=done)
        done += len(batch)


def _fields(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    if not isinstance(item, Resource) or item._is_saved:
        raise TypeError(f"bulk_create takes dicts of fields and unsaved objects, not {item!r:.80}")
    return {name: getattr(item, name) for name in item.changes}


def _batches(
    forms: Iterable[dict[str, Any]], size: int, limit: int
) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    held = 0
    for form in forms:
        length = len(json.dumps(form, default=str))
        if batch and (len(batch) >= size or held + length > limit):
            yield batch
            batch, held = [], 0
        batch.append(form)
        held += length
    if batch:
        yield batch


class _Import:
    """Batches into one project, one at a time: parallel imports stall a SQLite server."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        if queryset.where != EVERYTHING or "project" not in queryset.scope:
            raise ValueError("tasks are created in a project: project.tasks.bulk_create([...])")
        self.queryset = queryset
        self.client: LabelStudio = queryset.client
        self.project = queryset.scope["project"]
        newest = queryset.only("id").last()
        self.highest = newest.id if newest is not None else 0

    def store(self, batch: list[dict[str, Any]], *, offset: int) -> list[Any]:
        """One batch, in one request; stored whole or not at all."""
        project = id_of(self.project)
        doing = f"importing items {offset} to {offset + len(batch) - 1} into Project {project}"
        try:
            answer = self.client.request(
                "POST",
                f"/api/projects/{project}/import",
                params={"return_task_ids": "true", "commit_to_project": "true"},
                json=batch,
                timeout=self.client.long_timeout,
                doing=doing,
                expect=("task_ids",),
            )
            ids = answer.get("task_ids")
            if not isinstance(ids, list) or len(ids) != len(batch):
                raise OutcomeUnknown(
                    f"{doing}: the server gave {ids!r:.80} instead of {len(batch)} task ids"
                )
        except BadRequest as error:
            raise _named(error, offset) from error
        except (OutcomeUnknown, ServerError) as error:
            ids = self._landed(batch, error)
        self.highest = max(self.highest, *ids)
        origin = Origin(
            self.client, {} if isinstance(self.project, int) else {"project": self.project}
        )
        rows = (
            {
                "id": id,
                "project": project,
                "data": copy_json(form["data"]),  # the caller may go on to change its own
                "meta": copy_json(form.get("meta", {})),
            }
            for id, form in zip(ids, batch, strict=True)
        )
        return list(self.queryset.model._load(rows, origin))

    def _landed(self, batch: list[dict[str, Any]], error: LabelStudioError) -> list[int]:
        """The ids of a batch whose answer was lost, if the server has it; else ``error`` again.

        An import is one transaction, so either all of it is there, in one run and newer than what
        was there before, or nothing: then it may still be under way. Others may have written the
        same: of several such runs nobody can say which one is ours.
        """
        newer = self.queryset.only("data", "meta").filter(id__gt=self.highest)
        for attempt in range(3):
            if attempt:
                self.client.retries.sleep(self.client.retries.wait(attempt))
            try:
                tasks = list(newer.iterator())
            except LabelStudioError as blind:
                raise error from blind
            runs = [
                run
                for start in range(len(tasks) - len(batch) + 1)
                if all(map(_is_stored, run := tasks[start : start + len(batch)], batch))
            ]
            if len(runs) == 1:
                return [task.id for task in runs[0]]
        raise error


def _is_stored(task: Any, form: dict[str, Any]) -> bool:
    sent = json.loads(json.dumps([form["data"], form.get("meta") or {}]))
    return same([task.data, task.meta or {}], sent)


def _named(error: BadRequest, offset: int) -> BadRequest:
    """The same error with the number of the item in the caller's list; the server counts within
    the batch.
    """
    details = error.validation_errors
    listed = details.get("non_field_errors") if isinstance(details, dict) else details
    if isinstance(listed, list):
        for number, problem in enumerate(listed):
            if problem:
                what = (
                    f"item {offset + number} was refused, and with it its batch: {problem!s:.500}"
                )
                return BadRequest(
                    what,
                    status=error.status,
                    detail=error.detail,
                    validation_errors=details,
                    request=error.request,
                )
    return error


# -- what an import takes -------------------------------------------------------------------------

_TASK_KEYS = {"data", "meta", "annotations", "predictions", "drafts", "allow_skip"}
_ANNOTATION_KEYS = ("result", "completed_by", "was_cancelled", "ground_truth", "lead_time")
_PREDICTION_KEYS = ("result", "score", "model_version")


def import_form(item: Any, where: str = "item", *, server: str | None = None) -> dict[str, Any]:
    """The full form of one task to import, from any of the forms that ``bulk_create`` takes.

    ``server``: the address that it will go to; users of another one are refused.

    Raises ValueError or TypeError naming the item and the key for what the server would misread or
    lose.

    >>> import_form({"text": "a"})
    {'data': {'text': 'a'}}
    """
    if isinstance(item, Resource):
        return import_form(_item_of(item, where), where, server=server)
    if not isinstance(item, Mapping):
        raise TypeError(f"{where}: a task is a dict or an unsaved Task, not {item!r:.80}")
    if not isinstance(item.get("data"), Mapping):
        clashing = sorted({"annotations", "predictions"} & item.keys())
        if clashing:
            raise ValueError(
                f"{where}: {clashing[0]!r} beside bare data would be stored as data; "
                "put the data under the key 'data'"
            )
        return {"data": _checked_keys(item, where)}
    unknown = sorted(item.keys() - _TASK_KEYS)
    if unknown:
        raise ValueError(
            f"{where}: {unknown[0]!r} is not kept by an import, beside 'data' only "
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
                make(one, f"{where}, {key}[{n}]", server) for n, one in enumerate(item[key])
            ]
    return form


def _checked_keys(data: Mapping[Any, Any], where: str) -> dict[str, Any]:
    for key in data:
        if not isinstance(key, str):
            raise TypeError(f"{where}: a key of data is a text, not {key!r}")
    return dict(data)


def _item_of(task: Resource, where: str) -> dict[str, Any]:
    """The full form of a Task; of a saved one, with what was prefetched."""
    if not task._is_saved:
        return {name: getattr(task, name) for name in task.changes if name != "project_id"}
    item = {"data": getattr(task, "data", None), "meta": getattr(task, "meta", None) or {}}
    counters = {
        "annotations": ("total_annotations", "cancelled_annotations"),
        "predictions": ("total_predictions",),
    }
    for relation, counts in counters.items():
        if relation in task._origin.prefetched:
            item[relation] = list(getattr(task, relation))
        elif any(getattr(task, count) for count in counts):
            raise ValueError(
                f"{where}: {task!r} has {relation}, which would be lost; "
                f"bring them with prefetch({relation!r}), or give its data alone"
            )
    return item


def _annotation_form(annotation: Any, where: str, server: str | None) -> dict[str, Any]:
    if isinstance(annotation, Resource):
        _refuse_stranger(annotation, where, server)
    form = _parts(annotation, _ANNOTATION_KEYS, where, also="id")
    form["ground_truth"] = bool(form.get("ground_truth", False))  # the import's own default is True
    author = form.pop("completed_by", None)
    if author is not None:
        form["completed_by"] = _author(author, where, server)
    return form


def _refuse_stranger(obj: Resource, where: str, server: str | None) -> None:
    if server is not None and obj._server not in (None, server):
        raise ValueError(
            f"{where}: {obj!r} is on {obj._server}, and the ids of users differ there; "
            "give a dict, with the author's e-mail under completed_by"
        )


def _author(author: Any, where: str, server: str | None) -> Any:
    """A user, an id or an e-mail, as the import takes it: a number or ``{"email": ...}``."""
    if isinstance(author, Resource):
        _refuse_stranger(author, where, server)
        return author._saved_id(f"{where}: completed_by")
    if isinstance(author, str) and "@" in author:
        return {"email": author}
    if isinstance(author, Mapping) and author.get("email"):
        return {"email": author["email"]}
    if isinstance(author, int) and not isinstance(author, bool):
        return author
    raise TypeError(f"{where}: completed_by is a User, an id or an e-mail, not {author!r:.80}")


def _prediction_form(prediction: Any, where: str, _: str | None = None) -> dict[str, Any]:
    form = _parts(prediction, _PREDICTION_KEYS, where)
    score = form.get("score")
    if score is not None and (isinstance(score, bool) or not isinstance(score, (int, float))):
        raise TypeError(
            f"{where}: score is a number, not {score!r:.80}, which the server would store as null"
        )
    return form


def _parts(
    labelled: Any, keys: tuple[str, ...], where: str, also: str | None = None
) -> dict[str, Any]:
    if isinstance(labelled, Resource):
        names = {key: f"{key}_id" if key == "completed_by" else key for key in keys}
        form = {key: getattr(labelled, name) for key, name in names.items()}
        form = {key: value for key, value in form.items() if value is not None}
        if also and labelled._is_saved:
            form[also] = labelled.id
    elif isinstance(labelled, Mapping):
        unknown = sorted(labelled.keys() - {*keys, also})
        if unknown:
            raise ValueError(
                f"{where}: {unknown[0]!r} is not kept by an import, only {', '.join(keys)} are; "
                "leave it out"
            )
        form = dict(labelled)
    else:
        raise TypeError(f"{where} is a dict or an object, not {labelled!r:.80}")
    result = form.get("result")
    if not isinstance(result, list) or not all(isinstance(region, dict) for region in result):
        raise TypeError(f"{where}: result is a list of regions (dicts), not {result!r:.80}")
    return form


# -- deleting -------------------------------------------------------------------------------------


def delete_many(queryset: QuerySet[Any]) -> int:
    """See ``QuerySet.delete``."""
    if queryset.model._options.pages is not TASKS:
        objects = list(queryset)
        for obj in objects:
            with suppress(DoesNotExist):  # somebody else was quicker
                obj.delete()
        return len(objects)
    client, project = queryset.client, id_of(queryset.scope.get("project"))
    if project is None:
        raise ValueError(
            "tasks are deleted in a project: ls.tasks.filter(project=...), project.tasks"
        )
    if queryset.where == EVERYTHING and not queryset._is_slice:
        number = queryset.count()
        client.request(
            "DELETE",
            f"/api/projects/{project}/tasks/",
            doing=f"deleting all tasks of Project {project}",
        )
        return number
    ids = list(queryset.values_list("id", flat=True))
    # The action drops a project's views with its last task; the last one of ours therefore goes by
    # itself.
    for chunk in chunked(ids[:-1], DELETE_BATCH):
        client.request(
            "POST",
            "/api/dm/actions/",
            params={"id": "delete_tasks", "project": project},
            json={"selectedItems": {"all": False, "included": chunk}},
            timeout=client.long_timeout,
            idempotent=True,
            expect=("processed_items",),
            doing=f"deleting {len(chunk)} tasks of Project {project}",
        )
    if ids:
        with suppress(NotFound):
            client.request("DELETE", f"/api/tasks/{ids[-1]}/", doing=f"deleting Task {ids[-1]}")
    return len(ids)


# -- files ----------------------------------------------------------------------------------------


def download(
    client: LabelStudio,
    path: str,
    target: Path,
    *,
    params: Mapping[str, Any],
    doing: str,
    progress: Progress = None,
) -> Path:
    """Stream an answer into a file, which appears under its name only when it is complete."""
    report = reporter(progress, doing)
    part = target.with_name(target.name + ".part")
    try:
        with client.stream(
            "GET", path, params=params, timeout=client.long_timeout, doing=doing
        ) as response:
            kind = response.headers.get("Content-Type", "")
            size = response.headers.get("Content-Length")
            total = int(size) if size and size.isdigit() else None
            done, first, last = 0, b"", b""
            with part.open("wb") as file:
                for piece in response.iter_content(1 << 16):
                    file.write(piece)
                    done += len(piece)
                    first, last = first or piece.lstrip()[:1], piece.rstrip()[-1:] or last
                    report(done, total)
        if "html" in kind or ("json" in kind and first not in (b"[", b"")):
            raise APIError(
                f"{doing} failed: the answer is no export ({kind}). Is the base URL right, or does "
                "a proxy or a login page answer instead?",
                status=response.status_code,
                request=f"GET {path}",
            )
        if "json" in kind and last != b"]":
            raise ConnectionFailed(f"{doing} failed: the answer ended early", request=f"GET {path}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
