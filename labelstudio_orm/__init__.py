"""A Label Studio server as Python objects: active records, lazy querysets, data migrations.

A script pays for what it names: a resource is imported when it is touched.
"""

from typing import TYPE_CHECKING

from ._engine.values.lazy import importer
from ._version import __version__ as __version__
from .client import LabelStudio, connect
from .errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    ClientSideFilterWarning,
    Conflict,
    ConnectionFailed,
    DoesNotExist,
    FieldError,
    JobFailed,
    LabelStudioError,
    LeftOutWarning,
    MissingSizeWarning,
    MultipleObjectsReturned,
    NotFound,
    NotSupportedByServer,
    OldServerWarning,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    ServerError,
    Timeout,
    UnknownKeyWarning,
    UnsafePath,
)
from .resources import NOUNS

if TYPE_CHECKING:
    from ._engine.conditions.expressions import data, meta
    from ._engine.conditions.q import Q
    from ._engine.http.transport import Retry
    from ._engine.models.queryset import QuerySet
    from ._engine.models.server import ServerInfo
    from ._engine.values.summary import Created, Failure, Summary
    from ._formats.report import FormatReport, Imported, LeftOut
    from ._statistics.aggregates import Avg, Count, Max, Min, Sum
    from .resources._tasks.exported import from_export
    from .resources._tasks.media import MediaFile
    from .resources.comments import Comment
    from .resources.drafts import Draft
    from .resources.exports import Export
    from .resources.files import FileUpload
    from .resources.imports import ImportJob
    from .resources.ml import MLBackend, ModelProvider
    from .resources.people import Organization, OrganizationMember, User
    from .resources.projects import Pause, Project
    from .resources.prompts import Prompt, PromptIndicator, PromptRun, PromptVersion, Refinement
    from .resources.states import AnnotationState, ProjectState, TaskState
    from .resources.storages import ExportStorage, ImportStorage
    from .resources.tasks import Annotation, Prediction, Task
    from .resources.tokens import JWTSettings, SessionPolicy, Token
    from .resources.views import Action, View
    from .resources.webhooks import Webhook
    from .resources.workspaces import Workspace, WorkspaceMember

__all__ = [
    "APIError",
    "Action",
    "Annotation",
    "AnnotationState",
    "AuthenticationError",
    "Avg",
    "BadRequest",
    "ClientSideFilterWarning",
    "Comment",
    "Conflict",
    "ConnectionFailed",
    "Count",
    "Created",
    "DoesNotExist",
    "Draft",
    "Export",
    "ExportStorage",
    "Failure",
    "FieldError",
    "FileUpload",
    "FormatReport",
    "ImportJob",
    "ImportStorage",
    "Imported",
    "JWTSettings",
    "JobFailed",
    "LabelStudio",
    "LabelStudioError",
    "LeftOut",
    "LeftOutWarning",
    "MLBackend",
    "Max",
    "MediaFile",
    "Min",
    "MissingSizeWarning",
    "ModelProvider",
    "MultipleObjectsReturned",
    "NotFound",
    "NotSupportedByServer",
    "OldServerWarning",
    "Organization",
    "OrganizationMember",
    "OutcomeUnknown",
    "Pause",
    "PermissionDenied",
    "Prediction",
    "Project",
    "ProjectState",
    "Prompt",
    "PromptIndicator",
    "PromptRun",
    "PromptVersion",
    "Q",
    "QuerySet",
    "RateLimited",
    "Refinement",
    "Retry",
    "ServerError",
    "ServerInfo",
    "SessionPolicy",
    "Sum",
    "Summary",
    "Task",
    "TaskState",
    "Timeout",
    "Token",
    "UnknownKeyWarning",
    "UnsafePath",
    "User",
    "View",
    "Webhook",
    "Workspace",
    "WorkspaceMember",
    "connect",
    "data",
    "from_export",
    "meta",
]

_LATER = {
    "_engine.conditions.expressions": ("data", "meta"),
    "_engine.conditions.q": ("Q",),
    "_engine.http.transport": ("Retry",),
    "_engine.models.queryset": ("QuerySet",),
    "_engine.models.server": ("ServerInfo",),
    "_engine.values.summary": ("Created", "Failure", "Summary"),
    "_formats.report": ("FormatReport", "Imported", "LeftOut"),
    "_statistics.aggregates": ("Avg", "Count", "Max", "Min", "Sum"),
    "resources._tasks.exported": ("from_export",),
    "resources._tasks.media": ("MediaFile",),
    **{f"resources.{module}": names for module, names in NOUNS.items()},
}

if not TYPE_CHECKING:  # a type checker would take any name
    __getattr__ = importer(__name__, _LATER)

    def __dir__():
        return sorted({*globals(), *__all__})
