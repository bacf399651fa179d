"""Dataframes of dask: partitions that other processes read, with clients of their own."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import dask
import pandas
import pytest

import labelstudio_orm
from labelstudio_orm import FieldError, LabelStudio, Project
from labelstudio_orm._engine.http import connection
from labelstudio_orm._engine.reading import dask_tables
from labelstudio_orm.testing import FakeLabelStudio

N = 7
"""Tasks of the project: their data has n, and half from the second on."""


@pytest.fixture
def project(project: Project, fake: FakeLabelStudio) -> Project:
    project.tasks.bulk_create(
        [{"text": f"text {n}", "n": n, **({"half": n / 2} if n else {})} for n in range(N)]
    )
    fake.requests.clear()
    return project


def computed(frame: Any) -> pandas.DataFrame:
    found: pandas.DataFrame = frame.compute(scheduler="sync")
    return found


def asked(fake: FakeLabelStudio) -> set[str]:
    """The fields that the listings since the last call asked for."""
    found = [one for one in fake.requests if one.path == "/api/tasks/"]
    fake.requests.clear()
    return {one.query.get("include", "") for one in found}


# -- what is in it --------------------------------------------------------------------------------


QUERIES: dict[str, Callable[[Project], Any]] = {
    "everything": lambda p: p.tasks,
    "by descending id": lambda p: p.tasks.order_by("-id"),
    "the server filters": lambda p: p.tasks.filter(id__gt=3),
    "checked here": lambda p: p.tasks.exclude(data__n__gt=3),
    "only": lambda p: p.tasks.only("inner_id"),
    "none": lambda p: p.tasks.filter(id=0),
    "a condition that nothing matches": lambda p: p.tasks.filter(total_annotations=5),
}
COLUMNS = ("id", "data__text", "data__n", "completed_at", "avg_lead_time", "meta", "is_labeled")


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("npartitions", [1, 3, 2 * N])
def test_its_partitions_are_those_of_the_queryset(
    project: Project, name: str, npartitions: int
) -> None:
    tasks = QUERIES[name](project)
    table, frame = tasks.to_pandas(*COLUMNS), tasks.to_dask(*COLUMNS, npartitions=npartitions)
    assert frame.npartitions == npartitions
    found = computed(frame)
    assert found["id"].tolist() == table["id"].tolist()
    for column in COLUMNS:
        assert found[column].isna().tolist() == table[column].isna().tolist()
        assert found[column].dropna().tolist() == table[column].dropna().tolist()


def test_another_order_holds_within_each_partition(project: Project) -> None:
    found = computed(project.tasks.order_by("-data__n").to_dask("data__n", npartitions=2))
    assert found["data__n"].tolist() == [2, 1, 0, 6, 5, 4, 3]


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("columns", [COLUMNS, ("id", "data"), ()])
def test_each_partition_has_the_dtypes_that_were_promised(
    project: Project, name: str, columns: tuple[str, ...]
) -> None:
    frame = QUERIES[name](project).to_dask(*columns, npartitions=2 * N)
    table = project.tasks.to_pandas(*columns)
    assert sorted(frame.columns) == sorted(table.columns)
    assert frame.dtypes[list(table)].equals(table.dtypes)
    for part in dask.compute(*frame.to_delayed(), scheduler="sync"):
        assert list(part.columns) == list(frame.columns)
        assert part.dtypes.equals(frame.dtypes)


def test_a_project_without_tasks_has_a_dataframe(ls: LabelStudio) -> None:
    empty = ls.projects.create(title="Empty")
    found = computed(empty.tasks.to_dask("id", "data", "created_at"))
    assert len(found) == 0
    assert [str(dtype) for dtype in found.dtypes] == ["Int64", "datetime64[us, UTC]"]


def test_regions_stay_objects(project: Project) -> None:
    region = project.config["sentiment"].choice("Positive")
    project.tasks[0].annotations.create(result=[region])
    project.predictions.bulk_create([(task, [region], 0.5) for task in project.tasks])
    for related, number in ((project.annotations, 1), (project.predictions, N)):
        found = computed(related.to_dask("task_id", "result", npartitions=2))
        assert [result[0]["type"] for result in found["result"]] == ["choices"] * number
        assert str(found["task_id"].dtype) == "Int64"


def test_other_resources_have_dataframes(ls: LabelStudio, project: Project) -> None:
    ls.projects.create(title="Another")
    found = computed(ls.projects.to_dask("id", "title", "task_number", npartitions=2))
    assert found["title"].tolist() == [project.title, "Another"]
    assert found["task_number"].tolist() == [N, 0]


def test_it_has_a_partition_for_so_many_objects(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.tasks.to_dask("id").npartitions == 1
    monkeypatch.setattr(dask_tables, "ROWS", 3)
    assert project.tasks.to_dask("id").npartitions == 3
    assert project.tasks.filter(id=1).to_dask("id").npartitions == 3


def test_what_cannot_be_partitioned_is_refused(project: Project, fake: FakeLabelStudio) -> None:
    with pytest.raises(TypeError, match="partitioning a slice"):
        project.tasks[:5].to_dask("id")
    with pytest.raises(ValueError, match="npartitions must be a positive integer, not 0"):
        project.tasks.to_dask("id", npartitions=0)
    with pytest.raises(FieldError, match="total_annotation"):
        project.tasks.to_dask("total_anotations")
    with pytest.raises(FieldError, match="no column 'data__nn'; did you mean 'data__n'"):
        project.tasks.to_dask("data__n", dtype={"data__nn": "Int64"})
    view = project.views.create(title="All")
    with pytest.raises(ValueError, match="view"):
        view.tasks.to_dask("id")


def test_without_dask_it_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dask.dataframe", None)
    with pytest.raises(ImportError, match=r"to_dask\(\) needs dask.*labelstudio_orm\[dask\]"):
        project.tasks.to_dask("id")


# -- keys of JSON, whose types nothing declares ---------------------------------------------------


@pytest.fixture
def sampled(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Only the first three tasks are in the sample, and a later one has keys of its own."""
    monkeypatch.setattr(dask_tables, "SAMPLE", 3)
    project.tasks.bulk_create([{"text": "last", "n": "seven", "late": True}])
    return project


def test_a_key_that_only_later_tasks_have_is_a_column(sampled: Project) -> None:
    frame = sampled.tasks.to_dask("data", npartitions=2, dtype={"data__n": object})
    found = computed(frame)
    assert list(frame.columns) == ["data__text", "data__n", "data__half", "data__late"]
    assert found["data__late"].tolist() == [pandas.NA] * N + [True]
    assert found["data__n"].tolist() == [*range(N), "seven"]


def test_values_of_another_type_are_refused_with_the_way_out(sampled: Project) -> None:
    frame = sampled.tasks.to_dask("data__n", npartitions=2)
    assert str(frame.dtypes["data__n"]) == "Int64"
    with pytest.raises(ValueError, match=r"data__n has object .*dtype=\{'data__n': object\}"):
        computed(frame)
    frame = sampled.tasks.to_dask("data__n", npartitions=2, dtype={"data__n": "Int64"})
    with pytest.raises(ValueError, match=r"data__n has object values, as Int64: .*seven"):
        computed(frame)
    texts = sampled.tasks.to_dask("data__n", npartitions=2, dtype={"data__n": "string"})
    assert computed(texts)["data__n"].tolist() == [*map(str, range(N)), "seven"]


def test_a_key_that_came_later_is_refused_with_the_way_out(project: Project) -> None:
    frame = project.tasks.to_dask("data", npartitions=2)
    project.tasks.bulk_create([{"text": "last", "new": 5}])
    with pytest.raises(ValueError, match=r"data__new is no column.*dtype=\{'data__new': object\}"):
        computed(frame)
    assert computed(project.tasks.to_dask("data", npartitions=2))["data__new"].sum() == 5
    project.tasks.bulk_create([{"text": "last", "newer": 6}])
    chosen = project.tasks.to_dask("data", npartitions=2, dtype={"data__newest": "Int64"})
    project.tasks.bulk_create([{"text": "last", "newest": 7}])
    assert computed(chosen)["data__newest"].sum() == 7


def test_whole_numbers_are_also_fractions(project: Project) -> None:
    frame = project.tasks.to_dask("data__half", npartitions=N)  # 1.0 alone is an integer
    assert computed(frame)["data__half"].sum() == sum(n / 2 for n in range(N))


# -- what is asked for ----------------------------------------------------------------------------


def test_only_the_columns_that_dask_needs_are_asked_for(
    project: Project, fake: FakeLabelStudio
) -> None:
    frame = project.tasks.to_dask("id", "data", "inner_id", "completed_at", npartitions=2)
    asked(fake)
    computed(frame)
    assert asked(fake) == {"completed_at,data,id,inner_id"}
    assert computed(frame["inner_id"].sum()) == sum(range(1, N + 1))
    assert asked(fake) == {"id,inner_id"}
    assert computed(frame[["data__n", "id"]])["data__n"].sum() == sum(range(N))
    assert asked(fake) == {"data,id"}


def test_a_dataframe_takes_so_many_requests(project: Project, fake: FakeLabelStudio) -> None:
    listing, summary = "GET /api/tasks/", f"GET /api/projects/{project.id}/summary/"
    for names, requests in (
        (("id", "inner_id"), [listing] * 3),
        (("id", "data__text"), [listing] * 4),
        (("id", "data"), [*[listing] * 4, summary]),
    ):
        fake.requests.clear()
        project.tasks.to_dask(*names, npartitions=3)
        assert [f"{one.method} {one.path}" for one in fake.requests] == requests
        fake.requests.clear()


def test_each_dataframe_is_read_anew(project: Project) -> None:
    """A cluster that still holds the rows of one does not take them for those of another."""
    one, other = (project.tasks.to_dask("id", npartitions=2) for _ in range(2))
    assert not set(one.__dask_graph__()) & set(other.__dask_graph__())


# -- in other processes ---------------------------------------------------------------------------


Worker = Callable[[], pandas.DataFrame]


@pytest.fixture
def worker(
    fake: FakeLabelStudio, project: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Worker]:
    """What a worker does with the graph that it was sent, and that names tasks 2 to 7. Nothing but
    its environment has a credential for the server.
    """
    with fake.serve() as url, LabelStudio(url, fake.api_key) as ls:
        frame = ls.projects.get(project.id).tasks.filter(id__gt=1).to_dask("id", "data__n")
        frozen = pickle.dumps((dict(frame.__dask_graph__()), frame.__dask_keys__()))
        monkeypatch.setattr(connection, "_default", None)
        monkeypatch.setenv("LABEL_STUDIO_URL", url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", fake.api_key)
        yield lambda: pandas.concat(dask.get(*pickle.loads(frozen)))


def test_the_graph_has_no_credential(project: Project, fake: FakeLabelStudio) -> None:
    project.task_data_password = "hunter2"
    with LabelStudio(fake.url, fake.api_key, session=fake.session()) as ls:
        tasks = ls.projects.get(project.id).tasks.filter(id__gt=1)
        frame = tasks.to_dask("id", "data", npartitions=3).map_partitions(len)
    for graph in (frame, frame.optimize(), dict(frame.optimize().__dask_graph__())):
        frozen = pickle.dumps(graph)
        assert b"data__text" in frozen
        assert fake.url.encode() in frozen
        for secret in (fake.api_key, "hunter2"):
            assert secret.encode() not in frozen


def test_a_worker_has_its_client_from_the_environment(worker: Worker) -> None:
    assert worker()["data__n"].tolist() == list(range(1, N))


@pytest.mark.parametrize("name", ["LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"])
def test_a_worker_without_a_credential_says_what_it_needs(
    worker: Worker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(ValueError, match=f"no client of http.* in this process.*set {name}"):
        worker()


def test_a_worker_of_another_server_is_refused(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://other.example.com/")
    with pytest.raises(ValueError, match=r"its LABEL_STUDIO_URL is http://other\.example\.com;"):
        worker()


def test_a_worker_may_connect_itself(
    worker: Worker, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = os.environ["LABEL_STUDIO_URL"]
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    labelstudio_orm.connect(url, fake.api_key)
    assert len(worker()) == N - 1
    assert len(worker()) == N - 1, "the client stays open"
    labelstudio_orm.connect("http://other.example.com", "x")
    with pytest.raises(ValueError, match="LABEL_STUDIO_API_KEY"):
        worker()
