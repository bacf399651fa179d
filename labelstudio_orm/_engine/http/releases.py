"""Since which release of the server each feature is there, and what is done without it.

Found in the sources of the releases from 1.8 to 1.23, and tried on servers of them. All of the
library asks by these names, and nothing else compares the number of a release.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import attrs

from .server import ServerVersion

OLDEST: Final = (1, 10)
"""The first release that this library works with."""

COMPLETE: Final = (1, 15)
"""The first release on which nothing is missed but what ``FEATURES`` names."""

NEWEST: Final = (1, 23)
"""The newest release that was tried; newer ones are taken to be like it."""


NEWEST_SERVER: Final = ServerVersion.from_version({})
"""What a server is taken to be whose release is not known: it has everything."""


_STATEFUL = ("task", "annotation", "project")


@attrs.frozen
class Feature:
    """Something that the server has since a release.

    Attributes:
        name: What messages call it.
        since: The first release that has it.
        wire: What it is in a request or an answer.
        without: What is done on an older server.
        operations: The operations of the API that are missing there, if any.
        harmless: Values of a field that say what an older server does in any case.
    """

    name: str
    since: tuple[int, ...]
    wire: str
    without: str
    operations: tuple[str, ...] = ()
    harmless: tuple[object, ...] = ()

    @property
    def release(self) -> str:
        """The first release, as text: "1.21"."""
        return text(self.since)

    def is_on(self, server: ServerVersion) -> bool:
        """Return whether a server has it; one of another edition or of an unknown release does."""
        return server.edition != "Community" or not server.version or server.version >= self.since


def text(release: tuple[int, ...]) -> str:
    """Return the numbers of a release as text: "1.21"."""
    return ".".join(map(str, release))


PAIRED_FILTERS: Final = Feature(
    "filters with conditions inside of conditions",
    (1, 21),
    "child_filter of a line of filters",
    "one conjunction is sent and the rest checked on this side; a view that needs it is refused",
)
STORED_ADDRESSES: Final = Feature(
    "a task with its addresses as they are stored",
    (1, 23),
    "resolve_uri of GET /api/tasks/{id}/",
    "the data is read by a listing, which has the parameter in all releases",
)
ANNOTATORS: Final = Feature(
    "the annotators of a project",
    (1, 22),
    "GET /api/projects/{id}/annotators/",
    "they are taken from the annotations and the users",
    ("GET /api/projects/{}/annotators/",),
)
EVALUATION: Final = Feature(
    "the evaluation of annotators",
    (1, 23),
    "annotator_evaluation_enabled of a project",
    "True is refused, since the server would drop it",
    harmless=(False, None),
)
UNSKIPPABLE: Final = Feature(
    "tasks that may not be skipped",
    (1, 22),
    "allow_skip of a task",
    "False is refused, since the server would drop it",
    harmless=(True, None),
)
OF_ONE_ANNOTATOR: Final = Feature(
    "deleting the annotations of one annotator",
    (1, 20),
    "annotator of the action delete_tasks_annotations",
    "refused, since the server would delete those of all",
)
FLAT_SCANS: Final = Feature(
    "storages that are read without their folders",
    (1, 21),
    "recursive_scan of import storages, except S3",
    "False is refused, since the server would read the folders as well",
    harmless=(True, None),
)
FILE_SIZES: Final = Feature(
    "sizes of uploaded files", (1, 21), "size of a file upload", "they are unknown, which is None"
)
CHECKED_PREDICTIONS: Final = Feature(
    "a check of predictions against the labelling config",
    (1, 21),
    "created of POST /api/projects/{id}/import/predictions",
    "they are checked on this side, before any is sent",
)
HOTKEYS: Final = Feature(
    "hotkeys",
    (1, 21),
    "/api/current-user/hotkeys/",
    "refused",
    ("GET /api/current-user/hotkeys/", "PATCH /api/current-user/hotkeys/"),
)
STATES: Final = Feature(
    "states, and transitions between them",
    (1, 22),
    "/api/fsm/entities/",
    "refused",
    (
        *(f"GET /api/fsm/entities/{entity}/{{}}/history" for entity in _STATEFUL),
        *(f"POST /api/fsm/entities/{entity}/{{}}/transition/" for entity in _STATEFUL),
    ),
)
LAST_VIEWS: Final = Feature(
    "new views behind those that a project has",
    (1, 21),
    "order of POST /api/dm/views/",
    "they come first; a migration puts them in their place by one request more",
)
PROJECT_WEBHOOKS: Final = Feature(
    "webhooks of projects alone",
    (1, 20),
    "project of POST /api/webhooks/",
    "one without a project is created, for the whole organization",
)
SESSION_POLICY: Final = Feature(
    "the session policy",
    (1, 20),
    "/api/session-policy/",
    "refused",
    ("GET /api/session-policy/", "PATCH /api/session-policy/"),
)
PERSONAL_TOKENS: Final = Feature(
    "personal access tokens",
    (1, 17),
    "/api/token/, /api/jwt/settings",
    "refused",
    (
        "GET /api/token/",
        "POST /api/token/",
        "POST /api/token/blacklist/",
        "POST /api/token/refresh/",
        "POST /api/token/rotate/",
        "GET /api/jwt/settings",
        "POST /api/jwt/settings",
    ),
)
PROJECT_COUNTS: Final = Feature(
    "counters of projects by themselves",
    (1, 16),
    "GET /api/projects/counts/",
    "refused",
    ("GET /api/projects/counts/",),
)
ONE_MEMBER: Final = Feature(
    "reading one member of an organization",
    (1, 16),
    "GET /api/organizations/{id}/memberships/{user}/",
    "refused",
    ("GET /api/organizations/{}/memberships/{}/",),
)
DATA_COLUMNS: Final = Feature(
    "filters by keys of data where some data is $undefined$",
    (1, 15),
    "the columns data.* of filters",
    "keys of data are checked on this side",
)
VIEW_ORDER: Final = Feature(
    "ordering the views of a project",
    (1, 13, 1),
    "POST /api/dm/views/order/",
    "refused",
    ("POST /api/dm/views/order/",),
)
DELETE_VERSION: Final = Feature(
    "deleting the predictions of a model version at once",
    (1, 12),
    "DELETE /api/projects/{id}/model-versions/",
    "they are deleted one by one",
    ("DELETE /api/projects/{}/model-versions/",),
)
MODEL_RUNS: Final = Feature(
    "which run of a model made a prediction",
    (1, 12),
    "model, model_run of a prediction",
    "refused, since the server would drop it",
    harmless=(None,),
)
STORAGE_NAMES: Final = Feature(
    "filters by the name in a storage",
    (1, 11),
    "the column storage_filename of filters",
    "refused, since the server would fail",
)
PREDICTIONS_OF_PROJECT: Final = Feature(
    "the predictions of a project",
    (1, 10),
    "project of GET /api/predictions/",
    "task__project is sent instead, as the server would give those of all projects",
)
FEATURES: Final = tuple(one for one in list(globals().values()) if isinstance(one, Feature))
"""All of them, as the table in the documentation has them."""


def without(feature: Feature) -> str:
    """Return what a server without a feature is called: "a server before 1.21"."""
    return f"a server before {feature.release}"


def feature_of(method: str, path: str) -> Feature | None:
    """Return the feature that an operation belongs to, if not every release has it."""
    asked = f"{method.upper()} {path.partition('?')[0]}"
    return next((one for pattern, one in _operations() if pattern.fullmatch(asked)), None)


@cache
def _operations() -> tuple[tuple[re.Pattern[str], Feature], ...]:
    return tuple(
        (re.compile(re.escape(operation).replace(r"\{\}", "[^/]+")), one)
        for one in FEATURES
        for operation in one.operations
    )
