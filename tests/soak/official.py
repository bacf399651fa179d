"""A project from one server to another with the official client: export, create, import. Run by an
interpreter that has it:

    python official.py SOURCE KEY PROJECT TARGET KEY

Users are made by their e-mail addresses, and the authors in the export, which are ids, replaced by
these. Prints the new project, the seconds and the largest size of the process as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

LONG: Any = {"timeout_in_seconds": 3600, "max_retries": 0}


def main() -> None:
    source_url, source_key, number, target_url, target_key = sys.argv[1:]
    started, cpu = time.monotonic(), time.process_time()
    source = LabelStudio(base_url=source_url, api_key=source_key)
    target = LabelStudio(base_url=target_url, api_key=target_key)
    project = int(number)
    emails = {}
    for user in source.users.list():
        emails[user.id] = user.email
        try:
            target.users.create(username=user.email, email=user.email)
        except ApiError:  # it is there already
            continue
    export = source.projects.exports.create(project, title="Migration", request_options=LONG)
    while export.status not in ("completed", "failed"):
        time.sleep(1)
        export = source.projects.exports.get(project, export.id)
    pieces = source.projects.exports.download(
        project, export.id, export_type="JSON", request_options=LONG
    )
    tasks = json.loads(b"".join(pieces))
    for task in tasks:
        for annotation in task["annotations"]:
            annotation["completed_by"] = {"email": emails[annotation["completed_by"]]}
    old = source.projects.get(project)
    new = target.projects.create(
        title=old.title,
        description=old.description,
        label_config=old.label_config,
        maximum_annotations=old.maximum_annotations,
    )
    target.projects.import_tasks(new.id, request=tasks, request_options=LONG)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu = time.process_time() - cpu
    seconds = time.monotonic() - started
    print(json.dumps({"target": new.id, "seconds": seconds, "cpu": cpu, "MB": used}))


if __name__ == "__main__":
    main()
