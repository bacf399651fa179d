"""`make releases` goes on where it was killed, and reads right what its checks print."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from labelstudio_orm.testing import LocalServerError
from labelstudio_orm.testing import _releases as installable
from tests.law.law import Outcome
from tests.releases import matrix

SUITE = """<testsuites><testsuite><testcase name="a"/>
<testcase name="b"><properties><property name="refused" value="hotkeys"/></properties></testcase>
<testcase name="c"><failure/></testcase><testcase name="d"><error/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Checks that only leave a mark each time they run; the second one is red."""
    mark = tmp_path / "marks"

    def check(name: str, end: int) -> matrix.Check:
        code = f"open({str(mark)!r}, 'a').write('{name} '); raise SystemExit({end})"
        return matrix.Check(name, lambda *_: ["-c", code], lambda _: "yes")

    checks = {"one": check("one", 0), "two": check("two", 1)}
    monkeypatch.setattr(matrix, "CHECKS", checks)
    monkeypatch.setattr(matrix, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(installable, "installed", lambda version: Path(version))
    return mark


def test_what_is_green_is_not_run_again(marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not matrix.run(["1.18.0"], ["one", "two"], 0.5)
    assert not matrix.run(["1.18.0"], ["one", "two"], 0.1)
    assert marks.read_text() == "one two two "
    assert matrix.run(["1.18.0"], ["one"], 1.0)  # a larger size
    monkeypatch.setattr(matrix, "code", lambda: "another library")
    assert matrix.run(["1.18.0"], ["one"], 1.0)
    assert marks.read_text() == "one two two one one "
    row = list(matrix.table(["1.18.0", "1.20.0"]))[2:]
    assert [line.split(" | ")[:3] for line in row] == [
        ["| 1.18.0", "yes", "**failed**"],
        ["| 1.20.0", "-", "-"],
    ]


def test_a_release_that_cannot_be_installed_is_red(
    marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(version: str) -> Path:
        raise LocalServerError("needs python3.10")

    monkeypatch.setattr(installable, "installed", lacking)
    assert not matrix.run(["1.13.1"], ["one"], 1.0)
    assert not marks.exists()


def test_what_a_suite_gave(tmp_path: Path) -> None:
    words = matrix.CHECKS["both"].words
    assert words(tmp_path) == "broke off"
    (tmp_path / "suite.xml").write_text(SUITE)
    assert words(tmp_path) == "2, 1 of them refusals, 2 failed"


def test_what_the_law_gave(tmp_path: Path) -> None:
    words, output = matrix.CHECKS["law"].words, tmp_path / "output"
    output.write_text("Traceback ...")
    assert words(tmp_path) == "broke off"
    outcome = Outcome(verbs=Counter(list=1500), views=Counter(made=30, refused=2))
    for broken, end in (([], ""), (["a query"], ", 1 broken")):
        outcome.broken = list(broken)
        output.write_text(f"a warning\nsqlite, seed 1: {outcome}; 601 s\n")
        assert words(tmp_path) == f"1,500 + 32, 2 views refused{end}"
