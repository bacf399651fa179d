"""The command line on the real server: a project is made, asked, changed, copied and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm._cli import main
from labelstudio_orm.testing import LocalLabelStudio
from tests.conftest import CONFIG

pytestmark = pytest.mark.live

Run = Callable[..., Any]


@pytest.fixture
def run(
    server: LocalLabelStudio,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """``run("count", "1")``: the JSON that it prints; ``code`` is what its exit code must be."""
    monkeypatch.setenv("LABEL_STUDIO_URL", server.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", server.api_key)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, code: int = 0) -> Any:
        assert main([*map(str, arguments), "--json"]) == code, capsys.readouterr().err
        out = capsys.readouterr().out
        return json.loads(out) if out else None

    return call


def test_the_life_of_a_project(
    server: LocalLabelStudio, ls: LabelStudio, project: Project, run: Run
) -> None:
    choice = project.config["sentiment"].choice("Positive")
    items: list[dict[str, Any]] = [
        {"text": "a", "lang": "de"},
        {"text": "b", "lang": "en"},
        {"data": {"text": "c", "lang": "de"}, "annotations": [{"result": [choice]}]},
    ]
    lines = "\n".join(map(json.dumps, items))
    Path("tasks.jsonl").write_text(lines, encoding="utf-8")
    once = ("--key", "data.text", "--on-conflict", "skip")
    assert run("import", project.id, "tasks.jsonl", *once)["created"] == 3
    assert run("import", project.id, "tasks.jsonl", *once)["skipped"] == 3
    assert run("import", project.id, "tasks.jsonl")["created"] == 3
    assert run("count", project.id) == 6
    assert run("count", project.title, "--filter", "data__lang=de") == 4
    german = ("--filter", "data__lang=de", "--exclude", "total_annotations=0")
    assert run("count", project.id, *german) == 2
    assert run("count", project.id, "--of", "annotations") == 2

    assert len(run("export", project.id, "-", *german)) == 2
    run("export", project.id, "all.csv", "--format", "CSV")
    assert len(Path("all.csv").read_text("utf-8").splitlines()) == 7

    planned = run("dedupe", project.id, "--key", "data.text", "--dry-run")
    assert planned["result"]["counts"]["tasks"]["deleted"] == 3
    assert run("count", project.id) == 6
    assert len(run("dedupe", project.id, "--key", "data.text")["kept"]) == 3
    assert run("count", project.id, "--of", "annotations") == 2

    renamed = run("rename-label", project.id, "Positive", "Good", "--undo", "undo.jsonl")
    assert renamed["counts"]["annotations"]["updated"] == 2
    again = run("rename-label", project.id, "Positive", "Good", "--undo", "undo.jsonl")
    assert again["what"].endswith("(nothing to do: done already)")
    both = ("Good", "Neutral", "--into", "Other", "--undo", "merge.jsonl")
    assert run("merge-labels", project.id, *both)["counts"]["annotations"]["updated"] == 2
    assert run("undo-labels", project.id, "merge.jsonl")["ok"]
    assert run("undo-labels", project.id, "undo.jsonl")["ok"]
    assert run("add-label", project.id, "Mixed", "--control", "sentiment")["ok"]
    assert run("remove-label", project.id, "Mixed")["ok"]
    assert project.refresh().label_config == CONFIG.strip()

    run("snapshot", project.id, "project.zip")
    planned = run("copy", project.id, "--title", "A copy", "--dry-run")
    assert planned["result"]["target"] is None
    assert "to <Project (new) 'A copy'> on " in planned["result"]["what"]
    assert {write["server"] for write in planned["writes"]} == {server.url}
    copied = run("copy", project.id, "--title", "A copy", "--journal", "copy.db")
    restored = run("restore", "project.zip", "--title", "Restored")
    assert copied["ok"]
    assert restored["ok"]
    copy = ls.projects.get(copied["target"])
    run("verify", project.id, copy.id, "--journal", "copy.db")
    titled = run("verify", "project.zip", restored["target"], code=1)
    assert [one["field"] for one in titled["differences"]] == ["title"]

    task = project.tasks[0]
    task.data["text"] = "changed"
    task.save()
    different = run("verify", project.id, copy.id, "--journal", "copy.db", code=1)
    assert [one["kind"] for one in different["differences"]] == ["tasks"]
    run("sync", project.id, copy.id, "--journal", "copy.db")
    run("verify", project.id, copy.id, "--journal", "copy.db")

    assert run("shell", project.id, "-c", "assert project.tasks.count() == 3") is None
    for one in (copy, ls.projects.get(restored["target"])):
        one.delete()


def test_refusals_of_the_real_server(project: Project, run: Run) -> None:
    run("count", "--api-key", "0" * 40, code=3)
    run("count", 987654, code=2)
    Path("wrong.jsonl").write_text('{"nothing": 1}\n', encoding="utf-8")
    run("import", project.id, "wrong.jsonl", code=1)
    failed = run("import", project.id, "wrong.jsonl", "--collect-errors", code=1)["failed"]
    assert [one["reason"].partition(": ")[0] for one in failed] == ["wrong.jsonl"]
    assert failed[0]["reason"].startswith("wrong.jsonl: line 1: ")
    run("rename-label", project.id, "Positive", "Good", "--control", "sentimnet", code=2)
    run("merge-labels", project.id, "Positve", "Neutral", "--into", "Other", code=2)
    run("export", project.id, "x", "--format", "EXCEL", code=2)
