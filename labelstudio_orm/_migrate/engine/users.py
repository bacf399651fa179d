"""Users on two servers: matched by their e-mail addresses, and what becomes of those that the
target does not have.
"""

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
"""What becomes of users that the target does not have: ``"refuse"``, ``"create"``, or the user who
stands for all of them: a User, an id or an e-mail address. Or a dict that says so of each, by the
e-mail address in the source; None is for annotations whose author is gone.
"""

NOBODY = ""
"""How the journal and the people call the author of an annotation that has none any more."""


class UnknownUsers(LabelStudioError, LookupError):
    """The target does not have these users, by their e-mail addresses, and nobody said what is to
    become of them. Nothing was written.

    >>> task.annotations.create(result=[], completed_by=user)  # "ann@example.com"
    >>> try:
    ...     copy_project(project, to=other)
    ... except UnknownUsers as error:
    ...     print(error.emails)
    ['ann@example.com']
    """

    def __init__(self, emails: Iterable[str], server: str) -> None:
        self.emails = sorted(emails)
        super().__init__(
            f"{server} does not have {', '.join(self.emails)}, who annotated here; say what is to "
            'become of them: missing_users="create", or missing_users={"a@example.com": '
            '"b@example.com"}. Nothing was written'
        )


def _not_made(email: str, server: str, error: BadRequest) -> BadRequest:
    """The error that somebody cannot be made, who is not among the members either."""
    return BadRequest(
        f"{server} does not create {email}: {error.detail or error}. Who has an account there and "
        "is no member of your organization is in no list: let them join it, or say who stands for "
        f'them: missing_users={{"{email}": "somebody@example.com"}}',
        status=error.status,
        detail=error.detail,
        validation_errors=error.validation_errors,
        request=error.request,
    )


class UserMap:
    """Which user of the target stands for whom, by e-mail addresses. ``server``: that of the
    source.
    """

    def __init__(
        self, client: LabelStudio, missing: MissingUsers, journal: Journal, server: str = ""
    ) -> None:
        self.client, self.missing = client, missing
        self.is_same_server = server == client.url
        self.chosen = journal.map("users")
        self._numbers = journal.map("user ids")
        self.created: list[str] = []
        self._ids: dict[str, int] = {}
        """The users of the target by their addresses in small letters."""
        self._emails: dict[int, str] = {}
        self.me = client.users.me()
        self._known = dict(self.chosen.items())
        self._read()
        said = missing.values() if isinstance(missing, Mapping) else (missing,)
        for one in said:
            if one not in ("refuse", "create"):
                self._find(one)

    def _read(self) -> None:
        everybody = [*self.client.users.all(), self.me]
        users = [user for user in everybody if "@" in user.email]  # else "Deleted", of who left
        self._ids = {user.email.lower(): user.id for user in users}
        self._emails = {user.id: user.email for user in users}

    def match(self, users: Iterable[Row]) -> None:
        """Find, or decide about, all of these. Raises UnknownUsers before anything is written."""
        rows = {row["email"]: row for row in users if row["email"] not in self._known}
        for email, row in rows.items() if self.is_same_server else ():
            # Also those who are no members any more, and whom no list shows; but a number that is
            # somebody else's by now names nobody: a server may have been set up anew.
            if "id" in row and row["id"] not in self._emails:
                self._ids.setdefault(email.lower(), row["id"])
                self._emails.setdefault(row["id"], email)
        unmatched = {email: self._said(email) for email in rows if email.lower() not in self._ids}
        if refused := [email for email, said in unmatched.items() if said == "refuse"]:
            raise UnknownUsers(refused, self.client.url)
        for email, row in rows.items():
            said = unmatched.get(email)
            if said is None:
                self._choose(email, self._ids[email.lower()])
            elif said == "create":
                self._choose(email, self._create(row))
            else:
                self._choose(email, self._find(said))

    def _said(self, email: str | None) -> Any:
        """What is to become of somebody."""
        if not isinstance(self.missing, Mapping):
            return self.missing
        return self.missing.get(email, "refuse")

    def _find(self, said: Any) -> int:
        """The id of a user of the target, whatever names him."""
        found = self._ids.get(said.lower()) if isinstance(said, str) else getattr(said, "id", said)
        if not isinstance(found, int) or found not in self._emails:
            raise ValueError(
                f"missing_users={said!r:.80}: "
                'it is "refuse", "create", or who stands for them, a user '
                f"of {self.client.url} by e-mail address or id; there is none such"
            )
        return found

    def _choose(self, email: str, user: int) -> None:
        self._known[email] = self._emails[user]
        self.chosen.put({email: self._emails[user]})

    def _create(self, row: Row) -> int:
        email = row["email"]
        if "@" not in email:  # nobody knows the address of "#7" any more
            email = f"user-{email.strip('#')}@unknown.invalid"
        names = {name: row.get(name) or "" for name in ("first_name", "last_name")}

        def there() -> int | None:
            self._read()
            return self._ids.get(email.lower())

        def make() -> int:
            try:
                made = self.client.users.create(email=email, username=email, **names)
            except BadRequest as error:
                found = there()  # a request that the network repeated
                if found is None:
                    raise _not_made(email, self.client.url, error) from error
                return found
            self._ids[email.lower()], self._emails[made.id] = made.id, email
            self.created.append(email)
            return made.id

        return exactly_once(there, make, self.client)

    # -- whom an object is of ---------------------------------------------------------------------

    def email(self, email: str | None) -> str:
        """The address in the target of who stands for somebody."""
        if email is None:
            return self._nobody()
        if email not in self._known:
            self.match([{"email": email}])
        found: str = self._known[email]
        return found

    def id(self, email: str | None) -> int:
        """The id in the target of who stands for somebody."""
        return self._ids[self.email(email).lower()]

    def id_there(self, email: str) -> int:
        """The id of a user of the target."""
        return self._ids[email.lower()]

    def known_id(self, email: str) -> int | None:
        """The same of somebody who did not annotate; None where the target does not have him."""
        found: int | None = self._ids.get(self._known.get(email, email).lower())
        if found is not None:
            self._numbers.put({email: found})
        return found

    def _nobody(self) -> str:
        """Who stands for authors that are gone: an import makes them the user who imports."""
        if NOBODY not in self._known:
            said = self._said(None) if isinstance(self.missing, Mapping) else "refuse"
            self._choose(NOBODY, self.me.id if said in ("refuse", "create") else self._find(said))
        found: str = self._known[NOBODY]
        return found
