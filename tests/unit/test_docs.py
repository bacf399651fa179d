"""Every example in a docstring and in the README runs, on the server in memory."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest

import labelstudio_orm

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


class Checker(doctest.OutputChecker):
    """An example that shows no output may have any."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


def modules() -> list[str]:
    """Every module of the package."""
    found = pkgutil.walk_packages(labelstudio_orm.__path__, "labelstudio_orm.")
    return ["labelstudio_orm", *(module.name for module in found)]


class Finder(doctest.DocTestFinder):
    """Finds the examples of decorated functions too, which are of another module."""

    def _from_module(self, module: Any, object: Any) -> bool:
        return bool(super()._from_module(module, inspect.unwrap(object)))  # type: ignore[misc]


def run(test: doctest.DocTest) -> str:
    """The report of the examples that fail; empty when none does."""
    report: list[str] = []
    runner = doctest.DocTestRunner(Checker(), optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.append, clear_globs=False)
    return "".join(report)


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name: str, request: pytest.FixtureRequest) -> None:
    found = Finder(exclude_empty=True).find(importlib.import_module(name))
    for test in [test for test in found if test.examples]:
        test.globs.update(request.getfixturevalue("names"))  # the same ones; most modules need none
        assert run(test) == ""


@pytest.mark.slow
def test_examples_in_the_readme(names: dict[str, Any]) -> None:
    """One after the other, as somebody would type them."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)


def test_the_table_of_scripts() -> None:
    """Each script, in the words of its first line, and how many lines it has."""
    rows = re.findall(r"\[`(\w+\.py)`\]\(examples/.*\) \| (.*) \| (\d+) \|", README.read_text())
    told = {name: (words, int(lines)) for name, words, lines in rows}
    parts = {"demo.py", "reviews.py"}  # of the quickstart
    assert told == {
        path.name: (said.split("\n")[0].rstrip("."), text.count("\n"))
        for path in (ROOT / "examples").glob("*.py")
        if path.name not in parts
        for text in [path.read_text()]
        for said in [text.split('"""')[1]]
    }


def test_every_public_name_is_documented() -> None:
    """Modules, classes, functions, methods and properties whose name has no underscore."""
    missing = []
    for name in modules():
        if name.startswith("labelstudio_orm.testing.fake."):
            continue  # the inside of the server in memory: its routes are not called by people
        module = importlib.import_module(name)
        if not module.__doc__:
            missing.append(name)
        for thing_name, thing in vars(module).items():
            if thing_name.startswith("_") or getattr(thing, "__module__", None) != name:
                continue
            if not callable(thing) or not hasattr(thing, "__qualname__"):
                continue
            if not thing.__doc__:
                missing.append(f"{name}.{thing_name}")
            for member_name, member in vars(thing).items() if isinstance(thing, type) else ():
                function = getattr(member, "fget", getattr(member, "__func__", member))
                if member_name.startswith("_") or not hasattr(function, "__code__"):
                    continue
                if not function.__doc__ and not _inherits_words(thing, member_name):
                    missing.append(f"{name}.{thing_name}.{member_name}")
    assert missing == []


def _inherits_words(owner: type, name: str) -> bool:
    return any(getattr(vars(base).get(name), "__doc__", None) for base in owner.__mro__[1:])


def test_every_public_class_has_an_example() -> None:
    """What `labelstudio_orm` exports; that the examples run is tested above."""
    public = {name: getattr(labelstudio_orm, name) for name in labelstudio_orm.__all__}
    classes = {name: thing for name, thing in public.items() if isinstance(thing, type)}
    assert [name for name, thing in classes.items() if ">>>" not in (thing.__doc__ or "")] == []
