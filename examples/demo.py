"""Run the quickstart on a real Label Studio, which the first run installs.

--keep leaves the server running, to look around in a browser; --stop ends it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import quickstart

from labelstudio_orm import LabelStudio, LabelStudioError
from labelstudio_orm.testing import LocalLabelStudio

CACHE = Path(__file__).resolve().parents[1] / ".cache"
DATA = CACHE / "demo"
KEPT = CACHE / "demo.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the quickstart on a real Label Studio.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--keep", action="store_true", help="leave the server running")
    choice.add_argument("--stop", action="store_true", help="stop the server that was kept")
    arguments = parser.parse_args()
    if arguments.stop:
        stop()
    else:
        demo(keep=arguments.keep)


def demo(*, keep: bool) -> None:
    if keep and (url := kept_url()):
        sys.exit(f"A demo server is already running at {url}: `make stop` ends it.")
    if keep:
        shutil.rmtree(DATA, ignore_errors=True)
    CACHE.mkdir(exist_ok=True)
    with LocalLabelStudio(data_dir=DATA if keep else None) as server:
        quickstart.main(server.client(), cache=CACHE)
        print(f"\nLabel Studio  {server.url}\nuser          {server.email}")
        print(f"password      {server.password}\ntoken         {server.api_key}")
        if keep:
            leave(server)
            print("\nIt keeps running; `make stop` ends it and removes its data.")


def leave(server: LocalLabelStudio) -> None:
    kept = {"url": server.url, "api_key": server.api_key, "pid": server.detach()}
    KEPT.touch(mode=0o600)
    KEPT.write_text(json.dumps(kept))


def kept_url() -> str | None:
    """Return the URL of the kept server; its token proves that it is still the same one."""
    try:
        kept = json.loads(KEPT.read_text())
        LabelStudio(kept["url"], kept["api_key"], retries=0).users.me()
    except (FileNotFoundError, LabelStudioError):
        return None
    return str(kept["url"])


def stop() -> None:
    if kept_url():
        os.kill(json.loads(KEPT.read_text())["pid"], signal.SIGTERM)
        print("The demo server is stopped.")
    else:
        print("No demo server is running.")
    KEPT.unlink(missing_ok=True)
    shutil.rmtree(DATA, ignore_errors=True)


if __name__ == "__main__":
    main()
