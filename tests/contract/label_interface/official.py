"""What the official client makes of labelling configs and of items: it reads a JSON line with the
name of a function and its arguments, and answers with a JSON line.

Runs in the official client's own environment, without this library.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from pathlib import Path
from typing import Any

import yaml
from faker import Faker
from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface import create as short


def templates(folder: str) -> dict[str, str]:
    """The labelling configs in a folder by name, each text once."""
    found: dict[str, str] = {}
    for path in sorted(Path(folder).rglob("config.*")):
        text = path.read_text(encoding="utf-8")
        config = text if path.suffix == ".xml" else yaml.safe_load(text)["config"]
        found.setdefault(config, str(path.relative_to(folder)))
    return {name: config for config, name in found.items()}


def config(xml: str) -> list[str]:
    """What is wrong with a config."""
    try:
        LabelInterface(xml).validate()
    except Exception as error:  # any exception is its way to say no
        return [f"{type(error).__name__}: {error}"]
    return []


def create(tags: dict[str, Any], mapping: dict[str, str]) -> str:
    """A config from short forms; a list of three is the name of a helper and its arguments."""
    made = {
        name: getattr(short, form[0])(_tuples(form[1]), **form[2])
        if isinstance(form, list) and len(form) == 3
        else form
        for name, form in tags.items()
    }
    return str(LabelInterface.create(made, mapping=mapping))


def _tuples(values: Any) -> Any:
    return [tuple(one) if isinstance(one, list) else one for one in values]


def samples(xml: str) -> dict[str, Any]:
    """A task and a result as it makes them up itself."""
    random.seed(1)
    Faker.seed(1)
    interface = LabelInterface(xml)
    annotation = interface.generate_sample_annotation() or {"result": []}
    return {"data": interface.generate_sample_task(), "result": annotation["result"]}


def tasks(xml: str, items: list[Any]) -> list[list[str]]:
    """What is wrong with tasks; only that something is wrong is known."""
    interface = LabelInterface(xml)
    return [_said(_refusal, interface.validate_task, item) for item in items]


def results(xml: str, items: list[Any]) -> list[list[str]]:
    """What is wrong with predictions; it says the same of annotations, but not why."""
    interface = LabelInterface(xml)
    found = [_said(interface.validate_prediction, item, True) for item in items]
    refused = [_said(_refusal, interface.validate_annotation, item) for item in items]
    assert [bool(one) for one in found] == [bool(one) for one in refused]
    return found


def _refusal(validate: Any, item: Any) -> list[str]:
    return [] if validate(item) else ["refused"]


def _said(ask: Any, *arguments: Any) -> list[str]:
    try:
        return [str(one) for one in ask(*arguments)]
    except Exception as error:  # a crash is no consent
        return [f"crash: {type(error).__name__}: {error}"]


if __name__ == "__main__":
    logging.disable()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(globals()[name](*arguments)), flush=True)
