"""Copying a project, exactly once, whatever happens on the way.

What makes it exact: before each request that may do something twice, the journal says what is about
to be done; after an answer was lost, or a process was killed, it is looked for by its content; and
in the end what is in the target and in no journal, but is the same as something copied, is a double
and goes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal

import attrs

from ..._engine.values.brief import cut
from ..._engine.values.summary import Failure
from ..._reports import Report
from ...errors import BadRequest, DoesNotExist
from ...progress import Progress, ends_line, reporter
from ..engine.context import MigrationContext, wait_for
from ..engine.diff3 import Base
from ..engine.exactly_once import exactly_once
from ..engine.fingerprints import SETTINGS
from ..engine.fixups import Fixups
from ..engine.importing import Importer
from ..engine.journal import Journal, JournalMismatch, is_missing, opened
from ..engine.losses import losses
from ..engine.media import Media
from ..engine.related import EXPORTS, Belongings, Secrets, parts_of
from ..engine.remap import Translation
from ..engine.settings import Overlaps, Settings
from ..engine.source import as_source
from ..engine.sync_related import note_bases
from ..engine.users import MissingUsers, UserMap
from .verifying import Comparison, name_of

if TYPE_CHECKING:
    import os

    from ..._engine.values.codec import Row
    from ...client import LabelStudio
    from ...resources.projects import Project
    from ..engine.source import Source

_LATER: Final = ("label_config", "control_weights", "model_version", "description")
"""Settings that depend on others, or on the tasks."""


def copy_project(
    source: Project | Source,
    to: LabelStudio,
    *,
    title: str | None = None,
    journal: str | os.PathLike[str] | Journal | None = None,
    missing_users: MissingUsers = "refuse",
    files: bool = True,
    views: bool = True,
    webhooks: bool = True,
    storages: bool | Literal["all"] = True,
    secrets: Secrets | None = None,
    backends: bool = True,
    keep_origin: bool = False,
    progress: Progress = None,
    verify: bool = True,
) -> Report:
    """Copy a project with all that it holds, to another server or to the same one; the report's
    ``target`` is the new project.

    Copied are the settings with the labelling config, the tasks (data, meta, whether they may
    be skipped), annotations (result, author, ground truth, cancelled, lead time), predictions
    and drafts, the uploaded ``files`` (the addresses in the tasks are rewritten), the
    ``views``, ``webhooks``, ``storages`` and ML ``backends``. ``title``: another one for the
    copy.

    ``journal``: the path of a file that says what is done. With it a copy that was killed, at any
    moment, is finished by calling this again; nothing is doubled and nothing lost, and a further
    call writes nothing. Without one a copy that fails has to be deleted and made anew. Until it is
    finished nobody should work in the copy: what is there and holds the same as something copied is
    taken for a double of it, and goes. It is the journal of one copy: another ``title`` or
    ``keep_origin`` needs another one, and so do, once it is finished, parts that it left out.

    ``missing_users``: users are matched by e-mail. What becomes of those who annotated here and
    whom the target does not have: ``"refuse"`` raises UnknownUsers before anything is written,
    ``"create"`` makes them (without a password), a User, an id or an e-mail stands for all of them,
    and a dict says it of each by the e-mail (None: those of annotations whose author is gone, for
    whom else the user who copies stands).

    ``storages``: those that tasks come from; ``"all"``: also those that annotations go to, which
    write at once into the same place as those of the source. No server gives the keys of storages
    and the passwords of ML backends: ``secrets(kind, row)`` returns them as a dict, they are
    written nowhere else, or None to leave that object out.

    ``keep_origin`` keeps what the server cannot of tasks, annotations and predictions (dates, ids,
    authors) in each task's ``meta["_origin"]``; of drafts and views it keeps nothing. The report's
    ``losses`` list what that is. ``verify`` compares both sides in the end (see ``verify()``), and
    the report has what is different. ``progress``: True for a line on stderr, or a function
    ``(done, total)`` of tasks.

    Uploaded files are read one by one, by the ``workers`` of the source's client, and uploaded 100
    in a request. The tasks are streamed and imported in batches, in one request each; the labelling
    config is set afterwards, so that tasks which do not fit it are copied too. Objects that the
    target refuses (a webhook to an address that it does not accept, an ML backend that does not
    answer, a file of a type that it does not know) are ``failed`` in the ``counts``; a further call
    tries them again, and gives up files after that.

    Raises UnknownUsers, JournalMismatch for a journal of another copy, and the errors of the
    servers.

    >>> report = copy_project(project, to=other, journal="reviews.db", missing_users="create")
    >>> report.ok, report.target
    (True, <Project ... 'Reviews'>)
    """
    from ...client import LabelStudio

    if not isinstance(to, LabelStudio):
        raise TypeError(
            f"to= is the client of the server that the copy is made on, not {to!r:.80}; "
            "merge() brings "
            "tasks into a project that exists"
        )
    here = as_source(source)
    facts = here.describe()
    wanted = {"files": files, "views": views, "webhooks": webhooks, "storages": storages}
    parts = frozenset(name for name, said in {**wanted, "backends": backends}.items() if said)
    with open_journal(journal, to) as notes:
        context = begin(
            here,
            to,
            notes,
            facts,
            title=title,
            missing_users=missing_users,
            files=files,
            keep_origin=keep_origin,
        )
        copy = Copy(
            context,
            title=title,
            parts=parts,
            secrets=secrets or (lambda kind, row: {}),
            export_storages=storages == "all",
            progress=progress,
        )
        copy.run()
        if not verify or to.is_dry:
            copy.finish()
            return copy.report()
        found = copy.compare()
        # Of what has arrived since:
        if not copy.done and copy.remove_duplicates(all_ids=bool(found.differences)):
            found = copy.compare()
        copy.finish()
        differences, different = found.differences, found.different
        return attrs.evolve(copy.report(), differences=differences, different=different)


def begin(
    source: Source,
    client: LabelStudio,
    journal: Journal,
    facts: Row,
    *,
    title: str | None,
    missing_users: MissingUsers,
    files: bool,
    keep_origin: bool,
    again: bool = False,
) -> MigrationContext:
    """A job with its users matched and its project made, or found again; ``again``: match the users
    of a copy that is finished, too.
    """
    journal.identify(
        what="copy",
        source=f"{facts['server']} project {facts['project']}",
        target=client.url,
        title=title,
        keep_origin=keep_origin,
    )
    is_new = journal.get("project") is None
    users = UserMap(client, missing_users, journal, facts["server"])
    if again or not journal.get("done"):
        users.match(source.users())
    project = _project(source, client, journal, title)
    media = Media(source, project, journal, facts["server"], wanted=files)
    translation = Translation(users.email, media.address, facts["server"])
    context = MigrationContext(
        source, client, journal, facts, users, project, media, translation, keep_origin
    )
    tally = context.tallies["project"]
    tally.created, tally.skipped = int(is_new), int(not is_new)
    return context


@contextmanager
def open_journal(
    journal: str | os.PathLike[str] | Journal | None, client: LabelStudio, *, is_new: bool = True
) -> Iterator[Journal]:
    """The journal of a job; in a dry run a copy of it that is not kept. ``is_new``: it may be one
    that is begun now.
    """
    if is_missing(journal):
        if not is_new:
            raise FileNotFoundError(
                f"there is no journal {cut(str(journal), 500)}: a copy keeps one; pair=True pairs "
                "the tasks by their content"
            )
        if client.is_dry:
            journal = None
    with opened(journal) as found:
        notes = found or Journal()
        yield notes.copy() if client.is_dry else notes


class Copy:
    """One copy: its steps in order, each of which may be begun again."""

    def __init__(
        self,
        context: MigrationContext,
        *,
        title: str | None,
        parts: frozenset[str],
        secrets: Secrets,
        export_storages: bool,
        progress: Progress,
    ) -> None:
        self.context, self.journal, self.client = context, context.journal, context.client
        self.title, self.parts = title, parts
        self._progress = reporter(progress, f"copying {name_of(context.facts)}")
        self.importer, self.fixups = Importer(context), Fixups(context)
        self.all_parts = parts | ({EXPORTS} if export_storages else frozenset())
        self.belongings = Belongings(context, self.all_parts, secrets)
        self.done: bool = context.journal.get("done", False)
        self.lost = dict(context.media.lost.items())
        """Files that an earlier run could not copy, and why."""

    @ends_line("_progress")
    def run(self) -> None:
        """All of it, as far as it is not done."""
        if self.done:
            missing = sorted(self.all_parts - parts_of(self.journal))
            if missing:
                raise JournalMismatch(
                    f"{self.journal} is of a copy that is finished, without {', '.join(missing)}; "
                    "another journal makes another copy"
                )
            for kind, number in self.journal.get("counts", {}).items():
                self.context.tallies[kind].skipped = number
            return
        self.journal.set("parts", sorted(self.all_parts))
        self._files()
        self._tasks()
        plain = [name for name in SETTINGS if name not in _LATER]
        self._set("label_config")
        self._set(*plain, "control_weights")
        self.fixups.run()
        for kind in ("views", "storages", "backends"):
            self.belongings.bring(kind)
        self._set("model_version")  # which may be that of an ML backend
        self.remove_duplicates()
        self._description()
        self.belongings.bring("webhooks")  # which would be told of all the rest

    def compare(self) -> Report:
        """Both sides, as far as they were copied."""
        parts = ("settings", "tasks", *sorted(self.parts))
        comparison = Comparison(
            self.context.source, self.context.there, self.journal, seen=self._note_tasks
        )
        return comparison.report(parts)

    def _note_tasks(self, pairs: list[tuple[Row, Row, bool]]) -> None:
        """What both sides hold, for a sync to tell later who changed what: nobody but this copy has
        written to the target.
        """
        if self.done:
            return
        bases, found = self.journal.map("bases"), {}
        for here, there, is_same in pairs:
            text = bases.get(here["id"])
            if is_same:
                found[here["id"]] = str(Base.of(here, there))
            elif text is not None:
                base = Base.parse(text)
                base.found(there)
                found[here["id"]] = str(base)
        bases.put(found)

    def finish(self) -> None:
        """Nothing is left to do, so that a further run writes nothing; unless something failed
        which another time might not, as a file that failed twice.
        """
        failed = sum(len(one.failed) for one in self.report().counts.values())
        lost = sum(file in self.lost for file in self.context.media.failed)
        if not self.done and failed == self.context.given_up + lost:
            self._note_bases()
            self.journal.set("done")

    def _note_bases(self) -> None:
        """What both sides hold, for a sync."""
        if not self.client.is_dry:
            Settings(self.context).note()
            note_bases(self.belongings)

    def report(self) -> Report:
        """What was done, and what is lost."""
        tallies, media = self.context.tallies, self.context.media
        done = self.journal.get("counts", {})
        for kind in ("annotations", "predictions", "drafts"):
            if kind in done:  # by this run, and by earlier ones
                tallies[kind].skipped = done[kind] - tallies[kind].created
        if "files" in self.parts:
            files = tallies["files"]
            files.created, files.skipped = media.created, len(media.moved) - media.created
            files.failed = _given_up(self.lost) if self.done else list(media.failed.values())
        here = self.context.facts["project"]
        lost = {"project.created_at": [here], "project.created_by": [here]}
        for kind in ("storages", "backends"):
            keys = [key for key in self.belongings.left_out(kind) if kind in self.parts]
            lost[f"{kind}.secrets"] = [key for key in keys if not str(key).startswith("export")]
        numbers = {name: len(ids) for name, ids in lost.items()}
        name = f"{self.context.project!r} on {self.client.url}"
        return Report(
            what=f"copy of {name_of(self.context.facts)} to {name}",
            counts={kind: tally.summary() for kind, tally in tallies.items()},
            losses=[*losses(numbers, lost, kept=self.context.keep_origin), *self.context.losses()],
            target=self.context.project,
        )

    # -- the steps --------------------------------------------------------------------------------

    def _files(self) -> None:
        if "files" not in self.parts:
            return
        self.context.media.resolve()
        if len(self.context.media.lost) or not self.journal.get("done:files"):
            self.context.media.bring_all()
            self.journal.set("done:files")

    def _tasks(self) -> None:
        self.importer.resolve()
        Overlaps(self.context).resolve()
        tasks, total = self.context.tasks, self.context.facts["tasks"]
        self.context.tallies["tasks"].skipped = before = len(tasks)
        if self.journal.get("done:tasks"):
            return
        self._progress(before, total)
        rows = self.context.source.tasks(tasks.last())
        self.importer.run(rows, lambda done: self._progress(before + done, total))
        self.journal.set("done:tasks")

    def _set(self, *names: str) -> None:
        """Settings as those of the source, if the target takes them."""
        settings = self.context.translation.value(_settings(self.context.source, self.title))
        for name in names:
            if settings[name] is not None:
                setattr(self.context.project, name, settings[name])
        self._note_settings(*names)
        try:
            if Overlaps(self.context).save(names):
                self.fixups.look_at_all()
        except BadRequest as error:
            self.context.tallies["settings"].fail(0, ", ".join(names), error)
            self.context.project.refresh()

    def _note_settings(self, *names: str) -> None:
        """What the source's settings are as they are brought."""
        if not self.done and not self.client.is_dry:
            Settings(self.context).bring(names)

    def _description(self) -> None:
        """The last of the settings: until then the description says whose project this is."""
        self._note_settings("description")
        said = self.context.translation.value(self.context.source.settings()["description"])
        self.context.project.description = said or ""
        self.context.project.save()

    def remove_duplicates(self, *, all_ids: bool = False) -> int:
        """Remove what the server has twice, because an answer came too late or a proxy repeated a
        request; how many there were. ``all_ids``: look for them although there are no more tasks
        than were copied, for something else may be missing.
        """
        if self.client.is_dry:
            return 0
        self.context.wait_for_late_writes(lambda: self.importer.are_too_many() or None)
        projects = [
            one for one in _marked(self.client, self.journal) if one.id != self.context.project.id
        ]
        for project in projects:
            with suppress(DoesNotExist):  # a proxy may have repeated this request too
                project.delete()
        removed = len(projects) + self.belongings.remove_duplicates()
        if all_ids or self.importer.are_too_many():
            removed += self.importer.remove_duplicates()
        removed += self.fixups.run(again=True)
        return removed + (self.context.media.remove_duplicates() if "files" in self.parts else 0)


def _given_up(lost: Mapping[str, str]) -> list[Failure]:
    return [Failure(place, file, why) for place, (file, why) in enumerate(lost.items())]


# -- the project ----------------------------------------------------------------------------------


def _settings(source: Source, title: str | None) -> Row:
    return {**source.settings(), **({} if title is None else {"title": title})}


def _project(source: Source, client: LabelStudio, journal: Journal, title: str | None) -> Project:
    """The target: noted, found by the mark in its description, or made."""
    number = journal.get("project")
    if number is not None:
        try:
            return client.projects.get(number)
        except DoesNotExist as gone:
            raise DoesNotExist(
                f"{journal} is of a copy to Project {number} on {client.url}, which is gone; use "
                "another journal to make another one",
                request=gone.request,
            ) from gone
    is_new = journal.get("marker") is None
    if is_new:
        journal.set("marker", f"This project is being copied: {uuid.uuid4()}")
    if title is not None:
        journal.set("settings", {"title": title})
    first = {
        name: value
        for name, value in _settings(source, title).items()
        if value is not None and name not in _LATER
    }
    first["description"] = journal.get("marker")

    def look() -> Project | None:
        return wait_for(client, journal, lambda: next(_marked(client, journal), None))

    project = exactly_once(look, lambda: client.projects.create(**first), client, is_new=is_new)
    journal.set("project", project.id)
    return project


def _marked(client: LabelStudio, journal: Journal) -> Iterator[Project]:
    """The projects that this copy made."""
    marker = journal.get("marker")
    return (project for project in client.projects.all() if project.description == marker)
