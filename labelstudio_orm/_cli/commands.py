"""The commands: the name, the arguments and the verb of the library of each."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from getpass import getpass
from pathlib import Path
from typing import Any, NoReturn

import attrs

from .._console.arguments import (
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
    port,
    positive,
    repeated,
    switch,
)
from .._engine.models.queryset import QuerySet
from ..errors import LabelStudioError
from ..resources._tasks.exported import Authors, from_export
from ..resources._tasks.targets import format_of
from .items import Items

Run = Callable[[Call], Any]


@attrs.frozen
class Command:
    """A command of the program.

    ``run`` returns the result to print, or None if it has printed it itself; its docstring is the
    description, with examples, and the first line of that the summary.
    """

    run: Run
    arguments: tuple[Argument, ...]
    more: Callable[[], Iterable[Argument]] = tuple
    """Returns further arguments, made only for the command that runs."""

    @property
    def description(self) -> str:
        """What the command does, with examples."""
        return inspect.getdoc(self.run) or ""


COMMANDS: dict[str, Command] = {}
"""All commands by name, in the order in which ``--help`` shows them."""


def command(
    name: str, *arguments: Argument, more: Callable[[], Iterable[Argument]] = tuple
) -> Callable[[Run], Run]:
    """Return a decorator that makes a function a command."""

    def add(run: Run) -> Run:
        COMMANDS[name] = Command(run, arguments, more)
        return run

    return add


# -- tasks in and out -----------------------------------------------------------------------------


@command(
    "count",
    argument("project", nargs="?", help="a project's id, or its title"),
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
    named = call.options.project is not None
    kind = call.options.of or ("tasks" if named else "projects")
    owner = call.project if named else call.server
    objects = None if kind.startswith("_") else getattr(owner, kind, None)
    if not isinstance(objects, QuerySet):
        raise UsageError(f"--of {kind}: {owner!r:.80} has no such objects")
    return narrowed(objects, call.options).count()


@command(
    "export",
    PROJECT,
    argument("file", help="the file to write; - is the standard output"),
    argument(
        "--format",
        help="a format of the server: CSV, COCO ...; default: by the suffix of the file, else JSON",
    ),
    switch("--only-annotated", help="leave out tasks without annotations"),
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
    format = call.options.format or format_of(path) or "JSON"
    progress = call.progress
    if call.options.format is None and path.suffix.lower() == ".zip":
        raise UsageError(f"{path.name}: several formats are archives; name one with --format")
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
    argument("--key", help="the key that distinguishes tasks: data.image"),
    argument(
        "--on-conflict",
        choices=("skip", "update", "error"),
        help="what to do with a task whose key exists already",
    ),
    switch("--validate", help="check against the labelling config first"),
    repeated(
        "--author",
        metavar="[ID=]USER",
        help="the user who takes the place of the author with this id in exported annotations, or "
        "of all authors: an id or an e-mail address",
    ),
    repeated(
        "--leave-out",
        choices=("drafts", "predictions"),
        help="import exported tasks without these, where an import does not take them",
    ),
    switch("--collect-errors", help="import the others where tasks fail"),
    WRITES,
    *SERVER,
)
def import_(call: Call) -> Any:
    """Import tasks from JSON, JSON lines, CSV, TSV or Parquet.

    A task is its data, or a full form with its data under "data", and "meta", "annotations",
    "predictions"; or what export wrote as JSON. The cells of a table are texts, and its first line
    has the keys. With --key and --on-conflict it may be run again.

    labelstudio-orm import Reviews reviews.csv --key data.id --on-conflict skip
    labelstudio-orm import Reviews exported.json --author 1=bob@example.com --leave-out drafts
    """
    options = call.options
    if bool(options.key) is not bool(options.on_conflict):
        raise UsageError("--key and --on-conflict are given together")
    items = Items(options.files)
    try:
        made = call.project.tasks.bulk_create(
            from_export(items, authors=_authors(options.author), leave_out=options.leave_out),
            key=options.key,
            on_conflict=options.on_conflict,
            validate=options.validate,
            returning=False,
            on_error="collect" if options.collect_errors else "raise",
            progress=call.progress,
        )
    except TypeError as error:  # of an item that no task can be made of
        raise UsageError(str(error)) from error
    return items.named_in(made.summary)


def _authors(given: list[str]) -> Authors:
    """Read the values of ``--author``."""
    pairs = [one.rpartition("=") for one in given]
    each = {_number(old): _number(new) for old, sign, new in pairs if sign}
    for_all = [_number(new) for _, sign, new in pairs if not sign]
    if len(for_all) > 1 or (for_all and each):
        raise UsageError(
            "--author is given once for all, or for each with the id before it: 1=USER"
        )
    return for_all[0] if for_all else each or None


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


@command(
    "shell",
    argument("project", nargs="?", help="its id or title; the prompt has it as project"),
    argument("-c", dest="code", metavar="CODE", help="run this instead of a prompt"),
    WRITES,
    *SERVER,
)
def shell(call: Call) -> None:
    """Open a Python prompt with ls, the client, and the names of this library.

    labelstudio-orm shell Reviews
    labelstudio-orm shell Reviews -c "print(project.tasks.filter(total_annotations=0).first())"
    """
    import labelstudio_orm  # lazy: start-up time

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
    import code  # lazy: start-up time

    with contextlib.suppress(ImportError):  # where Python was built without it
        import readline  # lazy: not on every system
        import rlcompleter  # lazy: it needs readline

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    shown = [f"{name} is {names[name]!r}" for name in ("ls", "project") if name in names]
    code.interact(banner="\n".join(shown), local=names, exitmsg="")


# -- whole projects -------------------------------------------------------------------------------

JOURNAL = argument(
    "--journal",
    metavar="FILE",
    help="records what is done; a command that died goes on when it is run again with it",
)
JOURNAL_OF_COPY = argument(
    "--journal",
    metavar="FILE",
    help="the journal of the copy, which has the new ids; it is only read",
)
USERS = repeated(
    "--missing-users",
    metavar="WHAT",
    help="what to do about annotators that the target does not have: refuse (the default), create, "
    "or the e-mail of a user who takes their place; THEIRS=WHAT for one of them",
)
TITLE = argument("--title", help="another title for the new project")


def without(name: str, help: str) -> Argument:
    """Return the argument that switches a parameter off."""
    return argument(f"--no-{name}", dest=name, action="store_false", help=help)


NO_FILES = without("files", "leave out the uploaded files")
TARGET = argument("target", help="the other project's id, or its title")
SNAPSHOT = argument("file", help="the snapshot, a .zip")


def _migrate(call: Call, name: str, *sides: Any, like: str = "") -> Any:
    """Call a verb of ``labelstudio_orm.migrate`` with its options, or those of a verb ``like`` it.

    An error about users names the option.
    """
    from .. import migrate  # lazy: start-up time

    verb = getattr(migrate, name)
    options = {**_parameters(call.options, like or name), "progress": call.progress}
    if "missing_users" in options:
        options["missing_users"] = _missing_users(call.options.missing_users or ["refuse"])
        options["secrets"] = _secrets()
    try:
        return verb(*sides, **options)
    except migrate.UnknownUsers as error:
        raise LabelStudioError(
            f"{error.server} does not have {', '.join(error.emails)}; nothing was written. Choose "
            "what to do about these annotators: --missing-users create, or, for each, "
            f"--missing-users {error.emails[0]}=USER@TARGET"
        ) from error


def _parameters(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Return the options of a command that are parameters of a verb, given by name."""
    from .. import migrate  # lazy: start-up time

    parameters = inspect.signature(getattr(migrate, name)).parameters.values()
    names = (one.name for one in parameters if one.kind is one.KEYWORD_ONLY)
    return {name: getattr(options, name) for name in names if name in options}


def _missing_users(given: list[str]) -> Any:
    """Read the values of ``--missing-users``.

    ``create``, ``ann@example.com``, ``ann@example.com=bob@example.com``; ``=bob@example.com`` is
    for annotations whose author is gone.
    """
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    if not all("=" in one for one in given):
        raise UsageError(
            "--missing-users is one WHAT for all, or THEIRS=WHAT of each: refuse, create, "
            f"ann@example.com=bob@example.com; not {' and '.join(given)}"
        )
    return {theirs or None: ours for theirs, _, ours in (one.rpartition("=") for one in given)}


def _secrets() -> Callable[[str, Mapping[str, Any]], dict[str, str]] | None:
    """Return a function that asks for secrets, if there is a terminal."""
    from .._migrate.engine.kinds import KINDS  # lazy: start-up time

    if not sys.stdin.isatty():
        return None

    def ask(kind: str, row: Mapping[str, Any]) -> dict[str, str]:
        places = ("title", "bucket", "container", "host", "url")
        which = next((row[name] for name in places if row.get(name)), row["id"])
        names = KINDS[kind].secret_names(dict(row))
        given = {name: getpass(f"{name} of {kind} {which} (empty: none): ") for name in names}
        return {name: text for name, text in given.items() if text}

    return ask


def _copying_arguments() -> Iterator[Argument]:
    """Yield the arguments of commands that copy: a switch for each kind that can be left out."""
    from .._migrate.engine.kinds import KINDS  # lazy: start-up time
    from ..migrate import copy_project  # lazy: start-up time

    names = inspect.signature(copy_project).parameters
    kinds = {name: f"leave out the {kind.title}" for name, kind in KINDS.items() if name in names}
    for name, help in {**kinds, "verify": "do not compare at the end"}.items():
        yield without(name, help)
    yield argument(
        "--all-storages",
        dest="storages",
        action="store_const",
        const="all",
        default=True,
        help="also the storages that annotations are written to",
    )
    yield switch("--keep-origin", help='keep dates and ids in meta["_origin"]')


COPYING = (TITLE, JOURNAL, USERS, WRITES, *SERVER)


@command("copy", PROJECT, *COPYING, *SECOND_SERVER, more=_copying_arguments)
def copy(call: Call) -> Any:
    """Copy a project with all that it holds, to another server or on the same one, and compare.

    Without --to-url and LABEL_STUDIO_TO_URL the copy is made on the same server.

    No server gives the keys of storages and the passwords of ML backends: on a terminal they are
    asked for.

    labelstudio-orm copy Reviews --to-url http://b:8080 --journal reviews.db --missing-users create
    """
    return _migrate(call, "copy_project", call.project, call.other)


@command(
    "sync",
    PROJECT,
    TARGET,
    argument("--journal", metavar="FILE", required=True, help="the journal of the copy"),
    argument(
        "--conflicts",
        choices=("report", "source", "target"),
        default="report",
        help="the side whose version stays where both were changed; default: only report it",
    ),
    switch(
        "--pair",
        help="begin a journal for a project that was copied without one: pair tasks by content",
    ),
    USERS,
    NO_FILES,
    WRITES,
    *SECOND_SERVER,
    *SERVER,
)
def sync(call: Call) -> Any:
    """Apply to a copy what has changed since.

    What a new storage or ML backend needs and no server gives is asked for on a terminal.

    labelstudio-orm sync Reviews "Reviews" --to-url http://b:8080 --journal reviews.db
    """
    return _migrate(call, "sync", call.project, find_project(call.other, call.options.target))


@command("verify", PROJECT, TARGET, JOURNAL_OF_COPY, *SECOND_SERVER, *SERVER)
def verify(call: Call) -> Any:
    """Compare two projects by what they hold; exit code 1 if anything is different.

    Either may also be a snapshot: the path of a .zip.

    labelstudio-orm verify Reviews Reviews --to-url http://b:8080 --journal reviews.db
    labelstudio-orm verify Reviews reviews.zip
    """
    source = _archive(call.options.project) or call.project
    target = _archive(call.options.target) or find_project(call.other, call.options.target)
    return _migrate(call, "verify", source, target)


def _archive(text: str) -> Any:
    from ..migrate import ArchiveSource  # lazy: start-up time

    return ArchiveSource(text) if text.endswith(".zip") else None


@command("snapshot", PROJECT, SNAPSHOT, NO_FILES, *SERVER)
def snapshot(call: Call) -> Any:
    """Write a whole project into one file.

    labelstudio-orm snapshot Reviews reviews.zip
    """
    return _migrate(call, "snapshot", call.project, call.options.file)


@command("restore", SNAPSHOT, *COPYING, more=_copying_arguments)
def restore(call: Call) -> Any:
    """Make a project of a snapshot, and compare.

    labelstudio-orm restore reviews.zip --title "Reviews again"
    """
    return _migrate(call, "restore", call.options.file, call.server, like="copy_project")


@command(
    "dedupe",
    PROJECT,
    argument("--key", default="data.image", help="the key that distinguishes tasks; data.image"),
    argument(
        "--keep",
        choices=("most annotations", "first", "last"),
        default="most annotations",
        help="the task that stays; default: the one with the most annotations",
    ),
    JOURNAL,
    WRITES,
    *SERVER,
)
def dedupe(call: Call) -> Any:
    """Keep one of the tasks with the same key, with the annotations of all.

    labelstudio-orm dedupe Cars --key data.image --dry-run
    """
    return _migrate(call, "dedupe", call.project, call.options.key)


# -- labels ---------------------------------------------------------------------------------------

LABEL = 'a label; one of a taxonomy as JSON: \'["Animal", "Dog"]\''
CHANGES = (
    argument("--control", metavar="NAME", help="the control, where several have the label"),
    argument(
        "--undo", metavar="FILE", help="record what was there before, for undo-labels to restore"
    ),
    WRITES,
    *SERVER,
)
"""Arguments of commands that change labels."""


def _change(call: Call, verb: str, *labels: Any, **options: Any) -> Any:
    """Call a verb of ``project.labels``."""
    common = {"control": call.options.control, "undo": call.options.undo, "progress": call.progress}
    return getattr(call.project.labels, verb)(*labels, **{**options, **common})


def _label(text: str) -> Any:
    """Read a label, or the path of one."""
    path = json_or_text(text)
    if not isinstance(path, list):
        return text
    if not all(isinstance(step, str) for step in path):
        raise UsageError(f"the path of a label is a list of texts, not {text}")
    return path


@command(
    "rename-label",
    PROJECT,
    argument("old", help=LABEL),
    argument("new", help="its new name"),
    *CHANGES,
)
def rename_label(call: Call) -> Any:
    """Rename a label in the config, in annotations, drafts and predictions.

    labelstudio-orm rename-label Cars Car Vehicle --control label --dry-run
    """
    return _change(call, "rename", _label(call.options.old), _label(call.options.new))


@command(
    "merge-labels",
    PROJECT,
    argument("labels", metavar="LABEL", nargs="+", help=LABEL),
    argument("--into", metavar="LABEL", required=True, help="the label that takes their place"),
    *CHANGES,
)
def merge_labels(call: Call) -> Any:
    """Let one label take the place of several, everywhere.

    labelstudio-orm merge-labels Cars Car Van --into Vehicle --control label --dry-run
    """
    return _change(call, "merge", [*map(_label, call.options.labels)], _label(call.options.into))


@command(
    "remove-label",
    PROJECT,
    argument("label", help=LABEL),
    argument(
        "--regions",
        choices=("refuse", "drop"),
        default="refuse",
        help="what to do with a label in use: refuse (the default), or drop it from regions, and "
        "drop the regions that have no other",
    ),
    *CHANGES,
)
def remove_label(call: Call) -> Any:
    """Remove a label.

    labelstudio-orm remove-label Cars Van --regions drop --undo van.undo
    """
    return _change(call, "remove", _label(call.options.label), regions=call.options.regions)


@command(
    "add-label",
    PROJECT,
    argument("label", help=LABEL),
    repeated(
        "--attribute",
        metavar="NAME=VALUE",
        help="an attribute of its tag: hotkey=k, background=blue",
    ),
    *CHANGES,
)
def add_label(call: Call) -> Any:
    """Add a label at the end of a control, or of a branch.

    labelstudio-orm add-label Cars Bike --control label --attribute background=blue
    """
    attributes = {}
    for text in call.options.attribute:
        name, equals, value = text.partition("=")
        if not equals or name in ("label", "control", "undo", "progress"):
            raise UsageError(f"--attribute is NAME=VALUE, like hotkey=k, not {text!r:.80}")
        attributes[name] = value
    return _change(call, "add", _label(call.options.label), **attributes)


@command(
    "undo-labels", PROJECT, argument("file", help="the file that --undo wrote"), WRITES, *SERVER
)
def undo_labels(call: Call) -> Any:
    """Undo a change of labels; what was edited since stays.

    labelstudio-orm undo-labels Cars van.undo
    """
    return call.project.labels.undo(call.options.file, progress=call.progress)


# -- servers --------------------------------------------------------------------------------------


@command(
    "serve",
    argument("--version", metavar="RELEASE", help="of Label Studio; default: 1.23.2"),
    argument("--port", type=port, help="default: a free one"),
    argument(
        "--workers", type=positive, help="gunicorn processes; default: the development server"
    ),
    argument("--data-dir", metavar="DIR", help="where the data is; default: a temporary folder"),
)
def serve(call: Call) -> None:
    """Run a real Label Studio on this machine, for tests, until Ctrl-C."""
    from ..testing import LocalLabelStudio  # lazy: start-up time

    options = call.options
    # SIGINT as well: a shell starts its background jobs with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    server = LocalLabelStudio(
        version=options.version,
        port=options.port,
        workers=options.workers,
        data_dir=options.data_dir,
    )
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
