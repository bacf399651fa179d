"""The kept figures of the benchmarks: README.md shows them, and what became worse is found."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import harness  # noqa: E402
import history  # noqa: E402
import run  # noqa: E402

TASKS = 4_000

TWICE = 2
"""How many times worse than kept a ratio may be here, where other programs disturb it."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with run.replay() as address:
        yield address


def kept(over: str, under: str) -> float:
    """The newest kept ratio of the CPU times of two programs, whose names these end with."""
    [found] = {
        value
        for name, (value, _) in history.entries("replay")[-1].ratios().items()
        if name.endswith(f"{over} / {under}")
    }
    return found


def entry(**ratios: float) -> history.Entry:
    """A run in which programs took these CPU seconds, and the bare loop one."""
    rounds = {name: [{"wall": 1.0, "cpu": cpu}] for name, cpu in {**ratios, "bare": 1.0}.items()}
    pairs = [("bare", name) if name.startswith("ours") else (name, "ours") for name in ratios]
    measure = history.Measure("(b)", rounds, [*pairs, ("ours", "bare")])
    return history.Entry("replay", "2026-01-01", "Python", [measure])


def test_the_readme_shows_the_newest_kept_figures() -> None:
    text = history.README.read_text("utf-8")
    assert text == history.with_section(text), "python tests/bench/history.py writes them"


def test_what_became_worse_is_found_in_both_directions() -> None:
    before = entry(ours=1.0, official=10.0)
    assert history.worse(before, before) == []
    assert history.worse(before, entry(ours=1.1, official=10.0)) == []
    assert history.worse(before, entry(ours=0.5, official=10.0)) == []
    assert history.worse(before, entry(ours=1.3, official=13.0)) == [
        "(b): bare / ours: 0.77, and 1.00 on 2026-01-01: 30 % worse",
        "(b): ours / bare: 1.30, and 1.00 on 2026-01-01: 30 % worse",
    ]


def test_a_run_is_compared_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "KEPT", tmp_path / "history.jsonl")
    monkeypatch.setattr(history, "README", tmp_path / "README.md")
    history.README.write_text(f"a\n{history.BEGIN}{history.END}b\n", "utf-8")
    assert history.finish(entry(ours=1.0), kept=True, accepted=False) == 0
    assert "### (b)" in history.README.read_text("utf-8")
    worse = entry(ours=2.0)
    assert history.finish(worse, kept=True, accepted=False) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("WORSE: (b): ours / bare: 2.00")
    assert history.entries("replay") == history.entries("replay")[:1]
    assert history.finish(worse, kept=True, accepted=True) == 0
    assert len(history.entries("replay")) == 2
    assert history.finish(worse, kept=False, accepted=False) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "title"), [("light", "(b)"), ("embedded", "(c)")])
def test_reading_takes_its_requests_and_no_more_time_than_it_did(
    url: str, name: str, title: str
) -> None:
    def figures(script: str) -> dict[str, Any]:
        program = harness.work(
            sys.executable, script, url, name, 1000, name, TASKS, NO_ORJSON="1", SERVER="0"
        )
        found: dict[str, Any] = program()
        return found

    rounds = [(figures("ours.py"), figures("bare.py")) for _ in range(3)]
    assert {(ours["requests"], bare["requests"]) for ours, bare in rounds} == {(5, 4)}
    assert {ours["found"] == bare["found"] for ours, bare in rounds} == {True}
    ratio = statistics.median(ours["cpu"] / bare["cpu"] for ours, bare in rounds)
    [measure] = [one for one in history.entries("replay")[-1].measures if title in one.title]
    before = {name: value for name, value, _ in measure.found()}[
        f"{measure.title}: bare loop / ours"
    ]
    assert ratio * before < TWICE


@pytest.mark.slow
def test_a_client_takes_no_more_time_than_it_did() -> None:
    base = "import requests, attrs, cattrs"
    code = (
        "from labelstudio_orm import LabelStudio; LabelStudio('http://localhost:1', 'x').projects"
    )
    ours, theirs = harness.whole(sys.executable, code), harness.whole(sys.executable, base)
    rounds = [(ours()["cpu"], theirs()["cpu"]) for _ in range(6)]
    ratio = statistics.median(one / other for one, other in rounds[1:])
    assert ratio < TWICE * kept("ours", f"`{base}`")
