"""Migrations of named steps: done once each, in order, whatever happens on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import Failure, LabelStudio, Project, Summary
from labelstudio_orm.migrate import (
    Difference,
    Journal,
    JournalMismatch,
    Migration,
    Report,
    StepFailed,
    dedupe,
    step,
)
from labelstudio_orm.testing import FakeLabelStudio

Log = list[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def log() -> Log:
    """Which steps ran."""
    return []


def migration_of(log: Log, *names: str) -> Migration:
    """One whose steps note that they run; the code of each is its own."""
    made = Migration("tidy")
    for name in names:
        scope: dict[str, Any] = {"log": log}
        exec(f"def {name}(project, progress):\n    log.append({name!r})\n", scope)
        made.step(scope[name])
    return made


# -- running --------------------------------------------------------------------------------------


def test_steps_run_in_order_and_once(project: Project, path: Path, log: Log) -> None:
    migration = migration_of(log, "one", "two")
    report = migration.run(project, journal=path)
    assert report.counts["steps"] == Summary(updated=2)
    assert (report.ok, report.target) == (True, project)
    report = migration.run(project, journal=path)
    assert vars(report.counts["steps"]) == vars(Summary(skipped=2))
    assert log == ["one", "two"]


def test_without_a_journal_all_run_each_time(project: Project, log: Log) -> None:
    migration = migration_of(log, "one")
    migration.run(project)
    migration.run(project)
    assert log == ["one", "one"]


def test_new_steps_are_done_by_the_next_run(project: Project, path: Path, log: Log) -> None:
    migration_of(log, "one").run(project, journal=path)
    migration_of(log, "one", "two", "three").run(project, journal=path)
    assert log == ["one", "two", "three"]


def test_the_function_stays_what_it_is_and_gets_the_progress(project: Project) -> None:
    migration, told = Migration("tidy"), []

    @migration.step
    def tell(project: Project, progress: Any) -> Summary:
        progress(1, 2)
        return Summary(updated=5, skipped=1)

    report = migration.run(project, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2)]
    assert vars(report.counts["tell"]) == vars(Summary(updated=5, skipped=1))
    assert tell(project, lambda *_: None).updated == 5


def test_a_bulk_create_is_in_the_report(project: Project) -> None:
    migration = Migration("tidy")

    @migration.step
    def add(project: Project, progress: Any) -> object:
        return project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])

    assert migration.run(project).counts["add"].created == 2


def test_a_step_that_failed_runs_again_and_those_before_it_do_not(
    project: Project, path: Path, log: Log
) -> None:
    migration, trouble = Migration("tidy"), [True]

    @migration.step
    def one(project: Project, progress: Any) -> None:
        log.append("one")

    @migration.step
    def two(project: Project, progress: Any) -> None:
        log.append("two")
        if trouble:
            raise KeyError("lang")

    with pytest.raises(StepFailed, match="step 'two' of tidy: 'lang'") as caught:
        migration.run(project, journal=path)
    assert caught.value.step == "two"
    assert isinstance(caught.value.__cause__, KeyError)
    states = migration.states(project, path)
    assert states["one"].startswith("done 20")
    assert states["two"] == "begun"
    trouble.clear()
    migration.run(project, journal=path)
    assert log == ["one", "two", "two"]
    assert migration.states(project, path)["two"].startswith("done 20")


def test_failures_in_a_summary_are_a_failed_step(project: Project, path: Path) -> None:
    migration = Migration("tidy")

    @migration.step
    def some(project: Project, progress: Any) -> Summary:
        return Summary(updated=1, failed=[Failure(0, "that", "it is broken")])

    with pytest.raises(StepFailed, match="1 objects failed, the first is 'that': it") as caught:
        migration.run(project, journal=path)
    assert caught.value.summary is not None
    assert caught.value.summary.updated == 1
    assert migration.states(project, path) == {"some": "begun"}


def test_a_step_may_return_a_report(project: Project, path: Path) -> None:
    project.tasks.bulk_create([{"text": "a"}, {"text": "a"}])
    migration = Migration("tidy")

    @migration.step
    def once(project: Project, progress: Any) -> Report:
        return dedupe(project, "data.text", progress=progress)

    assert migration.run(project).counts["once: tasks"].deleted == 1

    @migration.step
    def compared(project: Project, progress: Any) -> Report:
        return Report(what="a comparison", differences=[Difference("tasks", 1, None)])

    with pytest.raises(StepFailed, match="step 'compared' of tidy: a comparison: NOT THE SAME"):
        migration.run(project)


# -- dry runs -------------------------------------------------------------------------------------


def by_itself(migration: Migration, project: Project, path: Path) -> None:
    migration.run(project, journal=path, dry_run=True)


def around_it(migration: Migration, project: Project, path: Path) -> None:
    with project.tasks.client.dry_run():
        migration.run(project, journal=path)


@pytest.mark.parametrize("run", [by_itself, around_it])
def test_a_dry_run_writes_nothing_and_notes_nothing(
    fake: FakeLabelStudio, project: Project, path: Path, run: Callable[..., None]
) -> None:
    migration = Migration("tidy")

    @migration.step
    def add(project: Project, progress: Any) -> object:
        return project.tasks.bulk_create([{"text": "a"}])

    fake.requests.clear()
    run(migration, project, path)
    assert {request.method for request in fake.requests} <= {"GET"}
    assert not path.exists()
    migration.run(project, journal=path)
    before = migration.states(project, path)

    @migration.step
    def more(project: Project, progress: Any) -> object:
        return project.tasks.bulk_create([{"text": "b"}])

    run(migration, project, path)
    assert migration.states(project, path) == {**before, "more": "to do"}
    assert project.tasks.count() == 1


# -- a journal that does not fit ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["one"], "step 'two' of tidy was done at place 2, and is missing now"),
        (["new", "two"], "step 'one' of tidy was done at place 1, and is missing now"),
        (["two", "one"], "step 'one' of tidy was done at place 1, and is at place 2 now"),
        (["one", "new", "two"], "step 'two' of tidy was done at place 2, and is at place 3 now"),
    ],
)
def test_done_steps_that_are_gone_or_elsewhere(
    project: Project, path: Path, log: Log, names: list[str], problem: str
) -> None:
    migration_of(log, "one", "two").run(project, journal=path)
    with pytest.raises(JournalMismatch, match=f"journal: {problem}"):
        migration_of(log, *names).run(project, journal=path)
    assert log == ["one", "two"]


def test_a_renamed_step_is_known_by_its_code(project: Project, path: Path) -> None:
    def old(project: Project, progress: Any) -> object:
        return project.tasks.filter(data__lang="de").update(data__lang="en")

    def new(project: Project, progress: Any) -> object:
        """It has words now."""
        # And a comment.
        return project.tasks.filter(data__lang="de").update(
            data__lang="en",
        )

    Migration("tidy", [old]).run(project, journal=path)
    with pytest.raises(JournalMismatch, match=r"'old' .* is 'new' now: give it its name back"):
        Migration("tidy", [new]).run(project, journal=path)


def test_other_code_is_refused_until_it_is_accepted(project: Project, path: Path) -> None:
    def first() -> Migration:
        def one(project: Project, progress: Any) -> object:
            return project.tasks.filter(data__lang="de").update(data__lang="en")

        return Migration("tidy", [one])

    def second() -> Migration:
        def one(project: Project, progress: Any) -> object:
            return project.tasks.filter(data__lang="de").update(data__lang="fr")

        return Migration("tidy", [one])

    first().run(project, journal=path)
    with pytest.raises(JournalMismatch, match=r"'one' .* with other code .* --accept-changes"):
        second().run(project, journal=path)
    first().run(project, journal=path)  # what was refused is not noted
    second().run(project, journal=path, accept_changes=True)
    second().run(project, journal=path)  # once is enough


def test_a_journal_is_of_one_migration_of_one_project(
    ls: LabelStudio, project: Project, path: Path, log: Log
) -> None:
    migration_of(log, "one").run(project, journal=path)
    with pytest.raises(JournalMismatch, match="its migration is 'tidy', not 'other'"):
        Migration("other").run(project, journal=path)
    with pytest.raises(JournalMismatch, match=f"its project is {project.id}, not"):
        migration_of(log, "one").run(ls.projects.create(title="Another"), journal=path)
    with Journal(path) as journal:  # a project with the same id, on a server that gives it again
        journal.set("job", {**journal.get("job"), "created": "2020-01-01T00:00:00+00:00"})
    with pytest.raises(JournalMismatch, match="its created is '2020-01-01T00:00:00"):
        migration_of(log, "one").run(project, journal=path)
    assert log == ["one"]


# -- what a step is -------------------------------------------------------------------------------


def test_steps_that_several_migrations_share(project: Project, log: Log) -> None:
    @step
    def shared(project: Project, progress: Any) -> None:
        """Is in both."""
        log.append("shared")

    assert (shared.name, shared.about) == ("shared", "Is in both.")
    Migration("a", [shared]).run(project)
    Migration("b", [shared]).run(project)
    assert log == ["shared", "shared"]


def test_what_is_no_step_and_no_name() -> None:
    with pytest.raises(TypeError, match="a step is a function with a name, not <function"):
        Migration("a", [lambda project, progress: None])
    with pytest.raises(ValueError, match="has a step 'one' already"):
        migration_of([], "one", "one")
    with pytest.raises(ValueError, match=r"letters, digits.* not 'a/b'"):
        Migration("a/b")


# -- scripts --------------------------------------------------------------------------------------

SCRIPT = '''
"""Tidies reviews."""

import os
import signal

from labelstudio_orm.migrate import Migration

migration = Migration("tidy")


@migration.step
def german(project, progress):
    """Umlauts are German."""
    return project.tasks.filter(data__text__contains="ü").update(data__lang="de", progress=progress)


@migration.step
def marked(project, progress):
    for number, task in enumerate(project.tasks.all()):
        if os.environ.get("TROUBLE") == "kill" and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ.get("TROUBLE") == "error" and number == 2:
            raise ZeroDivisionError("trouble")
        task.data["seen"] = 1
        task.save()


if __name__ == "__main__":
    migration.main()
'''

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def script(fake: FakeLabelStudio, project: Project, tmp_path: Path) -> Any:
    """Runs the script as its user would."""
    (tmp_path / "tidy.py").write_text(SCRIPT.lstrip(), encoding="utf-8")
    project.tasks.bulk_create([{"text": text} for text in ("für", "for", "über", "over")])

    with fake.serve() as url:

        def run(*arguments: str, trouble: str = "") -> subprocess.CompletedProcess[str]:
            server = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": fake.api_key}
            return subprocess.run(
                [sys.executable, "tidy.py", *arguments],
                env={**os.environ, **server, "TROUBLE": trouble},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )

        yield run


def test_a_script_runs_and_says_what_it_did(
    script: Script, project: Project, tmp_path: Path
) -> None:
    done = script(str(project.id))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"tidy of {project!r}: ok",
        "  steps            2 updated",
        "  german           2 updated",
    ]
    assert [task.data for task in project.tasks] == [
        {"text": "für", "lang": "de", "seen": 1},
        {"text": "for", "seen": 1},
        {"text": "über", "lang": "de", "seen": 1},
        {"text": "over", "seen": 1},
    ]
    again = script(project.title or "", "--json")
    assert json.loads(again.stdout)["counts"]["steps"]["skipped"] == 2
    assert (tmp_path / f"tidy-{project.id}.journal").exists()


@pytest.mark.slow
def test_a_killed_script_goes_on_with_the_step_it_was_in(
    fake: FakeLabelStudio, script: Script, project: Project
) -> None:
    killed = script(str(project.id), trouble="kill")
    assert killed.returncode == -signal.SIGKILL
    assert project.tasks.filter(data__seen=1).count() == 2
    states = script(str(project.id), "--list", "--json")
    assert json.loads(states.stdout)["marked"] == "begun"
    fake.requests.clear()
    assert script(str(project.id), "--resume").returncode == 0
    assert [request.method for request in fake.requests].count("PATCH") == 2
    assert project.tasks.filter(data__seen=1).count() == 4


def test_a_mistake_in_a_step_shows_its_traceback(script: Script, project: Project) -> None:
    failed = script(str(project.id), trouble="error")
    assert failed.returncode == 1
    assert 'line 23, in marked\n    raise ZeroDivisionError("trouble")' in failed.stderr
    assert failed.stderr.splitlines()[-1] == "tidy.py: error: step 'marked' of tidy: trouble"


def test_a_dry_run_shows_what_it_would_write(
    script: Script, project: Project, tmp_path: Path
) -> None:
    done = script(str(project.id), "--dry-run")
    assert done.returncode == 0
    assert "writes, none of them sent" in done.stdout
    assert re.search(r"^PATCH +Task +4$", done.stdout, re.MULTILINE)
    assert not list(tmp_path.glob("*.journal"))
    assert not project.tasks.filter(data__seen=1).exists()


@pytest.mark.slow
def test_list_resume_and_help(script: Script, project: Project, tmp_path: Path) -> None:
    listed = script(str(project.id), "--list")
    assert listed.stdout == "german: to do\nmarked: to do\n"
    refused = script(str(project.id), "--resume")
    assert refused.returncode == 2
    assert f"there is no journal tidy-{project.id}.journal" in refused.stderr
    told = script("--help").stdout
    assert "Tidies reviews." in told
    assert "german" in told
    assert "Umlauts are German." in told
    assert not list(tmp_path.glob("*.journal"))
    assert script("no such project").returncode == 2
