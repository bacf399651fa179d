"""What this library sends, held to what the official client sends when it is asked for the same.

``wire/recorded.json`` has the requests of the official client whose methods are the published
reference, ``wire/newest.json`` those of its newest release. ``wire/calls.py`` has the same calls
through this library, ``wire/differences.py`` all that may differ, and ``wire/newest.py`` what
differs from the newest release only.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from labelstudio_orm.testing.fake._checks import contract
from tests.contract import operations
from tests.contract.wire import newest
from tests.contract.wire.calls import CALLS
from tests.contract.wire.capture import Capture, Request
from tests.contract.wire.differences import (
    CARRIED,
    DIFFERENT,
    FIXED,
    OWNED,
    REFUSED,
    RULES,
    Change,
    Rule,
    unassigned,
)

Recorded = dict[str, dict[str, dict[str, Any]]]
ROOT = Path(__file__).resolve().parents[2]
WIRE = Path(__file__).parent / "wire"


@attrs.frozen(repr=False)
class Recording:
    """The requests of one release of the official client, and what is said otherwise here."""

    requests: Recorded
    different: Mapping[tuple[str, str], tuple[str, Change]]
    refused: Mapping[tuple[str, str], str]
    rules: Sequence[Rule]
    compared_before: Recorded = attrs.field(factory=dict)

    @property
    def compared(self) -> list[tuple[str, str]]:
        """The operations and the variants of their arguments that are compared, if not before."""
        return [
            (operation, variant)
            for operation, variants in self.requests.items()
            for variant in variants
            if variant == "fewest" or variants[variant] != variants["fewest"]
            if operation in CALLS and (operation, variant) not in self.refused
            if variants[variant] != self.compared_before.get(operation, {}).get(variant)
        ]

    def said_to_them(self, operation: str, variant: str) -> dict[str, Any]:
        """The arguments of the official client."""
        arguments: dict[str, Any] = self.requests[operation][variant]["arguments"]
        return copy.deepcopy(arguments)

    def said_here(self, operation: str, variant: str) -> dict[str, Any]:
        """The same without the fields that are not assigned here."""
        said = self.said_to_them(operation, variant)
        in_path = self.sent_by_them(operation, variant).path
        refused = unassigned(operation, said)
        return {
            name: _read_time(value)
            for name, value in said.items()
            if name not in refused or str(value) in in_path.split("/")
        }

    def sent_by_them(self, operation: str, variant: str) -> Request:
        """The request of the official client."""
        sent = self.requests[operation][variant]
        return Request(sent["verb"], sent["path"], sent["query"], sent["body"])

    def server_for(self, operation: str, variant: str) -> Capture:
        """A server that has the object in question, with everything empty that will be assigned."""
        said = self.said_to_them(operation, variant)
        body = self.sent_by_them(operation, variant).body
        fields = body if isinstance(body, dict) else {}
        carried = CARRIED.get(operation, ())
        row = {
            name: value if name in carried else None
            for name, value in fields.items()
            if name in carried or name not in unassigned(operation, said)
        }
        selected = said.get("selected_items", said)
        ids = selected.get("included", selected.get("ids", ()))
        tasks = [int(id) for id in ids] if isinstance(ids, list) else []
        return Capture(row, tasks, self.sent_by_them(operation, variant).verb)

    def sent_here(self, operation: str, variant: str) -> Request | None:
        """The request of this library for that operation, if it sends one; others only look."""
        theirs, server = self.sent_by_them(operation, variant), self.server_for(operation, variant)
        CALLS[operation](server.client(), self.said_here(operation, variant))
        sent = [one for one in server.requests if one.is_to(theirs.verb, theirs.path)]
        assert [one for one in server.requests if one not in sent and one.verb != "GET"] == []
        if operation.endswith(".update") and not sent:
            return None
        assert len(sent) == 1, server.requests
        return sent[0]


def _read_time(value: Any) -> Any:
    is_time = isinstance(value, str) and re.fullmatch(r"[0-9-]{10}T[0-9:.]+Z", value)
    return datetime.fromisoformat(value.replace("Z", "+00:00")) if is_time else value


def _read(name: str) -> Recorded:
    recorded: Recorded = json.loads((WIRE / name).read_text("utf-8"))
    return recorded


REFERENCE = Recording(_read("recorded.json"), DIFFERENT, REFUSED, RULES)
RECORDINGS = {
    "reference": REFERENCE,
    "newest": Recording(
        newest.in_old_names(_read("newest.json")),
        {
            case: DIFFERENT.get(case) or newest.DIFFERENT[case]
            for case in [*DIFFERENT, *newest.DIFFERENT]
            if case not in newest.SAME
        },
        newest.REFUSED,
        [*RULES, *newest.RULES],
        REFERENCE.requests,
    ),
}
NEWEST = RECORDINGS["newest"]
CASES = [
    pytest.param(recording, *case, id="-".join((name, *case)))
    for name, recording in RECORDINGS.items()
    for case in recording.compared
]


@pytest.mark.parametrize(("recording", "operation", "variant"), CASES)
def test_the_request_is_that_of_the_official_client(
    recording: Recording, operation: str, variant: str
) -> None:
    """The same verb, path, query and body, but for what is listed as different."""
    theirs = recording.sent_by_them(operation, variant)
    ours = recording.sent_here(operation, variant)
    if ours is None:
        assert theirs.verb == "PATCH"
        assert not theirs.body  # nothing was assigned
        return
    wanted = by_the_rules(recording, operation, theirs, ours)
    if (operation, variant) in recording.different:
        _, change = recording.different[operation, variant]
        changed = change(wanted, recording.said_to_them(operation, variant))
        assert changed != wanted, "it is listed as different and is not"
        wanted = changed
    assert ours == wanted


def by_the_rules(recording: Recording, operation: str, theirs: Request, ours: Request) -> Request:
    """The official client's request, as the rules have it."""
    for rule in recording.rules:
        theirs = rule(operation, theirs, ours)
    return theirs


@pytest.mark.parametrize(
    ("recording", "operation", "variant"),
    [
        pytest.param(recording, *case, id="-".join((name, *case)))
        for name, recording in RECORDINGS.items()
        for case in sorted(recording.refused)
    ],
)
def test_nothing_is_sent_for_what_is_refused(
    recording: Recording, operation: str, variant: str
) -> None:
    """The error comes before any request."""
    server = recording.server_for(operation, variant)
    with pytest.raises((TypeError, ValueError)):
        CALLS[operation](server.client(), recording.said_here(operation, variant))
    assert server.requests == []


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (f"{group}.{verb}", name)
        for verb, table in (("create", OWNED), ("update", OWNED), ("update", FIXED))
        for group, names in table.items()
        for name in names
        if name in REFERENCE.requests.get(f"{group}.{verb}", {}).get("all", {}).get("arguments", {})
        if (group, name) != ("users", "id") or verb == "create"  # there it is the address
    ],
)
def test_a_field_that_is_not_assigned_is_refused(operation: str, name: str) -> None:
    """What a listed difference leaves out cannot be said at all."""
    server, said = REFERENCE.server_for(operation, "all"), REFERENCE.said_here(operation, "all")
    said[name] = REFERENCE.said_to_them(operation, "all")[name]
    with pytest.raises((TypeError, AttributeError)):
        CALLS[operation](server.client(), said)
    assert {one.verb for one in server.requests} <= {"GET"}


def test_every_operation_is_compared() -> None:
    """The 201 of the published reference, and what else the official client has."""
    reference = {each.name for each in contract.operations().values() if each.reference}
    assert len(reference) == 201
    assert reference <= set(REFERENCE.requests) <= set(CALLS)
    assert set(contract.operations()) == NEWEST.requests.keys() & set(CALLS)
    different = {case for one in RECORDINGS.values() for case in one.different}
    assert different <= {case for one in RECORDINGS.values() for case in one.compared}


def test_the_document_lists_the_differences_and_what_is_absent() -> None:
    """As tests/contract/operations.py prints it."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert operations.difference_table() in text
    assert operations.absent_table() in text
    assert set(operations.DONE) <= set(operations.enterprise())


def test_every_rule_is_needed() -> None:
    """Each changes a request of one of the clients."""
    used = set()
    for recording in RECORDINGS.values():
        for operation, variant in recording.compared:
            theirs = recording.sent_by_them(operation, variant)
            ours = recording.sent_here(operation, variant)
            if ours is None:
                continue
            for rule in recording.rules:
                turned = rule(operation, theirs, ours)
                if turned != theirs:
                    used.add(rule)
                theirs = turned
    assert used == {rule for recording in RECORDINGS.values() for rule in recording.rules}
