"""The bodies that ``test_fake_agrees.py`` writes, by name.

A text such as ``$project`` stands for the id of that name, ``$project as text`` for its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.live.parts.queries import CONFIG, OTHER_CONFIG, item, region, where

UUID = "6f2b4bc4-5d8a-4c3e-8f4e-1f0b8f4b3c%02d"
NOBODY = 999999  # the id of nothing
MANY = 10**6  # an id beyond all others
LONG_AGO = "2020-01-01T00:00:00Z"


def cases(table: Mapping[str, Any]) -> list[Any]:
    """Return the values of a table as the parameters of a test, with their names."""
    return [pytest.param(value, id=name) for name, value in table.items()]


def filled(value: Any, ids: Mapping[str, Any]) -> Any:
    """Return JSON with the ids that its texts stand for."""
    if isinstance(value, dict):
        return {name: filled(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, ids) for inner in value]
    if isinstance(value, str) and (match := re.fullmatch(r"\$(\w+)( as text)?", value)):
        return str(ids[match[1]]) if match[2] else ids[match[1]]
    return value


def task(**more: Any) -> dict[str, Any]:
    """Return the body of a new task."""
    return {"project": "$project", "data": {"text": "a"}, **more}


NEW_TASKS = {
    "without a project": {"data": {"text": "a"}},
    "without data": {"project": "$project"},
    "in an unknown project": task(project=NOBODY),
    "empty": {},
    "without the key of the config": task(data={"txt": "a"}),
    "with an object as a text": task(data={"text": {"a": 1}}),
    "with null as data": task(data=None),
    "with a text as data": task(data="x"),
    "with a number as a text": task(data={"text": 1.5}),
    "with a text as meta": task(meta="x"),
    "with null as meta": task(meta=None),
    "with unknown and readonly fields": task(
        project="$project as text", data={"text": "n"}, nosuch=1, id=5, created_at=LONG_AGO
    ),
    "with counters": task(total_annotations=5, is_labeled=True, overlap=3),
    "with an inner id, a user and meta": task(inner_id=50, updated_by="$user", meta={"a": [1]}),
    "with annotations": task(data={"text": "after"}, annotations=[{"result": []}], predictions=[]),
    "with a wrong boolean": task(is_labeled="maybe"),
    "with a wrong overlap": task(overlap="x"),
    "with null as overlap": task(overlap=None),
    "with an unknown user": task(updated_by=NOBODY),
    "with a NUL in a text": task(data={"text": "é\u0000"}),
    "with several mistakes": task(updated_by="x", inner_id="y", comment_count=[]),
    "as a list": [],
}

CHANGES_OF_TASKS = {
    "empty": {},
    "data without the key of the config": {"data": {"y": 2}},
    "data and meta": {"data": {"text": "b"}, "meta": {"k": 1}},
    "a text as meta": {"meta": "str"},
    "null as meta": {"meta": None},
    "null as overlap": {"overlap": None},
    "a text as overlap": {"overlap": "2"},
    "unknown and readonly fields": {
        "id": 1,
        "created_at": "x",
        "annotations": [],
        "allow_skip": False,
        "nosuch": 1,
    },
    "its own project": {"project": "$project"},
    "an unknown project": {"project": NOBODY},
    "is_labeled": {"is_labeled": True},
    "a counter": {"total_annotations": 7},
    "null as inner id": {"inner_id": None},
    "null as data": {"data": None},
    "null as user": {"updated_by": None},
}

NEW_ANNOTATIONS = {
    "with a unique id that is taken": {"result": [], "unique_id": UUID % 2},
    "with a wrong unique id": {"unique_id": "x"},
    "with null as result": {"result": None},
    "with an object as result": {"result": {}},
    "with JSON text as result": {"result": "[]"},
    "with a text as result": {"result": "x"},
    "with a list of texts as result": {"result": ["x"]},
    "empty": {},
    "of an unknown user": {"completed_by": NOBODY},
    "of another user": {"completed_by": "$user", "result": [region("B")]},
    "of a text as user": {"completed_by": "x"},
    "of null as user": {"completed_by": None},
    "cancelled": {"was_cancelled": True, "result": []},
    "with a wrong boolean": {"was_cancelled": "maybe"},
    "with two regions of one id": {
        "ground_truth": True,
        "result": [region("B", id="1"), region("A", id="1")],
    },
    "with a wrong lead time": {"lead_time": "x"},
    "with an unknown action": {"last_action": "bogus"},
    "with a parent": {
        "last_action": "submitted",
        "import_id": 5,
        "result": [],
        "parent_annotation": "$annotation",
    },
    "with an unknown parent prediction": {"parent_prediction": NOBODY},
    "with the task and project of others": {
        "task": "$first",
        "project": "$main",
        "id": 1,
        "updated_by": "$user",
        "nosuch": 1,
        "result": [],
    },
    "with several mistakes": {"task": NOBODY, "project": "x", "updated_by": NOBODY},
}

CHANGES_OF_ANNOTATIONS = {
    "empty": {},
    "result": {"result": [region("B")]},
    "null as result": {"result": None},
    "JSON text as result": {"result": "[]"},
    "cancelled": {"was_cancelled": True},
    "not cancelled": {"was_cancelled": False},
    "ground truth": {"ground_truth": True},
    "no ground truth": {"ground_truth": False},
    "user": {"completed_by": "$user"},
    "null as user": {"completed_by": None},
    "null as lead time": {"lead_time": None},
    "unknown and readonly fields": {"unique_id": UUID % 3, "created_at": LONG_AGO, "nosuch": 1},
    "a text as import id": {"import_id": "7", "last_action": None},
    "the time of the draft": {"draft_created_at": "2020-01-01T00:00:00+02:00"},
    "a wrong time": {"draft_created_at": "x"},
    "null as a boolean": {"bulk_created": None},
}


def prediction(result: Any, **more: Any) -> dict[str, Any]:
    """Return the body of a new prediction."""
    return {"task": "$task", "result": result, **more}


NEW_PREDICTIONS = {
    "empty": {},
    "without a result": {"task": "$task"},
    "of an unknown task": prediction([], task=NOBODY),
    "with an empty result": prediction([]),
    "with an object as result": prediction({}),
    "with null as result": prediction(None),
    "with a list of texts as result": prediction(["x"]),
    "with an integer as result": prediction(5),
    "with a value as result": prediction({"choices": ["A"]}),
    "with a number as result": prediction(1.5),
    "with a wrong score": prediction([], score="x"),
    "with an unknown choice": prediction([region("nosuch")], model_version=None),
    "with null as score": prediction([], score=None),
    "with all fields": prediction(
        [],
        project="$project",
        cluster=3,
        mislabeling=0.5,
        neighbors=[1],
        created_at="x",
    ),
}

CHANGES_OF_PREDICTIONS = {
    "empty": {},
    "score": {"score": 2},
    "result": {"result": [region("B")]},
    "a value as result": {"result": "B"},
    "an empty version": {"model_version": ""},
    "an unknown task": {"task": NOBODY},
}

PREDICTIONS_TO_IMPORT = {
    "one": [prediction([region()])],
    "an unknown choice": [prediction([region("nosuch")])],
    "without a result": [{"task": "$task"}],
    "two": [prediction("A"), prediction([], score=0.5, model_version="b")],
    "none": [],
    "of an unknown task": [prediction([], task=NOBODY)],
    "an object": {},
    "a score above 1": [prediction([], score=3)],
    "an empty region": [prediction([{}])],
    "an unknown control, and an unknown type": [
        prediction([{**region(), "from_name": "x"}]),
        prediction([{**region(), "type": "x"}]),
    ],
}


def importing(text: str = "m", **more: Any) -> list[dict[str, Any]]:
    """Return the items of an import with one task."""
    return [{"data": {"text": text}, **more}]


TASKS_TO_IMPORT = {
    "with and without data": [{"data": {"text": "i"}}, {"text": "j"}],
    "an object": {"text": "k"},
    "an object with data": {"data": {"text": "l"}, "meta": {"m": 1}},
    "none": [],
    "null": None,
    "a text": "x",
    "many with mistakes": [
        *({"data": {"text": "ok"}}, {"data": {"txt": 1}}, {"nosuch": 1}, "x"),
        *({"data": "x"}, {"data": {"text": "x"}, "meta": 5}),
    ],
    "an object as annotations": importing(annotations={}),
    "an empty annotation": importing(annotations=[{}]),
    "an object as result": importing(annotations=[{"result": {}}]),
    "an empty prediction": importing(predictions=[{}]),
    "a number as predictions": importing(predictions=5),
    "a number as annotation": importing(annotations=[5]),
    **{
        f"an annotation of {name}": importing(annotations=[{"result": [], "completed_by": author}])
        for name, author in {
            "a user": "$user",
            "an e-mail": {"email": "second@x.yz"},
            "an unknown e-mail": {"email": "no@x.yz"},
            "an object with an id": {"id": 1},
            "a text": "second@x.yz",
            "a text with an id": "1",
            "a float": 1.0,
            "an unknown user": NOBODY,
            "null": None,
        }.items()
    },
    "with all fields": importing(
        "n",
        annotations=[
            {"result": [region()]},
            {
                "result": [],
                "was_cancelled": True,
                "ground_truth": False,
                "lead_time": 4,
                "id": 5,
                "created_at": LONG_AGO,
                "unique_id": UUID % 4,
            },
        ],
        predictions=[{"result": "B"}],
        inner_id=500,
        id=1,
        is_labeled=True,
        overlap=9,
        drafts=[{}],
        nosuch=1,
    ),
    "a prediction of an unknown choice": importing(
        "o",
        predictions=[{"result": [region("no")], "score": "0.25", "model_version": "last"}],
    ),
    "annotations in the data": [{"data": {"text": "p", "annotations": []}, "allow_skip": False}],
    "annotations beside data without a name": {"text": "q", "annotations": []},
}

SETTINGS_OF_TASKS = {
    "2 annotations": {"maximum_annotations": 2},
    "1 annotation": {"maximum_annotations": 1},
    "ignore skipped": {"skip_queue": "IGNORE_SKIPPED"},
    "requeue for the user": {"skip_queue": "REQUEUE_FOR_ME"},
    "requeue for others": {"skip_queue": "REQUEUE_FOR_OTHERS"},
    "3 annotations": {"maximum_annotations": 3},
}

CONFIGS = {
    "another control": CONFIG.replace('"c"', '"d"'),
    "another variable": CONFIG.replace("$text", "$txt"),
    "another choice": CONFIG.replace('"B"', '"Z"'),
    "no control": "<View></View>",
    "other tags": OTHER_CONFIG,
    "the same": CONFIG,
    "a tag that is open": "<View>",
    "an empty text": "",
    "null": None,
    "a number": 5,
    "a control of nothing": CONFIG.replace('toName="t"', 'toName="x"'),
    "a name twice": CONFIG.replace('name="c"', 'name="t"'),
    "an object tag alone": '<View><Text name="t"/></View>',
    "an object tag without a value": CONFIG.replace('value="$text"', ""),
    "a control without choices": (
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t"></Choices></View>'
    ),
    "an unknown tag": '<View><Nosuch name="n" value="$x"/></View>',
    "a variable within a text": '<View><Text name="t" value="fixed $var"/></View>',
}

SOME = {"selectedItems": {"all": False, "included": ["$task", "$listed", MANY]}}
ACTIONS: dict[str, dict[str, Any]] = {
    "predictions_to_annotations": {
        "of a version": {**SOME, "model_version": "b"},
        "of versions": {**SOME, "model_version": ["", "undefined"]},
        "of all versions": SOME,
    },
    "retrieve_tasks_predictions": {"without a backend": SOME},
    "delete_tasks_annotations": {
        "of a user": {**SOME, "annotator": "$user"},
        "of a text as user": {**SOME, "annotator": "x"},
        "of a filter": where(item("data.text", "equal", "String", "n")),
    },
    "delete_tasks_predictions": {
        "of a task": {"selectedItems": {"all": False, "included": ["$task"]}}
    },
    "add_data_field": {
        f"{kind} {value}": {**SOME, "value_name": f"new {kind}", "value_type": kind, "value": value}
        for kind, value in (("String", "train"), ("String", 5), ("Number", "1.5"), ("Number", "x"))
    },
    "delete_tasks": {
        "of an unknown id": {"selectedItems": {"all": False, "included": [MANY]}},
        "of a filter": where(item("data.text", "contains", "String", "i")),
        "of a number as selection": {"selectedItems": 5},
    },
    "bogus": {"of some": SOME},
}

LINES = where(item("id", "greater", "Number", "$task", item("id", "less", "Number", MANY)))
ONE = {"selectedItems": {"all": False, "included": ["$task"]}}


def view(data: Any, **more: Any) -> dict[str, Any]:
    """Return the body of a new view."""
    return {"project": "$project", "data": data, **more}


NEW_VIEWS = {
    "empty": {},
    "in an unknown project": {"project": NOBODY},
    "without data": {"project": "$project"},
    "with a text as data": view("x"),
    "with a filter without a prefix": view(
        where({**item("id", "equal", "Number", 1), "filter": "id"})
    ),
    "with a refused column": view(where(item("a__b", "equal", "Number", 1))),
    "with filters beside the data": {"project": "$project", "filters": LINES["filters"]},
    "with selected items beside the data": view(
        {}, selected_items={"all": False, "included": ["$task"]}
    ),
    "with selected items": view({**ONE, "ordering": []}),
}

CHANGES_OF_VIEWS = {
    "title": {"data": {"title": "w"}},
    "no filters": {"data": {"filters": {"conjunction": "or", "items": []}}},
    "no ordering": {"data": {"ordering": []}},
    "empty": {},
    "filters, ordering and hidden columns": {
        "data": {
            **LINES,
            "ordering": ["tasks:inner_id"],
            "hiddenColumns": {"explore": [], "labeling": []},
        }
    },
    "readonly fields": {
        "data": {"a": 1},
        "order": 5,
        "project": 1,
        "user": "$user",
        "selected_items": {"all": True},
    },
    "an object as filters": {"data": {"filters": {}}},
}
