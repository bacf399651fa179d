"""Import real product reviews with the labels of three users and a model; query, fix and copy them.

    LABEL_STUDIO_URL=http://localhost:8080 LABEL_STUDIO_API_KEY=... python examples/quickstart.py

Each run creates two projects, the first run also three users. It changes nothing else.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from reviews import Snippet, load_model, load_snippets

from labelstudio_orm import LabelStudio, Project, Q, QuerySet, Task, User
from labelstudio_orm.testing import cache_folder

MODEL = "vader-3.3.2"
CONFIG = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text" choice="single" showInline="true">
    <Choice value="Positive"/> <Choice value="Neutral"/> <Choice value="Negative"/>
  </Choices>
  <Number name="rating" toName="text" min="-4" max="4"/>
</View>
"""


def main(ls: LabelStudio, *, cache: Path, limit: int | None = None) -> None:
    """Run all steps. ``cache``: the folder for data and export; ``limit``: how many sentences."""
    print(f"Connected to Label Studio {ls.server().release} as {ls.users.me().email}")
    project = create_project(ls)
    raters = find_raters(ls)
    import_reviews(project, raters, load_snippets(cache)[:limit], load_model(cache))
    ask(project, raters)
    clean_texts(project)
    mark_ground_truth(disputed(project)[:25])
    verify(project, copy(ls, project))
    path = project.export("JSON", cache / "reviews.json", progress=True)
    print(f"Exported to {path}")
    summarize(project, raters)


def create_project(ls: LabelStudio) -> Project:
    title = f"Product reviews {datetime.now():%Y-%m-%d %H:%M:%S}"
    project = ls.projects.create(title=title, label_config=CONFIG)
    print(f"Created {project}")
    return project


def find_raters(ls: LabelStudio) -> list[User]:
    """Get or create three users; annotations can be by users who never log in."""

    def find(name: str) -> User:
        email = f"{name}@example.com"
        return ls.users.get_or_create(email=email, defaults={"username": name})[0]

    raters = [find(name) for name in ("ann", "ben", "cleo")]
    print(f"Raters: {', '.join(rater.email for rater in raters)}")
    return raters


def import_reviews(
    project: Project, raters: list[User], snippets: list[Snippet], model: Callable[[str], float]
) -> None:
    """Import tasks with annotations and predictions inside: one request for a thousand."""
    sentiment, rating = project.config["sentiment"], project.config["rating"]

    def result(value: float) -> list[dict[str, Any]]:
        choice = "Positive" if value > 0.1 else "Negative" if value < -0.1 else "Neutral"
        return [sentiment.choice(choice), rating.number(value)]

    def prediction(value: float) -> dict[str, Any]:
        return {"result": result(round(value * 4, 4)), "score": abs(value), "model_version": MODEL}

    items = [
        {
            "data": {"text": snippet.text},
            "meta": {"snippet": snippet.id},
            "predictions": [prediction(model(snippet.text))],
            "annotations": [
                {"result": result(value), "completed_by": rater}
                for rater, value in zip(raters, snippet.ratings, strict=False)
            ],
        }
        for snippet in snippets
    ]
    tasks = project.tasks.bulk_create(items, progress=True)
    print(f"Imported {len(tasks):,} tasks, {tasks[0]} to {tasks[-1]}")


def ask(project: Project, raters: list[User]) -> None:
    """Query the tasks. Querysets are lazy: a request is sent only when rows are needed."""
    tasks = project.tasks
    phones = tasks.filter(data__text__icontains="phone").exclude(data__text__icontains="camera")
    print(f"{phones.count():,} are about phones and not about cameras, first {phones.first()}")
    print(f"{tasks.filter(annotators=raters[0]).count():,} have an annotation by {raters[0].email}")

    unsure = tasks.filter(Q(predictions_score__lt=0.05) | Q(data__text__endswith="?"))
    print(f"{unsure.count():,} say little or ask something; the model is surest of these:")
    surest = tasks.order_by("-predictions_score").values_list("predictions_score", "data__text")
    for score, text in surest[:3]:
        print(f"    {score:.2f}  {text:.80}")


def disputed(project: Project) -> list[Task]:
    """Return the tasks whose raters agree and the model does not, which no filter can express."""
    found = []
    for task in labelled(project).iterator(progress=True):
        people = {annotation.values()["sentiment"] for annotation in task.annotations}
        models = {prediction.values()["sentiment"] for prediction in task.predictions}
        if len(people) == 1 and people.isdisjoint(models):
            found.append(task)
    print(f"{len(found):,} are disputed between people and model")
    return found


def clean_texts(project: Project) -> None:
    """Replace "&amp;#38;" in texts by the "&" of the review; save() notices edits in place."""
    spoilt = project.tasks.filter(data__text__contains="&amp;")
    for task in spoilt:
        task.data["text"] = html.unescape(html.unescape(task.data["text"]))
        task.save()
    print(f"Cleaned {len(spoilt)} texts")


def mark_ground_truth(tasks: list[Task]) -> None:
    """Mark an annotation of each task for the model to learn from."""
    for task in tasks:
        annotation = task.annotations[0]
        annotation.ground_truth = True
        annotation.save()
    print(f"Marked an annotation as ground truth in {len(tasks)} of the disputed tasks")


def copy(ls: LabelStudio, project: Project) -> Project:
    """Copy tasks with all that was prefetched: loaded tasks can be imported, and keep authors."""
    title = f"{project.title} (copy)"
    twin = ls.projects.create(title=title, label_config=project.label_config)
    twin.tasks.bulk_create(labelled(project).iterator(progress=True))
    print(f"Copied to {twin}")
    return twin


def verify(project: Project, twin: Project) -> None:
    """Compare the contents of both projects, object by object."""
    source, target = labelled(project), labelled(twin)
    for ours, theirs in zip(source.iterator(progress=True), target.iterator(), strict=True):
        if contents(ours) != contents(theirs):
            raise AssertionError(f"{theirs} is not as {ours}")
    print(
        f"Verified {twin.tasks.count():,} tasks: equal in data, annotations, authors, predictions"
    )


def contents(task: Task) -> tuple[Any, ...]:
    return (
        task.data,
        task.meta,
        [(one.completed_by_id, one.result, one.ground_truth) for one in task.annotations],
        [(one.model_version, one.result, one.score) for one in task.predictions],
    )


def summarize(project: Project, raters: list[User]) -> None:
    project.refresh()
    table = {
        "tasks": project.task_number,
        "annotations": project.total_annotations_number,
        "predictions": project.total_predictions_number,
        "ground truth": project.ground_truth_number,
    }
    for rater in raters:
        table[f"tasks of {rater.email}"] = project.tasks.filter(annotators=rater).count()
    print(f"\n{project.title}")
    for name, number in table.items():
        print(f"    {name:26}{number:8,}")


def labelled(project: Project) -> QuerySet[Task]:
    """Return all tasks with annotations and predictions; naming the fields makes it faster."""
    return project.tasks.only("data", "meta").prefetch("annotations", "predictions")


if __name__ == "__main__":
    with LabelStudio() as ls:
        main(ls, cache=cache_folder())
