"""Tables with a row for each annotation or region, and the same table in each library."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from pyarrow import parquet

from labelstudio_orm import FieldError, LabelStudio, Project, User
from labelstudio_orm._engine.models.queryset import QuerySet
from labelstudio_orm._engine.reading import columns

XML = """
<View>
  <Text name="text" value="$text"/><Image name="image" value="$image"/>
  <Choices name="mood" toName="text"><Choice value="good"/><Choice value="bad"/></Choices>
  <Labels name="ner" toName="text"><Label value="Person"/></Labels>
  <RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels>
  <Rating name="stars" toName="text"/>
</View>
"""
TASKS = 3

Asked = Callable[[], list[str]]


@pytest.fixture
def project(ls: LabelStudio, bob: User) -> Project:
    found = ls.projects.create(title="Regions", label_config=XML)
    labelled(found, bob, TASKS)
    return found


def labelled(project: Project, bob: User, number: int) -> None:
    """Each task has an annotation with four regions, one with none, and a prediction."""
    config = project.config
    result = [
        config["mood"].choice("good"),
        config["ner"].label("Person", start=0, end=4, text="Anna"),
        config["box"].rectangle("Car", x=10, y=20, width=30, height=40, size=(200, 100)),
        config["stars"].rating(3),
    ]
    project.tasks.bulk_create(
        {
            "data": {"text": f"Anna {n}", "image": "a.png", "n": n},
            "annotations": [{"result": result, "completed_by": bob.id}, {"result": []}],
            "predictions": [{"result": result[:1], "score": 0.5, "model_version": "v1"}],
        }
        for n in range(number)
    )


def records(table: pandas.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    shown = table[list(names)].astype(object)
    return [
        tuple(None if one is pandas.NA else one for one in row)
        for row in shown.itertuples(index=False, name=None)
    ]


def test_a_row_a_region_has_what_it_is_of_and_where_it_is(project: Project, bob: User) -> None:
    table = project.annotations.to_pandas(
        "task__data__n", "completed_by__email", "was_cancelled", per="region"
    )
    assert len(table) == 4 * TASKS
    names = ("task__data__n", "completed_by__email", "control", "kind", "labels", "number", "text")
    assert records(table, *names)[:4] == [
        (0, bob.email, "mood", "choices", ["good"], None, None),
        (0, bob.email, "ner", "labels", ["Person"], None, "Anna"),
        (0, bob.email, "box", "rectanglelabels", ["Car"], None, None),
        (0, bob.email, "stars", "rating", [], 3.0, None),
    ]
    place = ("x", "y", "width", "height", "x_pixels", "y_pixels", "image_width")
    assert records(table, *place)[2] == (10, 20, 30, 40, 20, 20, 200)
    assert table["problem"].isna().all()


def test_the_columns_are_those_of_the_controls(ls: LabelStudio) -> None:
    config = '<View><Text name="t" value="$t"/><Rating name="r" toName="t"/></View>'
    project = ls.projects.create(title="Stars", label_config=config)
    table = project.annotations.to_pandas(per="region")
    assert "number" in table
    assert not {"x", "x_pixels", "start", "text"} & {*table}


def test_of_regions_that_the_config_does_not_have_all_is_kept(ls: LabelStudio) -> None:
    config = '<View><Text name="t" value="$t"/><Rating name="r" toName="t"/></View>'
    project = ls.projects.create(title="Changed", label_config=config)
    value = {"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["Car"]}
    box = {"id": "a", "from_name": "box", "to_name": "t", "type": "rectanglelabels", "value": value}
    relation = {"type": "relation", "from_id": "a", "to_id": "a", "direction": "bi"}
    task = project.tasks.create(data={"t": "a"})
    task.annotations.create(result=[box, relation])
    table = project.annotations.to_pandas(per="region")
    problem = "the labelling config has no control 'box'"
    names = ("value", "problem", "from_region", "to_region", "direction")
    assert records(table, *names) == [
        (value, problem, None, None, None),
        (None, None, "a", "a", "bi"),
    ]


def test_the_regions_of_tasks_are_those_of_their_annotations(project: Project, bob: User) -> None:
    of_tasks = project.tasks.to_pandas(
        "data__n", "annotations__id", "annotations__completed_by__email", per="region"
    )
    of_annotations = project.annotations.to_pandas(
        "task__data__n", "id", "completed_by__email", per="region"
    )
    assert records(of_tasks, *of_tasks) == records(of_annotations, *[*of_annotations][1:])
    some = project.annotations.filter(completed_by=bob)  # its tasks are read by their ids
    assert records(some.to_pandas("task__data__n", per="region"), "task__data__n") == records(
        of_tasks, "data__n"
    )


def test_a_row_an_annotation_is_that_of_the_annotation(project: Project, bob: User) -> None:
    names = ("annotations__id", "annotations__completed_by_id", "annotations__result")
    table = project.tasks.to_pandas("data__n", *names, per="annotation")
    assert len(table) == 2 * TASKS
    own = project.annotations.to_pandas("task__data__n", "id", "completed_by_id", "result")
    assert records(table, *table) == records(own, *own)
    assert [*project.tasks.to_pandas(per="annotation")][:5] == [
        "id", "data__text", "data__image", "data__n", "annotations__id",
    ]  # fmt: skip


def test_predictions_have_regions_too(project: Project) -> None:
    own = project.predictions.to_pandas("model_version", "score", per="region")
    assert records(own, "model_version", "score", "labels") == [("v1", 0.5, ["good"])] * TASKS
    of_tasks = project.tasks.to_pandas("predictions__score", per="region")
    assert records(of_tasks, "predictions__score", "labels") == [(0.5, ["good"])] * TASKS


PERS: dict[str, Callable[[Project], Any]] = {
    "objects": lambda p: (p.tasks, ("id", "data", "created_at"), "object"),
    "annotations": lambda p: (p.tasks, ("data__n", "annotations__lead_time"), "annotation"),
    "regions": lambda p: (p.annotations, ("task__data__n", "completed_by__email"), "region"),
}


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
@pytest.mark.parametrize("case", PERS)
def test_without_a_row_columns_and_types_are_the_same(case: str, project: Project) -> None:
    queryset, names, per = PERS[case](project)
    some, none = (
        queryset.to_pandas(*names, per=per),
        queryset.filter(id=0).to_pandas(*names, per=per),
    )
    assert len(some)
    assert not len(none)
    assert none.dtypes.to_dict() == some.dtypes.to_dict()
    arrow = queryset.filter(id=0).to_arrow(*names, per=per)
    assert arrow.schema == queryset.to_arrow(*names, per=per).schema


FACES: dict[str, Callable[[QuerySet[Any], tuple[str, ...], Any, Path], pyarrow.Table]] = {
    "arrow": lambda q, names, per, _: q.to_arrow(*names, per=per),
    "polars": lambda q, names, per, _: q.to_polars(*names, per=per).to_arrow(),
    "datasets": lambda q, names, per, _: q.to_datasets(*names, per=per).data.table,
    "parquet": lambda q, names, per, path: parquet.read_table(
        q.to_parquet(path / "t.parquet", *names, per=per)
    ),
}


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("case", PERS)
def test_the_table_is_the_same_in_each_library(
    case: str, face: str, project: Project, tmp_path: Path
) -> None:
    queryset, names, per = PERS[case](project)
    table = queryset.to_pandas(*names, per=per)
    found = FACES[face](queryset, names, per, tmp_path)
    assert found.column_names == list(table)
    for name in table:
        column = found[name].to_pylist()
        if name in ("points", "value"):
            column = [None if one is None else json.loads(one) for one in column]
        assert column == [one for (one,) in records(table, name)], name


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
@pytest.mark.parametrize(("page", "rows"), [(1, 1), (1, 3), (2, 5), (2, 8), (100, 7)])
@pytest.mark.parametrize("case", PERS)
def test_batches_of_any_size_are_one_table(
    case: str, page: int, rows: int, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    queryset, names, per = PERS[case](project)
    whole = queryset.to_arrow(*names, per=per)
    monkeypatch.setattr(columns, "PAGE", page)
    monkeypatch.setattr(columns, "ROWS", rows)
    assert queryset.to_arrow(*names, per=per).equals(whole)


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
def test_a_table_takes_as_many_requests_as_a_loop(
    ls: LabelStudio, project: Project, bob: User, asked: Asked
) -> None:
    """Of 400 tasks with 800 annotations: a first small page, a second one, and the users."""
    labelled(project, bob, 400 - TASKS)
    author, text = "completed_by__email", "task__data__text"
    queries: dict[str, tuple[QuerySet[Any], tuple[str, ...], Any, int, int]] = {
        "regions": (project.annotations, (), "region", 1600, 2),
        "with authors and data": (project.annotations, (text, author), "region", 1600, 3),
        "of tasks": (project.tasks, ("data", f"annotations__{author}"), "region", 1600, 3),
        "annotations": (project.tasks, (), "annotation", 800, 2),
    }
    for name, (queryset, names, per, rows, number) in queries.items():
        asked()
        assert len(queryset.to_arrow(*names, per=per)) == rows, name
        requests = asked()
        assert len(requests) <= number, (name, requests)


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
def test_what_a_table_cannot_have_is_refused(project: Project, ls: LabelStudio) -> None:
    with pytest.raises(ValueError, match='Projects have no rows per="region"'):
        ls.projects.all().to_pandas(per="region")
    with pytest.raises(ValueError, match="per must be one of 'object', 'annotation', 'region'"):
        project.tasks.to_pandas(per="task")  # type: ignore[arg-type]
    with pytest.raises(FieldError, match="of an annotation or of a prediction"):
        project.tasks.to_pandas("annotations__id", "predictions__id", per="region")
    with pytest.raises(FieldError, match="User has no field 'mail'"):
        project.annotations.to_pandas("completed_by__mail")
    with pytest.raises(FieldError, match="behind one relation only"):
        project.annotations.filter(id=1).to_pandas("task__project__title")


EXTRAS = {
    "to_arrow": ("pyarrow", "arrow"),
    "to_polars": ("polars", "polars"),
    "to_datasets": ("datasets", "datasets"),
    "to_parquet": ("pyarrow.parquet", "arrow"),
}


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
@pytest.mark.parametrize("verb", EXTRAS)
def test_without_the_library_it_says_what_to_install(
    verb: str, project: Project, monkeypatch: pytest.MonkeyPatch, asked: Asked, tmp_path: Path
) -> None:
    module, name = EXTRAS[verb]
    monkeypatch.setitem(sys.modules, module, None)
    asked()
    with pytest.raises(ImportError, match=rf"{verb}\(\) needs .*labelstudio_orm\[{name}\]"):
        getattr(project.tasks, verb)(*([tmp_path / "t"] if verb == "to_parquet" else []))
    assert asked() == []
