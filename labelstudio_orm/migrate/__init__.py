"""Data migration: between projects, between servers.

Everything here goes through the public objects of the library, streams, survives being killed, and
works in ``with ls.dry_run()``.
"""

from __future__ import annotations

from .archive import ArchiveSource, restore, snapshot
from .compatible import IncompatibleConfigs
from .copying import copy_project
from .deduping import Deduped, dedupe
from .journal import Journal, JournalMismatch
from .journalfile import BadJournal
from .merging import merge
from .people import UnknownUsers
from .report import Difference, Loss, Report
from .source import LiveSource, Source
from .splitting import Split, split
from .steps import Migration, Step, StepFailed, step
from .syncing import sync
from .verifying import verify
from .zipped import BadSnapshot, Limits

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
