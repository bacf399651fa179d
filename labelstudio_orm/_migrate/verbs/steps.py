'''Migrations of your own: named steps, run in order, each until it is done once.

```python
from labelstudio_orm import Project
from labelstudio_orm.migrate import Migration
from labelstudio_orm.progress import Progress

migration = Migration("reviews-2026")


@migration.step
def german(project: Project, progress: Progress) -> object:
    """Reviews with an umlaut are German."""
    tasks = project.tasks.filter(data__text__regex="[äöüß]").exclude(data__lang="de")
    return tasks.update(data__lang="de", progress=progress)


@migration.step
def without_v1(project: Project, progress: Progress) -> object:
    return project.predictions.filter(model_version="v1").delete(progress=progress)


if __name__ == "__main__":
    migration.main()
```

A journal on disk records the steps that are done. A script that is run again after an error, after
Ctrl-C or after a crash goes on at the beginning of the step that was not finished. So a step must
be able to begin again on what its first try left behind, and the verbs of this library make that
easy: ``filter`` selects what is still to be done, as above; ``update`` and ``bulk_update`` skip
what already has these values; ``bulk_create(key=..., on_conflict="skip")`` makes no duplicate;
``delete`` ignores what is gone.
'''

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, TypeVar

import attrs

from ..._console.arguments import PROJECT, SERVER, WRITES, Call, Parser, argument, switch
from ..._console.running import run_guarded
from ..._engine.values.summary import Summary
from ..._reports import Report
from ...client import labelstudio_of
from ...errors import LabelStudioError
from ...progress import Progress
from ..engine.journal import Journal, JournalMismatch, open_journal

if TYPE_CHECKING:
    from ...resources.projects import Project

Work: TypeAlias = "Callable[[Project, Progress], object]"
"""A step: a function of a project, and of the ``progress`` for the verbs that it calls. A Summary,
an object that has one, or a Report that it returns goes into the report.
"""

F = TypeVar("F", bound="Callable[..., object]")

DONE: Final = "done"
"""The name in the journal of the list of steps that are done."""


class StepFailed(LabelStudioError, RuntimeError):
    """A step raised an error, which is the ``__cause__`` of this one.

    ``step`` is its name. The steps before it are done; the next run begins with it.

    >>> migration = Migration("reviews-2026")
    >>> @migration.step
    ... def divide(project, progress):
    ...     return 1 / 0
    >>> try:
    ...     migration.run(project)
    ... except StepFailed as error:
    ...     print(error.step, repr(error.__cause__))
    divide ZeroDivisionError('division by zero')
    """

    def __init__(self, message: str = "", *, step: str = "") -> None:
        super().__init__(message)
        self.step = step


@attrs.frozen
class Step:
    '''A named step, identified by its name and its code.

    Comments, its docstring and the functions that it calls do not count.

    >>> @step
    ... def without_v1(project, progress):
    ...     """The predictions of v1 are wrong."""
    ...     return project.predictions.filter(model_version="v1").delete(progress=progress)
    >>> without_v1.name, without_v1.about
    ('without_v1', 'The predictions of v1 are wrong.')
    '''

    work: Work
    name: str
    code: str = attrs.field(repr=False)

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.work) or "").partition("\n")[0]


def step(function: Work | Step) -> Step:
    """Make a function a step that several migrations can share: ``Migration("a", [without_v1])``.

    ``@migration.step`` is for a step of one migration. Raises TypeError for a function without a
    name.
    """
    if isinstance(function, Step):
        return function
    if not inspect.isfunction(function) or not function.__name__.isidentifier():
        raise TypeError(f"a step is a function with a name, not {function!r:.80}")
    return Step(function, function.__name__, _digest(function))


class Migration:
    """A migration of a project, in steps.

    ``name`` is a part of the journal's name, so that it may have only letters, digits, ``.``, ``-``
    and ``_``; ValueError is raised for another one. ``steps`` are the first steps;
    ``@migration.step`` adds more.

    >>> migration = Migration("reviews-2026")
    >>> @migration.step
    ... def german(project, progress):
    ...     tasks = project.tasks.filter(data__text__contains="gut").exclude(data__lang="de")
    ...     return tasks.update(data__lang="de", progress=progress)
    >>> print(migration.run(project, journal="reviews.db"))
    reviews-2026 of <Project 1 'Reviews'>: ok
      steps            1 updated
      german           nothing to do
    >>> migration.run(project, journal="reviews.db").counts  # all is done
    {'steps': <Summary: 1 skipped>}
    """

    def __init__(self, name: str, steps: Iterable[Work | Step] = ()) -> None:
        if not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(
                f"a migration's name has only letters, digits, '.', '-' and '_', not {name!r:.80}"
            )
        self.name = name
        self.steps: list[Step] = []
        for one in steps:
            self._add(one)

    def __repr__(self) -> str:
        return f"<Migration {self.name}: {', '.join(one.name for one in self.steps) or 'no steps'}>"

    def step(self, function: F) -> F:
        """Add a function as the last step, and return it unchanged."""
        self._add(function)
        return function

    def _add(self, function: Work | Step) -> None:
        made = step(function)
        if made.name in (one.name for one in self.steps):
            raise ValueError(f"{self!r} has a step {made.name!r} already")
        self.steps.append(made)

    # -- running ----------------------------------------------------------------------------------

    def run(
        self,
        project: Project,
        *,
        journal: str | os.PathLike[str] | None = None,
        dry_run: bool = False,
        progress: Progress = None,
        accept_changes: bool = False,
    ) -> Report:
        """Do the steps that are not done yet, in order.

        The report has a summary of ``steps`` (updated: done now; skipped: done before), and of each
        step that returned one.

        ``journal``: the file that records the steps that are done; it is created if necessary.
        Without one all steps are done each time. ``dry_run``: no step writes, and none is recorded
        as done; each one sees the server as it is, without the changes of the steps before it. The
        same holds within ``with ls.dry_run()``. ``progress``: True for lines on stderr, or a
        function ``(done, total)``; it is passed to the steps.

        Raises StepFailed for a step that raises an error, or returns a summary with failures or a
        report that is not ``ok``; the later steps are not begun. Raises JournalMismatch, before
        anything is done, if the journal is that of another project or migration, or if a step that
        is done is missing, at another place, has another name, or, unless ``accept_changes``, other
        code.
        """
        client = labelstudio_of(project)
        with ExitStack() as stack:
            if dry_run and not client.is_dry:
                stack.enter_context(client.dry_run())
            opened = stack.enter_context(open_journal(journal, writes=not client.is_dry))
            done = self._done(opened, project, accept_changes)
            opened.set(DONE, done)
            counts = {"steps": Summary(updated=len(self.steps) - len(done), skipped=len(done))}
            for one in self.steps[len(done) :]:
                if progress is True:
                    number = self.steps.index(one) + 1
                    print(f"step {number} of {len(self.steps)}: {one.name}", file=sys.stderr)
                counts |= self._do(one, project, opened, progress)
                at = datetime.now(timezone.utc).isoformat(timespec="seconds")
                done.append({"name": one.name, "code": one.code, "at": at})
                opened.set(DONE, done)
                opened.resolve(one.name)
        return Report(what=f"{self.name} of {project!r}", counts=counts, target=project)

    def _do(
        self, one: Step, project: Project, journal: Journal, progress: Progress
    ) -> dict[str, Summary]:
        where = f"step {one.name!r} of {self.name}"
        journal.intent(one.name)
        try:
            returned = one.work(project, progress)
        except Exception as error:
            raise StepFailed(f"{where}: {error or repr(error)}", step=one.name) from error
        counts = _counts(one.name, returned)
        for summary in counts.values():
            if summary.failed:
                first, number = summary.failed[0], len(summary.failed)
                failed = StepFailed(
                    f"{where}: {number} objects failed, the first is {first.item!r:.80}: "
                    f"{first.reason}",
                    step=one.name,
                )
                failed.summary = summary
                raise failed
        if isinstance(returned, Report) and not returned.ok:
            raise StepFailed(f"{where}: {returned}", step=one.name)
        return counts

    def _done(
        self, journal: Journal, project: Project, accept_changes: bool
    ) -> list[dict[str, str]]:
        """Return the steps that are done; raise JournalMismatch for other steps than these."""
        created = project.created_at  # some servers reuse ids
        journal.identify(
            migration=self.name,
            server=labelstudio_of(project).url,
            project=project.id,
            created=None if created is None else created.isoformat(),
        )
        done: list[dict[str, str]] = journal.get(DONE, [])
        names = [one.name for one in self.steps]
        for place, was in enumerate(done):
            now = self.steps[place] if place < len(names) else None
            done_before = (
                f"{journal}: step {was['name']!r} of {self.name} was done at place {place + 1}"
            )
            if was["name"] not in names:
                way = "is missing now: put it back, or do all steps again, with another journal"
                if now is not None and now.code == was["code"]:
                    way = f"is {now.name!r} now: give it its name back"
                raise JournalMismatch(f"{done_before}, and {way}")
            if now is None or now.name != was["name"]:
                raise JournalMismatch(
                    f"{done_before}, and is at place {names.index(was['name']) + 1} now: "
                    "new steps come after those that are done"
                )
            if now.code != was["code"] and not accept_changes:
                raise JournalMismatch(
                    f"{done_before}, on {was['at']}, with other code than it has now: change it "
                    "back; or let what it did stand (accept_changes, --accept-changes); or do all "
                    "steps again, with another journal"
                )
            was["code"] = now.code
        return done

    def states(
        self, project: Project, journal: str | os.PathLike[str] | None = None
    ) -> dict[str, str]:
        """Return the state of each step: "done ..." (when), "begun" or "to do".

        Changes nothing. Raises JournalMismatch as ``run`` does.
        """
        with open_journal(journal, writes=False) as opened:
            done = self._done(opened, project, True)
            begun = opened.open_intents()
            found = {one.name: "begun" if one.name in begun else "to do" for one in self.steps}
            return {**found, **{was["name"]: f"done {was['at']}" for was in done}}

    # -- the command line -------------------------------------------------------------------------

    def main(self, argv: Sequence[str] | None = None) -> NoReturn:
        """Run the migration as a script: ``python reviews.py PROJECT``; see ``--help``.

        Ends the process with an exit code of ``labelstudio-orm``: 0 if all steps are done.

        The journal is ``<name>-<project's id>.journal`` in the working directory, unless
        ``--journal`` names another.
        """
        parser = Parser(
            description=inspect.getdoc(sys.modules["__main__"]),
            epilog="\n".join(["steps:", *(f"  {one.name:24} {one.about}" for one in self.steps)]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.argv = sys.argv[1:] if argv is None else argv
        parser.set_defaults(prog=parser.prog)
        for flags, how in (
            PROJECT,
            switch("--list", help="show the steps and their states"),
            argument("--journal", metavar="FILE", help="default: <name>-<project's id>.journal"),
            switch(
                "--resume", help="only go on with an earlier run: refuse to begin a new journal"
            ),
            switch(
                "--accept-changes",
                help="accept that steps which are done have other code now; what they did stands",
            ),
            WRITES,
            *SERVER,
        ):
            parser.add_argument(*flags, **how)
        raise SystemExit(run_guarded(self._run, parser.parse_args(argv)))

    def _run(self, call: Call) -> object:
        """Run the command line."""
        options, project = call.options, call.project
        journal = Path(options.journal or f"{self.name}-{project.id}.journal")
        if options.resume and not journal.exists():
            raise FileNotFoundError(f"there is no journal {journal} to go on with")
        if options.list:
            return self.states(project, journal)
        try:
            return self.run(
                project,
                journal=journal,
                progress=call.progress,
                accept_changes=options.accept_changes,
            )
        except StepFailed as error:
            if error.__cause__ and not isinstance(error.__cause__, LabelStudioError):
                traceback.print_exception(error.__cause__)  # a bug of the step
            raise


def _counts(name: str, returned: object) -> dict[str, Summary]:
    """Return the counts that a step returned: a summary, objects that have one, or a report."""
    if isinstance(returned, Report):
        return {f"{name}: {kind}": done for kind, done in returned.counts.items()}
    summary = getattr(returned, "summary", returned)
    return {name: summary} if isinstance(summary, Summary) else {}


def _digest(function: Callable[..., object]) -> str:
    """Return a digest of the code of a function, whatever its layout and its name."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        assert isinstance(tree, ast.FunctionDef)
        tree.name, tree.decorator_list = "_", []
        tree.body = tree.body[ast.get_docstring(tree) is not None :] or [ast.Pass()]
        text = ast.unparse(tree)
    except (OSError, SyntaxError):  # typed at a prompt
        code = function.__code__
        texts = [
            one for one in code.co_consts if one != function.__doc__ and not inspect.iscode(one)
        ]
        text = repr((code.co_code, code.co_names, texts))
    return blake2b(text.encode(), digest_size=16).hexdigest()
