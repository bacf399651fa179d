"""What a script does not name costs it nothing: what an import, a client and a resource load."""

from __future__ import annotations

import ast
import json
import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import labelstudio_orm
from labelstudio_orm import LabelStudio, resources
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.values.registry import registry

PACKAGE = Path(labelstudio_orm.__file__).parent

CLIENT = "from labelstudio_orm import LabelStudio; ls = LabelStudio('http://localhost:1', 'x')\n"

REPORT = """
import json, sys
from labelstudio_orm._engine.values.registry import registry
ours = [one for name, one in sys.modules.items() if name.startswith("labelstudio_orm")]
classes = {one for module in ours for one in vars(module).values() if isinstance(one, type)}
built = [one for one in classes if "__attrs_attrs__" in vars(one)]
print(json.dumps([sorted(sys.modules), list(registry.declared), len(built)]))
"""

OTHERS = frozenset({
    "concurrent.futures", "dask", "dataclasses", "decimal", "difflib", "distributed", "numbers",
    "orjson", "pandas", "sqlite3", "uuid", "xml", "zipfile",
})  # fmt: skip
"""Modules of others that only some calls need."""

LATER = tuple(
    f"labelstudio_orm.{name}."
    for name in (
        *("_cli", "_config", "_migrate", "_relabel", "resources", "testing"),
        *("_engine.bulk", "_engine.plans"),
    )
)
"""Parts of the library that a client without a call does not need."""


def loaded(code: str) -> tuple[set[str], list[str], int]:
    """Run code in a process of its own: the modules and resources it loads, its attrs classes."""
    environ = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-c", code + REPORT]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    modules, declared, built = json.loads(done.stdout)
    return set(modules), declared, built


def test_a_client_loads_no_resource_and_nothing_that_only_calls_need() -> None:
    modules, declared, built = loaded(CLIENT)
    dependencies, _, _ = loaded("import requests, attrs, cattrs\n")
    assert declared == []
    assert not [one for one in modules if one.startswith(LATER)]
    assert not (modules - dependencies) & OTHERS
    assert built <= 22


def test_a_resource_that_is_touched_loads_no_other_one() -> None:
    modules, declared, built = loaded(CLIENT + "ls.projects.all()\n")
    assert declared == ["Project", "Pause"]  # one module has both
    assert not [one for one in modules if one.startswith(LATER[:4])]
    assert built <= 30


def test_the_first_use_may_come_from_several_threads_at_once() -> None:
    code = """
import threading
import labelstudio_orm
names = ["Project", "Task", "User", "View", "Comment", "Webhook", "Export", "ImportStorage"]
start, found = threading.Barrier(16), []
def touch(n):
    start.wait()
    found.append([getattr(labelstudio_orm, name) for name in names[n % 8:] + names[:n % 8]])
threads = [threading.Thread(target=touch, args=(n,)) for n in range(16)]
[one.start() for one in threads], [one.join() for one in threads]
assert len(found) == 16 and len({tuple(sorted(map(id, one))) for one in found}) == 1, found
"""
    assert "Task" in loaded(code)[1]


def test_each_name_is_there_in_completion_and_in_star_imports() -> None:
    assert set(labelstudio_orm.__all__) <= set(dir(labelstudio_orm))
    names: dict[str, object] = {}
    exec("from labelstudio_orm import *", names)
    assert set(labelstudio_orm.__all__) <= names.keys()
    with pytest.raises(AttributeError, match="has no attribute 'Projcet'"):
        labelstudio_orm.Projcet  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Projcet'"):
        exec("from labelstudio_orm import Projcet")


def test_what_type_checkers_see_is_what_is_imported() -> None:
    """The imports for type checkers name each public name, and the module that it comes from."""
    text = (PACKAGE / "__init__.py").read_text("utf-8")
    shown = {
        alias.name: (statement.level, statement.module)
        for statement in ast.walk(ast.parse(text))
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert shown.keys() >= set(labelstudio_orm.__all__)
    for name in labelstudio_orm.__all__:
        level, module = shown[name]
        assert level == 1
        assert getattr(labelstudio_orm, name) is getattr(
            import_module(f"labelstudio_orm.{module}"), name
        )


def test_the_table_of_modules_has_every_resource_and_the_class_of_its_querysets() -> None:
    named = {name: module for module, names in resources.NOUNS.items() for name in names}
    for name, module in named.items():
        assert hasattr(import_module(f"labelstudio_orm.resources.{module}"), name)
    models = [one for one in registry.values() if one.__module__.startswith(resources.__name__)]
    assert len(models) > 30
    for model in models:
        queryset = options_of(model).queryset
        for one in (model, *([queryset] if queryset else [])):
            first = one.__qualname__.partition(".")[0]
            assert f"labelstudio_orm.resources.{named[first]}" == one.__module__


def test_an_object_is_unpickled_where_nothing_was_imported(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Reviews")
    code = f"import pickle; assert pickle.loads({pickle.dumps(project)!r}).title == 'Reviews'\n"
    assert loaded(code)[1] == ["Project", "Pause"]
