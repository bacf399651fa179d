"""LabelStudio: one server, one credential, one session; the root of every queryset."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from .brief import cut
from .bulk.dryrun import ECHO, READS, DryRun, Switch
from .bulk.workers import number_of_workers
from .errors import APIError, NotSupportedByServer
from .http.auth import Credential
from .http.exchange import MAX_ANSWER
from .http.transport import Retries, Transport
from .misuse import check_number, of_missing
from .queryset import QuerySet
from .resource import Origin
from .resources.access import JWTSettings, SessionPolicy, Tokens
from .resources.comments import Comment, Comments
from .resources.drafts import Draft
from .resources.files import Files, FileUpload
from .resources.machines import MLBackend, ModelProvider
from .resources.people import Organization, Organizations, User, Users
from .resources.projects import Project, Projects
from .resources.prompts import Prompt
from .resources.server import ServerInfo
from .resources.storages import ExportStorage, ExportStorages, ImportStorage, ImportStorages
from .resources.tasks import Annotation, Prediction, Predictions, Task, Tasks
from .resources.views import View, Views
from .resources.webhooks import Webhook, Webhooks
from .resources.workspaces import Workspace
from .secret import hidden_in, seal, unseen

if TYPE_CHECKING:
    import requests
    from typing_extensions import Self

    from .resource import Resource

R = TypeVar("R", bound="Resource")

LONG = 600.0
"""Seconds that an import, an export, a sync or a validation may take at least before it counts as
lost.
"""


class LabelStudio:
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

    @unseen
    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float | tuple[float | None, float | None] | None = (10.0, 120.0),
        retries: Retries | int = 4,
        page_size: int | None = None,
        workers: int = 1,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        session: requests.Session | None = None,
        deadline: float | None = None,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        url = url or os.environ.get("LABEL_STUDIO_URL")
        api_key = api_key or os.environ.get("LABEL_STUDIO_API_KEY")
        if api_key and "://" in api_key:
            raise ValueError("api_key is an address: give LabelStudio(url, api_key), in this order")
        if not url:
            raise ValueError("no server: give LabelStudio(url) or set LABEL_STUDIO_URL")
        if not api_key:
            raise ValueError(
                "no credential: give LabelStudio(api_key=...) or set LABEL_STUDIO_API_KEY; "
                "Account & Settings in Label Studio shows one"
            )
        if page_size is not None:
            check_number("page_size", page_size)
        number_of_workers(workers, self)
        self.page_size = page_size
        self.workers = workers
        self._info: ServerInfo | None = None
        self._dry = Switch()
        self._transport = Transport(
            url,
            Credential(api_key),
            timeout=timeout,
            retries=Retries(total=retries) if isinstance(retries, int) else retries,
            headers=headers,
            verify=verify,
            proxies=proxies,
            session=session,
            deadline=deadline,
            max_answer=max_answer,
        )

    @property
    def url(self) -> str:
        """The server's address, without a slash at the end."""
        return self._transport.url

    def __repr__(self) -> str:
        return f"<LabelStudio {cut(self.url, 200)}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(of_missing(self, name), name=name, obj=self)

    @property
    def _deadline(self) -> float | None:
        return self._transport.deadline

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

    # -- the server -------------------------------------------------------------------------------

    def version(self) -> Mapping[str, Any]:
        """The server's own answer about its version; one request."""
        answer: Mapping[str, Any] = self.request(
            "GET", "/api/version", doing="asking for the server's version", expect=()
        )
        return answer

    def server(self) -> ServerInfo:
        """Version, edition, and what is supported; one request."""
        return ServerInfo.from_version(self.version())

    # -- requests ---------------------------------------------------------------------------------

    @unseen
    def using(
        self,
        *,
        timeout: float | tuple[float | None, float | None] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        max_answer: int | None = None,
    ) -> Self:
        """The same client with other options for some requests; shares the connections. Costs no
        request.

        >>> ls.using(timeout=5, headers={"X-Trace": "1"}).projects.count()
        """
        other = object.__new__(type(self))
        other.page_size, other.workers, other._info = self.page_size, self.workers, self._info
        other._dry = self._dry
        other._transport = self._transport.using(
            timeout=timeout, headers=headers, deadline=deadline, max_answer=max_answer
        )
        return other

    @property
    def retries(self) -> Retries:
        """How requests are retried."""
        return self._transport.retries

    @property
    def long_timeout(self) -> tuple[float | None, float | None]:
        """The timeout of imports, exports, syncs and validations: at least 600 s for the answer."""
        timeout = self._transport.timeout
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        return connect, None if read is None else max(read, LONG)

    def dry_run(self) -> AbstractContextManager[DryRun]:
        """Within the block nothing is written: each write of this client, of its ``using`` copies
        and in all threads, is noted in ``plan.writes`` instead of sent. Costs no request.

        Reads are real; an object that is created gets a placeholder as its id, a negative number,
        and no listing shows it. Objects look saved afterwards, so read them again for a real run.
        The exchange of a token is no write. ``plan.summary()`` is a table of what would be done.

        Raises RuntimeError within another dry run.

        >>> with ls.dry_run() as plan:
        ...     project.tasks.filter(data__lang="de").update(overlap=2)
        <Summary: 1 updated>
        >>> print(plan.summary())
        1 writes, none of them sent
        PATCH   Task       1
        """
        return self._dry.on()

    @property
    def is_dry(self) -> bool:
        """Is a ``dry_run()`` under way, so that writes are only noted? Costs no request.

        >>> with ls.dry_run():
        ...     ls.is_dry
        True
        """
        return self._dry.run is not None

    def _pretend(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Rows with ids, for what a dry run creates."""
        assert self._dry.run is not None
        return [self._dry.run.pretend(row) for row in rows]

    def request(
        self,
        method: str,
        path: str,
        *,
        edition: str = "",
        dry: Any = ECHO,
        reads: bool = False,
        **options: Any,
    ) -> Any:
        """Send one request and return its JSON; for what this library has no verb for. See
        ``Transport.request``.

        ``edition``: the edition that has this operation, where not all have. A 404 or 405 then
        raises NotSupportedByServer, if the server is of another edition (which is asked once).
        ``dry``: what a dry run pretends to be the answer to a write: a value, or a function that
        gives it; by default the body, with a placeholder for an id where it is a POST. ``reads``:
        this POST changes nothing, and is sent in a dry run too.

        >>> ls.request("GET", f"/api/projects/{project.id}/")["title"]
        'Reviews'
        """
        if "headers" in options:
            options["headers"] = seal(options["headers"])
        if "json" in options:
            options["json"] = hidden_in(options["json"])
        run = self._dry.run
        if run is not None and method.upper() not in READS and not reads:
            if edition:
                self._require(edition, options.get("doing") or f"{method} {path}")
            return run.write(method.upper(), path, dry, options)
        if run is not None and run.knows(path, options):
            return run.read(path, options.get("expect"))
        try:
            return self._transport.request(method, path, **options)
        except APIError as error:
            if edition and error.status in (404, 405):
                self._require(edition, options.get("doing") or f"{method} {path}", error)
            raise

    def _require(self, edition: str, doing: str, error: APIError | None = None) -> None:
        if self._info is None:
            self._info = self.server()
        if self._info.edition.lower() != edition.lower():
            raise NotSupportedByServer(
                f"{doing}: this needs Label Studio {edition}; the server at {self.url} is "
                f"{self._info.edition} {self._info.release}",
                request=error.request if error else "",
            ) from error

    def stream(
        self, method: str, path: str, **options: Any
    ) -> AbstractContextManager[requests.Response]:
        """Send one request and read its body in pieces. See ``Transport.stream``.

        Raises RuntimeError in a dry run for a write, and for a file that it only pretends to have.
        """
        run = self._dry.run
        if run is not None and (method.upper() not in READS or run.knows(path, options)):
            doing = options.get("doing") or f"{method} {path}"
            raise RuntimeError(f"{doing}: in a dry run there is nothing to read here")
        return self._transport.stream(method, path, **options)

    def close(self) -> None:
        """Close the connections; a session that was given stays open."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(
            "a client is not pickled, since it holds a credential; make one where it is needed"
        )


class NoClient(ValueError, AttributeError):
    """There is no default client. It is an AttributeError too, so that tools can look at a class,
    of which ``objects`` then is not there.
    """


_default: LabelStudio | None = None


@unseen
def connect(url: str | None = None, api_key: str | None = None, **options: Any) -> LabelStudio:
    """Make a client and let it be the default one, which ``Project.objects`` and ``save()`` use.
    No request.

    >>> connect("http://localhost:8080", "...")
    <LabelStudio http://localhost:8080>
    >>> Project.objects.filter(title__icontains="review").count()
    1
    """
    global _default
    _default = LabelStudio(url, api_key, **options)
    return _default


def default_client(*, url: str | None = None) -> LabelStudio:
    """The default client. ``url``: the server that an object came from, which has to be the same.

    Raises ValueError when ``connect()`` was not called, or named another server.
    """
    if _default is None:
        raise NoClient(
            "no client: call labelstudio_orm.connect(url, api_key) first, "
            "or name one: save(using=ls), ls.projects"
            + (f" (this object came from {url})" if url else "")
        )
    if url is not None and url != _default.url:
        raise NoClient(f"this object came from {url}, but the default client is for {_default.url}")
    return _default
