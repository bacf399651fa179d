"""Predict the tasks that have no annotation yet, with the workers of a dask cluster.

    python examples/predict_with_dask.py Cars v3
    python examples/predict_with_dask.py Cars v3 tcp://scheduler:8786

Without the address of a scheduler, two processes on this machine are the cluster. Each worker needs
this library, and LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY in its environment. When one is lost,
another one repeats its part. Tasks that have a prediction of this version are skipped, so the
script can be run again at any time.
"""

from __future__ import annotations

import contextlib
import sys

import pandas
from distributed import Client, LocalCluster

from labelstudio_orm import LabelStudio, LabelStudioError

PARTS = 4
"""Parts of each worker: the less is repeated when one is lost."""


def predict(table: pandas.DataFrame, project_id: int, version: str) -> pandas.DataFrame:
    """Predict the tasks of a part, in the process of a worker."""
    with LabelStudio() as ls:
        project = ls.projects.get(project_id)
        control = project.config["label"]
        items = []
        for task, image in zip(table["id"], table["data__image"], strict=True):
            # Put your model here; scores are from 0 to 1.
            size = 10 + len(image) % 50
            region = control.rectangle("Car", x=5, y=5, width=size, height=size)
            items.append((task, [region], size / 100))
        done = project.predictions.bulk_create(items, model_version=version, on_conflict="skip")
    return pandas.DataFrame({"created": [done.created]})


def main(ls: LabelStudio, title: str, version: str, scheduler: str | None = None) -> None:
    project = ls.projects.get(title=title)
    with contextlib.ExitStack() as stack:
        where = scheduler or stack.enter_context(LocalCluster(n_workers=2, dashboard_address=None))
        cluster = stack.enter_context(Client(where))
        parts = PARTS * len(cluster.nthreads())
        todo = project.tasks.filter(total_annotations=0).exclude(predictions__model_version=version)
        tasks = todo.to_dask("id", "data__image", npartitions=parts)
        done = tasks.map_partitions(predict, project.id, version, meta={"created": int})
        done.compute(retries=2)
    # A server goes on with what a worker had sent before it was lost, and another one repeated.
    predictions = project.predictions.filter(model_version=version)
    duplicates = predictions.delete_duplicates()
    number = predictions.count()
    if number:
        project.model_version = version
        project.save()
    print(f"{number:,} predictions of {version}; {duplicates:,} duplicates were deleted")


if __name__ == "__main__":
    try:
        with LabelStudio() as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
