"""What the newest official client says otherwise than the published reference, as tables.

    python tests/contract/operations.py          prints the tables of docs/operations.md

The reference and the newest client are compared by what the server in memory has of them: the
operations, their parameters, bodies and answers.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labelstudio_orm.testing.fake._checks import contract  # noqa: E402  (after the path to it is known)
from labelstudio_orm.testing.fake._checks.contract import Operation  # noqa: E402
from tests.contract.wire.calls import CALLS  # noqa: E402
from tests.contract.wire.newest import OPERATIONS  # noqa: E402

_WHOLE = "users are read as ids and as objects"
_ROLE = "the server says that `role_arn` is missing"
_TAKEN = "`NotSupportedByServer` for what the server drops"
_OWNER = "the project is that of the annotation"

DONE: Mapping[str, str] = {
    "annotations.create_bulk": "what both take is sent in bulk, all else one by one",
    "comments.create": _OWNER,
    "comments.list": "the project is sent under both names, and checked in the rows",
    "comments.update": _OWNER,
    "export_storage.s3s.create": _ROLE,
    "export_storage.s3s.sync": "`NotSupportedByServer` where it is missing",
    "export_storage.s3s.validate": _ROLE,
    "import_storage.s3s.create": _ROLE,
    "import_storage.s3s.validate": _ROLE,
    "model_providers.create": _TAKEN,
    "model_providers.update": _TAKEN,
    "projects.pauses.create": _WHOLE,
    "prompts.batch_failed_predictions": "the message is empty where there is none",
    "prompts.batch_predictions": "the message is empty where there is none",
    "prompts.get": "projects are read as ids and as objects",
    "prompts.indicators.list": "the title is the key of a row without one",
    "prompts.list": "both shapes are read",
    "prompts.runs.list": "both shapes are read",
    "prompts.versions.cost_estimate": "GET, and POST to a server that does not allow it",
    "workspaces.create": _TAKEN,
    "workspaces.members.delete": "the user is sent in both places",
    "workspaces.update": _TAKEN,
}
"""What is done about the differences of an operation, beside those that do not matter."""

UNREAD = {"ordering", "search", "expand_created_by"}
"""Parameters that change no answer of this library."""


def enterprise() -> list[str]:
    """Return the operations of the Enterprise edition."""
    return sorted(contract.newest())


def differences(name: str) -> Iterator[str]:
    """Yield what the newest client says otherwise about an operation."""
    new = contract.newest()[name]
    old = contract.operations()[name]
    if not old.reference:
        yield "new"
        return
    if old.verb != new.verb:
        yield f"{new.verb} instead of {old.verb}"
    if _bare(old.path) == _bare(new.path) and old.path.rstrip("/") + "/" == new.path != old.path:
        yield "a slash at the end"
    yield from _changed("parameters", old.query, new.query.keys() - UNREAD)
    yield from _changed("body", old.body or (), new.body or ())
    if _shape(old) != _shape(new):
        yield f"answers {_shape(new)} instead of {_shape(old)}"
    lost = _fields(old).keys() - _fields(new).keys()
    if lost and _fields(new):
        yield f"answers without {_names(lost)}"
    whole = {
        field
        for field, member in _fields(new).items()
        if member.endswith(("UserSimple", "AssociatedProject>"))
        if field in _fields(old)
    }
    if whole:
        yield f"answers {_names(whole)} as objects"


def _bare(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path).rstrip("/")


def _changed(what: str, old: Collection[str], new: Collection[str]) -> Iterator[str]:
    more, fewer = set(new) - set(old), set(old) - set(new) - UNREAD
    if more:
        yield f"{what} also {_names(more)}"
    if fewer:
        yield f"{what} not {_names(fewer)}"


def _names(names: Collection[str]) -> str:
    listed = [f"`{name}`" for name in sorted(names)]
    more = len(listed) - 6
    return ", ".join(listed) if more < 2 else f"{', '.join(listed[:6])} and {more} more"


def _shape(operation: Operation) -> str:
    if operation.items:
        return "a page"
    named = contract.types().get(operation.answer or "")
    if operation.answer_is_list or (named and (named.alias or "").startswith("list<")):
        return "a list"
    return "an object" if operation.answer else "nothing"


def _fields(operation: Operation) -> Mapping[str, str]:
    named = contract.types().get(operation.answer or "")
    if named is not None and named.alias:
        named = contract.types()[named.alias.removeprefix("list<").removesuffix(">")]
    while named is not None and named.union:
        named = contract.types()[named.union[0]]
    return {name: member.type for name, member in (named.fields or {}).items()} if named else {}


def difference_table() -> str:
    """Return a line for each operation of the Enterprise edition."""
    lines = ["| operation | the newest client | this library |", "|---|---|---|"]
    for name in enterprise():
        said = "; ".join(differences(name)) or "no difference"
        lines.append(f"| {name} | {said} | {DONE.get(name, '')} |")
    return "\n".join(lines)


def absent() -> dict[str, list[str]]:
    """Return the operations of the newest client that this library has no call for, by group."""
    path = Path(__file__).parent / "wire" / "newest.json"
    recorded = json.loads(path.read_text("utf-8"))
    groups: dict[str, list[str]] = defaultdict(list)
    for name in recorded:
        if OPERATIONS.get(name, name) not in CALLS:
            group, _, verb = name.rpartition(".")
            groups[group].append(verb)
    return groups


def absent_table() -> str:
    """Return a line for each group of operations that have no call."""
    groups = absent()
    total = sum(map(len, groups.values()))
    lines = [f"| group | {total} operations |", "|---|---|"]
    lines += [f"| {group} | {', '.join(sorted(groups[group]))} |" for group in sorted(groups)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(difference_table())
    print()
    print(absent_table())
