"""What this library sends, held to what the official client sends when it is asked for the same.

``wire/recorded.json`` has the requests of the official client, ``wire/calls.py`` the same calls
through this library, ``wire/differences.py`` all that may differ.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm.testing.fake._checks import contract
from tests.contract.wire.calls import CALLS
from tests.contract.wire.capture import Capture, Request
from tests.contract.wire.differences import (
    CARRIED,
    DIFFERENT,
    FIXED,
    OWNED,
    REFUSED,
    RULES,
    unassigned,
)

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "wire" / "recorded.json").read_text("utf-8")
)
COMPARED: list[tuple[str, str]] = [
    (operation, variant)
    for operation, variants in RECORDED.items()
    for variant in variants
    if variant == "fewest" or variants[variant] != variants["fewest"]
    if (operation, variant) not in REFUSED
]
CASES = [pytest.param(*case, id="-".join(case)) for case in COMPARED]


def said_to_them(operation: str, variant: str) -> dict[str, Any]:
    """The arguments of the official client."""
    arguments: dict[str, Any] = RECORDED[operation][variant]["arguments"]
    return copy.deepcopy(arguments)


def said_here(operation: str, variant: str) -> dict[str, Any]:
    """The same without the fields that are not assigned here."""
    said, in_path = said_to_them(operation, variant), sent_by_them(operation, variant).path
    refused = unassigned(operation, said)
    return {
        name: value
        for name, value in said.items()
        if name not in refused or str(value) in in_path.split("/")
    }


def sent_by_them(operation: str, variant: str) -> Request:
    """The request of the official client."""
    sent = RECORDED[operation][variant]
    return Request(sent["verb"], sent["path"], sent["query"], sent["body"])


def server_for(operation: str, variant: str) -> Capture:
    """A server that has the object in question, with everything empty that will be assigned."""
    said, body = said_to_them(operation, variant), sent_by_them(operation, variant).body
    fields = body if isinstance(body, dict) else {}
    carried = CARRIED.get(operation, ())
    row = {
        name: value if name in carried else None
        for name, value in fields.items()
        if name in carried or name not in unassigned(operation, said)
    }
    selected = said.get("selected_items", said)
    return Capture(row, tasks=selected.get("included", selected.get("ids", ())))


@pytest.mark.parametrize(("operation", "variant"), CASES)
def test_the_request_is_that_of_the_official_client(operation: str, variant: str) -> None:
    """The same verb, path, query and body, but for what is listed as different."""
    theirs, ours = sent_by_them(operation, variant), sent_here(operation, variant)
    if ours is None:
        assert theirs.verb == "PATCH"
        assert theirs.body is None  # nothing was assigned
        return
    wanted = by_the_rules(operation, theirs, ours)
    if (operation, variant) in DIFFERENT:
        _, change = DIFFERENT[operation, variant]
        changed = change(wanted, said_to_them(operation, variant))
        assert changed != wanted, "it is listed as different and is not"
        wanted = changed
    assert ours == wanted


def sent_here(operation: str, variant: str) -> Request | None:
    """The request of this library for that operation, if it sends one; others only look."""
    theirs, server = sent_by_them(operation, variant), server_for(operation, variant)
    CALLS[operation](server.client(), said_here(operation, variant))
    sent = [one for one in server.requests if one.is_to(theirs.verb, theirs.path)]
    assert [one for one in server.requests if one not in sent and one.verb != "GET"] == []
    if operation.endswith(".update") and not sent:
        return None
    assert len(sent) == 1, server.requests
    return sent[0]


def by_the_rules(operation: str, theirs: Request, ours: Request) -> Request:
    """The official client's request, as the rules have it."""
    for rule in RULES:
        theirs = rule(operation, theirs, ours)
    return theirs


@pytest.mark.parametrize(("operation", "variant"), sorted(REFUSED))
def test_nothing_is_sent_for_what_is_refused(operation: str, variant: str) -> None:
    """The error comes before any request."""
    server = server_for(operation, variant)
    with pytest.raises((TypeError, ValueError)):
        CALLS[operation](server.client(), said_here(operation, variant))
    assert server.requests == []


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (f"{group}.{verb}", name)
        for verb, table in (("create", OWNED), ("update", OWNED), ("update", FIXED))
        for group, names in table.items()
        for name in names
        if name in RECORDED.get(f"{group}.{verb}", {}).get("all", {}).get("arguments", {})
        if (group, name) != ("users", "id") or verb == "create"  # there it is the address
    ],
)
def test_a_field_that_is_not_assigned_is_refused(operation: str, name: str) -> None:
    """What a listed difference leaves out cannot be said at all."""
    server, said = server_for(operation, "all"), said_here(operation, "all")
    said[name] = said_to_them(operation, "all")[name]
    with pytest.raises((TypeError, AttributeError)):
        CALLS[operation](server.client(), said)
    assert {one.verb for one in server.requests} <= {"GET"}


def test_every_operation_is_compared() -> None:
    """The 201 of the published reference, and what else the official client has."""
    reference = {each.name for each in contract.operations().values() if each.reference}
    assert len(reference) == 201
    assert reference <= set(RECORDED) <= set(CALLS)
    assert set(DIFFERENT) <= set(COMPARED)


def test_every_rule_is_needed() -> None:
    """Each changes a request of the official client."""
    used = set()
    for operation, variant in COMPARED:
        theirs, ours = sent_by_them(operation, variant), sent_here(operation, variant)
        if ours is None:
            continue
        for rule in RULES:
            turned = rule(operation, theirs, ours)
            if turned != theirs:
                used.add(rule)
            theirs = turned
    assert used == set(RULES)
