"""The command ``labelstudio-orm``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from labelstudio_orm.testing.local import LocalLabelStudio, LocalServerError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name, default: that of this process.

    Returns:
        The exit code: 0, or 1 after an error whose text went to stderr.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except LocalServerError as error:
        print(f"labelstudio-orm: error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labelstudio-orm", description="A Label Studio server as Python objects."
    )
    release = version("labelstudio_orm")
    parser.add_argument("--version", action="version", version=f"labelstudio-orm {release}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser(
        "serve",
        help="run a real Label Studio on this machine, for tests",
        description="Run a real Label Studio on this machine, for tests, until Ctrl-C.",
    )
    serve.set_defaults(run=_serve)
    serve.add_argument("--port", type=_positive, help="default: a free one")
    serve.add_argument(
        "--workers", type=_positive, help="gunicorn processes; default: the development server"
    )
    serve.add_argument(
        "--data-dir", metavar="DIR", help="keep the data here; default: a temporary folder"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _serve(arguments: argparse.Namespace) -> None:
    # SIGINT as well: a shell starts its background jobs with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    server = LocalLabelStudio(
        port=arguments.port, workers=arguments.workers, data_dir=arguments.data_dir
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
