"""Requests to operations of the Enterprise edition, held to the contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import define

from ..._checks import contract
from ..._checks.contract import Operation
from ..._checks.validation import body_errors, read_query
from ..._rows.enterprise import get_row
from ..._state.store import Row, Store, iso
from ..._wire.answers import Answer, invalid, not_found
from ..._wire.requests import Request
from ..._wire.routes import Routes

# The fields with ids, and what they are ids of: a table, or a kind of rows.
REFERENCES = {
    "annotation": "annotation",
    "associated_projects": "project",
    "draft": "draft",
    "model_provider_connection": "ModelProviderConnection",
    "model_version": "PromptVersion",
    "modelrun_id": "InferenceRun",
    "parent_model": "Prompt",
    "project": "project",
    "project_id": "project",
    "tasks": "task",
    "teacher_model_provider_connection_id": "ModelProviderConnection",
    "user": "user",
    "workspace": "Workspace",
}


@define
class Call:
    """A request to one operation that agrees with the contract."""

    request: Request
    operation: Operation
    path: list[Any]
    query: Row
    body: Row

    @property
    def store(self) -> Store:
        """The server's rows."""
        return self.request.fake.store

    @property
    def is_newest(self) -> bool:
        """Whether the request is to a server of the newest kind."""
        return self.request.fake.is_newest

    @property
    def me(self) -> int:
        """The id of the user that the request comes from."""
        return int(self.request.user["id"])

    def now(self) -> str | None:
        """Return the current time as answers show it."""
        return iso(self.store.now())

    def find(self, what: str, pk: Any) -> Row:
        """Return a row by its id; 404 when it does not exist."""
        row = get_row(self.store, what, pk)
        if row is None:
            raise not_found(what[0].upper() + what[1:])
        return row


def dangling(store: Store, values: Mapping[str, Any]) -> Row:
    """Return an error for each field with ids of objects that do not exist."""
    errors = {}
    for name in values.keys() & REFERENCES.keys():
        for pk in ids_in(values[name]):
            if get_row(store, REFERENCES[name], pk) is None:
                errors[name] = [f'Invalid pk "{pk}" - object does not exist.']
    return errors


def ids_in(value: Any) -> list[Any]:
    """Return the ids in a field: an id, or a list of ids or of objects that have one."""
    if value is None:
        return []
    listed = value if isinstance(value, list) else [value]
    return [each.get("id") if isinstance(each, dict) else each for each in listed]


def serve(
    routes: Routes,
    is_newest: bool,
    operation: str,
    function: Callable[[Call], Any],
    requires: Collection[str] = (),
) -> None:
    """Route an operation to a function.

    What only the other kind of servers has in a query or a body is ignored, as a server does;
    anything else that is not in the contract is refused.

    Args:
        routes: The table to add the route to.
        is_newest: Whether it is as the newest client declares it.
        operation: The name of the operation in the contract.
        function: Takes the call and returns the body of the answer.
        requires: Fields of the body that are required beyond the contract.
    """
    row = contract.operation(operation, is_newest=is_newest)
    others = contract.operations() if is_newest else contract.newest()
    other = others.get(operation, row)
    unread = other.query.keys() - row.query.keys()
    ignored = (other.body or {}).keys() - (row.body or {}).keys()

    def handler(request: Request, **path: Any) -> Answer:
        query = read_query(row, request.query.without(unread))
        body = {} if row.verb == "GET" or request.body is None else request.body
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in ignored}
        errors = body_errors(row, body, requires)
        errors = errors or dangling(request.fake.store, {**query, **body})
        if errors:
            raise invalid(errors)
        call = Call(request, row, list(path.values()), query, body)
        return Answer(function(call), row.status)

    path = row.path.replace("_key}", "_key:text}")
    routes.add(row.verb, path)(handler)
