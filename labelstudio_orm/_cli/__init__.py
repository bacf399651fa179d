"""The command ``labelstudio-orm``: the verbs of this library for a shell.

What a command found goes to stdout, as text or with ``--json`` as JSON; progress, where stderr is a
terminal, and errors go to stderr. The servers are those of ``LABEL_STUDIO_URL`` and
``LABEL_STUDIO_API_KEY``, and of ``LABEL_STUDIO_TO_URL`` and ``LABEL_STUDIO_TO_API_KEY``.

Exit codes:

* 0: done; of a comparison: all is the same
* 1: there are differences, something failed, or the server refused
* 2: what was typed is wrong: an option, a project, a condition, a file
* 3: no server could be reached, or none that accepts the credential
* 130: interrupted by Ctrl-C
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .._engine.values.secret import redact
from .._version import __version__
from ..config import UnknownControl
from ..errors import APIError, AuthenticationError, ConnectionFailed, LabelStudioError, Timeout
from .arguments import Call, Parser, UsageError
from .commands import COMMANDS
from .output import tell

__all__ = ["main"]

CODES: tuple[tuple[type[Exception], int], ...] = (
    (AuthenticationError, 3),
    (ConnectionFailed, 3),
    (Timeout, 3),
    (APIError, 1),
    (UsageError, 2),
    (ValueError, 2),
    (UnknownControl, 2),
    (LabelStudioError, 1),
    (OSError, 2),
)
"""The exit code for an error: that of the first class that it belongs to."""

INTERRUPTED = 130
"""What a shell makes of a program that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; ``argv`` without the program's name, default: that of this process.

    Returns:
        The exit code; after an error, whose text went to stderr, too.
    """
    options = _parser(sys.argv[1:] if argv is None else argv).parse_args(argv)
    return guarded(COMMANDS[options.command].run, options)


def guarded(run: Callable[[Call], Any], options: argparse.Namespace) -> int:
    """Run something with these options and tell what came of it; returns the exit code.

    An error that the caller, a server or the machine has caused is one line on stderr; one that is
    a mistake of this program is raised.
    """
    try:
        with warnings.catch_warnings(), Call(options) as call:
            warnings.showwarning = _show_warning
            result = run(call)
            told = result is not None or call.plans
            code = tell(result, call.plans, as_json=call.as_json) if told else 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # of `| head`, which has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        known = exit_code(error)
        if known is None:
            raise
        print(f"{options.prog}: error: {redact(str(error), _keys(options))}", file=sys.stderr)
        return known


def exit_code(error: Exception) -> int | None:
    """The exit code that stands for an error; None if it is a mistake of this program."""
    return next((code for kind, code in CODES if isinstance(error, kind)), None)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _keys(options: argparse.Namespace) -> list[str]:
    """The credentials that the command was given."""
    names = ("api_key", "to_api_key")
    found = [getattr(options, name, None) for name in names]
    found += [os.environ.get(f"LABEL_STUDIO_{name.upper()}") for name in names]
    return [key for key in found if key]


def _parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    _, _, rest = (__doc__ or "").partition("\n\n")
    parser = Parser(
        prog="labelstudio-orm",
        description="A Label Studio server as Python objects: its verbs for a shell.",
        epilog=rest.replace("``", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"labelstudio-orm {__version__}")
    parser.said = argv
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.said = argv
        one.set_defaults(prog=one.prog)
        for flags, how in command.arguments:
            one.add_argument(*flags, **how)
    return parser
