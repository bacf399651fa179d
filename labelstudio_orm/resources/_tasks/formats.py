"""Tasks in files of other programs: what a format writes gets images, and what it reads a project.

The formats themselves know no server: `_formats`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ... import _formats
from ..._config.building import labels as labels_tag
from ..._config.labelconfig import LabelConfig
from ..._engine.bulk.workers import each
from ..._engine.http.connection import number_of_workers
from ..._engine.http.paths import safe_name
from ..._engine.pages.sources import chunked
from ..._formats.read import Item, Reading
from ..._formats.report import FormatReport, Imported, Tally
from ..._formats.walk import Of, Picture, Walk
from ...progress import Progress, reporter
from ..files import stored_at
from .forms import data_with
from .media import MediaFile, address_of, copy_name, fetch
from .nouns import Project, project_of

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet
    from ..._formats.yolo import Form

Keep = Callable[[Any], bool]

_AT_ONCE: Final = 50
"""Images in one upload."""

_WHERE: Final = "images= names the folder of the images, or what their addresses begin with"

_TAGS: Final = {
    "rectanglelabels": "RectangleLabels", "polygonlabels": "PolygonLabels",
    "brushlabels": "BrushLabels", "labels": "Labels",
}  # fmt: skip


# -- writing --------------------------------------------------------------------------------------


def walk(tasks: QuerySet[Any], of: Of, keep: Keep | None, control: Any) -> Walk:
    """Return what is written of tasks. Raises ValueError for an unknown control."""
    if of not in ("annotations", "predictions"):
        raise ValueError(f'of must be "annotations" or "predictions", not {of!r:.80}')
    config: LabelConfig = project_of(tasks).config
    names = None if control is None else [control] if isinstance(control, str) else [*control]
    for name in names or ():
        config[name]
    return Walk(tasks, config, of, keep, names)


def _fetching(
    tasks: QuerySet[Any], workers: int | None, progress: Progress
) -> Callable[[Iterable[Picture], Path], Iterator[Picture]]:
    """Return what copies the images of tasks, some at once."""
    client = tasks.client
    number = number_of_workers(workers, client)

    def copied(pictures: Iterable[Picture], folder: Path) -> Iterator[Picture]:
        def copy(one: Picture) -> None:
            path = folder / one.name
            fetch(client, MediaFile(one.task, one.key, path, one.item_index, one.address))

        with reporter(progress, "copying images") as report:
            for done, outcome in enumerate(each(pictures, copy, workers=number), start=1):
                if outcome.error is not None:
                    raise outcome.error
                report(done, None)
                yield outcome.item

    return copied


def named(tasks: QuerySet[Any]) -> Callable[[str, int], str]:
    """Return what names the copy of an image, also where it is not copied."""
    server = tasks.client.url

    def name(address: str, task: int) -> str:
        try:
            return copy_name(address_of(address, server, task), server)
        except ValueError:
            return safe_name(address.rpartition("/")[2])

    return name


def to_pictures(
    format: Literal["coco", "voc", "yolo"],
    tasks: QuerySet[Any],
    found: Walk,
    path: Path,
    images: bool,
    workers: int | None,
    progress: Progress,
    *more: Any,
) -> FormatReport:
    """Write tasks in a format of images: ``Tasks.to_coco`` and others."""
    module: Any = getattr(_formats, format)
    copied = _fetching(tasks, workers, progress) if images else None
    report: FormatReport = module.write(found, path, copied, named(tasks), *more)
    return report


def to_masks(found: Walk, path: Path) -> FormatReport:
    """Write masks: ``Tasks.to_masks``."""
    return _formats.masks.write(found, path)


def to_jsonl(tasks: QuerySet[Any], path: Path) -> FormatReport:
    """Write tasks as JSON Lines: ``Tasks.to_jsonl``."""
    return _formats.jsonl.write(tasks.prefetch("annotations", "predictions"), path, item_of)


def to_conll(found: Walk, path: Path) -> FormatReport:
    """Write tasks as CoNLL: ``Tasks.to_conll``."""
    keys = {
        name: value[1:]
        for name, tag in found.config.objects.items()
        if tag.tag.lower() == "text"
        and (value := tag.value or "").startswith("$")
        and tag.attributes.get("valueType", "").lower() != "url"  # the text is elsewhere
    }
    if not keys:
        raise ValueError(
            "the labelling config shows no text of the data, so there is nothing to write"
        )
    return _formats.conll.write(found, path, keys)


def item_of(task: Any) -> dict[str, Any]:
    """Return what an import takes of a task that came with its annotations and predictions."""
    keys = {
        "annotations": ("result", "completed_by", "was_cancelled", "ground_truth", "lead_time"),
        "predictions": ("result", "score", "model_version"),
    }
    item: dict[str, Any] = {"data": task.data}
    if task.meta:
        item["meta"] = task.meta
    for name, kept in keys.items():
        rows = [{key: _value(one, key) for key in kept} for one in getattr(task, name)]
        if rows:
            item[name] = [
                {key: value for key, value in row.items() if value is not None} for row in rows
            ]
    return item


def _value(one: Any, key: str) -> Any:
    return one.completed_by_id if key == "completed_by" else getattr(one, key)


# -- reading --------------------------------------------------------------------------------------


def from_coco(
    tasks: QuerySet[Any], path: Path, images: str | os.PathLike[str] | None, **options: Any
) -> Imported[Any]:
    """Create tasks of a COCO file: ``Tasks.from_coco``."""
    path = path / _formats.coco.FILE if path.is_dir() else path
    labels = _formats.coco.labels_in(path)
    return _created(
        tasks,
        lambda config, reading: _formats.coco.read(path, config, reading, keeps=images is None),
        path,
        needs=dict.fromkeys(_formats.coco.controls_in(path), labels),
        shows="image",
        folder=_folder(images, path.parent),
        images=images,
        **options,
    )


def from_yolo(
    tasks: QuerySet[Any],
    path: Path,
    images: str | os.PathLike[str] | None,
    form: Form,
    **options: Any,
) -> Imported[Any]:
    """Create tasks of a folder of YOLO: ``Tasks.from_yolo``."""
    tag = "polygonlabels" if form == "segment" else "rectanglelabels"
    folder = _folder(images, path / "images")
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; {_WHERE}")
    return _created(
        tasks,
        lambda config, reading: _formats.yolo.read(path, config, reading, form, folder),
        path,
        needs={tag: _formats.yolo.labels_in(path)},
        shows="image",
        folder=folder,
        images=images,
        **options,
    )


def from_conll(tasks: QuerySet[Any], path: Path, **options: Any) -> Imported[Any]:
    """Create tasks of a CoNLL file: ``Tasks.from_conll``."""
    return _created(
        tasks,
        lambda config, reading: _formats.conll.read(path, config, reading),
        path,
        needs={"labels": _formats.conll.labels_in(path)},
        shows="text",
        folder=None,
        images=None,
        **options,
    )


def _folder(images: str | os.PathLike[str] | None, default: Path) -> Path | None:
    """Return the folder of images on this machine; None where they have addresses."""
    if images is None:
        return default
    is_address = isinstance(images, str) and (
        "://" in images or images.startswith(("/data/", "data:"))
    )
    return None if is_address else Path(images)


def _created(
    tasks: QuerySet[Any],
    items: Callable[[LabelConfig, Reading], Iterable[Item]],
    path: Path,
    *,
    needs: Mapping[str, Iterable[str]],
    shows: str,
    folder: Path | None,
    images: str | os.PathLike[str] | None,
    of: Of,
    model_version: str | None,
    labels: str,
    control: str | None,
    options: Mapping[str, Any],
) -> Imported[Any]:
    """Create tasks of what a format reads, and return them with the report.

    ``needs`` are the controls with their labels, ``shows`` the type of the object that they are on,
    ``folder`` where the images are, ``images`` what their addresses begin with.
    """
    if of not in ("annotations", "predictions"):
        raise ValueError(f'of must be "annotations" or "predictions", not {of!r:.80}')
    project = project_of(tasks)
    config = _fitted(project, needs, shows, labels, control)
    tag = next((tag for tag in config.objects.values() if tag.tag.lower() == shows), None)
    key = ((tag and tag.value) or f"${shows}")[1:]
    is_list = tag is not None and "valueList" in tag.attributes
    reading = Reading(Tally(path), control)
    found = items(config, reading)
    made = (
        {
            "data": data_with({}, key, [value] if is_list else value),
            **({of: [_answer(item, of, model_version)]} if item.regions else {}),
        }
        for item, value in _with_addresses(project, found, folder, images)
    )
    created = tasks.bulk_create(made, **options)
    reading.tally.tasks = created.summary.created
    return Imported(created, created.summary, reading.tally.report())


def _answer(item: Item, of: Of, model_version: str | None) -> dict[str, Any]:
    if of == "annotations":
        return {"result": item.regions}
    scores = [one["score"] for one in item.regions if one.get("score") is not None]
    answer: dict[str, Any] = {"result": item.regions}
    if scores:
        answer["score"] = sum(scores) / len(scores)
    if model_version is not None:
        answer["model_version"] = model_version
    return answer


def _with_addresses(
    project: Project,
    items: Iterable[Item],
    folder: Path | None,
    images: str | os.PathLike[str] | None,
) -> Iterator[tuple[Item, str]]:
    """Yield items with the value of the task: a text, or the address of an image."""
    for some in chunked(items, _AT_ONCE):
        local: dict[str, Path] = {}
        for item in some:
            if item.text is None and folder is not None and _is_here(item, folder):
                local[item.name] = _inside(folder, item.name)
        addresses = stored_at(project, [*local.values()]) if local else []
        stored = dict(zip(local, addresses, strict=True))
        for item in some:
            if item.text is not None:
                yield item, item.text
            elif item.name in stored:
                yield item, stored[item.name]
            elif item.address is not None:
                yield item, item.address
            else:
                yield item, f"{os.fspath(images or '').rstrip('/')}/{item.name}"


def _is_here(item: Item, folder: Path) -> bool:
    """Return whether an image is to be uploaded: another server may not have the path it had."""
    if item.address is None:
        return True
    return item.address.startswith("/") and (folder / item.name).is_file()


def _inside(folder: Path, name: str) -> Path:
    """Return the path of an image, which a file may name. Raises ValueError for another folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r:.200} is not in the folder {folder}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; {_WHERE}")
    return path


def _fitted(
    project: Project,
    needs: Mapping[str, Iterable[str]],
    shows: str,
    labels: str,
    control: str | None,
) -> LabelConfig:
    """Return the config with the controls and the labels that are needed.

    Raises ValueError for what is missing, unless ``labels`` is "add".
    """
    if labels not in ("check", "add"):
        raise ValueError(f'labels must be "check" or "add", not {labels!r:.80}')
    config: LabelConfig = project.config
    made = _with_needs(config, needs, shows, control)
    if made == config:
        return config
    if labels == "check":
        missing = _missing(config, needs, control)
        raise ValueError(
            f'the labelling config of {project!r} lacks {missing}; labels="add" adds what is '
            f"missing, which makes it:\n{made}"
        )
    project.label_config = str(made)
    project.save()
    return made


def _with_needs(
    config: LabelConfig, needs: Mapping[str, Iterable[str]], shows: str, control: str | None
) -> LabelConfig:
    on = next((name for name, tag in config.objects.items() if tag.tag.lower() == shows), None)
    if on is None and config.controls:
        raise ValueError(
            f"the labelling config shows no <{shows.title()}>, which these regions are on"
        )
    for tag, names in needs.items():
        wanted = [*dict.fromkeys(names)]
        known = _control(config, tag, control)
        if known is None:
            made = labels_tag(wanted, _TAGS[tag])
            proposed = LabelConfig.build(
                {on or shows: _object(config, on, shows), control or tag: made}
            )
            config = proposed if on is None else config.union(proposed)
            on = on or shows
            continue
        stored = {label.stored for label in config[known].label_tags}
        fits = stored | {re.sub(r"\s+", "_", one) for one in stored} if tag == "labels" else stored
        for name in wanted:
            if name not in fits:
                config = config.with_label(name, known)
    return config


def _object(config: LabelConfig, name: str | None, shows: str) -> Any:
    if name is None:
        return shows.title()
    tag = config.objects[name]
    return (tag.tag, {key: value for key, value in tag.attributes.items() if key != "name"})


def _control(config: LabelConfig, tag: str, control: str | None) -> str | None:
    return next(
        (
            name
            for name, one in config.controls.items()
            if one.tag.lower() == tag and control in (None, name)
        ),
        None,
    )


def _missing(config: LabelConfig, needs: Mapping[str, Iterable[str]], control: str | None) -> str:
    found = []
    for tag, names in needs.items():
        known = _control(config, tag, control)
        if known is None:
            found.append(f"a <{_TAGS[tag]}>")
        else:
            stored = {label.stored for label in config[known].label_tags}
            found += [f"the label {name!r:.80}" for name in names if name not in stored]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return ", ".join(found[:5]) + more
