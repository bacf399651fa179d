"""Prompts: the runs of their versions, refinements and costs."""

from __future__ import annotations

import uuid
from typing import Any

from ..._rows.enterprise import get_row
from ..._state.store import Row, dumps, iso
from ..._wire.answers import invalid, not_found
from ..predictions import update_prediction_count
from .calls import Call
from .kinds import PROMPT_VERSION, RUN

# A run and a refinement advance by one step with each request that reads them.
_NEXT = {"Pending": "InProgress", "InProgress": "Completed"}


def get_run(call: Call) -> Any:
    """Return the newest run of a version on a part of the project (no list, despite its name)."""
    version = PROMPT_VERSION.find(call)
    runs = RUN.rows(call.store, {"model_version": version["id"], **call.query})
    if not runs:
        raise not_found(RUN.name)
    return RUN.shown(call, _advanced(call, runs[-1]))


def list_runs(call: Call) -> Any:
    """Return the runs of a version, as newer servers do."""
    version = PROMPT_VERSION.find(call)
    runs = RUN.rows(call.store, {"model_version": version["id"], **call.query})
    return [RUN.shown(call, _advanced(call, run)) for run in runs]


def _advanced(call: Call, row: Row) -> Row:
    if row["status"] in _NEXT:
        row["status"] = _NEXT[row["status"]]
        row["triggered_at" if row["status"] == "InProgress" else "completed_at"] = call.now()
    return RUN.save(call, row)


def _tasks_of_run(call: Call, items: list[Row], name: str) -> tuple[Row, list[Row]]:
    run = call.find(RUN.name, call.body["modelrun_id"])
    errors: Row = {}
    tasks = []
    for index, item in enumerate(items):
        task = get_row(call.store, "task", item.get("task_id"))
        if task is None or task["project_id"] != run["project"]:
            text = f'Invalid pk "{item.get("task_id")}" - no task of project {run["project"]}.'
            errors[str(index)] = {"task_id": [text]}
        else:
            tasks.append(task)
    if errors:
        raise invalid({name: errors})
    return run, tasks


def submit_predictions(call: Call) -> Any:
    results = call.body["results"]
    run, tasks = _tasks_of_run(call, results, "results")
    version = call.find(PROMPT_VERSION.name, run["model_version"])
    now = call.store.now()
    for task, item in zip(tasks, results, strict=True):
        prediction = {
            "result": dumps([{"value": item.get("output", {})}]),
            "model_version": version.get("title"),
            "model": version["parent_model"],
            "model_run": run["id"],
            "task_id": task["id"],
            "project_id": task["project_id"],
            "created_at": now,
            "updated_at": now,
        }
        call.store.insert("prediction", prediction)
        update_prediction_count(call.store, task["id"])
    run["predictions_updated_at"] = iso(now)
    RUN.save(call, {**run, "results": run.get("results", []) + results})
    if call.is_newest:
        return {"job_id": run["job_id"], "results": results}
    return {"detail": f"{len(results)} predictions created."}


def submit_failures(call: Call) -> Any:
    failed = call.body["failed_predictions"]
    run, _ = _tasks_of_run(call, failed, "failed_predictions")
    RUN.save(call, {**run, "failed": run.get("failed", []) + failed})
    if call.is_newest:
        return {"job_id": run["job_id"], "failed_predictions": failed}
    return {"detail": f"{len(failed)} failed predictions stored."}


_SUMS = {
    "tokens": ("Tokens", ("prompt_tokens", "completion_tokens")),
    "cost": ("Cost in USD", ("total_cost_usd", "prompt_cost_usd", "completion_cost_usd")),
}


def _indicators(call: Call) -> dict[str, tuple[str, Row]]:
    """Return title and values of each indicator by key, from what was submitted to the run."""
    run = call.find(RUN.name, call.path[0])
    results, failed = run.get("results", []), run.get("failed", [])
    found = {"predictions": ("Predictions", {"submitted": len(results), "failed": len(failed)})}
    for key, (title, names) in _SUMS.items():
        found[key] = title, {name: sum(row.get(name) or 0 for row in results) for name in names}
    return found


def list_indicators(call: Call) -> Any:
    found = _indicators(call)
    if call.is_newest:
        return [{"title": title, "values": values} for title, values in found.values()]
    items = []
    for key, (title, values) in found.items():
        main, *others = values
        additional = [{"key": name, "label": name.replace("_", " ")} for name in others]
        item = {"key": key, "title": title, "main_kpi": str(values[main])}
        items.append({**item, "additional_kpis": additional, "extra_kpis": []})
    return items


def get_indicator(call: Call) -> Any:
    found = _indicators(call).get(str(call.path[1]))
    if found is None:
        raise not_found("KeyIndicator")
    return {"title": found[0], "values": found[1]}


def estimate_cost(call: Call) -> Any:
    PROMPT_VERSION.find(call)
    truth = "EXISTS(SELECT 1 FROM annotation WHERE task_id = task.id AND ground_truth)"
    subset = call.query.get("project_subset", "All")
    condition = truth if subset == "HasGT" else "1"
    sql = f"SELECT COUNT(*) FROM task WHERE project_id = ? AND {condition}"
    tasks = call.store.value(sql, call.query.get("project_id"))
    tasks = min(tasks, 100) if subset == "Sample" else tasks
    return {
        "prompt_cost_usd": f"{tasks * 0.001:.3f}",
        "completion_cost_usd": f"{tasks * 0.002:.3f}",
        "total_cost_usd": f"{tasks * 0.003:.3f}",
        "is_error": False,
        "error_type": None,
        "error_message": None,
    }


def refine(call: Call) -> Any:
    """Refine a prompt at once, or as a job, whose prompt is empty until it is done."""
    version = PROMPT_VERSION.find(call)
    if not call.query.get("async"):
        return _refined(call, version, {"status": "Completed", "job": None})
    job = {"status": "InProgress", "job": str(uuid.uuid4())}
    PROMPT_VERSION.save(call, {**version, "jobs": [*version.get("jobs", []), {**job, "looks": 0}]})
    return _refined(call, version, job)


def get_refinement(call: Call) -> Any:
    version = PROMPT_VERSION.find(call)
    for job in version.get("jobs", []):
        if job["job"] == call.query["refinement_job_id"]:
            job["looks"] += 1
            job["status"] = "Completed" if job["looks"] > 1 else "InProgress"
            PROMPT_VERSION.save(call, version)
            return _refined(call, version, job)
    raise not_found("RefinementJob")


def _refined(call: Call, version: Row, job: Row) -> Row:
    done = job["status"] == "Completed"
    return {
        "title": f"{version.get('title') or 'Prompt'}, refined" if done else None,
        "reasoning": "Said what to answer with." if done else None,
        "prompt": f"{version.get('prompt') or ''}\nAnswer with nothing else." if done else "",
        "refinement_job_id": job["job"],
        "refinement_status": job["status"],
        "total_cost": "0.003" if done else None,
        "previous_version": PROMPT_VERSION.shown(call, version),
    }
