"""What a migration reads from: a project on a server, or an archive of one.

Everything comes as plain JSON, the same from both. A task is a dict of

* ``id data meta overlap inner_id created_at updated_at file_upload storage_filename``
* ``annotations``: dicts of ``id result completed_by was_cancelled ground_truth lead_time`` and of
  the fields that an import does not take: ``created_at updated_at updated_by last_action import_id
  draft_created_at parent_annotation parent_prediction bulk_created``
* ``predictions``: dicts of ``id result score model_version created_at``
* ``drafts``: dicts of ``id result lead_time was_postponed annotation user created_at``

all three in the order of their ids. Users are e-mail addresses, or ``"#7"`` where the address of
user 7 is no longer known.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from ..._engine.models.relations import rows_inside
from ..._engine.plans.columns import line
from ..._engine.plans.view_filters import view_condition
from ..._engine.records.inside import row_of
from ..._engine.values.codec import Row
from ..._engine.values.ids import as_id
from ..._engine.values.secret import seal
from ...client import labelstudio_of
from ...errors import BadRequest, DoesNotExist, LabelStudioError, ServerError
from ...resources.projects import Project
from .fingerprints import (
    ANNOTATION_ORIGIN,
    BESIDE,
    SECRET_SETTINGS,
    SETTINGS,
    TASK_KINDS,
    TASK_ORIGIN,
)
from .kinds import KINDS, plain
from .snapshot_form import LISTED_SETTINGS, TASK, Form, mismatch

if TYPE_CHECKING:
    from typing_extensions import Self

    from ...client import LabelStudio
    from ...resources.drafts import Draft
    from ...resources.tasks import Task

CHUNK: Final = 300
"""Tasks that are read at once by their ids."""


class Source(Protocol):
    """A project to read from: on a server, or a snapshot of one."""

    def describe(self) -> Row:
        """Return ``server`` (its address), ``project`` (its id there), ``title`` and ``tasks``.

        ``tasks`` is the number of the tasks.
        """

    def settings(self) -> Row:
        """Return the project's settings with the labelling config; secrets come as a Secret."""

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """Stream the tasks by id, those after an id; the module describes their form."""

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """Yield the tasks of these ids, by id; those that do not exist are left out."""

    def task_ids(self) -> Iterator[int]:
        """Yield the ids of all tasks, ascending."""

    def unskippable(self) -> frozenset[int]:
        """Return the ids of the tasks that annotators may not skip (``allow_skip`` is false)."""

    def related(self, kind: str) -> Iterator[Row]:
        """Yield the objects of a kind, each with its id and its settings.

        ``"views"`` come in the order of the tabs, with ``users``: the addresses of the users that
        their filters name, by id. ``"webhooks"`` have their ``headers`` as a Secret;
        ``"storages"`` (with ``family``, "import" or "export") and ML ``"backends"`` come without
        their secrets. ``"files"`` are the uploaded ones: ``file`` is the path on the server.
        """

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        """Open an uploaded file by its ``file``: a stream to be read once."""

    def users(self) -> Iterator[Row]:
        """Yield the users who annotated: ``id email first_name last_name``."""


class LiveSource:
    """A project on a server, as a source."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.client: LabelStudio = labelstudio_of(project)
        self._emails: dict[int, str] | None = None
        self.is_light = False
        """Whether tasks and annotations have None for dates and links."""

    def __repr__(self) -> str:
        return f"<LiveSource {self.project!r}>"

    def light(self) -> Self:
        """Return a source whose tasks and annotations have None for dates and links.

        No import takes those, and the server lists the tasks in two thirds of the time.
        """
        other = copy.copy(self)
        other.is_light = True
        return other

    def describe(self) -> Row:
        """Describe the project. One request."""
        self.project.refresh()
        return {
            "server": self.client.url,
            "project": self.project.id,
            "title": self.project.title,
            "tasks": self.project.task_number,
        }

    def settings(self) -> Row:
        """Return the settings. No request after ``describe()``."""
        found = {name: plain(getattr(self.project, name)) for name in SETTINGS}
        for name in SECRET_SETTINGS:
            found[name] = seal(found[name])
        return self._checked("settings", found, LISTED_SETTINGS)

    def _checked(self, kind: str, row: Row, form: Form) -> Row:
        """Return a row whose values are of the types that they have in a snapshot."""
        problem = mismatch(row, form)
        if problem is not None:
            one = f"{row['id']}: " if "id" in row else ""
            raise LabelStudioError(f"reading the {kind} of {self.project!r}: {one}{problem}")
        return row

    # -- tasks ------------------------------------------------------------------------------------

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """Stream the tasks. One request a page, and one for each task with drafts."""
        tasks = self.project.tasks.all()
        return self._rows(tasks if after is None else tasks.filter(id__gt=after))

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """Yield the tasks of these ids. One request a page, and one for each task with drafts."""
        return self._rows(self.project.tasks.filter(id__in=list(ids)))

    def task_ids(self) -> Iterator[int]:
        """Yield the ids of all tasks. One request a page."""
        return iter(self.project.tasks.values_list("id", flat=True).iterator())

    def unskippable(self) -> frozenset[int]:
        """Return the ids of the tasks that cannot be skipped. One request, a second if any match.

        No listing shows the flag; a release that does not know the column ignores it, or fails.
        """

        def matching(*values: bool) -> Any:
            items = [line("allow_skip", "equal", "Boolean", value) for value in values]
            return self.project.tasks.filter(view_condition({"conjunction": "and", "items": items}))

        try:
            ids = frozenset(matching(False).values_list("id", flat=True))
        except (BadRequest, ServerError) as error:
            if error.status not in (400, 500):
                raise
            return frozenset()
        return ids if ids and not matching(False, True).exists() else frozenset()

    def count(self) -> int:
        """Count the tasks. One request."""
        return self.project.tasks.count()

    def _rows(self, tasks: Any) -> Iterator[Row]:
        of_task = () if self.is_light else TASK_ORIGIN
        of_annotation = ("import_id",) if self.is_light else ANNOTATION_ORIGIN
        named = tasks.only(  # which the server lists in half the time
            *("data", "meta", "overlap", "draft_exists", *of_task),
            *(f"annotations__{name}" for name in (*TASK_KINDS["annotations"], *of_annotation)),
        )
        for page in named.prefetch("annotations", "predictions").pages():
            yield from map(self._task, page)

    def _task(self, task: Task) -> Row:
        row = row_of(task)  # nobody else has the task; an object for each annotation costs more
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
            **({} if self.is_light else {name: plain(getattr(task, name)) for name in TASK_ORIGIN}),
            "annotations": [self._annotation(one) for one in rows_inside(task, "annotations")],
            "predictions": [
                _object("predictions", one) for one in rows_inside(task, "predictions")
            ],
            "drafts": list(self._drafts(task)),
        }
        return self._checked("tasks", found, TASK)

    def _annotation(self, row: Row) -> Row:
        return {
            **_object("annotations", row),
            "completed_by": self._email(as_id(row.get("completed_by")), row["id"]),
            "updated_by": self._email(as_id(row.get("updated_by"))),
        }

    def drafts_of(self, drafts: Iterable[Draft]) -> Iterator[Row]:
        """Yield drafts as rows of their task."""
        names = ("id", *TASK_KINDS["drafts"], "user")
        for draft in drafts:
            found = {name: getattr(draft, name) for name in names}
            created = plain(draft.created_at)
            yield {**found, "annotation": draft.annotation_id, "created_at": created}

    def _drafts(self, task: Task) -> Iterator[Row]:
        """Yield the drafts of all users; the task itself shows only those of the current user."""
        return self.drafts_of(self.client.drafts.filter(task=task) if task.draft_exists else ())

    # -- what belongs to the project --------------------------------------------------------------

    def related(self, kind: str) -> Iterator[Row]:
        """Yield the objects of a kind. One request, two for storages.

        The server lists only the files that this user has uploaded.
        """
        one = KINDS[kind]
        for row in one.read(one, self.project, self._email):
            yield self._checked(kind, row, one.listed_form or one.form)

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        """Open an uploaded file. One request."""
        return self.project.files.open(file)

    # -- users ------------------------------------------------------------------------------------

    def users(self) -> Iterator[Row]:
        """Yield the users who annotated. One request."""
        for user in self.project.annotators():
            is_known = _has_address(user)  # else they are called "Deleted User"
            names = {
                name: str(getattr(user, name) or "") * is_known
                for name in ("first_name", "last_name")
            }
            yield {"id": user.id, "email": self._email(user.id), **names}

    def _email(self, user: Any, annotation: int | None = None) -> str | None:
        """Return the address of a user, given by id or address; ``annotation``: one of theirs."""
        if user is None or isinstance(user, str):
            return user
        if self._emails is None:
            members = [*self.project.annotators(), *self.client.users.all()]
            # The server calls former members "Deleted".
            known = (member for member in members if _has_address(member))
            self._emails = {member.id: member.email for member in known}
        if user not in self._emails:
            self._emails[user] = self._address_of_former(user, annotation)
        return self._emails[user]

    def _address_of_former(self, user: int, annotation: int | None) -> str:
        """Return the address of a user who is not among the members.

        They may have joined since. The annotations of former members still have their address:
        ``"Ann Lee ann@example.com, 7"``.
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
    """Return a project, or a snapshot, as a source; a snapshot is checked as a whole first."""
    if isinstance(project, Project):
        return LiveSource(project)
    if not hasattr(project, "describe"):
        raise TypeError(f"expected a project or an ArchiveSource, not {project!r:.80}")
    check = getattr(project, "check", None)
    if check is not None:
        check()
    return project


def light(source: Source) -> Source:
    """Return a source that is cheaper to read, for comparing content."""
    return source.light() if isinstance(source, LiveSource) else source


def has_files(source: Source) -> bool:
    """Return whether a source has its uploaded files; a snapshot may be without."""
    return bool(getattr(source, "has_files", True))


def number_of_tasks(source: Source) -> int:
    """Return how many tasks a source has now."""
    if isinstance(source, LiveSource):
        return source.count()
    number: int = source.describe()["tasks"]
    return number


def name_of(project: Row) -> str:
    """Return a project in words: ``'Reviews' (http://localhost:8080, project 3)``."""
    return f"{project['title']!r} ({project['server']}, project {project['project']})"


def _has_address(user: Any) -> bool:
    return isinstance(user.email, str) and "@" in user.email


def _object(kind: str, row: Row) -> Row:
    """Return an annotation or a prediction as a row of its task."""
    return {name: row.get(name) for name in ("id", *TASK_KINDS[kind], *BESIDE[kind])}
