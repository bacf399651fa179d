"""The command ``labelstudio-orm``: the verbs of this library for a shell.

The result of a command goes to stdout, as text or with ``--json`` as JSON; errors go to stderr, and
so does progress where that is a terminal. The servers are those of ``LABEL_STUDIO_URL`` and
``LABEL_STUDIO_API_KEY``, and of ``LABEL_STUDIO_TO_URL`` and ``LABEL_STUDIO_TO_API_KEY``.

Exit codes:

* 0: done; for a comparison: no differences
* 1: there are differences, something failed, or the server refused
* 2: the input is wrong: an option, a project, a condition, a file
* 3: the server cannot be reached, or does not accept the credential
* 130: interrupted by Ctrl-C
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .._console.arguments import Parser
from .._console.running import run_guarded
from .._version import __version__
from .commands import COMMANDS

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; the text of an error goes to stderr.

    ``argv`` has the arguments without the name of the program (default: those of this process).
    """
    options = _parser(sys.argv[1:] if argv is None else argv).parse_args(argv)
    return run_guarded(COMMANDS[options.command].run, options)


def _parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    _, _, rest = (__doc__ or "").partition("\n\n")
    parser = Parser(
        prog="labelstudio-orm",
        description="A Label Studio server as Python objects: its verbs for a shell.",
        epilog=rest.replace("``", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"labelstudio-orm {__version__}")
    parser.argv = argv
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=command.description.partition("\n")[0].rstrip("."),
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.argv = argv
        one.set_defaults(prog=one.prog)
        wanted = not argv or name in argv
        for flags, how in (*command.arguments, *(command.more() if wanted else ())):
            one.add_argument(*flags, **how)
    return parser
