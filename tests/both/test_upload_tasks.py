"""Local files become tasks: many a request, and again without sending them again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm._formats.images import png

IMAGES = """
<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels></View>
"""

Asked = Callable[[], list[str]]


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    return ls.projects.create(title="Photos", label_config=IMAGES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(20 + number, 10, bytes((20 + number) * 10)))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "2.png").write_bytes(png(5, 5, bytes(25)))
    return tmp_path


def test_each_file_is_a_task_that_names_it(project: Project, folder: Path) -> None:
    made = project.tasks.upload(f"{folder}/*.png", data=lambda file: {"from": file.name})
    assert made.summary.created == 3
    assert [task.data["from"] for task in made] == ["0.png", "1.png", "2.png"]
    for task in project.tasks:
        with project.files.open(task.data["image"]) as stream:
            assert stream.read() == (folder / task.data["from"]).read_bytes()


def test_many_files_go_in_a_request(project: Project, folder: Path, asked: Asked) -> None:
    asked()
    made = project.tasks.upload([folder / f"{n}.png" for n in range(3)], at_once=2)
    assert len(made) == 3
    uploads = [one for one in asked() if one.startswith("POST")]
    assert len(uploads) == 4  # two times the files, and the tasks that name them


def test_shapes_get_the_size_of_their_image(project: Project, folder: Path) -> None:
    box = project.config["box"].rectangle("Car", x=1, y=2, width=3, height=4)
    own = project.config["box"].rectangle("Car", x=1, y=2, width=3, height=4, size=(7, 7))
    project.tasks.upload(folder / "1.png", annotations=lambda _: [{"result": [box, own]}])
    first, second = project.annotations.get().result
    assert (first["original_width"], first["original_height"]) == (21, 10)
    assert (second["original_width"], second["original_height"]) == (7, 7)
    assert "original_width" not in box


def test_with_a_key_a_file_is_sent_once(project: Project, folder: Path, asked: Asked) -> None:
    first = project.tasks.upload([folder / "0.png"], key="data.name", data={"lang": "de"})
    assert first[0].data["name"] == "0.png"
    asked()
    made = project.tasks.upload(f"{folder}/*.png", key="data.name")
    assert (made.summary.created, made.summary.skipped) == (2, 1)
    assert made[0].id == first[0].id
    assert [task.data["name"] for task in made] == ["0.png", "1.png", "2.png"]
    asked()
    again = project.tasks.upload(f"{folder}/*.png", key="data.name")
    assert again.summary.skipped == project.tasks.count() == 3
    assert not [one for one in asked() if one.startswith("POST")]


REFUSED: dict[str, tuple[Callable[[Project, Path], Any], type[Exception], str]] = {
    "a pattern without a file": (
        lambda p, path: p.tasks.upload(f"{path}/*.jpg"), FileNotFoundError, "no file matches",
    ),
    "no file": (
        lambda p, path: p.tasks.upload([path / "9.png"]), FileNotFoundError, "there is no file",
    ),
    "a folder": (
        lambda p, path: p.tasks.upload(path / "deep"), IsADirectoryError, r"give .*deep/\*",
    ),
    "one key for two": (
        lambda p, path: p.tasks.upload(f"{path}/**/*.png", key="data.name"),
        ValueError, "have the same data.name, '2.png'",
    ),
    "data instead of the address": (
        lambda p, path: p.tasks.upload(path / "1.png", data={"image": "1.png"}),
        ValueError, "'image' of .*1.png is the address that the file gets",
    ),
    "the address as the key": (
        lambda p, path: p.tasks.upload(path / "1.png", key="data.image"),
        ValueError, "key= is one of these",
    ),
    "no size": (
        lambda p, path: p.tasks.upload(
            _text(path), annotations=lambda file: [{"result": [], "lead_time": file.size[0]}]
        ),
        ValueError, "is not an image",
    ),
}  # fmt: skip


def _text(folder: Path) -> Path:
    path = folder / "text.png"
    path.write_text("no image")
    return path


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_uploaded_is_refused(case: str, project: Project, folder: Path) -> None:
    call, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        call(project, folder)
    assert project.tasks.count() == 0


def test_the_key_of_the_address_is_that_of_the_config(ls: LabelStudio, folder: Path) -> None:
    several = IMAGES.replace("<View>", '<View><Text name="text" value="$text"/>')
    with pytest.raises(ValueError, match="shows image, text, and the server takes files only"):
        ls.projects.create(title="Both", label_config=several).tasks.upload(folder / "0.png")
    project = ls.projects.create(title="None yet")
    with pytest.raises(ValueError, match=r'shows no key of data; .* to="image"'):
        project.tasks.upload(folder / "0.png")
    made = project.tasks.upload(folder / "0.png", to="image", data={"text": "a"})
    assert made[0].data.keys() == {"image", "text"}


def test_the_address_is_where_the_config_shows_it(ls: LabelStudio, folder: Path) -> None:
    config = IMAGES.replace("$image", "$a.image")
    project = ls.projects.create(title="Nested", label_config=config)
    (made,) = project.tasks.upload(folder / "0.png", data={"a": {"day": 1}})
    assert made.data["a"].keys() == {"day", "image"}


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
def test_without_pillow_it_says_what_to_install(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    box = project.config["box"].rectangle("Car", x=1, y=2, width=3, height=4)
    with pytest.raises(ImportError, match=r"labelstudio_orm\[vision\]"):
        project.tasks.upload(folder / "1.png", annotations=lambda _: [{"result": [box]}])
