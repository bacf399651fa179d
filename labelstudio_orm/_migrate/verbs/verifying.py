"""Comparing two projects, object by object, by their content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..._reports import Report
from ...progress import Progress
from ..engine.comparison import Comparison
from ..engine.journal import Journal, JournalMismatch, open_journal
from ..engine.kinds import KINDS
from ..engine.source import as_source

if TYPE_CHECKING:
    import os

    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from ..engine.source import Source

PARTS: Final = ("settings", "tasks")
"""What is compared beside the kinds of ``KINDS``."""


def verify(
    source: Project | Source,
    target: Project | Source,
    *,
    journal: str | os.PathLike[str] | Journal | None = None,
    parts: Sequence[str] | None = None,
    progress: Progress = None,
) -> Report:
    """Compare two projects by their content. Nothing is written.

    Compared are the settings, the tasks with all annotations, predictions and drafts, the views
    with their order, the webhooks, the storages, the ML backends and the uploaded files.

    ``journal``: that of the copy, which has the task that each task became, the user that stands
    for each user, and the copy of each file. Without one, tasks are paired by their content, users
    are matched by their e-mail addresses, and files by their names and contents, for which each is
    read once on both sides; by their names alone, if a side is a snapshot without files.
    ``parts``: compare only these, of ``settings tasks views webhooks storages backends files``.
    ``progress``: True for a line on stderr, or a function ``(done, total)``.

    Both sides are streamed. Ids, dates and all else that no server keeps are not compared, nor are
    secrets, and, with a journal, the bytes of the files. The report's ``counts`` have the number of
    objects of each kind that are the same (``skipped``), its ``differences`` those that are not. A
    target may hold more tasks than the source: these are differences too.

    Raises JournalMismatch for the journal of another copy.

    >>> copy = copy_project(project, to=other, missing_users="create", verify=False).target
    >>> verify(project, copy).ok
    True
    """
    all_parts = (*PARTS, *KINDS)
    for part in parts or ():
        if part not in all_parts:
            raise ValueError(f"verify() knows the parts {', '.join(all_parts)}, not {part!r:.80}")
    sides = as_source(source), as_source(target)
    # Nothing is written into it, so that it need not be copied.
    with open_journal(journal, writes=True, may_create=False) as notes:
        comparison = Comparison(*sides, notes, progress)
        if journal is not None:
            _check_journal(notes, comparison.from_, comparison.to)
        return comparison.report(all_parts if parts is None else parts)


def _check_journal(journal: Journal, source: Row, target: Row) -> None:
    """Raise JournalMismatch for the journal of another copy."""
    of = journal.get("job", {}).get("source"), journal.get("project")
    wanted = f"{source['server']} project {source['project']}", target["project"]
    if of != wanted:
        raise JournalMismatch(
            f"{journal} is of a copy of {of[0]} to project {of[1]}, not of {wanted[0]} to "
            f"project {wanted[1]}"
        )
