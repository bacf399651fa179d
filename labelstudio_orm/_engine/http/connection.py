"""A connection to one server: its requests, and a dry run of them.

It is all of a client but the objects, and all that the engine knows of a client.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ...errors import (
    APIError,
    AuthenticationError,
    NotSupportedByServer,
    OldServerWarning,
    ServerError,
)
from .. import http
from ..values.brief import cut
from ..values.misuse import check_number, of_missing
from ..values.secret import hidden_in, seal, unseen
from .auth import Credential
from .dryrun import ECHO, READS, DryRun, Switch
from .facts import ServerFacts
from .outcome import MAX_ANSWER
from .transport import Retry, Transport, log

if TYPE_CHECKING:
    import requests
    from typing_extensions import Self

    from .releases import Feature
    from .server import ServerVersion

__all__ = ["Connection", "NoClient", "client_for", "default_client", "set_default"]

LONG = 600.0
"""Seconds that the client waits at least for an import, an export, a sync or a validation."""


def number_of_workers(workers: int | None, client: Connection) -> int:
    """Return the number of workers of a verb: the one it was given, or else that of the client.

    Raises ValueError unless it is a positive integer.
    """
    return client.workers if workers is None else check_number("workers", workers)


def pretended(client: Connection, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that a server would answer in a dry run, with ids of their own."""
    return client._pretend(rows)


def redacted(client: Connection, text: str, secrets: Iterable[Any] = ()) -> str:
    """Return a text without the credential of a client, and without further secrets."""
    return client._transport.redact(text, secrets)


def stream_elsewhere(
    client: Connection, address: str, *, doing: str = ""
) -> AbstractContextManager[requests.Response]:
    """Read a file of another server, which gets no credential of a client.

    As ``Transport.stream_elsewhere`` does.
    """
    return client._transport.stream_elsewhere(address, doing=doing)


def facts_of(client: Connection) -> ServerFacts:
    """Return what has been learnt about the server of a client so far."""
    return client._facts


def server_of(client: Connection) -> ServerVersion:
    """Return the edition and the release of the server, which is asked once: one request.

    A server that does not say is taken to be the newest; one that fails says nothing. Raises
    NotSupportedByServer for a release that is too old to work with.
    """
    facts = client._facts
    if facts.server is None:
        try:
            found = client.server()
        except APIError as error:
            if isinstance(error, (AuthenticationError, ServerError)):
                raise
            found = http.releases.NEWEST_SERVER  # a proxy may hide the release
        facts.server = check_supported(client, found)
    return facts.server


def check_supported(client: Connection, server: ServerVersion) -> ServerVersion:
    """Return what a server is, if this library works with it; warn of one that was not tried.

    Raises NotSupportedByServer.
    """
    if server.edition != "Community" or not server.version:
        return server
    if server.version[:2] > http.releases.NEWEST:
        log.debug(
            "%s is Label Studio %s, which is newer than all that was tried",
            client.url,
            server.release,
        )
    if server.version < http.releases.OLDEST and not client._facts.may_be_old:
        oldest = http.releases.text(http.releases.OLDEST)
        raise NotSupportedByServer(
            f"the server at {client.url} is Label Studio {server.release}, and this library works "
            f"with {oldest} and newer: update the server, or give "
            "LabelStudio(..., allow_old_server=True) and expect wrong results"
        )
    if server.version < http.releases.COMPLETE:
        warnings.warn(
            f"the server at {client.url} is Label Studio {server.release}; this library is made "
            f"for {http.releases.text(http.releases.COMPLETE)} and newer",
            OldServerWarning,
            stacklevel=2,
        )
    return server


def has(client: Connection, feature: Feature) -> bool:
    """Return whether the server has a feature. One request for each client, for all of them."""
    return feature.is_on(server_of(client))


def require(
    client: Connection, feature: Feature, doing: str, error: APIError | None = None
) -> None:
    """Raise NotSupportedByServer for a server without a feature. Requests as ``has()``."""
    if not has(client, feature):
        raise NotSupportedByServer(
            f"{doing}: {feature.name} needs Label Studio {feature.release} or newer; the server at "
            f"{client.url} is {server_of(client).release}",
            request=error.request if error else "",
        ) from error


class Connection:
    """One server, one credential, one session: see ``LabelStudio``, which has the objects too."""

    @unseen
    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float | tuple[float | None, float | None] | None = (10.0, 120.0),
        retries: Retry | int = 4,
        page_size: int | None = None,
        workers: int = 1,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        session: requests.Session | None = None,
        deadline: float | None = None,
        max_answer: int = MAX_ANSWER,
        allow_old_server: bool = False,
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
        check_number("workers", workers)
        self.page_size = page_size
        self.workers = workers
        self._facts = ServerFacts(may_be_old=allow_old_server)
        self._dry = Switch()
        self._transport = Transport(
            url,
            Credential(api_key),
            timeout=timeout,
            retries=Retry(total=retries) if isinstance(retries, int) else retries,
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

    # -- the server -------------------------------------------------------------------------------

    def version(self) -> Mapping[str, Any]:
        """Read the server's own answer about its version. One request."""
        answer: Mapping[str, Any] = self.request(
            "GET", "/api/version", doing="asking for the server's version", expect=()
        )
        return answer

    def server(self) -> ServerVersion:
        """Read the version and the edition. One request."""
        return http.server.ServerVersion.from_version(self.version())

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
        """Return the same client with other options for some requests; shares the connections.

        Costs no request.

        >>> ls.using(timeout=5, headers={"X-Trace": "1"}).projects.count()
        """
        other = object.__new__(type(self))
        other.page_size, other.workers = self.page_size, self.workers
        other._facts, other._dry = self._facts, self._dry
        other._transport = self._transport.using(
            timeout=timeout, headers=headers, deadline=deadline, max_answer=max_answer
        )
        return other

    @property
    def retries(self) -> Retry:
        """How requests are retried."""
        return self._transport.retries

    @property
    def long_timeout(self) -> tuple[float | None, float | None]:
        """The timeout of imports, exports, syncs and validations: at least 600 s for the answer."""
        timeout = self._transport.timeout
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        return connect, None if read is None else max(read, LONG)

    def dry_run(self) -> AbstractContextManager[DryRun]:
        """Record writes within the block, in ``plan.writes``, instead of sending them.

        It holds for each write of this client, of its ``using`` copies and in all threads, and
        costs no request. Reads are real; an object that is created gets a placeholder as its id, a
        negative number, and no listing shows it. Objects look saved afterwards, so read them again
        for a real run. The exchange of a token is no write. ``plan.summary()`` is a table of what
        would be done.

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
        """Whether a ``dry_run()`` is under way, which only records writes. Costs no request.

        >>> with ls.dry_run():
        ...     ls.is_dry
        True
        """
        return self._dry.run is not None

    def _pretend(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return rows with ids, for what a dry run creates."""
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
        """Send one request and return its JSON; for what this library has no verb for.

        The other options are those of ``Transport.request``.

        ``edition``: the edition that has this operation, where not all have. A 404 or 405 then
        raises NotSupportedByServer, if the server is of another edition (which is asked once).
        ``dry``: what a dry run returns as the answer to a write: a value, or a function that
        returns it; by default the body, with a placeholder for an id where it is a POST. ``reads``:
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
            if error.status in (404, 405):
                doing = options.get("doing") or f"{method} {path}"
                if edition:
                    self._require(edition, doing, error)
                feature = http.releases.feature_of(method, path)
                if feature is not None:
                    require(self, feature, doing, error)
            raise

    def _require(self, edition: str, doing: str, error: APIError | None = None) -> None:
        server = server_of(self)
        if not server.is_edition(edition):
            raise NotSupportedByServer(
                f"{doing}: this needs Label Studio {edition}; the server at {self.url} is "
                f"{server.edition} {server.release}",
                request=error.request if error else "",
            ) from error

    def stream(
        self, method: str, path: str, **options: Any
    ) -> AbstractContextManager[requests.Response]:
        """Send one request and read its body in pieces, as ``Transport.stream`` does.

        Raises RuntimeError in a dry run for a write, and for a file that exists only there.
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
    """There is no default client.

    It is an AttributeError too, so that tools can inspect a class, which then has no ``objects``.
    """


_default: Connection | None = None


def set_default(client: Connection) -> None:
    """Make this the default client, which objects without one use."""
    global _default
    _default = client


def default_client(*, url: str | None = None) -> Connection:
    """Return the default client.

    ``url``: the server that an object came from, which has to be the same. Raises ValueError when
    ``connect()`` was not called, or named another server.
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


@contextmanager
def client_for(url: str) -> Iterator[Connection]:
    """Yield a client of the server at an address, for a process that was given no client.

    It is the default one where ``connect()`` made one for this server, else one of the environment,
    which is closed afterwards. Raises ValueError where neither is for this server.
    """
    if _default is not None and _default.url == url:
        yield _default
        return
    try:
        made = Connection()
    except ValueError as error:
        raise NoClient(
            f"no client of {url} in this process, which needs LABEL_STUDIO_URL and "
            f"LABEL_STUDIO_API_KEY in its environment, or connect(): {error}"
        ) from None
    with made:
        if made.url != url:
            raise NoClient(
                f"no client of {url} in this process: its LABEL_STUDIO_URL is {made.url}; give "
                "every process the same address, or call connect() in it"
            )
        yield made
