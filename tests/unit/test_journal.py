"""The journal: what is written stays, through SIGKILL, and is of one job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import LabelStudioError
from labelstudio_orm.migrate import Journal, JournalMismatch

KEYS = st.one_of(st.integers(-(2**62), 2**62), st.text(max_size=20))


def test_what_is_written_is_there_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        journal.set("project", 7)
        journal.map("tasks").put({1: 1001, 2: 1002})
        journal.map("users").put({"ann@example.com": "bob@example.com"})
        journal.intent("tasks", {"ids": [3]})
    with Journal(path) as journal:
        assert journal.get("project") == 7
        assert journal.get("nothing", "else") == "else"
        assert list(journal.map("tasks").items()) == [(1, 1001), (2, 1002)]
        assert journal.map("users").get("ann@example.com") == "bob@example.com"
        assert journal.open_intents() == {"tasks": {"ids": [3]}}
        journal.resolve("tasks")
        assert journal.open_intents() == {}


@given(st.dictionaries(KEYS, KEYS, max_size=30))
def test_a_map_is_a_dict(pairs: dict[int | str, int | str]) -> None:
    with Journal() as journal:
        ids, others = journal.map("tasks"), journal.map("others")
        others.put({1: 1, "a": "a"})
        ids.put(pairs)
        assert len(ids) == len(pairs)
        assert dict(ids.items()) == pairs
        for old, new in pairs.items():
            assert ids.has(old)
            assert ids.get(old) == new
            assert pairs[ids.old(new)] == new
        for old in pairs:
            ids.remove(old)
        assert (len(ids), len(others)) == (0, 2)


def test_a_map_of_many_is_streamed_while_it_changes() -> None:
    with Journal() as journal:
        ids = journal.map("tasks")
        ids.put({number: -number for number in range(3500)})
        assert (ids.last(), ids.highest()) == (3499, 0)
        seen = []
        for pair in ids.items():
            seen.append(pair[0])
            ids.remove(pair[0])
        assert seen == list(range(3500))
        assert ids.last() is None


def test_what_belongs_together_is_kept_together() -> None:
    with Journal() as journal:

        def fail() -> None:
            with journal.transaction():
                journal.map("tasks").put({1: 2})
                journal.resolve("tasks")
                journal.set("done")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert len(journal.map("tasks")) == 0
        assert journal.get("done") is None


def test_the_journal_of_another_job(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        journal.identify(what="copy", source="http://a project 1", options=("x", None))
        journal.identify(what="copy", source="http://a project 1", options=["x", None])
    with Journal(path) as journal:
        with pytest.raises(JournalMismatch, match=r"its source is 'http://a project 1', not 'b'"):
            journal.identify(what="copy", source="b", options=["x", None])
        with pytest.raises(JournalMismatch, match="its options is"):
            journal.identify(what="copy", source="http://a project 1")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        journal.set("a")
        with pytest.raises(LabelStudioError, match="another process may be using it"):
            Journal(path)
    with Journal(path) as journal:
        assert journal.get("a")


def test_what_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes, and I want to keep them. " * 100)
    before = path.read_bytes()
    with pytest.raises(LabelStudioError, match=r"notes.txt is not a journal"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_copy_leaves_the_original_alone(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        journal.set("a", 1)
        copy = journal.copy()
        copy.set("a", 2)
        assert (journal.get("a"), copy.get("a")) == (1, 2)


WRITER = """
    import sys
    from labelstudio_orm.migrate import Journal

    with Journal(sys.argv[1]) as journal:
        ids = journal.map("tasks")
        for number in range(len(ids), 10**6):
            journal.intent("tasks", number)
            with journal.transaction():
                ids.put({number: number})
                journal.set("last", number)
                journal.resolve("tasks")
            print(number, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """What was written before is there, what was written at once is there as a whole."""
    path = tmp_path / "journal.db"
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    told = -1
    for lines in (1, 30, 7, 100):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                told = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
        with Journal(path) as journal:
            written = len(journal.map("tasks"))
            assert written > told
            assert journal.get("last") == written - 1
            assert dict(journal.map("tasks").items()) == {n: n for n in range(written)}
            assert set(journal.open_intents().values()) <= {written}
