"""The commands: of each its name, its arguments, and the verb of the library that it calls."""

from __future__ import annotations

import contextlib
import inspect
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path
from typing import Any, NoReturn

import attrs

from .arguments import (
    CONDITIONS,
    PROJECT,
    SECOND_SERVER,
    SERVER,
    WRITES,
    Argument,
    Call,
    UsageError,
    argument,
    find_project,
    json_or_text,
    narrowed,
    positive,
)

Run = Callable[[Call], Any]


@attrs.frozen
class Command:
    """A command. ``run`` gives what is to be told, or None where it has told it by itself; its
    docstring is the description, and the first line of that the summary.
    """

    run: Run
    arguments: tuple[Argument, ...]

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return self.description.partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        """What it does, with examples."""
        return inspect.getdoc(self.run) or ""


COMMANDS: dict[str, Command] = {}
"""All commands by name, in the order in which ``--help`` shows them."""


def command(name: str, *arguments: Argument) -> Callable[[Run], Run]:
    """Makes a function a command."""

    def add(run: Run) -> Run:
        COMMANDS[name] = Command(run, arguments)
        return run

    return add


# -- tasks in and out -----------------------------------------------------------------------------


@command(
    "count",
    argument("project", metavar="PROJECT", nargs="?", help="a project's id, or its title"),
    argument(
        "--of",
        metavar="KIND",
        help="annotations, predictions, views, files ... of the project (default: tasks); without "
        "a project users, webhooks ... (default: projects)",
    ),
    *CONDITIONS,
    *SERVER,
)
def count(call: Call) -> int:
    """Count tasks, or other objects.

    labelstudio-orm count Reviews --filter total_annotations=0 --filter data__lang=de
    labelstudio-orm count Reviews --of predictions --filter model_version=v1
    """
    from ..queryset import QuerySet

    named = call.options.project is not None
    kind = call.options.of or ("tasks" if named else "projects")
    owner = call.project if named else call.server
    objects = None if kind.startswith("_") else getattr(owner, kind, None)
    if not isinstance(objects, QuerySet):
        raise UsageError(f"--of {kind}: {owner!r} has no such objects")
    return narrowed(objects, call.options).count()


@command(
    "export",
    PROJECT,
    argument("file", metavar="FILE", help="where to; - is the standard output"),
    argument("--format", default="JSON", help="one of the server's: CSV, COCO ...; default: JSON"),
    argument("--only-annotated", action="store_true", help="leave out tasks without annotations"),
    *CONDITIONS,
    *SERVER,
)
def export(call: Call) -> Any:
    """Write the tasks of a project, or some of them, to a file.

    labelstudio-orm export Reviews german.json --filter data__lang=de
    labelstudio-orm export Reviews - --format CSV | head
    """
    if call.options.file != "-":
        path = _export(call, Path(call.options.file))
        return {"file": str(path), "bytes": path.stat().st_size}
    with tempfile.TemporaryDirectory() as folder:
        path = _export(call, Path(folder, "export"))
        with path.open("rb") as content:
            shutil.copyfileobj(content, sys.stdout.buffer)
    return None


def _export(call: Call, path: Path) -> Path:
    format, progress = call.options.format, call.progress
    if not (call.options.filter or call.options.exclude):
        annotated = call.options.only_annotated
        return call.project.export(format, path, only_annotated=annotated, progress=progress)
    tasks = narrowed(call.project.tasks, call.options)
    if call.options.only_annotated:
        tasks = tasks.exclude(total_annotations=0, cancelled_annotations=0)
    return tasks.export(format, path, progress=progress)


@command(
    "import",
    PROJECT,
    argument("files", metavar="FILE", nargs="+", help="tasks; - is the standard input, JSON lines"),
    argument("--key", help='what tells tasks from each other: "data.image"'),
    argument(
        "--on-conflict",
        choices=("skip", "update", "error"),
        help="what to do with a task whose key is there already",
    ),
    argument("--validate", action="store_true", help="check against the labelling config first"),
    argument("--collect-errors", action="store_true", help="go on without the tasks that fail"),
    WRITES,
    *SERVER,
)
def import_(call: Call) -> Any:
    """Import tasks from JSON, JSON lines, CSV or TSV.

    A task is its data, or a full form with its data under "data", and "meta", "annotations",
    "predictions". The cells of a table are texts, its first line are the keys. With --key and
    --on-conflict it may be run again.

    labelstudio-orm import Reviews reviews.csv --key data.id --on-conflict skip
    """
    from .items import read_items

    options = call.options
    if bool(options.key) is not bool(options.on_conflict):
        raise UsageError("--key and --on-conflict are given together")
    return call.project.tasks.bulk_create(
        read_items(options.files),
        key=options.key,
        on_conflict=options.on_conflict,
        validate=options.validate,
        on_error="collect" if options.collect_errors else "raise",
        progress=call.progress,
    ).summary


@command(
    "shell",
    argument("project", metavar="PROJECT", nargs="?", help="its id or title; it is project there"),
    argument("-c", dest="code", metavar="CODE", help="run this instead of asking"),
    WRITES,
    *SERVER,
)
def shell(call: Call) -> None:
    """A Python prompt with ls, the client, and the names of this library.

    labelstudio-orm shell Reviews
    labelstudio-orm shell Reviews -c "print(project.tasks.filter(total_annotations=0).first())"
    """
    import labelstudio_orm

    names = {name: getattr(labelstudio_orm, name) for name in labelstudio_orm.__all__}
    names = {**names, "ls": call.server, "__name__": "__console__"}
    if call.options.project is not None:
        names["project"] = call.project
    if call.options.code is not None:
        _execute(call.options.code, names)
    elif not sys.stdin.isatty():
        _execute(sys.stdin.read(), names)
    else:
        _prompt(names)


def _execute(code: str, names: dict[str, Any]) -> None:
    try:
        exec(compile(code, "<shell>", "exec"), names)
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None


def _prompt(names: dict[str, Any]) -> None:
    import code

    with contextlib.suppress(ImportError):  # where Python was built without it
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    shown = [f"{name} is {names[name]!r}" for name in ("ls", "project") if name in names]
    code.interact(banner="\n".join(shown), local=names, exitmsg="")


# -- whole projects -------------------------------------------------------------------------------

JOURNAL = argument(
    "--journal",
    metavar="FILE",
    help="what is done is noted there; run again with it, a command that died goes on",
)
USERS = argument(
    "--missing-users",
    default="refuse",
    metavar="WHAT",
    help="those who annotated and whom the target does not have: refuse (the default), create, or "
    "the e-mail of who stands for them",
)
TITLE = argument("--title", help="another title for the new project")


@command(
    "copy",
    PROJECT,
    TITLE,
    JOURNAL,
    USERS,
    argument("--no-files", action="store_true", help="leave uploaded files where they are"),
    argument("--keep-origin", action="store_true", help='keep dates and ids in meta["_origin"]'),
    WRITES,
    *SECOND_SERVER,
    *SERVER,
)
def copy(call: Call) -> Any:
    """Copy a project with all that it holds, to another server or on the same one; then compare.

    No server gives the keys of storages and the passwords of ML backends: on a terminal they are
    asked for.

    labelstudio-orm copy Reviews --to-url http://b:8080 --journal reviews.db --missing-users create
    """
    from ..migrate import copy_project

    options = call.options
    return copy_project(
        call.project,
        to=call.other,
        title=options.title,
        journal=options.journal,
        missing_users=options.missing_users,
        files=not options.no_files,
        keep_origin=options.keep_origin,
        secrets=_secrets(),
        progress=call.progress,
    )


SECRETS = {
    "azure": ("account_name", "account_key"),
    "gcs": ("google_application_credentials",),
    "redis": ("password",),
    "s3": ("aws_access_key_id", "aws_secret_access_key"),
    "BASIC_AUTH": ("basic_auth_pass",),
}
"""What to ask for, by the type of a storage, or how an ML backend is asked."""


def _secrets() -> Callable[[str, Mapping[str, Any]], dict[str, str]] | None:
    """Asks for what no server tells, where there is somebody to ask."""
    if not sys.stdin.isatty():
        return None

    def ask(kind: str, row: Mapping[str, Any]) -> dict[str, str]:
        places = ("title", "bucket", "container", "host", "url")
        what = next((row[name] for name in places if row.get(name)), row["id"])
        names = SECRETS.get(row.get("type") or row.get("auth_method") or "", ())
        told = {name: getpass(f"{name} of {kind} {what} (empty: none): ") for name in names}
        return {name: text for name, text in told.items() if text}

    return ask


TARGET = argument("target", metavar="TARGET", help="the other project's id, or its title")


@command(
    "sync",
    PROJECT,
    TARGET,
    argument("--journal", metavar="FILE", required=True, help="that of the copy"),
    argument(
        "--conflicts",
        choices=("report", "source", "target"),
        default="report",
        help="whose version stays, of what was changed on both sides; default: only report it",
    ),
    USERS,
    argument("--no-files", action="store_true", help="leave uploaded files where they are"),
    WRITES,
    *SECOND_SERVER,
    *SERVER,
)
def sync(call: Call) -> Any:
    """Carry over to a copy what has changed since.

    labelstudio-orm sync Reviews "Reviews" --to-url http://b:8080 --journal reviews.db
    """
    from ..migrate import sync

    options = call.options
    return sync(
        call.project,
        find_project(call.other, options.target),
        journal=options.journal,
        conflicts=options.conflicts,
        missing_users=options.missing_users,
        files=not options.no_files,
        progress=call.progress,
    )


@command("verify", PROJECT, TARGET, JOURNAL, *SECOND_SERVER, *SERVER)
def verify(call: Call) -> Any:
    """Compare two projects by what they hold; exit code 1 if anything is different.

    Instead of a project it takes a snapshot, the path of a .zip.

    labelstudio-orm verify Reviews Reviews --to-url http://b:8080 --journal reviews.db
    labelstudio-orm verify Reviews reviews.zip
    """
    from ..migrate import verify

    source = _archive(call.options.project) or call.project
    target = _archive(call.options.target) or find_project(call.other, call.options.target)
    return verify(source, target, journal=call.options.journal, progress=call.progress)


def _archive(text: str) -> Any:
    from ..migrate import ArchiveSource

    return ArchiveSource(text) if text.endswith(".zip") else None


SNAPSHOT = argument("file", metavar="FILE", help="the snapshot, a .zip")


@command(
    "snapshot",
    PROJECT,
    SNAPSHOT,
    argument("--no-files", action="store_true", help="without the uploaded files"),
    *SERVER,
)
def snapshot(call: Call) -> Any:
    """Write a whole project into one file.

    labelstudio-orm snapshot Reviews reviews.zip
    """
    from ..migrate import snapshot

    files = not call.options.no_files
    return snapshot(call.project, call.options.file, files=files, progress=call.progress)


@command("restore", SNAPSHOT, TITLE, JOURNAL, USERS, WRITES, *SERVER)
def restore(call: Call) -> Any:
    """Make a project of a snapshot; then compare.

    labelstudio-orm restore reviews.zip --title "Reviews again"
    """
    from ..migrate import restore

    options = call.options
    return restore(
        options.file,
        call.server,
        title=options.title,
        journal=options.journal,
        missing_users=options.missing_users,
        secrets=_secrets(),
        progress=call.progress,
    )


# -- inside a project -----------------------------------------------------------------------------


@command(
    "rename-label",
    PROJECT,
    argument(
        "old", metavar="OLD", help='a label; one of a taxonomy as JSON: \'["Animal", "Dog"]\''
    ),
    argument("new", metavar="NEW", help="its new name"),
    argument("--control", metavar="NAME", help="the control, where several have the label"),
    argument("--undo", metavar="FILE", help="write down there what was, to take it back"),
    WRITES,
    *SERVER,
)
def rename_label(call: Call) -> Any:
    """Rename a label in the config, in annotations, drafts and predictions.

    labelstudio-orm rename-label Cars Car Vehicle --control label --dry-run
    """
    options = call.options
    return call.project.labels.rename(
        _label(options.old),
        _label(options.new),
        control=options.control,
        undo=options.undo,
        progress=call.progress,
    )


def _label(text: str) -> Any:
    """A label, or the path of one."""
    path = json_or_text(text)
    return path if isinstance(path, list) else text


@command(
    "dedupe",
    PROJECT,
    argument("--key", default="data.image", help="what tells tasks from each other; data.image"),
    argument(
        "--keep",
        choices=("most annotations", "first", "last"),
        default="most annotations",
        help="which task stays; default: that with the most annotations",
    ),
    JOURNAL,
    WRITES,
    *SERVER,
)
def dedupe(call: Call) -> Any:
    """Of tasks with the same key keep one, with the annotations of all.

    labelstudio-orm dedupe Cars --key data.image --dry-run
    """
    from ..migrate import dedupe

    options = call.options
    return dedupe(
        call.project,
        options.key,
        keep=options.keep,
        journal=options.journal,
        progress=call.progress,
    )


# -- servers --------------------------------------------------------------------------------------


@command(
    "serve",
    argument("--port", type=positive, help="default: a free one"),
    argument(
        "--workers", type=positive, help="gunicorn processes; default: the development server"
    ),
    argument("--data-dir", metavar="DIR", help="keep the data here; default: a temporary folder"),
)
def serve(call: Call) -> None:
    """Run a real Label Studio on this machine, for tests, until Ctrl-C."""
    from ..testing.local import LocalLabelStudio

    options = call.options
    # SIGINT as well: a shell starts its background jobs with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    server = LocalLabelStudio(port=options.port, workers=options.workers, data_dir=options.data_dir)
    with contextlib.suppress(KeyboardInterrupt), server:
        print(
            f"url       {server.url}",
            f"user      {server.email}",
            f"password  {server.password}",
            f"token     {server.api_key}",
            sep="\n",
            flush=True,
        )
        server.wait()


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
