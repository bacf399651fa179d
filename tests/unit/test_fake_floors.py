"""The server in memory is a room of its own: its floors, and who imports it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelstudio_orm
from labelstudio_orm.testing import fake

PACKAGE = Path(labelstudio_orm.__file__).parent
ROOM = Path(fake.__file__).parent

# Lowest first; a module imports from its own floor and from those before it.
FLOORS = (
    *("_state", "_wire", "_checks", "_formats", "_query", "_rows", "_effects", "_operations"),
    *("_server", "__init__"),
)
MODULES = sorted(
    path.relative_to(ROOM).with_suffix("").as_posix() for path in ROOM.rglob("*.py")
)  # "_state/store"


def imported(module: str) -> Iterator[str]:
    """Yield the modules of the room that a module imports, typing and local imports included."""
    place = module.split("/")[:-1]
    for node in ast.walk(ast.parse((ROOM / f"{module}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level - 1 <= len(place), f"{module} imports from outside of the room"
            base = [*place[: len(place) + 1 - node.level], *filter(None, [node.module])]
            target = "/".join(part for one in base for part in one.split("."))
            for name in (alias.name for alias in node.names):
                inner = f"{target}/{name}".strip("/")
                package = f"{target}/__init__".strip("/")
                yield next(m for m in (inner, target, package) if m in MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_floor_imports_only_from_below(module: str) -> None:
    floor = FLOORS.index(module.split("/")[0])
    above = [name for name in imported(module) if FLOORS.index(name.split("/")[0]) > floor]
    assert above == []


def test_no_module_imports_itself_through_others() -> None:
    needed = {module: set(imported(module)) for module in MODULES}
    while free := {module for module, needs in needed.items() if not needs & needed.keys()}:
        for module in free:
            del needed[module]
    assert sorted(needed) == []


def test_the_library_does_not_load_it() -> None:
    program = "import labelstudio_orm, sys; print(*[m for m in sys.modules if '.testing' in m])"
    run = [sys.executable, "-c", program]
    loaded = subprocess.run(run, check=True, capture_output=True, text=True, cwd=PACKAGE.parent)
    assert loaded.stdout.split() == []


def test_nothing_else_of_the_package_imports_it() -> None:
    """But the command that starts a real server, inside of its function."""
    found = {
        path.relative_to(PACKAGE).as_posix(): node.col_offset
        for path in PACKAGE.rglob("*.py")
        if "testing" not in path.relative_to(PACKAGE).parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and "testing" in (node.module or "").split(".")
    }
    assert found == {"_cli/commands.py": 4}
