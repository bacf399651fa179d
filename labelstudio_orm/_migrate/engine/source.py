"""What a migration reads from: a project on a server, or an archive of one.

Everything comes as plain JSON, the same from either. A task is a dict of

* ``id data meta overlap inner_id created_at updated_at file_upload storage_filename``
* ``annotations``: dicts of ``id result completed_by was_cancelled ground_truth lead_time`` and of
  what an import does not take: ``created_at updated_at updated_by last_action import_id
  draft_created_at parent_annotation parent_prediction bulk_created``
* ``predictions``: dicts of ``id result score model_version created_at``
* ``drafts``: dicts of ``id result lead_time was_postponed annotation user created_at``

all three by id. Users are e-mail addresses; where nobody knows the address any more, ``"#7"``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from ..._engine.plans.columns import line
from ..._engine.plans.view_filters import view_condition
from ..._engine.values.codec import Row, write_datetime
from ..._engine.values.ids import as_id
from ..._engine.values.secret import Secret, seal
from ...errors import BadRequest, DoesNotExist, LabelStudioError, ServerError
from ...resources.common import labelstudio_of
from .fingerprints import (
    ANNOTATION,
    ANNOTATION_ORIGIN,
    BACKEND,
    PREDICTION,
    SECRETS,
    SETTINGS,
    STORAGE,
    TASK_ORIGIN,
    WEBHOOK,
)
from .remap import users_in
from .snapshot_form import LISTED, misfit

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import Self

    from ...client import LabelStudio
    from ...resources.drafts import Draft
    from ...resources.projects import Project
    from ...resources.tasks import Task

CHUNK: Final = 300
"""Tasks that are read by their ids in one go."""


class Source(Protocol):
    """What a project can be copied from."""

    def describe(self) -> Row:
        """``server`` (an address, or a path), ``project`` (its id there), ``title``, ``tasks``
        (how many).
        """

    def settings(self) -> Row:
        """The project's own settings, the labelling config among them; its secrets as a Secret."""

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """The tasks by id, those after an id; streamed. See the module for their form."""

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """The tasks of these ids, by id; those that are not there are left out."""

    def task_ids(self) -> Iterator[int]:
        """The ids of all tasks, rising."""

    def unskippable(self) -> frozenset[int]:
        """The ids of the tasks that annotators may not skip (``allow_skip`` is false)."""

    def views(self) -> Iterator[Row]:
        """``id data selected_items``, in the order of the tabs; ``users`` are the addresses of
        those that their filters name, by id.
        """

    def webhooks(self) -> Iterator[Row]:
        """``id`` and the settings of each; ``headers`` as a Secret."""

    def storages(self) -> Iterator[Row]:
        """``id``, ``family`` ("import" or "export"), ``type`` and the settings of each, without
        secrets.
        """

    def backends(self) -> Iterator[Row]:
        """``id`` and the settings of each ML backend, without secrets."""

    def files(self) -> Iterator[Row]:
        """The uploaded files: ``id``, ``file`` (its path on the server) and ``size``, where they
        are known.
        """

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        """The content of an uploaded file, by its ``file``: a stream to be read once."""

    def users(self) -> Iterator[Row]:
        """Who annotated: ``id email first_name last_name``."""


class LiveSource:
    """A project on a server, as a source."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.client: LabelStudio = labelstudio_of(project)
        self._emails: dict[int, str] | None = None
        self._of_task: tuple[str, ...] = TASK_ORIGIN
        self._of_annotation: tuple[str, ...] = ANNOTATION_ORIGIN

    def __repr__(self) -> str:
        return f"<LiveSource {self.project!r}>"

    def light(self) -> Self:
        """The same, whose tasks and annotations have no dates and links: what no import takes is
        None. The server lists them in two thirds of the time.
        """
        other = copy.copy(self)
        other._of_task, other._of_annotation = (), ("import_id",)
        return other

    def describe(self) -> Row:
        """See ``Source``. One request."""
        self.project.refresh()
        return {
            "server": self.client.url,
            "project": self.project.id,
            "title": self.project.title,
            "tasks": self.project.task_number,
        }

    def settings(self) -> Row:
        """See ``Source``. No request after ``describe()``."""
        found = {name: _plain(getattr(self.project, name)) for name in SETTINGS}
        for name in SECRETS["settings"]:
            found[name] = seal(found[name])
        return self._held("settings", found)

    def _held(self, kind: str, row: Row) -> Row:
        """The row, if its values are of the types that they have in a snapshot."""
        problem = misfit(row, LISTED[kind])
        if problem is not None:
            one = f"{row['id']}: " if "id" in row else ""
            raise LabelStudioError(f"reading the {kind} of {self.project!r}: {one}{problem}")
        return row

    # -- tasks ------------------------------------------------------------------------------------

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """See ``Source``. One request a page, and one more for each task with drafts."""
        tasks = self.project.tasks.all()
        return self._rows(tasks if after is None else tasks.filter(id__gt=after))

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """See ``Source``."""
        return self._rows(self.project.tasks.filter(id__in=list(ids)))

    def task_ids(self) -> Iterator[int]:
        """See ``Source``."""
        return iter(self.project.tasks.values_list("id", flat=True).iterator())

    def unskippable(self) -> frozenset[int]:
        """See ``Source``. One request, and one more if there are some. No listing shows it; a
        release that does not know the column takes no notice of it, or fails.
        """

        def fitting(*values: bool) -> Any:
            items = [line("allow_skip", "equal", "Boolean", value) for value in values]
            return self.project.tasks.filter(view_condition({"conjunction": "and", "items": items}))

        try:
            ids = frozenset(fitting(False).values_list("id", flat=True))
        except (BadRequest, ServerError) as error:
            if error.status not in (400, 500):
                raise
            return frozenset()
        return ids if ids and not fitting(False, True).exists() else frozenset()

    def count(self) -> int:
        """How many tasks there are. One request."""
        return self.project.tasks.count()

    def _rows(self, tasks: Any) -> Iterator[Row]:
        named = tasks.only(  # which the server lists in half the time
            *("data", "meta", "overlap", "draft_exists", *self._of_task),
            *(f"annotations__{name}" for name in (*ANNOTATION, *self._of_annotation)),
        )
        for page in named.prefetch("annotations", "predictions").pages():
            yield from map(self._task, page)

    def _task(self, task: Task) -> Row:
        row = task.raw  # a copy of all that was listed; an object for each annotation costs more
        if "data" not in row:
            raise LabelStudioError(
                f"reading {task!r} of {self.project!r}: it came without its data"
            )
        found = {
            "id": task.id,
            "data": row["data"],
            "meta": {} if (meta := row.get("meta")) is None else meta,
            "overlap": task.overlap,
            **dict.fromkeys(TASK_ORIGIN),
            **{name: _plain(getattr(task, name)) for name in self._of_task},
            "annotations": [self._annotation(one) for one in _by_id(row.get("annotations"))],
            "predictions": [_prediction(one) for one in _by_id(row.get("predictions"))],
            "drafts": list(self._drafts(task)),
        }
        return self._held("tasks", found)

    def _annotation(self, row: Row) -> Row:
        author = self._email(as_id(row.get("completed_by")), row["id"])
        return {
            "id": row["id"],
            **{name: row.get(name) for name in (*ANNOTATION, *ANNOTATION_ORIGIN)},
            "completed_by": author,
            "updated_by": self._email(as_id(row.get("updated_by"))),
        }

    def drafts_of(self, drafts: Iterable[Draft]) -> Iterator[Row]:
        """Drafts in the form that a task has them in."""
        names = ("id", "result", "lead_time", "was_postponed", "user")
        for draft in drafts:
            found = {name: getattr(draft, name) for name in names}
            created = _plain(draft.created_at)
            yield {**found, "annotation": draft.annotation_id, "created_at": created}

    def _drafts(self, task: Task) -> Iterator[Row]:
        """A task itself shows only the drafts of who asks."""
        return self.drafts_of(self.client.drafts.filter(task=task) if task.draft_exists else ())

    # -- what belongs to the project --------------------------------------------------------------

    def views(self) -> Iterator[Row]:
        """See ``Source``. One request."""
        for view in sorted(self.project.views.all(), key=_place_of_tab):
            row = {"id": view.id, "data": view.data, "selected_items": view.selected_items}
            self._held("views", row)
            yield {**row, "users": {str(id): self._email(id) for id in users_in(row)}}

    def webhooks(self) -> Iterator[Row]:
        """See ``Source``. One request. The server lists those of the organization too; they are
        left out.
        """
        for webhook in self.project.webhooks.all():
            if webhook.project_id == self.project.id:
                row = self._held("webhooks", _fields(webhook, WEBHOOK))
                headers = Secret(webhook.headers or {})
                if not isinstance(headers.reveal(), Mapping):
                    raise LabelStudioError(f"reading {webhook!r}: its headers are no JSON object")
                yield {**row, "headers": headers}

    def storages(self) -> Iterator[Row]:
        """See ``Source``. Two requests."""
        families: list[tuple[str, Any]] = [
            ("import", self.project.import_storages),
            ("export", self.project.export_storages),
        ]
        for family, storages in families:
            for storage in storages.all():
                row = {**_fields(storage, STORAGE[1:]), "family": family}
                yield self._held("storages", row)

    def backends(self) -> Iterator[Row]:
        """See ``Source``. One request."""
        for backend in self.project.ml_backends.all():
            yield self._held("backends", _fields(backend, BACKEND))

    def files(self) -> Iterator[Row]:
        """See ``Source``. One request. The server lists only those that this user uploaded."""
        for file in self.project.files.all():
            yield self._held("files", {"id": file.id, "file": file.file, "size": file.size})

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        """See ``Source``. One request."""
        return self.project.files.open(file)

    # -- users ------------------------------------------------------------------------------------

    def users(self) -> Iterator[Row]:
        """See ``Source``. One request."""
        for user in self.project.annotators():
            is_known = _has_address(user)  # else he is called "Deleted User"
            names = {
                name: str(getattr(user, name) or "") * is_known
                for name in ("first_name", "last_name")
            }
            yield {"id": user.id, "email": self._email(user.id), **names}

    def _email(self, user: Any, annotation: int | None = None) -> str | None:
        """A user's address, of an id or of the address itself; ``annotation``: one of his."""
        if user is None or isinstance(user, str):
            return user
        if self._emails is None:
            members = [*self.project.annotators(), *self.client.users.all()]
            # Of one who is no member any more the server says "Deleted".
            known = (member for member in members if _has_address(member))
            self._emails = {member.id: member.email for member in known}
        if user not in self._emails:
            self._emails[user] = self._stranger(user, annotation)
        return self._emails[user]

    def _stranger(self, user: int, annotation: int | None) -> str:
        """Somebody who came later, or who is no member any more: then his annotations still say
        his address (``"Ann Lee ann@example.com, 7"``).
        """
        with suppress(DoesNotExist):
            email = self.client.users.get(user).email
            if "@" in email:
                return email
        for name in self._names_of(user, annotation):
            found = re.search(r"(\S+@\S+), \d+$", name)
            if found:
                return found[1]
        return f"#{user}"

    def _names_of(self, user: int, annotation: int | None) -> Iterator[str]:
        if annotation is not None:
            with suppress(DoesNotExist):
                yield self.client.annotations.get(annotation).created_username or ""
        annotated = self.project.tasks.filter(annotators=user).prefetch("annotations")[:1]
        for task in annotated:
            for one in task.annotations.filter(completed_by=user):
                yield one.created_username or ""


def as_source(project: Project | Source) -> Source:
    """A project, or what else can be copied from, as a source."""
    from ...resources.projects import Project

    if isinstance(project, Project):
        return LiveSource(project)
    if not hasattr(project, "describe"):
        raise TypeError(f"a project is wanted, or an ArchiveSource, not {project!r:.80}")
    check = getattr(project, "check", None)  # of what may be damaged, before anything is written
    if check is not None:
        check()
    return project


def light(source: Source) -> Source:
    """What is cheaper to read, where only content counts."""
    return source.light() if isinstance(source, LiveSource) else source


def has_files(source: Source) -> bool:
    """Return whether the uploaded files can be read there; a snapshot may be without."""
    return bool(getattr(source, "has_files", True))


def number_of_tasks(source: Source) -> int:
    """How many tasks there are now."""
    if isinstance(source, LiveSource):
        return source.count()
    number: int = source.describe()["tasks"]
    return number


def _place_of_tab(view: Any) -> tuple[int, int]:
    return view.order if isinstance(view.order, int) else 0, view.id


def _has_address(user: Any) -> bool:
    return isinstance(user.email, str) and "@" in user.email


def _by_id(rows: list[Row] | None) -> list[Row]:
    return sorted(rows or (), key=itemgetter("id"))


def _prediction(row: Row) -> Row:
    return {"id": row["id"], **{name: row.get(name) for name in (*PREDICTION, "created_at")}}


def _fields(obj: Any, names: Iterable[str]) -> Row:
    """Those of the fields that this kind of object has."""
    return {"id": obj.id, **{name: _plain(getattr(obj, name, None)) for name in names}}


def _plain(value: datetime | Any) -> Any:
    return write_datetime(value) if hasattr(value, "tzinfo") else value


def storage_key(storage: Row) -> str:
    """Return the key of a storage; each type counts ids of its own."""
    return f"{storage['family']}:{storage['type']}:{storage['id']}"
