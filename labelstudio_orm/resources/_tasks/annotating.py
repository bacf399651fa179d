"""The same annotation for many tasks, and who annotated them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._engine.bulk.run import BulkRun
from ..._engine.fields.options import options_of
from ..._engine.http.connection import pretended
from ..._engine.pages.sources import chunked
from ..._engine.reading.queryset import loaded
from ..._engine.reading.selection import query_of
from ..._engine.records.inside import body_of, changed, from_row
from ..._engine.records.origin import Origin
from ..._engine.values.codec import copy_given
from ..._engine.values.registry import registry
from ..._engine.values.summary import Created
from ...errors import NotSupportedByServer
from .actions import BATCH
from .nouns import client_with_nouns

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet


def annotators_of(project: Any) -> list[Any]:
    """Return the users who annotated, by a listing of the tasks and one of the users.

    One who is no longer a member has no name and no e-mail address.
    """
    ids = {id for (some,) in project.tasks.values_list("annotators") for id in some}
    client = client_with_nouns(project.tasks)
    members = {user.id: user for user in client.users.all()}
    gone = {"email": "", "username": "", "first_name": "", "last_name": ""}
    origin = Origin(client, whole=True)
    return [
        members.get(id) or from_row(registry["User"], {"id": id, **gone}, origin)
        for id in sorted(ids)
    ]


AT_ONCE = frozenset({"result", "lead_time"})
"""Fields that an annotation of many tasks in one request may have."""


def annotate(
    tasks: QuerySet[Any],
    fields: dict[str, Any],
    run: BulkRun,
) -> Created[Any]:
    """Create the same annotation for each of the tasks: ``Tasks.create_annotations``."""
    query_of(tasks).require_confirmation("create_annotations()")

    def create(task: Any) -> Any:
        # Each has its own result: what a server makes of one is nothing to the others.
        return task.annotations.create(**{name: copy_given(fields[name]) for name in fields})

    with run:
        found = list(tasks.only("id", "project_id").iterator())
        run.total, done = len(found), 0
        if fields.keys() <= AT_ONCE:
            try:
                for batch in chunked(found, BATCH):
                    made = _annotate_at_once(client_with_nouns(tasks), batch, fields)
                    run.made.update(enumerate(made, start=len(run.made)))
                    done += len(batch)
                    run.created += len(batch)
                    run.report()
            except NotSupportedByServer:
                pass
        for outcome in run.each(found[done:], create):
            run.made[done + outcome.place] = outcome.value
            run.created += 1
    return run.result()


def _annotate_at_once(client: Any, tasks: list[Any], fields: dict[str, Any]) -> list[Any]:
    """Annotate tasks in one request, which the Enterprise edition has."""
    draft = client.annotations.model(**{"task": tasks[0], **fields})
    fields_of = options_of(draft).fields
    body = body_of(draft, (fields_of[name] for name in changed(draft) if name != "task_id"))
    rows = client.request(
        "POST",
        "/api/annotations/bulk",
        json={
            "tasks": [task.id for task in tasks],
            "project": tasks[0].project_id,
            "result": [],
            **body,
        },
        timeout=client.long_timeout,
        doing=f"annotating {len(tasks)} tasks",
        edition="Enterprise",
        expect=[{"id": int}],
        dry=lambda: pretended(client, ({"task": task.id, **body} for task in tasks)),
    )
    return list(loaded(client.annotations, rows))
