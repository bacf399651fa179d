"""Maps users between two servers by their e-mail addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import BadRequest, LabelStudioError
from .exactly_once import exactly_once

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...client import LabelStudio
    from ...resources.people import User
    from .journal import Journal

MissingUsers: TypeAlias = "str | int | User | Mapping[Any, Any]"
"""What to do about users that the target does not have.

``"refuse"``, ``"create"``, or the user who stands for all of them: a User, an id or an e-mail
address. Or a dict with one of these for each, by the e-mail address in the source; None is the key
for annotations whose author is gone.
"""

ABSENT = ""
"""The address, in the journal and the map, of the author of an annotation whose author is gone."""


class UnknownUsers(LabelStudioError, LookupError):
    """The target does not have these users, and ``missing_users`` does not say who stands for them.

    ``emails`` are their e-mail addresses, ``server`` is that of the target. Nothing was written.

    >>> task.annotations.create(result=[], completed_by=user)  # "ann@example.com"
    >>> try:
    ...     copy_project(project, to=other)
    ... except UnknownUsers as error:
    ...     print(error.emails)
    ['ann@example.com']
    """

    def __init__(self, emails: Iterable[str], server: str) -> None:
        self.emails, self.server = sorted(emails), server
        super().__init__(
            f"{server} does not have {', '.join(self.emails)}, who annotated here: pass "
            'missing_users="create", or missing_users={"a@example.com": "b@example.com"}. Nothing '
            "was written"
        )


def _not_created(email: str, server: str, error: BadRequest) -> BadRequest:
    """Return the error for a user who can neither be created nor found among the members."""
    return BadRequest(
        f"{server} does not create {email}: {error.detail or error}. A user who has an account "
        "there but is not a member of your organization is in no list: let them join it, or name "
        f'another user for them: missing_users={{"{email}": "other@example.com"}}',
        status=error.status,
        detail=error.detail,
        validation_errors=error.validation_errors,
        request=error.request,
    )


class UserMap:
    """Which user of the target stands for which one of the source, by e-mail addresses.

    ``server`` is the address of the source.
    """

    def __init__(
        self, client: LabelStudio, missing: MissingUsers, journal: Journal, server: str = ""
    ) -> None:
        self.client, self.missing = client, missing
        self.is_same_server = server == client.url
        self.chosen = journal.map("users")
        self._numbers = journal.map("user ids")
        self._ids: dict[str, int] = {}
        """The users of the target by their addresses in lower case."""
        self.me = client.users.me()
        self._authors = dict(self.chosen.items())
        self._read()
        choice = missing.values() if isinstance(missing, Mapping) else (missing,)
        for one in choice:
            if one not in ("refuse", "create"):
                self._find(one)

    def _read(self) -> None:
        members = [*self.client.users.all(), self.me]
        # The server calls a user who left "Deleted".
        self._emails = {user.id: user.email for user in members if "@" in user.email}
        self._ids = {email.lower(): id for id, email in self._emails.items()}

    def match(self, users: Iterable[Row]) -> None:
        """Match users of the source, or create them.

        Raises UnknownUsers before anything is written.
        """
        rows = {row["email"]: row for row in users if row["email"] not in self._authors}
        for email, row in rows.items() if self.is_same_server else ():
            # Also those who left, whom no list shows; but not if another user has their id by now,
            # as the server may have been set up anew.
            if "id" in row and row["id"] not in self._emails:
                self._ids.setdefault(email.lower(), row["id"])
                self._emails.setdefault(row["id"], email)
        unmatched = {email: self._choice(email) for email in rows if email.lower() not in self._ids}
        if refused := [email for email, choice in unmatched.items() if choice == "refuse"]:
            raise UnknownUsers(refused, self.client.url)
        for email, row in rows.items():
            if email not in unmatched:
                self._choose(email, self._ids[email.lower()])
            elif unmatched[email] == "create":
                self._choose(email, self._create(row))
            else:
                self._choose(email, self._find(unmatched[email]))

    def _choice(self, email: str) -> Any:
        """Return what to do about a user that the target does not have."""
        if not isinstance(self.missing, Mapping):
            return self.missing
        return self.missing.get(email, "refuse")

    def _find(self, choice: Any) -> int:
        """Return the id of a user of the target, by user, id or address."""
        is_email = isinstance(choice, str)
        found = self._ids.get(choice.lower()) if is_email else getattr(choice, "id", choice)
        if not isinstance(found, int) or found not in self._emails:
            raise ValueError(
                f"missing_users={choice!r:.80}: "
                'it is "refuse", "create", or the e-mail address or id of a user '
                f"of {self.client.url}; there is no such user"
            )
        return found

    def _choose(self, email: str, user: int) -> None:
        self._authors[email] = self._emails[user]
        self.chosen.put({email: self._emails[user]})

    def _create(self, row: Row) -> int:
        email = row["email"]
        if "@" not in email:  # the address of "#7" is not known any more
            email = f"user-{email.strip('#')}@unknown.invalid"
        names = {name: row.get(name) or "" for name in ("first_name", "last_name")}

        def look() -> int | None:
            self._read()
            return self._ids.get(email.lower())

        def make() -> int:
            try:
                made = self.client.users.create(email=email, username=email, **names)
            except BadRequest as error:
                found = look()  # a request that the network repeated
                if found is None:
                    raise _not_created(email, self.client.url, error) from error
                return found
            self._ids[email.lower()], self._emails[made.id] = made.id, email
            return made.id

        return exactly_once(look, make, self.client)

    # -- the author of an object ------------------------------------------------------------------

    def email(self, email: str | None) -> str:
        """Return the address in the target for the address of an author."""
        if email is None:
            return self._absent_author()
        if email not in self._authors:
            self.match([{"email": email}])
        found: str = self._authors[email]
        return found

    def id(self, email: str | None) -> int:
        """Return the id in the target for the address of an author."""
        return self._ids[self.email(email).lower()]

    def id_there(self, email: str) -> int:
        """Return the id of a user of the target."""
        return self._ids[email.lower()]

    def known_id(self, email: str) -> int | None:
        """Return the id in the target of a user who did not annotate; None if it has none."""
        found: int | None = self._ids.get(self._authors.get(email, email).lower())
        if found is not None:
            self._numbers.put({email: found})
        return found

    def _absent_author(self) -> str:
        """Return who stands for authors that are gone: by default the current user."""
        if ABSENT not in self._authors:
            choice = self.missing.get(None) if isinstance(self.missing, Mapping) else None
            stands = self.me.id if choice in (None, "refuse", "create") else self._find(choice)
            self._choose(ABSENT, stands)
        found: str = self._authors[ABSENT]
        return found
