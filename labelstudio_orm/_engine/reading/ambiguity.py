"""Names that may mean two things in a project: ``data__a__b``, where tasks have a key ``a__b``."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import FieldError, NotFound, PermissionDenied, UnknownKeyWarning
from ..conditions.places import Merged, ambiguous
from ..conditions.q import build
from ..conditions.query import Query
from ..conditions.tree import REGION, leaves
from ..http.page_sizes import FIRST_PAGE
from ..http.paths import at
from ..pages.select import Select
from ..pages.task_page import ask
from ..plans.columns import UNDEFINED
from ..plans.plan import plan
from ..records.inside import kept_with, parents_of
from ..values.brief import brief
from ..values.ids import id_of
from ..values.near import unknown

if TYPE_CHECKING:
    from ..fields.fields import Field


class _Named(Protocol):
    """A way to a value: that of a comparison, an order, an assignment."""

    @property
    def field(self) -> Field: ...
    @property
    def path(self) -> tuple[str, ...]: ...
    @property
    def merged(self) -> Merged: ...


def refuse_ambiguous(query: Query, ways: Iterable[_Named]) -> None:
    """Raise FieldError for a name that is two keys of ``data``, and one in the project's tasks.

    Keys are known from the labelling config, where that is here, and from the project's summary:
    one request, which a project that is an object keeps.
    """
    asked = [one for one in ways if one.merged and one.field.name == "data"]
    if not asked or not query.options.pages.filters_tasks:
        return
    project = _project_of(query)
    known = set(_in_config(project))
    if project is not None:
        known |= keys_in_tasks(query, project)
    for one in asked:
        for steps, key in one.merged:
            if not steps and key in known:
                name = "__".join((one.field.name, *one.path))
                raise ambiguous(name, key, "data", f"the data of Project {id_of(project)}")


def refuse_ambiguous_controls(query: Query) -> None:
    """Raise FieldError for a key of regions that is the name of a control as well.

    Only where the labelling config is at hand.
    """
    asked = {
        one.path[0]: one.key
        for one in leaves(query.where)
        if len(one.path) == 1 and one.field.holds_regions and one.path[0] in REGION
    }
    for name in asked.keys() & (_controls(_at_hand(query)) if asked else set()):
        prefix = asked[name].partition("result__")[0]
        raise FieldError(
            f"{asked[name]}: this is a key of every region, and the project has a control of the "
            f"name {name!r} as well; for what that says: {prefix}result__from_name={name!r}, "
            f"{prefix}result__label=..."
        )


def warn_of_unknown_controls(query: Query) -> None:
    """Warn of a name that is neither a key of regions nor a control of the project.

    Only where the labelling config is at hand.
    """
    asked = {
        "__".join(one.path): one.key
        for one in leaves(query.where)
        if one.path and one.field.holds_regions and one.path[0] not in REGION
    }
    asked.pop("label", None)
    project = _at_hand(query)
    if not asked or "label_config" not in getattr(project, "_row", {}):
        return
    try:
        config = project.config
    except ValueError:  # it is broken
        return
    for name in sorted(asked):
        if name not in config:
            said = unknown("the labelling config has no control", name, config)
            _warn_once(project, f"{asked[name]}: {said}")


def _at_hand(query: Query) -> Any:
    """Return the project, as far as it is known without a request."""
    task = query.scope.get("task")
    parents = {} if task is None or isinstance(task, int) else parents_of(task)
    return query.scope.get("project") or parents.get("project")


def wants_summary(query: Query, keys: Iterable[str]) -> bool:
    """Return whether the project's summary, which is not at hand, is asked for unknown keys."""
    project = query.project
    if project is None or isinstance(project, int) or query.client.is_dry:
        return False
    return _IN_TASKS not in kept_with(project) and not _in_config(project).issuperset(keys)


def warn_of_unknown_keys(query: Query, keys: Iterable[str], is_kept: bool) -> None:
    """Warn, once, of a key that no task of the project has, with near ones.

    The keys that the labelling config shows are known. For others the project's summary is asked
    for, once for a project that is an object; of another only for a key that looks like one of the
    config. A server does not keep the summary up to date, so a key that it lacks is looked for
    among the tasks (one request, for ``LOOKED_FOR`` keys at most), and the warning comes only where
    none has it for certain.
    """
    project = query.scope.get("project")
    shown = _in_config(project)
    strange = sorted({*keys} - shown)
    if project is None or isinstance(project, int) or not strange or query.client.is_dry:
        return
    kept = kept_with(project)
    if not is_kept and not any(_near(key, shown) for key in strange):
        return
    warned = kept.setdefault(_WARNED, set())
    known = keys_in_tasks(query, project)
    missing = [key for key in strange if key not in known and key not in warned]
    for key in missing[:LOOKED_FOR] if known and UNDEFINED not in known else ():
        if _is_nowhere(query, key):
            near = _near(key, known | shown)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            _warn_once(
                project, f"no task of Project {project.id} has {brief(key)} in its data{hint}"
            )
            warned.add(key)
        else:
            kept[_IN_TASKS].add(key)


def _is_nowhere(query: Query, key: str) -> bool:
    """Return whether it is certain that no task of the project has a key in its data.

    The server finds few tasks that hold the key as a text, and none of these has it. One request.
    """
    tasks = Query(
        query.model,
        query.connection,
        scope={"project": query.project},
        where=build(query.model, (), {"data__has_key": key}, query.url),
        fields=frozenset({"id", "data"}),
    )
    found = ask(Select.of(tasks, plan(tasks.options, tasks.where)), FIRST_PAGE)
    shown = [row.get("data") for row in found["tasks"]]
    return found["total"] <= len(shown) and not any(
        not isinstance(data, dict) or key in data for data in shown
    )


LOOKED_FOR = 10
"""Unknown keys that a reading looks for among the tasks, at most."""

_IN_TASKS, _WARNED = "data keys", "warned"


def _warn_once(project: Any, text: str) -> None:
    warned = set() if isinstance(project, int) else kept_with(project).setdefault(_WARNED, set())
    if text not in warned:
        warned.add(text)
        warnings.warn(text, UnknownKeyWarning, stacklevel=3)


def _near(key: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(key, sorted(known), 3, cutoff=0.75)


def _project_of(query: Query) -> Any:
    """Return the project, or its id; one request where only the id of a view is known."""
    project, view = query.project, query.scope.get("view")
    if project is not None or view is None:
        return project
    if not isinstance(view, int):
        return view.project
    path, doing = at("/api/dm/views/{}/", view), f"listing {query.description}"
    return query.client.request("GET", path, doing=doing, expect={"project": int})["project"]


def _in_config(project: Any) -> frozenset[str]:
    if "label_config" not in getattr(project, "_row", {}):
        return frozenset()
    try:
        return frozenset(project.config.data_keys)
    except ValueError:  # a config that is broken
        return frozenset()


def _controls(project: Any) -> set[str]:
    if "label_config" not in getattr(project, "_row", {}):
        return set()
    try:
        return set(project.config.controls)
    except ValueError:
        return set()


def keys_in_tasks(query: Query, project: Any) -> set[str]:
    """Return the keys of the data of a project's tasks, as its summary counts them."""
    kept = {} if isinstance(project, int) else kept_with(project)
    if _IN_TASKS not in kept:
        path = at("/api/projects/{}/summary/", id_of(project))
        try:
            found = query.client.request(
                "GET",
                path,
                doing=f"listing {query.description}",
                expect={"all_data_columns?": dict | None},
            )
        except (NotFound, PermissionDenied):  # a server without summaries, or for others
            found = {}
        kept[_IN_TASKS] = set(found.get("all_data_columns") or ())
    return set(kept[_IN_TASKS])
