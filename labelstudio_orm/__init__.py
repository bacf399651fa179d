"""A Label Studio server as Python objects: active records, lazy querysets, data migrations."""

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
    MultipleObjectsReturned,
    NotFound,
    NotSupportedByServer,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    ServerError,
    Timeout,
)
from .query import Q
from .queryset import QuerySet
from .resources.people import User
from .resources.projects import Project
from .resources.server import ServerInfo
from .resources.tasks import Annotation, Prediction, Task
from .transport import Retries

__version__ = "0.1.0"

__all__ = [
    "APIError",
    "Annotation",
    "AuthenticationError",
    "BadRequest",
    "ClientSideFilterWarning",
    "Conflict",
    "ConnectionFailed",
    "DoesNotExist",
    "FieldError",
    "JobFailed",
    "LabelStudio",
    "LabelStudioError",
    "MultipleObjectsReturned",
    "NotFound",
    "NotSupportedByServer",
    "OutcomeUnknown",
    "PermissionDenied",
    "Prediction",
    "Project",
    "Q",
    "QuerySet",
    "RateLimited",
    "Retries",
    "ServerError",
    "ServerInfo",
    "Task",
    "Timeout",
    "User",
    "connect",
]
