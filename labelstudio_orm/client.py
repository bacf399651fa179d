"""LabelStudio: one server, one credential, one session; the root of every queryset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ._engine.http.connection import Connection, set_default
from ._engine.models.queryset import QuerySet
from ._engine.records.origin import Origin
from ._engine.values.secret import unseen
from .resources.access import JWTSettings, SessionPolicy, Tokens
from .resources.comments import Comment, Comments
from .resources.drafts import Draft
from .resources.files import Files, FileUpload
from .resources.machines import MLBackend, ModelProvider
from .resources.people import Organization, Organizations, User, Users
from .resources.projects import Project, Projects
from .resources.prompts import Prompt
from .resources.storages import ExportStorage, ExportStorages, ImportStorage, ImportStorages
from .resources.tasks import Annotation, Prediction, Predictions, Task, Tasks
from .resources.views import View, Views
from .resources.webhooks import Webhook, Webhooks
from .resources.workspaces import Workspace

if TYPE_CHECKING:
    from ._engine.models.resource import Resource

R = TypeVar("R", bound="Resource")


class LabelStudio(Connection):
    """A client of one Label Studio server.

    ``url``: with a sub-path if there is one; default: the environment's ``LABEL_STUDIO_URL``.
    ``api_key``: a personal access token or a legacy token; default: ``LABEL_STUDIO_API_KEY``.
    ``timeout``: seconds to connect and to wait for an answer. ``retries``: how often, or a
    ``Retries``. ``page_size``: rows of a page of tasks (default: 100, then up to 1,000, fewer where
    they are slow to come or large). ``workers``: threads that read tasks ahead, and that send where
    the server takes objects one by one (default: 1). ``headers``, ``verify``, ``proxies``,
    ``session`` as requests has them; they hold for every request.

    ``deadline``: seconds that one call may take as a whole (default: none): a verb with all of its
    requests, their retries, waits and redirects, and the reading of the answers, however slowly
    these come. What a verb calls shares its time, also in its workers. Of a loop over objects the
    time counts in which the loop waits for them, and not what is done in its body. A migration
    (``copy_project``, ``sync``) is made of many calls, each with its own time. A call that is
    not done by then raises ``Timeout`` (``OutcomeUnknown`` where a creation was under way), which
    says what was being done and, for bulk verbs, has the ``summary`` of what was done; only what
    the verb has to put back is still sent. ``max_answer``: bytes of an answer that is read into
    memory, decompressed (default: 1 GiB); files, which are streamed, have no limit.

    Making one sends no request. It may be used from several threads, and is closed by ``close()``
    or ``with``.

    >>> with LabelStudio("http://localhost:8080", api_key="...") as ls:
    ...     print(ls.projects.count())
    1
    """

    # -- the nouns --------------------------------------------------------------------------------

    def all_of(self, model: type[R]) -> QuerySet[R]:
        """The queryset of every object of a resource: ``ls.all_of(Project)`` is ``ls.projects``."""
        return QuerySet.of(model, self)

    @property
    def projects(self) -> Projects:
        """All projects: ``ls.projects.get(title="Reviews")``."""
        return Projects(Project, self)

    @property
    def tasks(self) -> Tasks:
        """Tasks by id, ``ls.tasks.get(1)``, or of one project: ``ls.tasks.filter(project=1)``."""
        return Tasks(Task, self)

    @property
    def annotations(self) -> QuerySet[Annotation]:
        """Annotations by id: ``ls.annotations.get(1)``; to list them: ``task.annotations``,
        ``project.annotations``.
        """
        return self.all_of(Annotation)

    @property
    def predictions(self) -> Predictions:
        """Predictions: ``ls.predictions.filter(project=1)``; without a filter those of the whole
        organization.
        """
        return Predictions(Prediction, self)

    @property
    def drafts(self) -> QuerySet[Draft]:
        """Everybody's drafts: of a task, ``ls.drafts.filter(task=1)``, or ``ls.drafts.get(1)``."""
        return self.all_of(Draft)

    @property
    def views(self) -> Views:
        """Saved views: ``ls.views.get(1)``, ``ls.views.filter(project=1)``."""
        return Views(View, self)

    @property
    def files(self) -> Files:
        """Uploaded files by id, ``ls.files.get(1)``; to list them: ``project.files``."""
        return Files(FileUpload, self)

    @property
    def import_storages(self) -> ImportStorages:
        """Storages that tasks come from: ``ls.import_storages.s3.get(1)``; to list them:
        ``project.import_storages``.
        """
        return ImportStorages(ImportStorage.Any, self)

    @property
    def export_storages(self) -> ExportStorages:
        """Storages that annotations go to: ``ls.export_storages.s3.get(1)``; to list them:
        ``project.export_storages``.
        """
        return ExportStorages(ExportStorage.Any, self)

    @property
    def ml_backends(self) -> QuerySet[MLBackend]:
        """ML backends by id, ``ls.ml_backends.get(1)``; to list them: ``project.ml_backends``."""
        return self.all_of(MLBackend)

    @property
    def webhooks(self) -> Webhooks:
        """The webhooks of all projects: ``ls.webhooks.create(url=..., project=1)``."""
        return Webhooks(Webhook, self)

    @property
    def users(self) -> Users:
        """The users of the organization: ``ls.users.get(email="a@b.co")``, ``ls.users.me()``."""
        return Users(User, self)

    @property
    def organizations(self) -> Organizations:
        """The organizations of the current user."""
        return Organizations(Organization, self)

    @property
    def tokens(self) -> Tokens:
        """The personal access tokens of the current user: ``ls.tokens.create()``."""
        return Tokens(self)

    @property
    def workspaces(self) -> QuerySet[Workspace]:
        """Workspaces (Enterprise): ``ls.workspaces.get(title="Vision")``."""
        return self.all_of(Workspace)

    @property
    def comments(self) -> Comments:
        """Comments (Enterprise): ``ls.comments.filter(project=1, annotation=2)``."""
        return Comments(Comment, self)

    @property
    def prompts(self) -> QuerySet[Prompt]:
        """Prompts (Enterprise): ``ls.prompts.get(title="Mood")``."""
        return self.all_of(Prompt)

    @property
    def model_providers(self) -> QuerySet[ModelProvider]:
        """Providers of large language models (Enterprise): ``ls.model_providers.all()``."""
        return self.all_of(ModelProvider)

    def jwt_settings(self) -> JWTSettings:
        """Which tokens the organization accepts. One request."""
        return self._only(JWTSettings)

    def session_policy(self) -> SessionPolicy:
        """How long sessions in the browser last. One request."""
        return self._only(SessionPolicy)

    def _only(self, model: type[R]) -> R:
        """The one object of a resource that there is only one of."""
        obj = model._from_row({}, Origin(self))
        obj._absorb(obj._get_row(f"reading the {model.__name__}"))
        return obj


@unseen
def connect(url: str | None = None, api_key: str | None = None, **options: Any) -> LabelStudio:
    """Make a client and let it be the default one, which ``Project.objects`` and ``save()`` use.
    No request.

    >>> connect("http://localhost:8080", "...")
    <LabelStudio http://localhost:8080>
    >>> Project.objects.filter(title__icontains="review").count()
    1
    """
    client = LabelStudio(url, api_key, **options)
    set_default(client)
    return client
