"""Runs a script as its user would, and notes the requests that it sends:

    python logged.py LOG SCRIPT ARGUMENT ...

The log has a line for each.
"""

from __future__ import annotations

import logging
import runpy
import signal
import sys
from pathlib import Path

if __name__ == "__main__":  # not in the processes that a script starts
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests run under
    path, script, *arguments = sys.argv[1:]
    log = logging.getLogger("labelstudio_orm")
    log.setLevel(logging.DEBUG)
    log.addHandler(logging.FileHandler(path))
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")
