"""Record the pages that the replay server serves, from a real Label Studio.

Run once, and again after an upgrade:

python tests/bench/record.py
"""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import requests
from replay import RECORDED, REQUESTS, render

from labelstudio_orm import Project
from labelstudio_orm.testing._local import VERSION, LocalLabelStudio

TASKS = 1000

CONFIG = """
<View>
  <Text name="review" value="$text"/>
  <Choices name="sentiment" toName="review">
    <Choice value="Positive"/><Choice value="Negative"/><Choice value="Neutral"/>
  </Choices>
  <Labels name="aspect" toName="review">
    <Label value="Quality"/><Label value="Delivery"/><Label value="Price"/>
  </Labels>
</View>
"""

SUBJECTS = ("kettle", "lamp", "tent", "backpack", "blender", "radio", "scooter", "café-table")
OPENINGS = ("I bought this {} for my sister", "The {} came two days late", "Third {} in a year")
MIDDLES = (
    "it does what the page promised, and the {} looks better than in the pictures",
    "one corner of the {} was dented, though the box around it was not",
    "for 49 € nobody can expect more of a {}",
    'my neighbour says "never again" whenever he sees the {} 🙂',
    "after a week of daily use the {} still feels new to me",
)


def review(rand: random.Random) -> str:
    """A review of one to eight sentences."""
    subject = rand.choice(SUBJECTS)
    middles = rand.choices(MIDDLES, k=rand.randint(0, 7))
    numbered = (f"{text} (day {rand.randint(1, 400)})" for text in middles)
    return ". ".join([rand.choice(OPENINGS), *numbered]).format(*[subject] * 8) + "."


def regions(rand: random.Random, text: str) -> list[dict[str, Any]]:
    """A choice, and in half of the cases a span as well."""
    common = {"to_name": "review", "origin": "manual"}
    choice = {
        **common,
        "id": f"{rand.getrandbits(50):010x}"[:10],
        "from_name": "sentiment",
        "type": "choices",
        "value": {"choices": [rand.choice(("Positive", "Negative", "Neutral"))]},
    }
    start = rand.randrange(len(text) - 20)
    end = rand.randint(start + 5, start + 20)
    labels = [rand.choice(("Quality", "Delivery", "Price"))]
    span = {
        **common,
        "id": f"{rand.getrandbits(50):010x}"[:10],
        "from_name": "aspect",
        "type": "labels",
        "value": {"start": start, "end": end, "text": text[start:end], "labels": labels},
    }
    return [choice, span][: rand.randint(1, 2)]


def item(rand: random.Random, number: int) -> dict[str, Any]:
    """A task with one to three annotations and a prediction."""
    text = review(rand)
    return {
        "data": {"text": text, "product": rand.choice(SUBJECTS), "order": f"A-{100000 + number}"},
        "annotations": [
            {"result": regions(rand, text), "lead_time": round(rand.uniform(2, 90), 3)}
            for _ in range(rand.randint(1, 3))
        ],
        "predictions": [
            {
                "result": regions(rand, text),
                "score": round(rand.random(), 6),
                "model_version": "v7",
            }
        ],
    }


def record(project: Project, server: LocalLabelStudio) -> None:
    """Ask for all rows in each of the ways, and keep the answers; variants have to agree."""
    for name, variants in REQUESTS.items():
        answers = {ask(server, {**params, "project": str(project.id)}) for params in variants}
        if len(answers) > 1:
            raise SystemExit(f"{name}: the answers differ, so one recording cannot stand for all")
        [body] = answers
        if render(json.loads(body)) != body:
            raise SystemExit(f"{name}: the replay server would not write the bytes of the server")
        path = RECORDED / f"{name}.json.gz"
        path.write_bytes(gzip.compress(body, 9, mtime=0))
        print(f"{path.name}: {len(body):,} bytes, {path.stat().st_size:,} compressed")


def ask(server: LocalLabelStudio, params: dict[str, str]) -> bytes:
    """One page with all rows, as it came."""
    answer = requests.get(
        f"{server.url}/api/tasks/",
        params={**params, "page": "1", "page_size": str(TASKS)},
        headers={"Authorization": f"Token {server.api_key}"},
        timeout=600,
    )
    answer.raise_for_status()
    return answer.content


def main() -> None:
    """Fill a server and record it."""
    rand = random.Random(20)
    with LocalLabelStudio() as server:
        print(f"Label Studio {VERSION}")
        project = server.client().projects.create(title="Reviews", label_config=CONFIG)
        project.tasks.bulk_create([item(rand, number) for number in range(TASKS)])
        record(project, server)


if __name__ == "__main__":
    main()
