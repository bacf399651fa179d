"""Runs in the environment of the official client: its converter on tasks, in several formats.

The argument is a file of jobs: the format and a folder each, in which there are a labelling config
and tasks, and which gets what is written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from label_studio_sdk.converter import Converter


def main(jobs: str) -> None:
    for name, folder in json.loads(Path(jobs).read_text("utf-8")):
        config = Path(folder, "config.xml").read_text("utf-8")
        converter = Converter(config, None, download_resources=False)
        out = Path(folder, "theirs")
        out.mkdir()
        converter.convert(f"{folder}/tasks.json", str(out), name, is_dir=False)


main(sys.argv[1])
