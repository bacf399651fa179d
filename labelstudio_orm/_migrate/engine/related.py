"""What belongs to a project and is made one by one: views, webhooks, storages, ML backends. Each is
looked for before it is made, by its content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from ..._engine.values.secret import Secret, seal
from ...errors import DoesNotExist, LabelStudioError
from . import fingerprints as content
from .diff3 import UNKNOWN, Change, Objects
from .exactly_once import exactly_once
from .fingerprints import digest
from .remap import translate_view
from .source import storage_key

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .context import MigrationContext
    from .journal import Journal, Key

Secrets: TypeAlias = "Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]"
"""Gives what no server tells, by the kind ("storages", "backends") and the settings of an object:
``{"aws_access_key_id": ..., "aws_secret_access_key": ...}``; None: leave the object out.
"""

PARTS: Final = frozenset({"files", "views", "webhooks", "storages", "backends"})
"""What of a project may be left out of a copy."""

EXPORTS: Final = "exports"
"""How the journal calls export storages among the parts."""

ORDER: Final = "order of views"
"""How the journal calls that of both sides."""

_ATTRIBUTES: Final[Mapping[str, str]] = {"localfiles": "local"}
"""The types of storages that the library calls otherwise."""

_ROUNDS: Final = 100_000
"""How often a digest of secrets is digested, so that nobody can try them all."""


@attrs.frozen
class Kind:
    """How objects of one kind are read, told apart, made and changed.

    ``here`` are those of the source as the target has them; ``names`` the fields that are written.
    ``of`` finds, in a project or in a client, where objects like a row are; ``is_fixed``: the
    second row cannot become what the first one is. The rest is as in ``threeway.Objects``.
    """

    name: str
    here: Callable[[], Iterable[Row]]
    there: Callable[[], Iterable[Row]]
    content: Callable[[Row], dict[str, Any]]
    names: tuple[str, ...]
    of: Callable[[Any, Row], Any]
    key: Callable[[Row], Any] = lambda row: row["id"]
    own: Callable[[Row], Row] = lambda row: row
    mark: Callable[[Row], str] | None = None
    is_fixed: Callable[[Row, Row], bool] = lambda here, there: False
    has_secrets: bool = False


class Belongings:
    """Those of a job; ``parts`` are the names of the kinds that are wanted, and ``EXPORTS``."""

    def __init__(self, context: MigrationContext, parts: Collection[str], secrets: Secrets) -> None:
        self.context, self.journal, self.secrets = context, context.journal, secrets
        self.exports = EXPORTS in parts
        there, here = context.there, context.source
        kinds = [
            Kind(
                "views",
                self._views,
                there.views,
                _view_content,
                ("data", "selected_items"),
                lambda owner, row: owner.views,
                own=lambda row: dict(row["own"]),
                is_fixed=_is_fixed,
            ),
            Kind(
                "storages",
                self._storages,
                lambda: filter(self._is_wanted, there.storages()),
                content.storage_content,
                content.STORAGE[2:],
                _storages_like,
                key=storage_key,
                has_secrets=True,
            ),
            Kind(
                "backends",
                here.backends,
                there.backends,
                content.backend_content,
                content.BACKEND,
                lambda owner, row: owner.ml_backends,
                has_secrets=True,
            ),
            Kind(
                "webhooks",
                here.webhooks,
                there.webhooks,
                _webhook_content,
                (*content.WEBHOOK, "headers"),
                lambda owner, row: owner.webhooks,
                mark=self._webhook_mark,
            ),
        ]
        self.kinds = {kind.name: kind for kind in kinds if kind.name in parts}

    def bring(self, name: str) -> None:
        """Make what is not there yet of a kind, if it is wanted."""
        if name not in self.kinds:
            return
        kind = self.kinds[name]
        objects, tally = self.objects(kind), self.context.tallies[name]
        if objects.expected:
            objects.reconcile(kind.there())
            self.note(kind, objects)
        for row in list(kind.here()):
            if kind.key(row) in objects.known:
                tally.skipped += 1
                continue
            change = Change(name, "", row, None, "source")
            objects.expect(change)
            self.note(kind, objects)
            new = self.make(kind, row)
            objects.expected.clear()
            if new is not None:
                objects.applied(change, new)
                self.note(kind, objects)
                tally.created += 1
                self.context.add("counts", {name: 1})
        if name == "views" and not self.journal.get("done:views"):
            self._order_views()

    def make(self, kind: Kind, row: Row) -> Key | None:
        """The key of what is made of a row in the target, or was; None where the target refuses it,
        or it is to be left out.
        """
        client, key = self.context.client, kind.key(row)
        secrets = self.secrets_of(kind, row) if kind.has_secrets else {}
        if secrets is None:
            self._note_left_out(kind.name, row)
            return None

        def make() -> Any:
            fields = {name: row[name] for name in kind.names if row.get(name) is not None}
            made = kind.of(self.context.project, row).create(**fields, **secrets)
            return kind.key({**row, "id": made.id})

        try:
            new: Key = exactly_once(lambda: self._twin(kind, row), make, client)
        except (LabelStudioError, TypeError, ValueError) as error:
            tally = self.context.tallies[kind.name]
            tally.fail(len(tally.failed), key, error)
            return None
        self.journal.map(kind.name).put({key: new})
        self._note_left_out(kind.name, row, False)
        return new

    def secrets_of(self, kind: Kind, row: Row) -> dict[str, Any] | None:
        """What no server tells of an object, sealed. Raises TypeError for what is no dict."""
        given = seal(self.secrets(kind.name, row))
        if given is None:
            return None
        if not isinstance(given.reveal(), Mapping):
            of = type(given.reveal()).__name__
            raise TypeError(f"secrets({kind.name!r}, ...) returns a dict, or None, not {of}")
        return {name: seal(value) for name, value in given.reveal().items()}

    def delete(self, kind: Kind, row: Row) -> None:
        """Delete an object of the target, if it is still there."""
        with suppress(DoesNotExist):
            kind.of(self.context.client, row).ref(row["id"]).delete()

    def _twin(self, kind: Kind, row: Row) -> Any:
        """The same in the target, where it is the copy of nothing yet."""
        if self.context.client.is_dry:
            return None
        wanted, moved = digest(kind.content(row)), self.journal.map(kind.name)
        for one in kind.there():
            if moved.old(kind.key(one)) is None and digest(kind.content(one)) == wanted:
                return kind.key(one)
        return None

    def remove_duplicates(self) -> int:
        """Delete what is there once more than it was made; how many that were."""
        return sum(self.remove_duplicates_of(kind) for kind in self.kinds.values())

    def remove_duplicates_of(self, kind: Kind, spared: Collection[Key] = ()) -> int:
        """The same of one kind; ``spared`` are not touched."""
        moved, rows = self.journal.map(kind.name), list(kind.there())
        known = [moved.old(kind.key(row)) is not None for row in rows]
        ours = {digest(kind.content(row)) for row, ok in zip(rows, known, strict=True) if ok}
        duplicates = [
            row
            for row, ok in zip(rows, known, strict=True)
            if not ok and kind.key(row) not in spared and digest(kind.content(row)) in ours
        ]
        for row in duplicates:
            self.delete(kind, row)
        return len(duplicates)

    # -- what both sides held ---------------------------------------------------------------------

    def objects(self, kind: Kind) -> Objects:
        """Those of a kind, as the journal has them."""
        moved, bases = self.journal.map(kind.name), self.journal.map(f"{kind.name} bases")
        unknown = " ".join(UNKNOWN)
        known = {old: (new, *bases.get(old, unknown).split()) for old, new in moved.items()}
        expected = self.journal.map(f"{kind.name} expected").items()
        return Objects(
            kind.name,
            kind.content,
            known,
            key=kind.key,
            own=kind.own,
            mark=kind.mark,
            expected={old: was.split() for old, was in expected},
        )

    def note(self, kind: Kind, objects: Objects) -> None:
        """Into the journal."""
        moved, bases = self.journal.map(kind.name), self.journal.map(f"{kind.name} bases")
        expected = self.journal.map(f"{kind.name} expected")
        with self.journal.transaction():
            for old in [old for old, _ in expected.items() if old not in objects.expected]:
                expected.remove(old)
            expected.put({old: " ".join(was) for old, was in objects.expected.items()})
            for old in [old for old, _ in moved.items() if old not in objects.known]:
                moved.remove(old)
                bases.remove(old)
            moved.put({old: new for old, (new, *_) in objects.known.items()})
            bases.put({old: " ".join(was) for old, (_, *was) in objects.known.items()})

    # -- views ------------------------------------------------------------------------------------

    def _views(self) -> Iterator[Row]:
        """``own`` is what the source has, which does not change when its tasks go."""
        lost: list[Any] = []
        for row in self.context.source.views():
            view, columns = translate_view(row, self.context.users.known_id, self.context.tasks.get)
            lost += [row["id"]] * bool(columns)
            yield {**view, "own": row}
        if not self.journal.get("done:views"):
            self.context.lose({"views.filters": lost})

    def _order_views(self) -> None:
        moved = self.journal.map("views")
        ours = [row["id"] for row in self.context.source.views() if moved.has(row["id"])]
        if len(ours) > 1:
            self.context.project.views.set_order([moved.get(id) for id in ours])
        self.journal.set(ORDER, [ours, ours])
        self.journal.set("done:views")

    # -- the others -------------------------------------------------------------------------------

    def _storages(self) -> Iterator[Row]:
        for row in self.context.source.storages():
            if self._is_wanted(row):
                yield row
            else:
                self._note_left_out("storages", row)

    def _is_wanted(self, storage: Row) -> bool:
        return self.exports or storage["family"] == "import"

    def left_out(self, name: str) -> list[Key]:
        """The keys of those of a kind that were left out on purpose."""
        keys: list[Key] = self.journal.get(f"{name} left out", [])
        return keys

    def _note_left_out(self, name: str, row: Row, is_left_out: bool = True) -> None:
        keys, key = self.left_out(name), self.kinds[name].key(row)
        if is_left_out is (key in keys):
            return
        left = [*keys, key] if is_left_out else [one for one in keys if one != key]
        self.journal.set(f"{name} left out", left)
        if is_left_out and row.get("family") == "export":
            self.context.lose({"storages.export": [key]})

    def _webhook_mark(self, row: Row) -> str:
        """Of headers a digest that cannot be reversed by trying."""
        told = digest(_webhook_content(row))
        if not row.get("headers"):
            return told
        if self.journal.get("salt") is None:
            self.journal.set("salt", os.urandom(16).hex())
        return sealed(told, self.journal.get("salt"))


def parts_of(journal: Journal) -> frozenset[str]:
    """What a copy was of; without a copy only the files that tasks speak of."""
    noted = journal.get("parts")
    if noted is not None:
        return frozenset(noted)
    if journal.get("marker") is None:
        return frozenset({"files"})
    exports = any(str(key).startswith("export") for key, _ in journal.map("storages").items())
    return PARTS | ({EXPORTS} if exports else frozenset())


def no_secrets(kind: str, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """For those who give none: what needs some is left out."""
    if kind == "storages":
        return {} if row["type"] == "localfiles" else None
    return None if row["auth_method"] == "BASIC_AUTH" else {}


@lru_cache
def sealed(text: str, salt: str) -> str:
    """A slow digest, which is another one in each journal."""
    found = hashlib.pbkdf2_hmac("sha256", text.encode(), bytes.fromhex(salt), _ROUNDS, 16)
    return found.hex()


def _webhook_content(webhook: Row) -> dict[str, Any]:
    """With its headers, so it is for this process only."""
    return {**content.webhook_content(webhook), "headers": Secret(webhook.get("headers") or {})}


def _view_content(view: Row) -> dict[str, Any]:
    """The chosen tasks are in another place of what a server gives."""
    data = dict(view.get("data") or {})
    chosen = data.pop("selectedItems", None)
    return content.view_content(
        {"data": data, "selected_items": view.get("selected_items") or chosen}
    )


def _is_fixed(here: Row, there: Row) -> bool:
    """The server lets nobody change the chosen tasks of a view, or clear its filters or order."""
    ours, theirs = _view_content(here), _view_content(there)
    return ours["selected_items"] != theirs["selected_items"] or any(
        theirs["data"].get(name) and not ours["data"].get(name) for name in ("filters", "ordering")
    )


def _storages_like(owner: Any, row: Row) -> Any:
    family = getattr(owner, f"{row['family']}_storages")
    name = _ATTRIBUTES.get(row["type"], row["type"])
    if name not in vars(type(family)) or name.startswith("_"):
        raise ValueError(f"storages of the type {row['type']!r:.80} are not known here")
    return getattr(family, name)
