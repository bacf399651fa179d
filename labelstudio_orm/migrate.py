"""Data migration: between projects, between servers.

Everything here goes through the public objects of the library, streams, survives being killed, and
works in ``with ls.dry_run()``.
"""

from __future__ import annotations

from ._migrate.engine.archived import ArchiveSource
from ._migrate.engine.config_compat import IncompatibleConfigs
from ._migrate.engine.journal import Journal, JournalMismatch
from ._migrate.engine.source import LiveSource, Source
from ._migrate.engine.users import UnknownUsers
from ._migrate.engine.zipped import BadSnapshot, Limits
from ._migrate.verbs.archive import restore, snapshot
from ._migrate.verbs.copying import copy_project
from ._migrate.verbs.deduping import Deduped, dedupe
from ._migrate.verbs.merging import Merged, merge
from ._migrate.verbs.splitting import Split, split
from ._migrate.verbs.steps import Migration, Step, StepFailed, step
from ._migrate.verbs.syncing import sync
from ._migrate.verbs.verifying import verify
from ._reports import Difference, Loss, Report
from .errors import BadJournal

__all__ = [
    "ArchiveSource",
    "BadJournal",
    "BadSnapshot",
    "Deduped",
    "Difference",
    "IncompatibleConfigs",
    "Journal",
    "JournalMismatch",
    "Limits",
    "LiveSource",
    "Loss",
    "Merged",
    "Migration",
    "Report",
    "Source",
    "Split",
    "Step",
    "StepFailed",
    "UnknownUsers",
    "copy_project",
    "dedupe",
    "merge",
    "restore",
    "snapshot",
    "split",
    "step",
    "sync",
    "verify",
]
