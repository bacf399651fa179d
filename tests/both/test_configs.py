"""Labelling configs as people write them and as files hold them, and the regions made of them."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_orm import APIError, LabelStudio, Project
from labelstudio_orm.config import LabelConfig
from tests.helpers import present

XML = """<View><Text name="text" value="$text"/><Choices name="mood" toName="text">
<Choice value="Calm"/><Choice value="Wild"/></Choices></View>"""
LOWER = XML.replace("Choices", "choices").replace("<Choice ", "<choice ")
ENCODED = '<?xml version="1.0" encoding="UTF-8"?>\n'
BEGINNINGS = [
    ENCODED, '<?xml version="1.0"?>', "\ufeff", f"\ufeff{ENCODED}", f"\n {ENCODED}",
    "<?xml version='1.0' encoding='latin-1' standalone='yes' ?>",
]  # fmt: skip


def answer(ls: LabelStudio, verb: str, path: str, xml: str) -> Any:
    """What a server says to a config as it is sent."""
    try:
        ls.request(verb, path, json={"title": "As sent", "label_config": xml})
    except APIError as error:
        text = str(error)
        return error.status, "encoding declaration" in text, "DTD" in text
    return "taken"


@pytest.mark.parametrize("path", ["", "validate/", "{id}/", "{id}/validate/"])
def test_what_a_server_refuses_in_a_config_as_it_is_sent(ls: LabelStudio, path: str) -> None:
    project = ls.projects.create(title="As sent", label_config=XML)
    verb = "PATCH" if path == "{id}/" else "POST"
    address = f"/api/projects/{path.format(id=project.id)}"
    entity = '<!DOCTYPE View [<!ENTITY a "b">]>'
    answers = {
        xml: answer(ls, verb, address, xml + XML)
        for xml in (ENCODED, '<?xml version="1.0"?>', f"\ufeff{ENCODED}", "<!-- <!DOCTYPE x> -->",
                    "<!DOCTYPE View>", entity)
    }  # fmt: skip
    assert answers == {
        ENCODED: (500, True, False),
        '<?xml version="1.0"?>': "taken",
        f"\ufeff{ENCODED}": "taken",
        "<!-- <!DOCTYPE x> -->": "taken",
        "<!DOCTYPE View>": (400, False, True),
        entity: (400, False, True),
    }


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_config_as_a_file_begins_it_is_sent_without_that(ls: LabelStudio, beginning: str) -> None:
    project = ls.projects.create(title="Of a file", label_config=beginning + XML)
    assert project.refresh().label_config == XML
    project.label_config = beginning + LOWER
    assert project.save().changes == {}
    assert project.refresh().label_config == LOWER
    project.validate_config(beginning + XML)
    ls.projects.filter(id=project.id).update(label_config=beginning + XML)
    assert project.refresh().label_config == XML


def test_tags_in_any_case_have_labels_that_can_be_used(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Lower case", label_config=LOWER)
    task = project.tasks.create(data={"text": "a"})
    task.annotations.create(result=[project.config["mood"].choice("Calm")])
    project.labels.rename("Calm", "Quiet")
    assert project.config["mood"].labels == ("Quiet", "Wild")
    assert present(project.annotations.first()).values() == {"mood": "Quiet"}
    assert project.refresh().label_config == LOWER.replace("Calm", "Quiet")


def test_all_that_stands_beside_values_is_stored_and_read(ls: LabelStudio) -> None:
    xml = """<View><Image name="image" valueList="$images"/><RectangleLabels name="box"
    toName="image"><Label value="Boat"/></RectangleLabels><Choices name="kind" toName="image"
    perItem="true"><Choice value="Map"/><Choice value="Chart"/></Choices></View>"""
    project: Project = ls.projects.create(title="Pages", label_config=xml)
    config = LabelConfig.parse(xml)
    corners: dict[str, Any] = {"x": 1, "y": 1, "width": 2, "height": 2}
    result = [
        config["box"].rectangle(
            "Boat", **corners, item_index=1, parent_id="p", score=0.5, meta={"text": ["seen"]},
            origin="manual", readonly=True, hidden=True, locked=True, size=(90, 60),
            image_rotation=90, extra={"ouid": 5},
        ),
        config["kind"].choice("Map", item_index=0),
        config["kind"].choice("Chart", item_index=1),
    ]  # fmt: skip
    task = project.tasks.create(data={"images": ["/a.png", "/b.png"]})
    task.annotations.create(result=result)
    annotation = present(project.annotations.first())
    assert annotation.result == result
    values = annotation.values()
    assert values["kind"] == {0: "Map", 1: "Chart"}
    assert project.config.regions(values) == result
    values["kind"][1] = "Map"
    annotation.result = project.config.regions(values)
    annotation.save()
    result[2]["value"] = {"choices": ["Map"]}
    assert annotation.refresh().result == result
