"""Record what the official client sends for each of its methods.

python tests/contract/wire/record.py

writes recorded.json: for each method the request with the fewest arguments and the one with all of
them (and one with some, where all contradict each other), beside the arguments. The official
client lies in an environment of its own in the cache folder, which the first run makes; nothing
but a listener on this machine is asked.
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

OFFICIAL = "label-studio-sdk==1.0.11"
"""The release whose methods are the published API reference."""

RECORDED = HERE / "recorded.json"


def record() -> dict[str, Any]:
    """The requests of every method, as official.py prints them."""
    folder = environments.cache_folder() / OFFICIAL.replace("==", "-")
    python = environments.environment(folder, [OFFICIAL], what=OFFICIAL)
    command = [str(python), str(HERE / "official.py")]
    environ = {**os.environ, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    recorded: dict[str, Any] = json.loads(done.stdout)
    return recorded


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
    recorded = record()
    RECORDED.write_text(lines(recorded), encoding="utf-8")
    print(f"{RECORDED.name}: {len(recorded)} methods of {OFFICIAL}")
