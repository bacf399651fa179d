"""The code of docs/past-one-machine.md runs, and what is sent to workers is pickled."""

from __future__ import annotations

import pickle
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs/past-one-machine.md"


def sent(value: Any) -> Any:
    """A value as another process has it."""
    return pickle.loads(pickle.dumps(value))


class Ray(ModuleType):
    """Ray, in this process: a remote function is given copies."""

    @staticmethod
    def remote(max_retries: int) -> Callable[..., Any]:
        return lambda call: SimpleNamespace(remote=lambda *given: call(*sent(given)))

    @staticmethod
    def init() -> None: ...

    @staticmethod
    def get(found: list[Any]) -> list[Any]:
        return found


class Spark:
    """Spark, in this process: a partition of an RDD is given copies."""

    @property
    def builder(self) -> Spark:
        return self

    sparkContext = builder

    def getOrCreate(self) -> Spark:
        return self

    def parallelize(self, items: list[Any], slices: int) -> Any:
        assert slices == len(items)
        return SimpleNamespace(
            mapPartitions=lambda call: SimpleNamespace(
                sum=lambda: sum(one for item in items for one in call(iter([sent(item)])))
            )
        )


def test_the_code_of_the_page_predicts_each_task_once(
    names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", names["ls"].url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", names["fake"].api_key)
    spark = ModuleType("pyspark.sql")
    vars(spark)["SparkSession"] = Spark()
    monkeypatch.setitem(sys.modules, "ray", Ray("ray"))
    monkeypatch.setitem(sys.modules, "pyspark.sql", spark)
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), names)

    project = names["project"]
    todo = set(project.tasks.filter(total_annotations=0).values_list("id", flat=True))
    assert len(todo) > 1
    versions = ("v3", "v4", "v5")
    made = Counter(
        (one.task_id, one.model_version)
        for one in project.predictions.filter(model_version__in=versions)
    )
    assert made == {(task, version): 1 for task in todo for version in versions}
