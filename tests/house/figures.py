"""Print the figures of the package's shape: `make house`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import requests

from labelstudio_orm.testing import FakeLabelStudio
from tests.house.imports import PACKAGE, ROOT, Where, circles, imports, modules

LIBRARY = str(ROOT / PACKAGE)
LARGE = ("queryset.py", "resource.py", "client.py")


def main() -> None:
    files = modules()
    arrows = imports(files)
    in_circles = circles(arrows)
    at_run_time = circles([one for one in arrows if one.where is not Where.TYPING])
    print("files", len(files))
    print("imports", {w.value: sum(one.where is w for one in arrows) for w in Where})
    print("files in circles", sum(map(len, in_circles)), [len(group) for group in in_circles])
    print("files in circles, typing left out", sum(map(len, at_run_time)))
    for rule in ("PLC0415", "SLF001", "D,D401", "C901"):
        print(f"ruff {rule}", findings(rule))
    print("lines", sum(lines(path) for path in files.values()))
    for part in ("_migrate", "testing"):
        print(f"lines of {part}", sum(map(lines, (ROOT / PACKAGE / part).rglob("*.py"))))
    for name in LARGE:
        print(f"lines of {name}", *map(lines, (ROOT / PACKAGE).rglob(name)))
    for name, call in calls().items():
        print(name, Walk.of(call))


def findings(rules: str) -> int:
    """Return how often the linter finds rules broken outside of `testing`, exceptions counted."""
    options = {
        "--exclude": f"{PACKAGE}/testing",
        "--select": rules,
        "--ignore": "D105,D107",
        "--output-format": "concise",
        "--config": "lint.pydocstyle.convention='google'",
    }
    words = ["ruff", "check", PACKAGE, "--isolated", "--exit-zero", "--quiet"]
    words += [word for option in options.items() for word in option]
    answer = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return len(answer.stdout.splitlines())


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


class Walk:
    """The functions of the library that a call passes, and the files on the way to a request."""

    def __init__(self) -> None:
        self.functions: set[tuple[str, int]] = set()
        self.calls = self.changes = self.depth = self.deepest = 0
        self.way: list[str] = []

    @classmethod
    def of(cls, call: Callable[[], Any]) -> Walk:
        walk = cls()
        sys.setprofile(walk._step)
        try:
            call()
        finally:
            sys.setprofile(None)
        return walk

    def _step(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code is requests.Session.send.__code__:
            self.way = max(self.way, list(files_above(frame)), key=len)
        if event not in ("call", "return") or not code.co_filename.startswith(LIBRARY):
            return
        if "/testing/" in code.co_filename:
            return
        if event == "return":
            self.depth -= 1
            return
        self.depth += 1
        self.calls += 1
        self.deepest = max(self.deepest, self.depth)
        self.functions.add((code.co_filename, code.co_firstlineno))
        caller = frame.f_back
        if caller is not None and caller.f_code.co_filename != code.co_filename:
            self.changes += 1

    def __str__(self) -> str:
        files = {file for file, _ in self.functions}
        return (
            f"{self.calls} calls of {len(self.functions)} functions in {len(files)} files, "
            f"{self.changes} changes of file, {self.deepest} deep; to the request "
            f"{len(self.way)} deep in {len(set(self.way))} files"
        )


def files_above(frame: FrameType | None) -> Iterator[str]:
    """Yield the file of each function of the library that waits for this one."""
    while frame is not None:
        if (
            frame.f_code.co_filename.startswith(LIBRARY)
            and "/testing/" not in frame.f_code.co_filename
        ):
            yield frame.f_code.co_filename
        frame = frame.f_back


def calls() -> dict[str, Callable[[], Any]]:
    """Return the calls that are followed, on a project that is known."""
    ls = FakeLabelStudio().client()
    config = '<View><Text name="t" value="$text"/></View>'
    project = ls.projects.create(title="Walk", label_config=config)
    project.tasks.bulk_create([{"text": "a"}])
    task = project.tasks.get()

    def save() -> None:
        task.data["text"] = "b"
        task.save()

    return {
        "filter(...).first()": lambda: project.tasks.filter(total_annotations=0).first(),
        "edit and save()": save,
    }


if __name__ == "__main__":
    main()
