"""Running a command, or the script of a migration: its result, its errors and its exit code."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from .._engine.values.ids import made_up_ids_hidden
from .._engine.values.secret import redact
from ..config import UnknownControl
from ..errors import APIError, AuthenticationError, ConnectionFailed, LabelStudioError, Timeout
from .arguments import Call, UsageError
from .output import print_result

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
"""The exit codes of errors, by the first class that an error belongs to."""

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended."""


def run_guarded(run: Callable[[Call], Any], options: argparse.Namespace) -> int:
    """Run a command with these options, print its result and return the exit code.

    An error caused by the user, a server or the machine is one line on stderr; an error that is a
    bug of this program is raised.
    """
    try:
        with warnings.catch_warnings(), made_up_ids_hidden(), Call(options) as call:
            warnings.showwarning = _show_warning
            result = run(call)
            has_output = result is not None or call.plans
            code = print_result(result, call.plans, as_json=call.as_json) if has_output else 0
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        known = exit_code(error)
        if known is None:
            raise
        print(f"{options.prog}: error: {redact(str(error), _keys(options))}", file=sys.stderr)
        return known


def exit_code(error: Exception) -> int | None:
    """Return the exit code of an error, or None for a bug of this program."""
    return next((code for kind, code in CODES if isinstance(error, kind)), None)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _keys(options: argparse.Namespace) -> list[str]:
    """Return the credentials that the command was given."""
    names = ("api_key", "to_api_key")
    found = [getattr(options, name, None) for name in names]
    found += [os.environ.get(f"LABEL_STUDIO_{name.upper()}") for name in names]
    return [key for key in found if key]
