"""LabelStudio: one server, one credential, one session; the root of every queryset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import _html, resources
from ._engine import models
from ._engine.http.connection import Connection, facts_of, set_default
from ._engine.models.queryset import QuerySet, queryset_of
from ._engine.models.roots import Root
from ._engine.records.inside import client_of, from_row, refetch
from ._engine.records.origin import Origin
from ._engine.values.secret import unseen

if TYPE_CHECKING:
    from ._engine.models.resource import Resource
    from ._engine.models.server import ServerInfo
    from .resources.comments import Comments
    from .resources.drafts import Draft
    from .resources.files import Files
    from .resources.ml import MLBackend, ModelProvider
    from .resources.people import Organizations, Users
    from .resources.projects import Projects
    from .resources.prompts import Prompt
    from .resources.storages import ExportStorages, ImportStorages
    from .resources.tasks import Annotations, Predictions, Tasks
    from .resources.tokens import JWTSettings, SessionPolicy, Tokens
    from .resources.views import Views
    from .resources.webhooks import Webhooks
    from .resources.workspaces import Workspace

__all__ = ["LabelStudio", "connect", "labelstudio_of"]

R = TypeVar("R", bound="Resource")


class LabelStudio(Connection):
    """A client of one Label Studio server.

    Making one sends no request. It may be used from several threads, and is closed by ``close()``
    or ``with``. What costs no request is an attribute, ``ls.projects``; what costs one is a call,
    ``ls.version()``.

    Args:
        url: The address, with a sub-path if there is one; default: the environment's
            ``LABEL_STUDIO_URL``.
        api_key: A personal access token or a legacy token; default: ``LABEL_STUDIO_API_KEY``.
        timeout: Seconds to connect and to wait for an answer.
        retries: The number of retries of a request, or a ``Retry``.
        page_size: Rows of a page of tasks; default: 100, then up to 1,000, fewer where they are
            slow to come or large.
        workers: Threads that read tasks ahead, and that send where the server takes objects one by
            one; default: 1.
        headers, verify, proxies, session: As in requests; they hold for every request.
        deadline: Seconds that one call may take as a whole; default: no limit. A call is a verb
            with all of its requests, their retries, waits and redirects, and the reading of the
            answers, however slowly these come; what it calls shares its time, also in its workers.
            Of a loop over objects the time counts in which the loop waits for them, and not the
            time in its body. A migration (``copy_project``, ``sync``) is made of many calls, each
            with its own time. A call that is not done by then raises ``Timeout``
            (``OutcomeUnknown`` where a creation was under way), which says what was being done
            and, for bulk verbs, has the ``summary`` of what was done; only what the verb has to
            put back is still sent.
        max_answer: Bytes of an answer that is read into memory, decompressed; default: 1 GiB.
            Files, which are streamed, have no limit.
        allow_old_server: Work with releases before 1.10 too, on which results may be wrong; by
            default NotSupportedByServer is raised as soon as the release is known. The release is
            asked once, before the first request that means something else on an older server.

    >>> with LabelStudio("http://localhost:8080", api_key="...") as ls:
    ...     print(ls.projects.count())
    1
    """

    def _repr_html_(self) -> str:
        html, server = _html.markup, facts_of(self).server
        release = None if server is None else f"{server.edition} {server.release}"
        said = None if release is None else html.tag("div", release)
        return html.framed(html.tag("div", repr(self), class_="lso-title"), said)

    # -- the nouns --------------------------------------------------------------------------------

    def all_of(self, model: type[R]) -> QuerySet[R]:
        """Return every object of a resource: ``ls.all_of(Project)`` is ``ls.projects``."""
        return queryset_of(model, self)

    projects: Root[Projects] = Root(
        "Project", 'All projects: ``ls.projects.get(title="Reviews")``.'
    )
    tasks: Root[Tasks] = Root(
        "Task", "Tasks by id, or of a project: ``ls.tasks.filter(project=1)``."
    )
    annotations: Root[Annotations] = Root(
        "Annotation", "Annotations by id; to list them: ``task.annotations``."
    )
    predictions: Root[Predictions] = Root(
        "Prediction", "Predictions: ``ls.predictions.filter(project=1)``."
    )
    drafts: Root[QuerySet[Draft]] = Root(
        "Draft", "The drafts of all users: ``ls.drafts.filter(task=1)``."
    )
    views: Root[Views] = Root(
        "View", "Saved views by id, or of a project: ``ls.views.filter(project=1)``."
    )
    files: Root[Files] = Root(
        "FileUpload", "Uploaded files by id; to list them: ``project.files``."
    )
    import_storages: Root[ImportStorages] = Root(
        "ImportStorage.Any",
        "Storages that tasks come from, by id: ``ls.import_storages.s3.get(1)``; to list them: "
        "``project.import_storages``.",
    )
    export_storages: Root[ExportStorages] = Root(
        "ExportStorage.Any",
        "Storages that annotations go to, by id: ``ls.export_storages.s3.get(1)``; to list them: "
        "``project.export_storages``.",
    )
    ml_backends: Root[QuerySet[MLBackend]] = Root(
        "MLBackend", "ML backends by id; to list them: ``project.ml_backends``."
    )
    webhooks: Root[Webhooks] = Root(
        "Webhook", "Webhooks: ``ls.webhooks.create(url=..., project=1)``."
    )
    users: Root[Users] = Root("User", 'Users: ``ls.users.get(email="a@b.co")``, ``ls.users.me()``.')
    organizations: Root[Organizations] = Root(
        "Organization", "The organizations of the current user."
    )
    workspaces: Root[QuerySet[Workspace]] = Root(
        "Workspace", 'Workspaces (Enterprise): ``ls.workspaces.get(title="Vision")``.'
    )
    comments: Root[Comments] = Root(
        "Comment", "Comments (Enterprise): ``ls.comments.filter(project=1)``."
    )
    prompts: Root[QuerySet[Prompt]] = Root(
        "Prompt", 'Prompts (Enterprise): ``ls.prompts.get(title="Mood")``.'
    )
    model_providers: Root[QuerySet[ModelProvider]] = Root(
        "ModelProvider", "Providers of large language models (Enterprise)."
    )

    @property
    def tokens(self) -> Tokens:
        """The personal access tokens of the current user: ``ls.tokens.create()``."""
        return resources.tokens.Tokens(self)

    # What there is only one of is not a queryset, and costs a request: a call, as version() is.

    def server(self) -> ServerInfo:
        """Read version, edition, and which resources are supported. One request."""
        return models.server.ServerInfo.from_version(self.version())

    def jwt_settings(self) -> JWTSettings:
        """Read which tokens the organization accepts. One request."""
        return self._only(resources.tokens.JWTSettings)

    def session_policy(self) -> SessionPolicy:
        """Read how long sessions in the browser last. One request."""
        return self._only(resources.tokens.SessionPolicy)

    def _only(self, model: type[R]) -> R:
        obj = from_row(model, {}, Origin(self))
        refetch(obj, f"reading the {model.__name__}")
        return obj


@unseen
def connect(url: str | None = None, api_key: str | None = None, **options: Any) -> LabelStudio:
    """Make a client the default one, which ``Project.objects`` and ``save()`` use.

    Costs no request.

    >>> connect("http://localhost:8080", "...")
    <LabelStudio http://localhost:8080>
    >>> Project.objects.filter(title__icontains="review").count()
    1
    """
    client = LabelStudio(url, api_key, **options)
    set_default(client)
    return client


def labelstudio_of(owner: Resource | QuerySet[Any]) -> LabelStudio:
    """Return the client of an object or a queryset, typed as one that has the nouns."""
    client = owner.client if isinstance(owner, QuerySet) else client_of(owner)
    return cast("LabelStudio", client)
