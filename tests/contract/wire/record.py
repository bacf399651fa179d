"""Record what releases of the official client send for each of their methods.

python tests/contract/wire/record.py

writes recorded.json, of the release whose methods are the published API reference, and newest.json,
of the newest one: for each method the request with the fewest arguments and the one with all of
them (and one with some, where all contradict each other), beside the arguments. The official
client lies in an environment of its own in the cache folder, which the first run makes; nothing
but a listener on this machine is asked. It also writes what the newest release declares of the
operations of the Enterprise edition, for the server in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT))

from labelstudio_orm.testing import _environments as environments  # noqa: E402
from labelstudio_orm.testing.fake._checks import contract  # noqa: E402

NEWEST = "2.1.2"
RECORDINGS = {"recorded.json": "1.0.11", "newest.json": NEWEST}
"""The releases by the files that hold their requests."""

DESCRIBED = ROOT / "labelstudio_orm" / "testing" / "fake" / "_checks" / "newest.json"
"""What the newest release declares of the Enterprise edition, for the server in memory."""


def interpreter(release: str) -> Path:
    """The interpreter that has a release, in an environment of its own."""
    official = f"label-studio-sdk=={release}"
    folder = environments.cache_folder() / official.replace("==", "-")
    return environments.environment(folder, [official], what=official)


def record(release: str) -> dict[str, Any]:
    """The requests of every method of a release, as official.py prints them."""
    command = [str(interpreter(release)), str(HERE / "official.py")]
    environ = {**os.environ, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    recorded: dict[str, Any] = json.loads(done.stdout)
    return recorded


def describe(release: str, requests: Path) -> Any:
    """The operations of the Enterprise edition, and their types, as described.py prints them."""
    operations = contract.operations().items()
    names = [name for name, each in operations if each.edition == "enterprise"]
    command = [str(interpreter(release)), str(HERE / "described.py"), str(requests), *names]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def described_lines(described: Mapping[str, Any]) -> str:
    """JSON with a line for each operation and each type, as contract.json has it."""
    parts = (
        f"{json.dumps(part)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
        + "\n}"
        for part, rows in described.items()
    )
    return "{" + ",\n".join(parts) + "}\n"


def lines(recorded: Mapping[str, Any]) -> str:
    """JSON with a line for each request, so that a difference is easy to read."""
    operations = (
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(
            f'  "{variant}": {json.dumps(request, ensure_ascii=False)}'
            for variant, request in requests.items()
        )
        + "\n}"
        for name, requests in sorted(recorded.items())
    )
    return "{\n" + ",\n".join(operations) + "\n}\n"


if __name__ == "__main__":
    for name, release in RECORDINGS.items():
        recorded = record(release)
        (HERE / name).write_text(lines(recorded), encoding="utf-8")
        print(f"{name}: {len(recorded)} methods of label-studio-sdk {release}")
    described = describe(NEWEST, HERE / "newest.json")
    DESCRIBED.write_text(described_lines(described), encoding="utf-8")
    print(f"{DESCRIBED.name}: {len(described['operations'])} operations of Enterprise")
