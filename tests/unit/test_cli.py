"""The command line, on the server in memory behind a socket: what it prints, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from labelstudio_orm import ImportStorage, JobFailed, LabelStudio, Project
from labelstudio_orm import _cli as cli
from labelstudio_orm._cli import main
from labelstudio_orm._cli.commands import _parameters
from labelstudio_orm._console.running import exit_code
from labelstudio_orm.config import LabelConfig
from labelstudio_orm.migrate import Migration
from labelstudio_orm.testing import FakeLabelStudio, Fault

COMMANDS = [
    "serve",
    "copy",
    "sync",
    "verify",
    "snapshot",
    "restore",
    "rename-label",
    "merge-labels",
    "remove-label",
    "add-label",
    "undo-labels",
    "dedupe",
    "export",
    "import",
    "count",
    "shell",
]


@frozen
class Done:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(
    fake: FakeLabelStudio,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Run]:
    """``run("count", "1")``: in this process, in an empty folder, with the server that the
    environment names.
    """
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Done:
        capfd.readouterr()
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Done(code, *capfd.readouterr())

    with fake.serve() as url:
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", fake.api_key)
        yield call


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelStudio]:
    """Another server, which the environment names as the second one."""
    made = FakeLabelStudio()
    with made.serve() as url:
        monkeypatch.setenv("LABEL_STUDIO_TO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_TO_API_KEY", made.api_key)
        yield made


@pytest.fixture
def second(other: FakeLabelStudio) -> LabelStudio:
    """A client of that server."""
    return other.client()


@pytest.fixture
def tasks(project: Project) -> list[Any]:
    """Four tasks, of which the last has an annotation and a prediction."""
    choice = project.config["sentiment"].choice("Positive")
    return project.tasks.bulk_create(
        [
            {"text": "a", "lang": "de"},
            {"text": "b", "lang": "en", "size": 10},
            {"text": "c"},
            {
                "data": {"text": "d", "lang": "de"},
                "annotations": [{"result": [choice]}],
                "predictions": [{"result": [choice], "model_version": "v1", "score": 0.5}],
            },
        ]
    )


# -- every command --------------------------------------------------------------------------------


def test_help_names_every_command_and_the_exit_codes(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    for word in (*COMMANDS, "* 0: done", "* 130: interrupted"):
        assert word in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"usage: labelstudio-orm {name} " in done.out


def test_the_examples_in_the_help_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    from labelstudio_orm import _cli as cli
    from labelstudio_orm._cli.commands import COMMANDS as known

    lines = [line for one in known.values() for line in one.description.splitlines()]
    examples = [line for line in lines if line.startswith("labelstudio-orm ")]
    assert len(examples) >= len(known) - 1  # serve needs none
    for line in examples:
        words = shlex.split(line.partition(" | ")[0])[1:]
        assert cli._parser().parse_args(words).command == words[0]


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["labelstudio-orm", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("labelstudio_orm", run_name="__main__")
    assert ended.value.code == 0
    assert "usage: labelstudio-orm " in capsys.readouterr().out


def test_help_needs_no_server_and_loads_little() -> None:
    program = (
        "import sys; from labelstudio_orm._cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('labelstudio_orm._migrate')\n"
        "       or name.startswith('labelstudio_orm.testing')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


# -- count ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "number"),
    [
        ([], 4),
        (["--filter", "total_annotations=0"], 3),
        (["--filter", "data__lang=de"], 2),
        (["--filter", "data__lang=de", "--filter", "total_annotations=0"], 1),
        (["--exclude", "data__lang=de"], 2),
        (["--exclude", "data__lang=de", "--exclude", "data__text=b"], 1),
        (["--filter", 'data__text__in=["a", "b"]'], 2),
        (["--filter", "data__size=10"], 1),
        (["--filter", 'data__size="10"'], 0),  # a text, which the data does not have
        (["--filter", "data__lang=null"], 1),
        (["--filter", "data__text=NaN"], 0),
        (["--filter", "created_at__gte=2020-01-01T00:00Z"], 4),
        (["--filter", "created_at__lt=2020-01-01T00:00+01:00"], 0),
        (["--of", "annotations"], 1),
        (["--of", "predictions", "--filter", "model_version=v1"], 1),
        (["--of", "predictions", "--filter", "model_version=v2"], 0),
    ],
)
def test_count(
    run: Run, project: Project, tasks: list[Any], conditions: list[str], number: int
) -> None:
    done = run("count", project.id, *conditions)
    assert (done.code, done.out) == (0, f"{number}\n")
    assert run("count", project.title, *conditions, "--json").json == number


def test_keys_with_other_signs(run: Run, project: Project) -> None:
    project.tasks.bulk_create([{"text": "a", "a=b": "x=y", "k.l": 1}, {"text": "b", "u__v": "w"}])
    for said in ('data["a=b"]=x=y', 'data["k.l"]__in=[1]', "data['u__v']=w"):
        assert run("count", project.id, "--filter", said).out == "1\n"
    assert run("count", project.id, "--filter", 'data["k.l=1').code == 2


def test_count_without_a_project(run: Run, ls: LabelStudio, project: Project) -> None:
    ls.users.create(email="ann@example.com", username="ann")
    assert run("count").out == "1\n"
    assert run("count", "--of", "users").out == "2\n"
    assert run("count", "--filter", "title=Nothing").out == "0\n"


def test_an_item_that_no_task_can_be_made_of(run: Run, project: Project, tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text('[{"text": "a"}, 5]')
    done = run("import", project.id, "tasks.json")
    assert (done.code, done.out) == (2, "")
    assert "tasks.json" in done.err
    assert "not 5" in done.err
    assert not project.tasks.exists()


@pytest.mark.filterwarnings("default")
def test_warnings_are_one_line(run: Run, project: Project, tasks: list[Any]) -> None:
    done = run("count", project.id, "--filter", "meta__n__isnull=true")
    assert (done.code, done.out) == (0, "4\n")
    (line,) = done.err.splitlines()
    assert line.startswith("warning: Tasks of project")


# -- what is typed wrong: 2 -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["count", "1", "--filter", "total_anotations=0"], "did you mean 'total_annotations'"),
        (["count", "1", "--filter", "total_annotations"], "a condition is LOOKUP=VALUE"),
        (["count", "1", "--filter", "=0"], "a condition is LOOKUP=VALUE"),
        (["count", "1", "--filter", "created_at__gte=2020-01-01"], "ISO 8601 text with an offset"),
        (["count", "1", "--filter", "created_at__gte=today"], "ISO 8601 text with an offset"),
        (["count", "1", "--of", "nothing"], "--of nothing: <Project 1"),
        (["count", "1", "--of", "_client"], "has no such objects"),
        (["count", "1", "--of", "save"], "has no such objects"),
        (["count", "99"], "there is no single project '99' on http"),
        (["count", "Nowhere"], "there is no single project 'Nowhere'"),
        (["export", "1", "x", "--format", "EXCEL"], "the server has no export format 'EXCEL'"),
        (["import", "1", "missing.json"], "No such file or directory: 'missing.json'"),
        (["import", "1", "tasks.xls"], "tasks.xls: tasks are read from .json, .jsonl"),
        (["import", "1", "a.csv", "--key", "data.id"], "--key and --on-conflict are given"),
        (["count", "--url", "http://[x"], "--url or --api-key: Invalid IPv6 URL"),
        (["rename-label", "1", "Nothing", "Else"], "Nothing"),
        (["rename-label", "1", "Positive", "Good", "--control", "setniment"], "'sentiment'?"),
        (["rename-label", "1", "Positive", "Good", "--undo", "no/where"], "'no/where'"),
        (["merge-labels", "1", "Positve", "Neutral", "--into", "Other"], "'Positive'?"),
        (
            ["merge-labels", "1", '["a", 5]', "--into", "Other"],
            "the path of a label is a list of texts",
        ),
        (["remove-label", "1", "Neutral", "--regions", "keep"], "invalid choice"),
        (["add-label", "1", "Mixed", "--attribute", "hotkey"], "--attribute is NAME=VALUE"),
        (["add-label", "1", "Mixed", "--attribute", "undo=x"], "--attribute is NAME=VALUE"),
        (["undo-labels", "1", "nothing.undo"], "'nothing.undo'"),
        (["copy", "1", "--journal", "no/where.db"], "the journal no/where.db cannot be opened"),
        (["copy", "1", "--missing-users", "create", "--missing-users", "a@x=b@x"], "is one WHAT"),
        (["serve", "--port", "99999"], "--port: must be at most 65535, not 99999"),
        (["verify", "1", "nothing.zip"], "nothing.zip"),
        (["restore", "nothing.zip"], "nothing.zip"),
        (["sync", "1", "1"], "--journal"),
        (["count", "1", "--workers", "0"], "must be at least 1"),
        (["nothing"], "invalid choice"),
    ],
)
def test_what_is_typed_wrong(
    run: Run, project: Project, arguments: list[str], message: str
) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err.splitlines()[-1]


@pytest.mark.parametrize("name", ["url", "api-key"])
def test_a_server_has_to_be_named(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = f"LABEL_STUDIO_{name.upper().replace('-', '_')}"
    monkeypatch.delenv(variable)
    done = run("count")
    expected = f"labelstudio-orm count: error: set {variable}, or give --{name}\n"
    assert (done.code, done.err) == (2, expected)


def test_the_second_server_needs_its_own_credential(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_TO_URL", "http://127.0.0.1:9")
    done = run("copy", project.id)
    assert done.code == 2
    assert "set LABEL_STUDIO_TO_API_KEY, or give --to-api-key" in done.err


def test_a_credential_without_its_server(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_TO_API_KEY", "a-secret")
    done = run("copy", project.id)
    assert done.code == 2
    assert "set LABEL_STUDIO_TO_URL, or give --to-url; for the same server" in done.err
    assert "a-secret" not in done.err
    monkeypatch.delenv("LABEL_STUDIO_TO_API_KEY")
    assert run("copy", project.id).code == 0


# -- mistakes of this program ---------------------------------------------------------------------


def raised(do: Callable[[], object]) -> Exception:
    try:
        do()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_what_the_library_refuses_is_no_mistake_of_it() -> None:
    config = LabelConfig.parse("<View/>")
    assert exit_code(raised(lambda: config["nothing"])) == 2
    assert exit_code(raised(lambda: config.renamed("a", "b"))) == 2
    assert exit_code(raised(lambda: Path("nothing").read_text())) == 2
    assert exit_code(raised(lambda: JobFailed("the job") and 1 / 0)) is None


@pytest.mark.parametrize("code", ["len(None)", "{}['x']", "None.x", "f(1, b=2)", "x"])
def test_what_python_refuses_is_one(code: str) -> None:
    assert exit_code(raised(lambda: eval(code, {"f": lambda a: a}))) is None


def test_a_migration_whose_journal_cannot_be_opened(
    run: Run, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        Migration("tidy").main([str(project.id), "--journal", "no/where.db"])
    assert ended.value.code == 2
    assert "error: the journal no/where.db cannot be opened: " in capfd.readouterr().err


def test_a_mistake_of_this_program_keeps_its_traceback(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelstudio_orm._cli.commands.narrowed", lambda *_: len(None))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="has no len"):
        run("count", project.id)


# -- servers: 3 where there is none, 1 where it refuses -------------------------------------------


@pytest.mark.slow
def test_no_server_and_no_access_are_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = run("count", "--api-key", "a-secret-that-is-wrong")
    assert refused.code == 3
    assert "a-secret" not in refused.out + refused.err
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    gone = run("count", "--url", "http://127.0.0.1:9")
    assert gone.code == 3
    assert gone.err.startswith("labelstudio-orm count: error: ")


def test_what_the_server_refuses_is_1(run: Run, fake: FakeLabelStudio, project: Project) -> None:
    fake.fault("GET", "/api/tasks/", Fault.answer(403))
    assert run("count", project.id).code == 1


def test_ctrl_c_is_130(run: Run, monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    assert run("shell", "-c", "raise KeyboardInterrupt").code == 130


# -- import and export ----------------------------------------------------------------------------

FILES = {
    "tasks.json": '[{"text": "a"}, {"data": {"text": "b"}, "meta": {"n": 1}}]',
    "one.json": '{"text": "a"}',
    "tasks.jsonl": '{"text": "a"}\n\n{"text": "b"}\n',
    "tasks.ndjson": '{"text": "a"}\n{"text": "b"}',
    "tasks.csv": '\ufefftext,n\n"a, or\nb",1\nc,2\n',
    "tasks.tsv": "text\tn\na\t1\n",
}
READ: dict[str, list[dict[str, Any]]] = {
    "tasks.json": [{"text": "a"}, {"text": "b"}],
    "one.json": [{"text": "a"}],
    "tasks.jsonl": [{"text": "a"}, {"text": "b"}],
    "tasks.ndjson": [{"text": "a"}, {"text": "b"}],
    "tasks.csv": [{"text": "a, or\nb", "n": "1"}, {"text": "c", "n": "2"}],
    "tasks.tsv": [{"text": "a", "n": "1"}],
}


@pytest.mark.parametrize("name", FILES)
def test_import(run: Run, project: Project, name: str) -> None:
    Path(name).write_bytes(FILES[name].encode())
    done = run("import", project.id, name)
    assert (done.code, done.out, done.err) == (0, f"{len(READ[name])} created\n", "")
    assert [task.data for task in project.tasks] == READ[name]


def test_import_of_several_files_and_of_the_standard_input(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("one.json").write_text('{"text": "a"}', encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"text": "b"}\n'))
    assert run("import", project.id, "one.json", "-", "--json").json["created"] == 2
    assert [task.data["text"] for task in project.tasks] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "a.json: Expecting property name"),
        ("a.jsonl", '{"text": "a"}\n{', "a.jsonl: line 2: Expecting"),
        ("a.csv", "a,b\n1\n", "a.csv: line 2 does not have as many cells as the first line"),
        ("a.csv", "a,b\n1,2,3\n", "a.csv: line 2 does not have as many cells as the first line"),
    ],
)
def test_a_broken_file_imports_nothing(
    run: Run, project: Project, name: str, content: str, message: str
) -> None:
    Path(name).write_text(content, encoding="utf-8")
    done = run("import", project.id, name)
    assert done.code == 2
    assert message in done.err
    assert project.tasks.count() == 0


def test_import_again_and_what_fails(run: Run, project: Project) -> None:
    Path("a.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n', encoding="utf-8")
    arguments = ["import", project.id, "a.jsonl", "--key", "data.text", "--on-conflict", "skip"]
    assert run(*arguments).out == "2 created\n"
    assert run(*arguments).out == "2 skipped\n"
    Path("b.jsonl").write_text('{"text": "c"}\n{"nothing": 1}\n', encoding="utf-8")
    assert run("import", project.id, "b.jsonl").code == 1
    assert project.tasks.count() == 2
    done = run("import", project.id, "b.jsonl", "--collect-errors", "--json")
    assert done.code == 1
    assert done.json["created"] == 1
    assert [failure["place"] for failure in done.json["failed"]] == [1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "b.{} 3 was refused, and with it its batch: "),
        (["--validate"], "b.{} 3, data: the labelling config shows $text"),
        (["--collect-errors"], "b.{} 3: "),
        (["--collect-errors", "--validate"], "b.{} 3: data: the labelling config shows $text"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("jsonl: line", '{"text": "a"}\n\n{"nothing": 1}\n'),
        ("json: task", '[{"text": "a"}, {"text": "b"}, {"nothing": 1}]'),
        ("csv: line", "text,n\na,1\n"),
    ],
)
def test_what_fails_is_named_by_its_file_and_line(
    run: Run, project: Project, kind: str, content: str, options: list[str], said: str
) -> None:
    name = f"b.{kind.partition(':')[0]}"
    Path("a.jsonl").write_text('{"text": "first"}\n' * 3, encoding="utf-8")
    Path(name).write_text(content, encoding="utf-8")
    if name == "b.csv":
        Path(name).write_text("nothing,n\n\na,1\n", encoding="utf-8")
    done = run("import", project.id, "a.jsonl", name, *options)
    assert done.code == (2 if options == ["--validate"] else 1)
    assert said.format(kind) in done.out + done.err
    assert "item " not in done.out + done.err


def test_tasks_that_are_twice_in_files(run: Run, project: Project) -> None:
    Path("a.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n', encoding="utf-8")
    Path("b.jsonl").write_text('\n{"text": "b"}\n', encoding="utf-8")
    once = ("--key", "data.text", "--on-conflict", "error")
    done = run("import", project.id, "a.jsonl", "b.jsonl", *once)
    assert "b.jsonl: line 2: data.text 'b' is that of a.jsonl: line 2 too" in done.err


def test_export(run: Run, project: Project, tasks: list[Any]) -> None:
    done = run("export", project.id, "all.json")
    assert done.code == 0
    assert done.out == f"file: all.json\nbytes: {Path('all.json').stat().st_size}\n"
    assert len(json.loads(Path("all.json").read_text("utf-8"))) == 4
    run("export", project.id, "german.json", "--filter", "data__lang=de")
    german = json.loads(Path("german.json").read_text("utf-8"))
    assert [task["data"]["text"] for task in german] == ["a", "d"]
    run("export", project.id, "labelled.json", "--only-annotated")
    assert len(json.loads(Path("labelled.json").read_text("utf-8"))) == 1
    both = ["--only-annotated", "--filter", "data__lang=de"]
    run("export", project.id, "both.json", *both)
    assert len(json.loads(Path("both.json").read_text("utf-8"))) == 1


def test_export_to_the_standard_output(run: Run, project: Project, tasks: list[Any]) -> None:
    done = run("export", project.id, "-", "--filter", "data__lang=en")
    assert [task["data"]["text"] for task in done.json] == ["b"]
    assert done.err == ""
    assert list(Path().iterdir()) == []


# -- shell ----------------------------------------------------------------------------------------


def test_shell(run: Run, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("shell", project.id, "-c", "print(project.title, ls.projects.count())").out == (
        f"{project.title} 1\n"
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO("for p in ls.projects:\n    print(Q(id=p.id))\n"))
    assert run("shell").out == f"Q(id={project.id})\n"


def test_a_mistake_in_the_shell_is_shown_as_python_does(run: Run) -> None:
    done = run("shell", "-c", "int('x')")
    assert done.code == 1
    assert done.err.splitlines()[0] == "Traceback (most recent call last):"
    assert "ValueError: invalid literal" in done.err.splitlines()[-1]


# -- projects -------------------------------------------------------------------------------------


def test_copy_verify_sync(
    run: Run, second: LabelStudio, project: Project, tasks: list[Any]
) -> None:
    arguments = ["copy", project.id, "--journal", "copy.db", "--title", "There"]
    dry = run(*arguments, "--dry-run", "--json")
    assert dry.code == 0
    assert {write["method"] for write in dry.json["writes"]} >= {"POST"}
    there = os.environ["LABEL_STUDIO_TO_URL"]
    assert {write["server"] for write in dry.json["writes"]} == {there}
    assert dry.json["result"]["target"] is None
    shown = run(*arguments, "--dry-run").out
    assert "to <Project (new) 'There'>" in shown
    assert shown.count("none of them sent") == shown.count(f"{there}: ") == 1
    assert not re.search(r"[ :]-\d", shown + dry.out)
    assert second.projects.count() == 0
    assert run("sync", project.id, project.id, "--journal", "copy.db", "--dry-run").code == 2

    copied = run(*arguments, "--json")
    assert copied.code == 0
    assert copied.json["ok"] is True
    copy = second.projects.get(title="There")
    assert copied.json["target"] == copy.id
    assert copy.tasks.count() == 4

    comparison = ["verify", project.id, "There", "--journal", "copy.db"]
    same = run(*comparison)
    assert same.code == 0
    assert ": ok" in same.out

    tasks[0].data["text"] = "changed"
    tasks[0].save()
    different = run(*comparison, "--json")
    assert different.code == 1
    assert [one["kind"] for one in different.json["differences"]] == ["tasks"]

    synced = run("sync", project.id, "There", "--journal", "copy.db")
    assert synced.code == 0
    assert copy.tasks.filter(data__text="changed").count() == 1
    assert run(*comparison).code == 0


def test_users_that_the_target_lacks(
    run: Run, ls: LabelStudio, second: LabelStudio, project: Project, tasks: list[Any]
) -> None:
    ann = ls.users.create(email="ann@example.com", username="ann")
    tasks[0].annotations.create(result=[], completed_by=ann)
    refused = run("copy", project.id)
    assert refused.code == 1
    assert "--missing-users ann@example.com=USER@TARGET" in refused.err
    assert "missing_users" not in refused.err
    assert second.projects.count() == 0
    assert run("copy", project.id, "--missing-users", "create").code == 0
    assert second.users.filter(email="ann@example.com").count() == 1


def test_who_stands_for_whom(
    run: Run, ls: LabelStudio, second: LabelStudio, project: Project, tasks: list[Any]
) -> None:
    for name in ("ann", "eve"):
        user = ls.users.create(email=f"{name}@example.com", username=name)
        tasks[0].annotations.create(result=[], completed_by=user)
    for name in ("bob", "zoe"):
        second.users.create(email=f"{name}@there.example.com", username=name)
    one = ["--missing-users", "ann@example.com=bob@there.example.com"]
    refused = run("copy", project.id, *one)
    assert refused.code == 1
    assert "does not have eve@example.com;" in refused.err
    all_ = ["--missing-users", "zoe@there.example.com"]
    assert run("copy", project.id, *all_, "--title", "All").code == 0
    more = ["--missing-users", "eve@example.com=create"]
    assert run("copy", project.id, *one, *more, "--title", "Each").code == 0
    emails: dict[int | None, str] = {user.id: user.email for user in second.users}
    authors = {
        copy.title: {emails[one.completed_by_id] for one in copy.annotations if not one.result}
        for copy in second.projects.all()
    }
    assert authors == {
        "Each": {"bob@there.example.com", "eve@example.com"},
        "All": {"zoe@there.example.com"},
    }


def test_what_a_copy_leaves_out(run: Run, second: LabelStudio, project: Project) -> None:
    project.views.create(title="Mine")
    project.webhooks.create(url="http://example.com/hook")

    def copied(*options: str) -> tuple[int, int]:
        done = run("copy", project.id, "--json", *options).json
        copy = second.projects.get(done["target"])
        return copy.views.count(), copy.webhooks.count()

    assert copied() == (1, 1)
    assert copied("--no-views") == (0, 1)
    assert copied("--no-webhooks", "--no-storages", "--no-backends", "--no-files") == (1, 0)


def test_the_switches_of_a_copy_are_its_parameters() -> None:
    """Each of them is given to the verb of the library."""
    parser = cli._parser()
    parts = ["views", "webhooks", "storages", "backends", "files", "verify"]

    def told(*words: str) -> dict[str, Any]:
        return _parameters(parser.parse_args([*words]), "copy_project")

    for name in ("copy", "restore"):
        off = told(name, "1", *(f"--no-{part}" for part in parts), "--keep-origin", "--title", "t")
        known = {*parts, "keep_origin", "title", "journal", "missing_users", "progress"}
        assert off.keys() == known
        assert [off[part] for part in parts] == [False] * len(parts)
        assert (off["keep_origin"], off["title"]) == (True, "t")
        assert told(name, "1", "--all-storages")["storages"] == "all"
        assert all(told(name, "1")[part] is True for part in parts)


class Terminal(io.StringIO):
    """A standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def test_a_prompt_has_the_client_and_the_project(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("print(project.tasks.count(), Q(id=1))\n"))
    done = run("shell", project.id)
    assert done.code == 0
    assert f"project is <Project {project.id} " in done.err
    assert "0 Q(id=1)" in done.out


def test_keys_of_storages_are_asked_for(
    run: Run,
    fake: FakeLabelStudio,
    other: FakeLabelStudio,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake.blobs["s3://reviews/"] = other.blobs["s3://reviews/"] = b""
    keys: dict[str, Any] = {"aws_access_key_id": "an-id", "aws_secret_access_key": "a-secret"}
    ImportStorage.S3(project=project, bucket="reviews", **keys).save()
    asked = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return str(keys[prompt.split()[0]])

    monkeypatch.setattr("labelstudio_orm._cli.commands.getpass", getpass)
    monkeypatch.setattr(sys, "stdin", Terminal())
    done = run("copy", project.id)
    assert done.code == 0
    assert asked == [f"{name} of storages reviews (empty: none): " for name in keys]
    assert "a-secret" not in done.out + done.err
    (copy,) = other.client().projects.all()
    storage: Any
    (storage,) = copy.import_storages.all()
    (made,) = (one for one in other.requests if one.path.startswith("/api/storages/s3"))
    assert made.method == "POST"
    assert {name: made.body[name] for name in ("bucket", *keys)} == {"bucket": "reviews", **keys}
    assert storage.bucket == "reviews"


def test_snapshot_and_restore(
    run: Run, ls: LabelStudio, project: Project, tasks: list[Any]
) -> None:
    assert run("snapshot", project.id, "project.zip").code == 0
    assert run("verify", project.id, "project.zip").code == 0
    assert run("restore", "project.zip", "--title", "Again").code == 0
    assert ls.projects.get(title="Again").tasks.count() == 4
    tasks[0].delete()
    assert run("verify", "project.zip", project.id).code == 1


def test_rename_label(run: Run, project: Project, tasks: list[Any]) -> None:
    arguments = ["rename-label", project.id, "Positive", "Good", "--control", "sentiment"]
    dry = run(*arguments, "--dry-run")
    assert dry.code == 0
    assert dry.out.startswith("would be done: renaming the label 'Positive' to 'Good' in <")
    assert ": ok" not in dry.out
    assert f"{os.environ['LABEL_STUDIO_URL']}: 4 writes, none of them sent" in dry.out
    assert "annotations      1 updated" in dry.out
    done = run(*arguments, "--undo", "undo.jsonl", "--json").json
    assert done["counts"]["annotations"]["updated"] == 1
    assert project.refresh().config["sentiment"].labels[0] == "Good"
    (annotation,) = project.annotations
    assert annotation.values()["sentiment"] == "Good"
    assert Path("undo.jsonl").exists()


def test_labels_are_changed_and_changed_back(run: Run, project: Project, tasks: list[Any]) -> None:
    before = project.label_config
    control = ["--control", "sentiment"]

    def labels() -> list[str]:
        return [label.value for label in project.refresh().config["sentiment"].label_tags]

    attributes = ["--attribute", "hotkey=m", "--attribute", "alias=mixed"]
    assert run("add-label", project.id, "Mixed", *control, *attributes).code == 0
    assert labels() == ["Positive", "Neutral", "Negative", "Mixed"]
    assert project.config["sentiment"].label_tags[-1].attributes["hotkey"] == "m"
    assert run("remove-label", project.id, "Mixed").code == 0
    again = run("remove-label", project.id, "Mixed")
    assert again.code == 0
    assert "done already, or misspelt?" in again.out
    refused = run("remove-label", project.id, "Positive")
    assert refused.code == 2
    assert "1 annotations, 1 predictions have it" in refused.err
    merge = ["merge-labels", project.id, "Positive", "Negative", "--into", "Clear", *control]
    assert run(*merge, "--undo", "clear.undo").code == 0
    assert labels() == ["Clear", "Neutral"]
    dry = run("undo-labels", project.id, "clear.undo", "--dry-run")
    assert dry.out.startswith("would be done: undoing: merging the labels 'Positive', 'Negative'")
    assert labels() == ["Clear", "Neutral"]
    assert run("undo-labels", project.id, "clear.undo").code == 0
    assert project.refresh().label_config == before
    dropped = run("remove-label", project.id, "Positive", "--regions", "drop", "--json").json
    assert dropped["counts"]["annotations"]["updated"] == 1


def test_dedupe(run: Run, project: Project) -> None:
    made = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}, {"text": "a"}])
    arguments = ["dedupe", project.id, "--key", "data.text"]
    dry = run(*arguments, "--dry-run", "--json").json
    assert dry["result"]["counts"]["tasks"]["deleted"] == 1
    assert len(dry["writes"]) == 1
    assert project.tasks.count() == 3
    assert run(*arguments, "--json").json["kept"] == {str(made[0].id): [made[2].id]}
    assert [task.id for task in project.tasks] == [made[0].id, made[1].id]


# -- serve ----------------------------------------------------------------------------------------


def test_a_server_is_served_until_a_signal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``tests/live`` serves a real one."""

    class Stub(AbstractContextManager["Stub"]):
        url, email, password, api_key = "http://localhost:1", "a@b.c", "word", "key"
        ended = 0

        def __init__(self, **options: Any) -> None:
            self.options = options
            servers.append(self)

        def __exit__(self, *_: object) -> None:
            self.ended += 1

        def wait(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    servers: list[Stub] = []
    monkeypatch.setattr("labelstudio_orm.testing.LocalLabelStudio", Stub)
    before = [(one, signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM)]
    try:
        done = run("serve", "--port", 8123, "--workers", 2, "--data-dir", "there")
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    assert done.code == 0
    assert done.out.split() == [
        "url", Stub.url, "user", Stub.email, "password", Stub.password, "token", Stub.api_key
    ]  # fmt: skip
    (server,) = servers
    assert server.options == {
        "version": None, "port": 8123, "workers": 2, "data_dir": "there"
    }  # fmt: skip
    assert server.ended == 1


# -- the installed command ------------------------------------------------------------------------


@pytest.mark.slow
def test_the_installed_command(fake: FakeLabelStudio, project: Project, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("labelstudio-orm")
    with fake.serve() as url:
        names = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": fake.api_key}

        def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [program, *arguments],
                env={**os.environ, **names},
                input=given,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )

        lines = "".join(json.dumps({"text": str(n)}) + "\n" for n in range(2500))
        imported = run("import", str(project.id), "-", given=lines)
        assert (imported.stdout, imported.stderr) == ("2500 created\n", "")  # quiet in a pipe
        counted = run("count", str(project.id), "--progress")
        assert (counted.returncode, counted.stdout) == (0, "2500\n")
        loud = run("import", str(project.id), "-", "--progress", given='{"text": "a"}\n')
        assert "1" in loud.stderr
        assert run("count", "99").returncode == 2
        head = f"{program} export {project.id} - | head -c 10"
        cut = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {head}"],
            env={**os.environ, **names},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (cut.returncode, len(cut.stdout), cut.stderr) == (0, 10, "")


def test_the_version() -> None:
    program = Path(sys.executable).with_name("labelstudio-orm")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "labelstudio-orm 0.1.0\n"


def test_what_was_exported_is_imported_again(
    run: Run, ls: LabelStudio, project: Project, tmp_path: Path
) -> None:
    project.label_config = (
        '<View><Text name="text" value="$text"/><Choices name="mood" toName="text">'
        '<Choice value="Calm"/></Choices></View>'
    )
    project.save()
    bob = ls.users.create(email="bob@example.com")
    [task] = project.tasks.bulk_create([{"text": "a"}])
    calm = [project.config["mood"].choice("Calm")]
    task.annotations.create(result=calm)
    task.predictions.create(result=calm, score=0.5)
    path = str(tmp_path / "a.json")
    assert run("export", str(project.id), path).code == 0
    again = ls.projects.create(title="Again", label_config=project.label_config)
    assert run("import", "Again", path, "--author", f"1={bob.email}").code == 0
    (annotation,) = again.tasks[0].annotations
    assert (annotation.result, annotation.completed_by_id) == (calm, bob.id)
    assert [one.score for one in again.tasks[0].predictions] == [0.5]
    ls.drafts.create(task=task.id, result=calm)
    run("export", str(project.id), path)
    refused = run("import", "Again", path)
    assert refused.code == 2
    assert "a.json: task 1: it has 1 drafts" in refused.err
    assert run("import", "Again", path, "--leave-out", "drafts").code == 0
    assert again.tasks.count() == 2
    assert run("import", "Again", path, "--author", "1=2", "--author", "3").code == 2
    assert run("export", str(project.id), str(tmp_path / "a.csv")).code == 0
    flat = run("import", "Again", str(tmp_path / "a.csv"))
    assert flat.code == 2
    assert "a.csv: line 2: this is a row of an export as JSON_MIN, CSV or TSV" in flat.err
