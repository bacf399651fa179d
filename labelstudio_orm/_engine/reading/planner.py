"""The plan of a query, and what has to be known of its project for it."""

from __future__ import annotations

import warnings
from typing import Any

import attrs

from ...errors import ClientSideFilterWarning, FieldError
from ..conditions.query import Query
from ..conditions.tree import EVERYTHING, describe, leaves
from ..http.connection import facts_of, require, server_of
from ..http.paths import at
from ..http.rationed import is_rationed
from ..http.releases import DATA_COLUMNS, NEWEST_SERVER, PAIRED_FILTERS
from ..plans.alternatives import Alternative
from ..plans.columns import UNDEFINED, Terms, never
from ..plans.plan import Plan, plan
from ..records.inside import complete
from ..values.ids import id_of, is_beyond
from .ambiguity import (
    refuse_ambiguous,
    refuse_ambiguous_controls,
    warn_of_unknown_controls,
    warn_of_unknown_keys,
)
from .by_id import ref
from .weighing import cheapest, considered, is_of_tasks, learns_database


def plan_without_request(query: Query) -> Plan:
    """Return the plan, as far as the project is known."""
    if any(map(is_beyond, query.scope.values())):
        return Plan(nothing=True)
    if query.is_of_view and query.where != EVERYTHING:
        return Plan(here=query.where, counts=False)  # a query beside a view is dropped
    terms = _terms(query)
    return cheapest(query, plan(query.options, query.where, terms), terms)


def _terms(query: Query) -> Terms:
    server = facts_of(query.client).server or NEWEST_SERVER
    return Terms(
        lambda key: _may_be_undefined(query, key),
        pairs=PAIRED_FILTERS.is_on(server),
        data=DATA_COLUMNS.is_on(server),
    )


def _depends_on_release(query: Query, planned: Plan) -> bool:
    """Return whether the plan is another one for an older server, and its release is not known."""
    if facts_of(query.client).server is not None or not query.options.pages.filters_tasks:
        return False
    return len(planned.clauses) > 1 or bool(_data_keys(query))


def plans_without_request(query: Query, planned: Plan) -> list[Alternative]:
    """Return the plans that were weighed, as far as the project is known, the chosen one first."""
    return considered(query, planned, _terms(query)) if is_of_tasks(query) else []


def plan_with_requests(query: Query, *, by_columns: bool = False) -> Plan:
    """Return the plan of a query, and ask the project for what makes it better.

    Warns of a plan that reads every task, and raises FieldError for what is refused.

    Args:
        query: What is asked.
        by_columns: Whether a request is worth it that lets keys be asked for by their own columns,
            also where the plan does not read every task.
    """
    if any(map(is_beyond, query.scope.values())):
        return Plan(nothing=True)
    if is_rationed() and not _depends_on_release(query, planned := plan_without_request(query)):
        _check_scores(query)
        return planned
    known = _with_config(query) if wants_config(query) else query
    asked = list(leaves(query.where))
    for one in asked:
        if one.field.since is not None:
            require(query.client, one.field.since, f"{query.description}, {one.field.name}")
    refuse_ambiguous(known, asked)
    refuse_ambiguous_controls(known)
    warn_of_unknown_controls(known)
    if not query.may_be_new:
        is_kept = not isinstance(query.scope.get("project"), int)
        warn_of_unknown_keys(known, keys_of_data(query), is_kept)
    planned = plan_without_request(known)
    if _depends_on_release(query, planned):
        server_of(query.client)
        planned = plan_without_request(known)
    if planned.weighed and learns_database(known):
        planned = plan_without_request(known)
    is_wide = planned.here is not None if by_columns else _is_full_scan(query, planned)
    if is_wide and _nothing_is_undefined(known):
        freely = attrs.evolve(_terms(known), may_be_undefined=never)
        planned = cheapest(query, plan(query.options, query.where, freely), freely)
    _check_scores(query)
    if planned.here is not None:
        if query.is_strict:
            raise FieldError(
                f"{query.description}: strict() refuses what the server cannot filter exactly: "
                f"{describe(planned.here)}. explain() shows the plan"
            )
        _warn_of_full_scan(query, planned)
    return planned


def _is_full_scan(query: Query, planned: Plan) -> bool:
    return (
        planned.here is not None
        and planned.clauses == ((),)
        and query.options.pages.filters_tasks
        and not query.is_of_view
    )


def _warn_of_full_scan(query: Query, planned: Plan) -> None:
    """Warn once, for each project and condition, that every task has to be read."""
    what = query.description
    if _is_full_scan(query, planned) and what not in _warned:
        _warned.add(what)
        warnings.warn(
            f"{what}: the server cannot filter this, so every task is read and checked here; "
            "explain() shows the plan, strict() refuses it",
            ClientSideFilterWarning,
            stacklevel=2,
        )


_warned: set[str] = set()


# -- keys of data that the server may store as $undefined$ ----------------------------------------


def wants_config(query: Query) -> bool:
    """Return whether the labelling config, which is not at hand, would make the plan better."""
    return (
        query.options.pages.filters_tasks
        and "project" in query.scope
        and not query.is_of_view
        and bool(_data_keys(query))
        and not _has_config(query.scope["project"])
    )


def _has_config(project: Any) -> bool:
    return "label_config" in getattr(project, "_row", {})


def _with_config(query: Query) -> Query:
    """Return the same query with the labelling config at hand.

    One request, which a project that is an object keeps.
    """
    project = query.scope["project"]
    if isinstance(project, int):
        project = ref(_projects(query), project)
    complete(project)
    return query.but(scope={**query.scope, "project": project})


def _projects(query: Query) -> Query:
    return Query(query.options.relations["project"].target, query.connection)


def _data_keys(query: Query) -> frozenset[str]:
    """Return the keys of ``data`` that are asked for."""
    asked = [one for one in leaves(query.where) if one.field.name == "data"]
    return frozenset(str(one.path[0]) for one in asked if one.path) | frozenset(
        one.value for one in asked if one.lookup == "has_key"
    )


def keys_of_data(query: Query) -> frozenset[str]:
    """Return the keys of ``data`` that a query names in any way."""
    return _data_keys(query) | _named_keys(query)


def _named_keys(query: Query) -> frozenset[str]:
    """Return the keys of ``data`` that an order, or ``values()``, names."""
    keys = [*query.ordering, *query.named]
    return frozenset(key.path[0] for key in keys if key.path and key.field.name == "data")


def _may_be_undefined(query: Query, key: str) -> bool:
    """Return whether a key of ``data`` may be stored as the server's ``$undefined$``.

    Only one that the labelling config shows can be; where the config is not at hand, any.
    """
    project: Any = query.scope.get("project")
    if not _has_config(project):
        return True
    try:
        return key in project.config.data_keys
    except ValueError:  # a config that is broken
        return True


def _nothing_is_undefined(query: Query) -> bool:
    """Return whether the project has no ``$undefined$`` data, if that improves the plan."""
    keys = _data_keys(query)
    if "project" not in query.scope or not any(_may_be_undefined(query, key) for key in keys):
        return False
    path = at("/api/projects/{}/summary/", id_of(query.scope["project"]))
    # Not kept: a later import may store such data.
    columns = query.client.request(
        "GET", path, doing=f"listing {query.description}", expect={"all_data_columns?": dict | None}
    )
    return UNDEFINED not in (columns.get("all_data_columns") or {UNDEFINED: 1})


# -- means ----------------------------------------------------------------------------------------


def _check_scores(query: Query) -> None:
    """Raise FieldError for ``predictions_score`` in a project without a model version.

    The score is the mean for that version: without one the server gives none for all tasks.
    """
    asked = any(
        one.relation is None and one.field.name == "predictions_score"
        for one in leaves(query.where)
    )
    if not asked or "project" not in query.scope:
        return
    project = query.scope["project"]
    known = "" if isinstance(project, int) else project.model_version
    # An import of predictions may have set it meanwhile.
    if not known and not ref(_projects(query), id_of(project)).refresh().model_version:
        raise FieldError(
            f"{query.description}: predictions_score is the mean for the project's model_version, "
            "and that is empty; set it, or ask for predictions__score"
        )
