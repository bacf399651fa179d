"""What belongs to a project and is made one by one: views, webhooks, storages, ML backends. Each is
looked for before it is made, by its content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from ..errors import LabelStudioError
from . import content
from .again import exactly_once
from .content import digest
from .translation import translate_view
from .verifying import storage_key

if TYPE_CHECKING:
    from .job import Job
    from .source import Row

Secrets: TypeAlias = "Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]"
"""Gives what no server tells, by the kind ("storages", "backends") and the settings of an object:
``{"aws_access_key_id": ..., "aws_secret_access_key": ...}``; None: leave the object out.
"""

_ATTRIBUTES: Final[Mapping[str, str]] = {"localfiles": "local"}
"""The types of storages that the library calls otherwise."""


@attrs.frozen
class Kind:
    """How objects of one kind are read, told apart, made and found."""

    name: str
    here: Callable[[], Iterable[Row]]
    there: Callable[[], Iterable[Row]]
    content: Callable[[Row], dict[str, Any]]
    make: Callable[[Row], Any]
    get: Callable[[Row], Any]
    key: Callable[[Row], Any] = lambda row: row["id"]


class Belongings:
    """Those of a job; ``parts`` are the names of the kinds that are wanted."""

    def __init__(
        self, job: Job, parts: frozenset[str], secrets: Secrets, *, export_storages: bool
    ) -> None:
        self.job, self.journal = job, job.journal
        self.secrets, self.export_storages = secrets, export_storages
        client, there, here = job.client, job.there, job.source
        kinds = [
            Kind(
                "views",
                self._views,
                there.views,
                _view_content,
                self._make_view,
                lambda row: client.views.get(row["id"]),
            ),
            Kind(
                "storages",
                self._storages,
                there.storages,
                content.storage_content,
                self._make_storage,
                self._get_storage,
                storage_key,
            ),
            Kind(
                "backends",
                here.backends,
                there.backends,
                content.backend_content,
                self._make_backend,
                lambda row: client.ml_backends.get(row["id"]),
            ),
            Kind(
                "webhooks",
                here.webhooks,
                there.webhooks,
                content.webhook_content,
                self._make_webhook,
                lambda row: client.webhooks.get(row["id"]),
            ),
        ]
        self.kinds = {kind.name: kind for kind in kinds if kind.name in parts}

    def bring(self, name: str) -> None:
        """Make what is not there yet of a kind, if it is wanted."""
        if name not in self.kinds:
            return
        kind = self.kinds[name]
        moved, tally = self.journal.map(name), self.job.tallies[name]
        for place, row in enumerate(list(kind.here())):
            key = kind.key(row)
            if moved.has(key):
                tally.skipped += 1
                continue

            def look(kind: Kind = kind, row: Row = row) -> Any:
                return self._twin(kind, row)

            def make(kind: Kind = kind, row: Row = row) -> Any:
                return kind.key({**row, "id": kind.make(row).id})

            try:
                moved.put({key: exactly_once(look, make, self.job.client)})
            except (LabelStudioError, TypeError, ValueError) as error:
                tally.fail(place, key, error)
            else:
                tally.created += 1
                self.job.add("counts", {name: 1})
        if name == "views" and not self.journal.noted("done:views"):
            self._order_views()

    def _twin(self, kind: Kind, row: Row) -> Any:
        """The same in the target, where it is the copy of nothing yet."""
        if self.job.client.is_dry:
            return None
        wanted, moved = digest(kind.content(row)), self.journal.map(kind.name)
        for one in kind.there():
            if moved.old(kind.key(one)) is None and digest(kind.content(one)) == wanted:
                return kind.key(one)
        return None

    def remove_doubles(self) -> int:
        """Delete what is there once more than it was made; how many that were."""
        removed = 0
        for kind in self.kinds.values():
            moved, rows = self.journal.map(kind.name), list(kind.there())
            ours = {
                digest(kind.content(row)) for row in rows if moved.old(kind.key(row)) is not None
            }
            for row in rows:
                if moved.old(kind.key(row)) is None and digest(kind.content(row)) in ours:
                    kind.get(row).delete()
                    removed += 1
        return removed

    # -- views ------------------------------------------------------------------------------------

    def _views(self) -> Iterator[Row]:
        lost: Counter[str] = Counter()
        for row in self.job.source.views():
            view, columns = translate_view(row, self.job.people.known_id, self.job.tasks.get)
            lost["views.filters"] += bool(columns)
            yield view
        if not self.journal.noted("done:views"):
            self.job.add("losses", lost)

    def _make_view(self, row: Row) -> Any:
        return self.job.project.views.create(data=row["data"], selected_items=row["selected_items"])

    def _order_views(self) -> None:
        moved = self.journal.map("views")
        order = [moved.get(row["id"]) for row in self.job.source.views() if moved.has(row["id"])]
        if len(order) > 1:
            self.job.project.views.set_order(order)
        self.journal.note("done:views")

    # -- the others -------------------------------------------------------------------------------

    def _storages(self) -> Iterator[Row]:
        left_out = []
        for row in self.job.source.storages():
            is_copied = row["family"] == "import" or self.export_storages
            secrets = self.secrets("storages", row) if is_copied else None
            if secrets is None:
                left_out.append(storage_key(row))
            else:
                yield {**row, "secrets": secrets}
        if self.journal.noted("storages left out") is None:
            exports = sum(key.startswith("export") for key in left_out)
            self.job.add("losses", {"storages.export": exports} if exports else {})
        self.journal.note("storages left out", left_out)

    def _make_storage(self, row: Row) -> Any:
        names = [name for name in content.STORAGE if name not in ("family", "type")]
        storages = self._storages_like(self.job.project, row)
        return storages.create(**_with_value(row, names), **row["secrets"])

    def _get_storage(self, row: Row) -> Any:
        return self._storages_like(self.job.client, row).get(row["id"])

    @staticmethod
    def _storages_like(owner: Any, row: Row) -> Any:
        return getattr(
            getattr(owner, f"{row['family']}_storages"), _ATTRIBUTES.get(row["type"], row["type"])
        )

    def _make_backend(self, row: Row) -> Any:
        secrets = self.secrets("backends", row) or {}
        return self.job.project.ml_backends.create(**_with_value(row, content.BACKEND), **secrets)

    def _make_webhook(self, row: Row) -> Any:
        return self.job.project.webhooks.create(**_with_value(row, (*content.WEBHOOK, "headers")))


def _view_content(view: Row) -> dict[str, Any]:
    """The chosen tasks are in another place of what a server gives."""
    data = dict(view.get("data") or {})
    chosen = data.pop("selectedItems", None)
    return content.view_content(
        {"data": data, "selected_items": view.get("selected_items") or chosen}
    )


def _with_value(row: Row, names: Iterable[str]) -> Row:
    return {name: row[name] for name in names if row.get(name) is not None}
