"""What installing the package brings along."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = ("-m", "pip", "--disable-pip-version-check")


def needs(*names: str) -> set[str]:
    """These distributions and all that they need in turn, as their own metadata says."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for requirement in metadata.requires(name) or ():
            if "extra ==" in requirement or not _applies(requirement):
                continue
            todo.append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    return found


def _applies(requirement: str) -> bool:
    """Does an environment marker hold for this Python? Only versions occur among these packages."""
    marker = re.search(r"python_version\s*<\s*['\"]([\d.]+)['\"]", requirement)
    if marker is None:
        return True
    return sys.version_info[:2] < tuple(int(part) for part in marker.group(1).split(".")[:2])


@pytest.mark.slow
def test_an_empty_environment_gets_requests_attrs_cattrs_and_their_needs(tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    listing: list[str | Path] = [python, *PIP, "list", "--format=json"]

    def installed() -> set[str]:
        output = subprocess.run(listing, capture_output=True, check=True, text=True).stdout
        return {re.sub(r"[-_.]+", "-", one["name"]).lower() for one in json.loads(output)}

    before = installed()
    subprocess.run([python, *PIP, "install", str(ROOT)], check=True, capture_output=True)
    wanted = needs("requests", "attrs", "cattrs") | {"labelstudio-orm"}
    assert installed() - before == wanted - before
    program = "import labelstudio_orm; print(labelstudio_orm.__path__[0])"
    run: list[str | Path] = [python, "-c", program]
    place = subprocess.run(run, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert place.startswith(str(tmp_path))
    assert (Path(place.strip()) / "py.typed").exists()
    assert (Path(place.strip()) / "testing" / "fake" / "README.md").exists()
    program = (
        "from labelstudio_orm.testing import FakeLabelStudio as Fake\n"
        "print(Fake(edition='Enterprise').client().workspaces.count())"  # reads contract.json
    )
    run = [python, "-c", program]
    shown = subprocess.run(run, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert shown == "0\n"
