"""Writes tasks of a target, and their objects one by one, each exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import attrs

from ..._engine.http.paths import at
from ...resources.drafts import keeping_drafts, unpark
from . import task_objects
from .exactly_once import exactly_once
from .fingerprints import CONTENTS, ORIGIN, digest, fields_of
from .losses import lost_of
from .task_objects import data_problem

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .context import MigrationContext
    from .diff3 import Base, Change

_PARKED: Final = "parked"
"""The intent in the journal while the drafts of an annotation are taken off it."""


class Writer:
    """Writes objects of tasks into the target, as they are in the source.

    A ``base`` records each write before and after it, so that a run which is killed in between can
    be continued.
    """

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.journal, self.client = context, context.journal, context.client
        self.bases = context.journal.map("bases")

    def resolve(self) -> None:
        """Give back the drafts that a killed run had taken off their annotation."""
        task = self.journal.open_intents().get(_PARKED)
        if task is not None:
            for draft in self.client.drafts.filter(task=task):
                unpark(draft)
            self.journal.resolve(_PARKED)

    def write_fields(self, changes: Sequence[Change], source: Row, target: Row) -> None:
        """Change fields of a task, and count it. One request."""
        body = {change.field: source[change.field] for change in changes}
        if (problem := data_problem(source)) is not None and "data" in body:
            raise ValueError(problem)  # a server stores it, and cannot list its tasks any more
        metas = (body.get("meta"), target["meta"])
        if all(isinstance(one, dict) for one in metas) and ORIGIN in target["meta"]:
            body["meta"] = {**body["meta"], ORIGIN: target["meta"][ORIGIN]}
        # An object of the library would refuse what other programs have written: a list as meta.
        self.client.request(
            "PATCH",
            at("/api/tasks/{}/", target["id"]),
            json=body,
            idempotent=True,
            doing=f"applying Task {source['id']} to Task {target['id']}",
        )
        self.context.tallies["tasks"].updated += 1
        for change in changes:
            change.part.applied(change)

    def write(self, base: Base, change: Change, source: Row, target: Row) -> None:
        """Create, change or delete an object of a task, and count it."""
        kind, run = change.kind, self.context.tallies[change.kind]
        if change.source is None:
            task_objects.delete(getattr(self.client, kind).ref(change.target["id"]))
            change.part.applied(change)
            run.deleted += 1
        elif change.target is None:
            self.create(base, change, source, target)
            lost = lost_of(kind, change.source, self.context.users.me.email)
            self.context.lose({f"{kind}.{name}": [change.source["id"]] for name in lost})
            run.created += 1
        else:
            self._change(change, target)
            run.updated += 1

    def create(self, base: Base, change: Change, source: Row, target: Row) -> None:
        """Create an object of a task.

        An annotation with a malformed region is created without regions first, which the base
        records, so that a further run goes on with it.
        """
        fields = self._fields(change.kind, change.source, target)
        task_objects.check_storable(change.kind, fields["result"])
        if change.kind != "annotations" or not task_objects.is_malformed(fields["result"]):
            change.part.applied(change, self._make(change, fields, target))
            return
        blank = attrs.evolve(change, source={**change.source, "result": []})
        blank.part.expect(blank)
        self._save(base, source)
        new = self._make(blank, {**fields, "result": []}, target)
        blank.part.applied(blank, new)
        change.part.expect(change)
        self._save(base, source)
        try:
            task_objects.fill(self.client, new, fields["result"])
        except Exception as error:
            if task_objects.is_refused(error):  # and it is gone again
                change.part.applied(attrs.evolve(change, source=None))
            raise
        change.part.applied(change, new)

    def _save(self, base: Base, source: Row) -> None:
        self.bases.put({source["id"]: str(base)})

    def _make(self, change: Change, fields: Row, target: Row) -> int:
        """Create an object of a task; look for it where the answer was lost."""
        kind, content_of = change.kind, CONTENTS[change.kind]
        wanted = digest(content_of(change.source))
        known = {one["id"] for one in target[kind]}
        me = self.context.users.me.email

        def look() -> int | None:
            for task in self.context.target.some_tasks([target["id"]]):
                for one in task[kind]:
                    is_mine = kind != "drafts" or one["user"] == me
                    if is_mine and one["id"] not in known and digest(content_of(one)) == wanted:
                        return int(one["id"])
            return None

        def make() -> int:
            return task_objects.create(self.client, kind, target["id"], fields)

        made = exactly_once(look, make, self.client, is_new=True)
        target[kind].append({**change.source, "id": made, "import_id": change.source["id"]})
        return made

    def _change(self, change: Change, target: Row) -> None:
        kind, content_of = change.kind, CONTENTS[change.kind]
        ours, theirs = content_of(change.source), content_of(change.target)
        fields = {
            name: value
            for name, value in self._fields(kind, change.source, target).items()
            if name in ours and digest(ours[name]) != digest(theirs[name])
        }
        new = change.target["id"]
        is_annotation = kind == "annotations"
        with self._parked(target["id"], new) if is_annotation else nullcontext():
            task_objects.change(self.client, kind, new, fields, task=target["id"])
        change.part.applied(change)

    @contextmanager
    def _parked(self, task: int, annotation: int) -> Iterator[None]:
        """Keep the drafts of an annotation, which the server deletes when it is saved."""
        self.journal.intent(_PARKED, task)
        with keeping_drafts(self.client, task, annotation):
            yield
        self.journal.resolve(_PARKED)

    def _fields(self, kind: str, row: Row, target: Row) -> Row:
        """Return the fields of an object as the API of the target takes them."""
        fields = fields_of(kind, row)
        if kind == "predictions":
            return {name: value for name, value in fields.items() if value is not None}
        fields["import_id"] = row["id"]
        if kind == "annotations":
            fields["completed_by"] = self.context.users.id_there(row["completed_by"])
        else:
            annotations = {one["import_id"]: one["id"] for one in target["annotations"]}
            fields["annotation"] = annotations.get(row["annotation"])
        return fields

    @contextmanager
    def unless_refused(self, changes: Sequence[Change], task: int) -> Iterator[None]:
        """Record what no server takes as failed, and let the rest go on.

        Other programs have left it in this ``task`` of the source. Each run tries it again.
        """
        try:
            yield
        except Exception as error:
            if not task_objects.is_refused(error):
                raise
            for change in changes:
                change.part.refused(change)
            change = changes[0]
            label = f"task {task}"
            if not change.field:
                row = change.source or change.target
                label = f"{change.kind.removesuffix('s')} {row['id']} of {label}"
            self.context.give_up(change.kind, label, error)
