"""The plan of a queryset, and what has to be known of its project for it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import ClientSideFilterWarning, FieldError
from ..conditions.tree import EVERYTHING, describe, leaves
from ..fields.options import options_of
from ..http.paths import at
from ..plans.columns import UNDEFINED
from ..plans.plan import Plan, plan
from ..values.ids import id_of, is_beyond
from .ambiguity import (
    refuse_ambiguous,
    refuse_ambiguous_controls,
    warn_of_unknown_controls,
    warn_of_unknown_keys,
)

if TYPE_CHECKING:
    from ..models.queryset import QuerySet

S = TypeVar("S", bound="QuerySet[Any]")


def plan_without_request(queryset: QuerySet[Any]) -> Plan:
    """The plan, as far as the project is known."""
    if any(map(is_beyond, queryset.scope.values())):
        return Plan(nothing=True)
    if "view" in queryset.scope and queryset.where != EVERYTHING:
        return Plan(here=queryset.where, counts=False)  # a query beside a view is dropped
    return plan(queryset.model, queryset.where, lambda key: _may_be_undefined(queryset, key))


def plan_of(queryset: QuerySet[Any]) -> Plan:
    """The plan; asks the project for what makes it better, warns of one that reads every task, and
    refuses what must not be.
    """
    if any(map(is_beyond, queryset.scope.values())):
        return Plan(nothing=True)
    known = _with_config(queryset) if wants_config(queryset) else queryset
    refuse_ambiguous(known, leaves(queryset.where))
    refuse_ambiguous_controls(known)
    warn_of_unknown_controls(known)
    if not queryset.may_be_new:
        is_kept = not isinstance(queryset.scope.get("project"), int)
        warn_of_unknown_keys(known, _data_keys(queryset) | _named_keys(queryset), is_kept)
    planned = plan_without_request(known)
    if _is_full_scan(queryset, planned) and _nothing_is_undefined(known):
        planned = plan(queryset.model, queryset.where)
    _check_scores(queryset)
    if planned.here is not None:
        if queryset.is_strict:
            raise FieldError(
                f"{queryset._what}: strict() refuses what the server cannot filter exactly: "
                f"{describe(planned.here)}. explain() shows the plan"
            )
        _warn_of_full_scan(queryset, planned)
    return planned


def _is_full_scan(queryset: QuerySet[Any], planned: Plan) -> bool:
    return (
        planned.here is not None
        and planned.clauses == ((),)
        and options_of(queryset.model).pages.filters_tasks
        and "view" not in queryset.scope
    )


def _warn_of_full_scan(queryset: QuerySet[Any], planned: Plan) -> None:
    """Say once, for each project and condition, that every task has to be read."""
    what = queryset._what
    if _is_full_scan(queryset, planned) and what not in _warned:
        _warned.add(what)
        warnings.warn(
            f"{what}: the server cannot filter this, so every task is read and checked here; "
            "explain() shows the plan, strict() refuses it",
            ClientSideFilterWarning,
            stacklevel=2,
        )


_warned: set[str] = set()


# -- keys of data: which of them a task may be stored with another one than it is shown with ------


def wants_config(queryset: QuerySet[Any]) -> bool:
    """Would the labelling config, which is not at hand, make the plan better?"""
    return (
        options_of(queryset.model).pages.filters_tasks
        and "project" in queryset.scope
        and "view" not in queryset.scope
        and bool(_data_keys(queryset))
        and not _has_config(queryset.scope["project"])
    )


def _has_config(project: Any) -> bool:
    return "label_config" in getattr(project, "_row", {})


def _with_config(queryset: S) -> S:
    """The same with the labelling config at hand; one request, which a project that is an object
    keeps.
    """
    project = queryset.scope["project"]
    if isinstance(project, int):
        project = queryset.client.projects.ref(project)
    project._complete()
    return queryset._with(scope={**queryset.scope, "project": project})


def _data_keys(queryset: QuerySet[Any]) -> frozenset[str]:
    """The keys of ``data`` that are asked for."""
    asked = [one for one in leaves(queryset.where) if one.field.name == "data"]
    return frozenset(str(one.path[0]) for one in asked if one.path) | frozenset(
        one.value for one in asked if one.lookup == "has_key"
    )


def _named_keys(queryset: QuerySet[Any]) -> frozenset[str]:
    """The keys of ``data`` that an order, or ``values()``, names."""
    keys = [*queryset.ordering, *queryset.named]
    return frozenset(key.path[0] for key in keys if key.path and key.field.name == "data")


def _may_be_undefined(queryset: QuerySet[Any], key: str) -> bool:
    """May a key of ``data`` be stored as the server's ``$undefined$``? Only one that the labelling
    config shows can be; where the config is not at hand, any.
    """
    project: Any = queryset.scope.get("project")
    if not _has_config(project):
        return True
    try:
        return key in project.config.data_keys
    except ValueError:  # a config that is broken
        return True


def _nothing_is_undefined(queryset: QuerySet[Any]) -> bool:
    """Would the plan be better without ``$undefined$``, and is it without? One request."""
    keys = _data_keys(queryset)
    if "project" not in queryset.scope or not any(_may_be_undefined(queryset, key) for key in keys):
        return False
    path = at("/api/projects/{}/summary/", id_of(queryset.scope["project"]))
    columns = queryset.client.request(
        "GET", path, doing=f"listing {queryset._what}", expect={"all_data_columns?": dict | None}
    )
    return UNDEFINED not in (columns.get("all_data_columns") or {UNDEFINED: 1})


# -- means ----------------------------------------------------------------------------------------


def _check_scores(queryset: QuerySet[Any]) -> None:
    """``predictions_score`` is the mean for the project's model version: without one the server
    gives none for all tasks.
    """
    asked = any(
        one.relation is None and one.field.name == "predictions_score"
        for one in leaves(queryset.where)
    )
    if not asked or "project" not in queryset.scope:
        return
    project = queryset.scope["project"]
    known = "" if isinstance(project, int) else project.model_version
    # An import of predictions may have set it meanwhile.
    if not known and not queryset.client.projects.get(project).model_version:
        raise FieldError(
            f"{queryset._what}: predictions_score is the mean for the project's model_version, and "
            "that is empty; set it, or ask for predictions__score"
        )
