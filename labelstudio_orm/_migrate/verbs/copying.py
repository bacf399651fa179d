"""Copying a project exactly once, whatever happens on the way.

Before each request that may do something twice, the journal has what is about to be done. After an
answer was lost, or a process was killed, the objects are looked for by their content. In the end
the objects of the target that are in no journal but equal a copy are duplicates, and are deleted.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import attrs

from ..._engine.values.summary import Failure
from ..._reports import Report
from ...client import LabelStudio
from ...errors import BadRequest, DoesNotExist, NotSupportedByServer
from ...progress import Progress, ends_line, reporter
from ..engine.comparison import Comparison
from ..engine.context import LATE_SETTINGS, MigrationContext, marked_projects
from ..engine.exactly_once import wait_for_the_rest
from ..engine.fingerprints import CONTENTS, SETTINGS
from ..engine.importing import Importer
from ..engine.journal import Journal, JournalMismatch, open_journal
from ..engine.kinds import KINDS, Secrets
from ..engine.losses import losses
from ..engine.related import EXPORTS, Related, left_out, parts_of, wanted_kinds
from ..engine.settings import Overlaps, Settings, wanted_settings
from ..engine.source import as_source, name_of
from ..engine.users import MissingUsers

if TYPE_CHECKING:
    import os

    from ...resources.projects import Project
    from ..engine.source import Source


ROUNDS: Final = 5
"""How often duplicates are looked for after the comparison, at most."""


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
    """Copy a project with all that belongs to it, to another server or on the same one.

    Copied are the settings with the labelling config, the tasks (data, meta, whether they may be
    skipped), annotations (result, author, ground truth, cancelled, lead time), predictions and
    drafts, the uploaded ``files`` (their addresses in the tasks are rewritten), the ``views``,
    ``webhooks``, ``storages`` and ML ``backends``. The report's ``target`` is the new project.
    ``title``: another title for it.

    ``journal``: the path of a file that records progress. With it a copy that was killed, at any
    moment, is finished by calling this again: nothing is duplicated and nothing lost, and a further
    call writes nothing. Without one a copy that fails has to be deleted and made anew. Do not
    work in the copy until it is finished: an object there that equals a copied one is taken
    for a duplicate of it, and is deleted. A journal belongs to one copy: another ``title`` or
    ``keep_origin`` needs another journal, and so do, once the copy is finished, parts that it left
    out.

    ``missing_users``: users are matched by e-mail address. For those who annotated and are unknown
    to the target, ``"refuse"`` raises UnknownUsers before anything is written, ``"create"`` creates
    them (without a password), and a User, an id or an e-mail address stands for all of them. A dict
    has one of these for each e-mail address; its key None is for annotations whose author is gone,
    for whom otherwise the current user stands.

    ``storages``: those that tasks come from; ``"all"``: also those that annotations go to, which
    write at once to the same place as those of the source. No server returns the keys of storages
    and the passwords of ML backends: ``secrets(kind, row)`` returns them as a dict, or None to
    leave that object out; they are stored nowhere else.

    ``keep_origin`` keeps what the server does not keep of tasks, annotations and predictions
    (dates, ids, authors) in each task's ``meta["_origin"]``; of drafts and views it keeps nothing.
    The report's ``losses`` list what that is. ``verify`` compares both sides in the end (see
    ``verify()``), and the report has the differences. ``progress``: True for a line on stderr, or a
    function ``(done, total)`` of tasks.

    Uploaded files are read one by one, by the ``workers`` of the source's client, and uploaded 100
    in a request. The tasks are streamed and imported in batches of one request each; the labelling
    config is set afterwards, so that tasks which do not match it are copied too. Objects that the
    target refuses (a webhook to an address that it does not accept, an ML backend that does not
    answer, a file of an unknown type) are ``failed`` in the ``counts``; a further call tries them
    again, and gives up files after that.

    Raises UnknownUsers, JournalMismatch for a journal of another copy, and the errors of the
    servers.

    >>> report = copy_project(project, to=other, journal="reviews.db", missing_users="create")
    >>> report.ok, report.target
    (True, <Project ... 'Reviews'>)
    """
    if not isinstance(to, LabelStudio):
        raise TypeError(
            f"copy_project(): to is the client of the target's server, not {to!r:.80}; merge() "
            "brings tasks into an existing project"
        )
    here = as_source(source)
    wanted: dict[str, object] = {
        "files": files,
        "views": views,
        "webhooks": webhooks,
        "storages": storages,
        "backends": backends,
        EXPORTS: storages == "all",
    }
    parts = frozenset(name for name in (*KINDS, EXPORTS) if wanted.get(name, True))
    with open_journal(journal, writes=not to.is_dry) as notes:
        context = MigrationContext(
            here,
            to,
            notes,
            title=title,
            missing_users=missing_users,
            parts=parts,
            secrets=secrets or (lambda kind, row: {}),
            keep_origin=keep_origin,
        )
        copy = Copy(context, progress)
        copy.run()
        if not verify or to.is_dry:
            copy.finish()
            return copy.report()
        found = copy.compare()
        # Late writes may have arrived since, also while the duplicates of others were removed.
        for _ in range(ROUNDS):
            if copy.done or not copy.remove_duplicates(all_ids=bool(found.differences)):
                break
            found = copy.compare()
        copy.finish()
        differences, different = found.differences, found.different
        return attrs.evolve(copy.report(), differences=differences, different=different)


class Copy:
    """A copy: its steps in order, each of which may be begun again."""

    def __init__(self, context: MigrationContext, progress: Progress) -> None:
        self.context, self.journal, self.client = context, context.journal, context.client
        self.parts = context.parts
        self._progress = reporter(progress, f"copying {name_of(context.facts)}")
        self.importer = Importer(context)
        self.related = [Related(context, kind) for kind in wanted_kinds(context)]
        self.done: bool = context.journal.get("done", False)
        self.lost = dict(context.media.lost.items())
        """The files that an earlier run could not copy, with the reasons."""

    @ends_line("_progress")
    def run(self) -> None:
        """Do the steps that are not done yet."""
        if self.done:
            missing = sorted(self.parts - parts_of(self.journal))
            if missing:
                raise JournalMismatch(
                    f"{self.journal} is of a copy that is finished, without {', '.join(missing)}; "
                    "another journal makes another copy"
                )
            for kind, number in self.journal.get("counts", {}).items():
                self.context.tallies[kind].skipped = number
            for one in self.related:
                one.tally.skipped = len(one.moved)
            return
        self.journal.set("parts", sorted(self.parts))
        self._files()
        self._tasks()
        self._set("label_config")
        # Most of these were set when the project was made. They are set again, since the source may
        # have changed after a run that was killed. Equal ones cost no request.
        self._set(*(name for name in SETTINGS if name not in LATE_SETTINGS), "control_weights")
        self.importer.complete()
        self._bring(listeners=False)
        self._set("model_version")  # which may be that of an ML backend
        self.remove_duplicates()
        self._set("description")  # until then it marks the project as that of this copy
        self._bring(listeners=True)  # last, since all other writes would trigger them

    def compare(self) -> Report:
        """Compare what was copied."""
        source, target = self.context.source, self.context.target
        save = (lambda targets: None) if self.done else self.importer.save_bases
        comparison = Comparison(source, target, self.journal, on_targets=save)
        return comparison.report(("settings", "tasks", *sorted(self.parts - {EXPORTS})))

    def finish(self) -> None:
        """Mark the copy as finished, unless a further run might do what this one could not."""
        if not self.done and self._are_failures_final():
            if not self.client.is_dry:
                Settings(self.context).save_bases()
            self.journal.set("done")

    def _are_failures_final(self) -> bool:
        """Return whether a further run would change nothing about any failure of this one.

        Such are objects that no server takes, and files that failed in an earlier run as well.
        """
        failed = sum(len(one.failed) for one in self.report().counts.values())
        lost = sum(file in self.lost for file in self.context.media.failed)
        return failed == self.context.given_up + lost

    def report(self) -> Report:
        """Report what was done, and what is lost."""
        tallies, media = self.context.tallies, self.context.media
        done = self.journal.get("counts", {})
        for kind in CONTENTS:
            if kind in done:  # by this run and by earlier ones
                tallies[kind].skipped = done[kind] - tallies[kind].created
        if "files" in self.parts:
            files = tallies["files"]
            files.created, files.skipped = media.created, len(media.moved) - media.created
            files.failed = list(media.failed.values())
            if self.done:  # this run has tried none
                files.failed = [Failure(place, *one) for place, one in enumerate(self.lost.items())]
        here = self.context.facts["project"]
        lost = {"project.created_at": [here], "project.created_by": [here]}
        for one in wanted_kinds(self.context):
            keys = left_out(self.journal, one)
            lost[f"{one.name}.secrets"] = [key for key in keys if not one.is_opt_in(key)]
        name = f"{self.context.project!r} on {self.client.url}"
        return Report(
            what=f"copy of {name_of(self.context.facts)} to {name}",
            counts={kind: tally.summary() for kind, tally in tallies.items()},
            losses=[*losses(lost, kept=self.context.keep_origin), *self.context.losses()],
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
        """Set settings to those of the source, if the target takes them."""
        settings = wanted_settings(self.context.source.settings(), self.journal)
        settings = self.context.translation.value(settings)
        settings["description"] = settings["description"] or ""
        for name in names:
            if settings[name] is not None:
                setattr(self.context.project, name, settings[name])
        if not self.client.is_dry:
            Settings(self.context).expect(names)
        try:
            if Overlaps(self.context).save(names):
                self.importer.mark_all_incomplete()
        except (BadRequest, NotSupportedByServer) as error:
            failed = self.context.tallies["settings"].failed
            failed.append(Failure(len(failed), ", ".join(names), str(error)))
            self.context.project.refresh()

    def _bring(self, *, listeners: bool) -> None:
        for one in self.related:
            if one.kind.is_listener is listeners:
                one.bring()

    def remove_duplicates(self, *, all_ids: bool = False) -> int:
        """Remove duplicates, made by late requests or repeating proxies; return their number.

        ``all_ids``: search the tasks although there are not too many, since others may be missing.
        """
        if self.client.is_dry:
            return 0
        wait_for_the_rest(self.client, self.journal, lambda: self.importer.are_too_many() or None)
        marked = marked_projects(self.client, self.journal)
        projects = [one for one in marked if one.id != self.context.project.id]
        for project in projects:
            with suppress(DoesNotExist):  # a proxy may have repeated this request too
                project.delete()
        removed = len(projects) + sum(one.remove_duplicates() for one in self.related)
        if all_ids or self.importer.are_too_many():
            removed += self.importer.remove_duplicates()
        removed += self.importer.complete(again=True)
        return removed + (self.context.media.remove_duplicates() if "files" in self.parts else 0)
