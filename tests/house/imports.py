"""The import graph of the package: which file imports which, where, and the circles among them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "labelstudio_orm"


class Where(Enum):
    """Where an import stands: at the top, for type checkers only, or inside a function."""

    TOP = "top"
    TYPING = "typing"
    LOCAL = "local"


@dataclass(frozen=True)
class Import:
    """An import of one file of the package by another one."""

    importer: str
    imported: str
    where: Where
    line: int


def modules(*, testing: bool = False) -> dict[str, Path]:
    """Return the files of the package by module name; those of `testing` only if asked for."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "testing" in parts and not testing:
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(files: dict[str, Path]) -> list[Import]:
    """Return every import of one of the files by another one."""
    return [
        arrow
        for name, path in files.items()
        for arrow in _imports_of(name, path, files)
        if arrow.imported != name
    ]


def circles(arrows: list[Import]) -> list[list[str]]:
    """Return the groups of files that import one another in circles, the largest first."""
    targets: dict[str, set[str]] = {}
    for arrow in arrows:
        targets.setdefault(arrow.importer, set()).add(arrow.imported)
        targets.setdefault(arrow.imported, set())
    reach = {name: _reachable(name, targets) for name in targets}
    groups: list[list[str]] = []
    seen: set[str] = set()
    for name in sorted(targets):
        if name in seen or name not in reach[name]:
            continue
        group = sorted({name} | {other for other in reach[name] if name in reach[other]})
        seen.update(group)
        groups.append(group)
    return sorted(groups, key=len, reverse=True)


def _reachable(name: str, targets: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = list(targets[name])
    while pending:
        module = pending.pop()
        if module not in found:
            found.add(module)
            pending.extend(targets[module])
    return found


def _imports_of(name: str, path: Path, files: dict[str, Path]) -> Iterator[Import]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node, where in _statements(ast.parse(path.read_text("utf-8")), Where.TOP):
        for target in _targets(node, package):
            module = target if target in files else target.rpartition(".")[0]
            if module in files:
                yield Import(name, module, where, node.lineno)


def _statements(node: ast.AST, where: Where) -> Iterator[tuple[ast.Import | ast.ImportFrom, Where]]:
    for child in ast.iter_child_nodes(node):
        inside = where
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, where
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = Where.LOCAL
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            inside = Where.TYPING if where is Where.TOP else where
        yield from _statements(child, inside)


def _targets(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    above = package.split(".")
    base = above[: len(above) - node.level + 1] if node.level else []
    source = ".".join([*base, *([node.module] if node.module else [])])
    yield from (f"{source}.{alias.name}" for alias in node.names)
