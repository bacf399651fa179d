"""Projects to migrate: one with a bit of everything, and 23,703 rated snippets."""

from __future__ import annotations

import json
import random
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelstudio_orm import LabelStudio, Project, Q
from labelstudio_orm.testing import _environments as environments

CONFIG = """\
<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text">
    <Choice value="Positive"/><Choice value="Neutral"/><Choice value="Negative"/>
  </Choices>
  <Rating name="stars" toName="text"/>
</View>
"""
SENTIMENTS = ("Positive", "Neutral", "Negative")

Region = dict[str, Any]


def region(sentiment: str) -> Region:
    """As a person who chose it leaves it."""
    value = {"choices": [sentiment]}
    names = {"from_name": "sentiment", "to_name": "text", "type": "choices"}
    return {"id": "r1", **names, "value": value}


def people(ls: LabelStudio, number: int) -> list[Any]:
    """So many users, the same each time."""
    known = {user.email: user for user in ls.users.all()}
    emails = [f"rater{place}@example.com" for place in range(1, number + 1)]
    return [known.get(email) or ls.users.create(email=email) for email in emails]


def everything(ls: LabelStudio, *, tasks: int, drafts: int, files: int, seed: int = 1) -> Project:
    """Annotations of two, cancelled ones, ground truth, predictions, drafts, a gap, files, views,
    another overlap.
    """
    chance = random.Random(seed)
    ann, bob = people(ls, 2)
    project = ls.projects.create(
        title="Everything", label_config=CONFIG, description="To be moved", maximum_annotations=2
    )
    gap = tasks // 5
    made = project.tasks.bulk_create(
        _rated(number, chance, ann, bob) for number in range(tasks + gap)
    )
    project.tasks.filter(id__in=[task.id for task in made[gap : 2 * gap]]).delete()
    left = [*made[:gap], *made[2 * gap :]]
    for task in left[:drafts]:
        ls.drafts.create(task=task, result=[region("Neutral")], lead_time=1.5)
    for task in left[-3:]:
        task.overlap = 5
        task.save()
    with tempfile.TemporaryDirectory() as folder:
        for task, number in zip(left, range(files), strict=False):
            path = Path(folder, f"photo {number}.png")
            path.write_bytes(chance.randbytes(20_000))
            task.data["photo"] = f"/data/{project.files.upload(path).file}"
            task.save()
    for number in range(5):
        project.views.create(title=f"View {number}", filters=Q(annotators=ann.id), ordering="-id")
    return project.refresh()


def _rated(number: int, chance: random.Random, ann: Any, bob: Any) -> dict[str, Any]:
    one = {"completed_by": ann.id, "lead_time": number / 8, "ground_truth": number % 10 == 0}
    two = {"completed_by": bob.id, "was_cancelled": number % 7 == 0}
    annotations = [{**who, "result": [region(chance.choice(SENTIMENTS))]} for who in (one, two)]
    prediction = {"result": [region(chance.choice(SENTIMENTS))], "score": chance.random()}
    return {
        "data": {"text": f"Review {number}", "number": number},
        "meta": {"batch": number // 100},
        "annotations": annotations[: number % 3],
        "predictions": [{**prediction, "model_version": "v1"}],
    }


# -- the snippets ----------------------------------------------------------------------------------

SOURCES = ("tweets", "movieReviewSnippets", "nytEditorialSnippets", "amazonReviewSnippets")
RATERS = 5


def snippets() -> Iterator[tuple[str, list[int]]]:
    """All snippets of vaderSentiment's data with the first five of their ratings, from -4 to 4;
    downloaded once.
    """
    folder = environments.cache_folder() / "vaderSentiment-snippets"
    if not (folder / "complete").exists():
        _download(folder)
    for source in SOURCES:
        ratings = dict(_ratings(folder / f"{source}_anonDataRatings.txt"))
        for row in _rows(folder / f"{source}_GroundTruth.txt"):
            yield row[2], ratings[row[0]][:RATERS]


def _ratings(path: Path) -> Iterator[tuple[str, list[int]]]:
    for row in _rows(path):
        yield row[0], json.loads(row[3])


def _rows(path: Path) -> Iterator[list[str]]:
    for line in path.read_text("utf-8-sig", errors="replace").splitlines():
        yield line.split("\t")


def _download(folder: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    import reviews  # type: ignore[import-not-found, unused-ignore]

    names = [f"{one}_{kind}.txt" for one in SOURCES for kind in ("GroundTruth", "anonDataRatings")]
    folder.mkdir(parents=True, exist_ok=True)
    inner = f"{reviews.PACKAGE}-{reviews.VERSION}/additional_resources/hutto_ICWSM_2014.tar.gz"
    with (
        tempfile.TemporaryDirectory() as temporary,
        tarfile.open(reviews.download(Path(temporary))) as outer,
        tarfile.open(fileobj=reviews.member(outer, inner)) as data,
    ):
        reviews.extract(data, "hutto_ICWSM_2014", tuple(names), folder)
    (folder / "complete").touch()


def rated_snippets(ls: LabelStudio, limit: int | None = None) -> Project:
    """The snippets as tasks, each rated by five people; 50 of the ratings are ground truth, 40 were
    cancelled, a gap of 2,000 inner ids behind the first thousand.
    """
    raters = people(ls, RATERS)
    project = ls.projects.create(title="Snippets", label_config=CONFIG, maximum_annotations=RATERS)

    def items() -> Iterator[dict[str, Any]]:
        for number, (text, ratings) in enumerate(snippets()):
            if number == limit:
                return
            if number == 1000:
                yield from ({"data": {"text": "to be deleted"}} for _ in range(2000))
            yield {
                "data": {"text": text},
                "annotations": [
                    {
                        "result": [region(SENTIMENTS[(rating < 0) * 2 + (rating == 0)])],
                        "completed_by": rater.id,
                        "lead_time": 1.0 + place,
                        "ground_truth": place == 0 and number % 400 == 0 and number < 20_000,
                        "was_cancelled": place == 4 and number % 500 == 1 and number < 20_000,
                    }
                    for place, (rater, rating) in enumerate(zip(raters, ratings, strict=True))
                ],
            }

    project.tasks.bulk_create(items(), progress=True)
    project.tasks.filter(data__text="to be deleted").delete()
    for task in project.tasks[:25]:
        ls.drafts.create(task=task, result=[region("Neutral")])
    project.views.create(title="First rater", filters=Q(annotators=raters[0].id))
    project.views.create(title="Newest", ordering="-id")
    return project.refresh()
