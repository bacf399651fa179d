"""Saved views of the Data Manager, and the actions that the server can perform on tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from .._engine.conditions.q import Q
from .._engine.conditions.tree import EVERYTHING
from .._engine.fields.fields import Field
from .._engine.http.connection import require
from .._engine.http.deadline import one_call
from .._engine.http.releases import PAIRED_FILTERS
from .._engine.models.queryset import queryset_of
from .._engine.plans.view_filters import has_pairs, view_condition, view_filters, view_ordering
from .._engine.reading.by_id import given_id
from .._engine.reading.selection import evolved, query_of
from .._engine.records.inside import parents_of
from .._engine.values.brief import brief
from .._engine.values.ids import id_given
from .._engine.values.ids import id_of as id_in
from .._engine.values.registry import registry
from .._engine.values.summary import Summary
from ..errors import LabelStudioError
from ..orm import (
    ForeignKey,
    Plain,
    QuerySet,
    Resource,
    action,
    field,
    foreign_key,
    no_answer,
    readonly,
    readonly_foreign_key,
    resource,
)
from .common import web_address

if TYPE_CHECKING:
    from typing_extensions import Never

    from .people import User
    from .projects import Project
    from .tasks import Tasks

__all__ = ["Action", "View", "Views"]


class Views(QuerySet["View"]):
    """``project.views``: the tabs of a project's Data Manager."""

    @one_call
    def create(
        self,
        *given: Never,
        title: str | None = None,
        filters: Q | None = None,
        ordering: str | None = None,
        **fields: Any,
    ) -> View:
        """Create a view from its ``data``, or from a title, a condition and an order. One request.

        Raises FieldError for a condition or an order that the server cannot express exactly.

        >>> project.views.create(title="Todo", filters=Q(total_annotations=0), ordering="-id")
        """
        data = self._data(fields.pop("data", None), title, filters, ordering)
        return super().create(*given, data=data, **fields)

    @one_call
    def get_or_create(
        self,
        *conditions: Q | Mapping[str, Any] | None,
        title: str | None = None,
        filters: Q | None = None,
        ordering: str | None = None,
        **lookups: Any,
    ) -> tuple[View, bool]:
        """Return the one view that matches, or a new one, as ``(view, created)``.

        With a ``title``, the view of this title; a new one has ``filters`` and ``ordering``, which
        a view that exists keeps as they are. Else as for every queryset.

        >>> view, created = project.views.get_or_create(title="Unsure", filters=Q(overlap=2))
        >>> project.views.get_or_create(title="Unsure") == (view, False)
        True
        """
        if title is None and filters is None and ordering is None:
            return super().get_or_create(*conditions, **lookups)
        if title is None or conditions or lookups:
            raise TypeError(
                "views.get_or_create(): with title=, filters= or ordering= the title says which "
                "view is meant, and there are no other conditions"
            )
        data = self._data(None, title, filters, ordering)
        return super().get_or_create({"data": data}, data__title=title)

    def _data(
        self,
        data: Mapping[str, Any] | None,
        title: str | None,
        filters: Q | None,
        ordering: str | None,
    ) -> dict[str, Any]:
        """Return the data of a view of this title, condition and order."""
        made = dict(data or {})
        if title is not None:
            made["title"] = title
        if filters is not None:
            made["filters"] = view_filters(filters, self.client.url)
        if ordering is not None:
            made["ordering"] = [view_ordering(ordering)]
        return made

    @one_call
    def delete(self, **options: Any) -> Summary:
        """Delete the views; return a summary with ``deleted``.

        Two requests for all views of a project, else one each.
        """
        project = (
            id_given(self._query.scope["project"], "the project")
            if "project" in self._query.scope
            else None
        )
        if project is None or self._query.where != EVERYTHING or self._query.is_slice:
            return super().delete(**options)
        self._query.require_confirmation("delete()")
        number = len(self._all())
        self.client.request(
            "DELETE",
            "/api/dm/views/reset/",
            json={"project": project},
            doing=f"deleting all views of Project {project}",
        )
        return Summary(deleted=number)

    @action("POST", "order/", "ordering the views of Project {project}", idempotent=True)
    def set_order(self, views: Iterable[View | int]) -> None:
        """Put the tabs into this order. One request."""
        ids = [given_id(query_of(self), view, "set_order(): a view") for view in views]
        return no_answer(json={"project": id_in(self._query.scope["project"]), "ids": ids})


@resource(
    "/api/dm/views/{id}/",
    params={"project_id__exact": "project"},
    queryset=Views,
)
class View(Resource):
    """A saved view of a project's tasks: a tab with its filters, order and columns in ``data``.

    >>> view = project.views.create(title="Todo", filters=Q(total_annotations=0))
    >>> view.tasks.count()
    3
    """

    project: ForeignKey[Project] = foreign_key(fixed=True)
    project_id = project.id
    data: dict[str, Any] = field(factory=dict)
    selected_items: dict[str, Any] | None = field(default=None, fixed=True)
    order: int | None = readonly()
    user: ForeignKey[User] = readonly_foreign_key()
    user_id = user.optional_id

    def _check_release(self, chosen: Iterable[Field]) -> None:
        super()._check_release(chosen)
        if isinstance(self.data, dict) and has_pairs(self.data.get("filters")):
            require(self._client, PAIRED_FILTERS, f"saving {self!r}")

    @property
    def title(self) -> str | None:
        """``data["title"]``, the name of the tab; assigning one changes ``data``."""
        found = self.data.get("title") if isinstance(self.data, dict) else None
        return found if isinstance(found, str) else None

    @title.setter
    def title(self, title: str) -> None:
        self._own_data()["title"] = title

    @property
    def url(self) -> str:
        """The address of the view in the web interface.

        Costs no request where the project is known, as it is of ``project.views``.

        >>> view.url
        'http://localhost:8080/projects/1/data/?tab=1'
        """
        return web_address(self, "url", "/projects/{project}/data/?tab={id}")

    @property
    def filters(self) -> Q:
        """The condition of ``data["filters"]``; assigning one changes ``data``. Costs no request.

        A filter that no lookup matches exactly (some on text, for example) stays a condition that
        only the server evaluates: it can be joined by ``&``, and has no complement. Assigning
        raises FieldError for what the server cannot express exactly.

        >>> view.filters
        Q(total_annotations=0)
        """
        try:
            return view_condition(self.data.get("filters"))
        except (AttributeError, KeyError, TypeError) as error:
            raise LabelStudioError(
                f"{self!r}: its filters do not have the form that the server gives them: "
                f"{brief(self.data, 300)}"
            ) from error

    @filters.setter
    def filters(self, condition: Q) -> None:
        self._own_data()["filters"] = view_filters(condition, self._server)

    def _own_data(self) -> dict[str, Any]:
        if not isinstance(self.data, dict):
            raise LabelStudioError(f"{self!r}: its data is {self.data!r:.80}, not a JSON object")
        return self.data

    @property
    def tasks(self) -> Tasks:
        """The tasks of the view in its order; may be filtered and ordered further.

        The ids are listed first, since the server ignores a query beside a view.
        """
        self._saved_id("View.tasks")
        tasks = cast("Tasks", queryset_of(registry["Task"], self._client))
        project = parents_of(self).get("project", self.project_id)
        scope = {} if project is None else {"project": project}  # else the reading asks for it
        return evolved(tasks, scope={**scope, "view": self})

    def _update(self, chosen: list[Field]) -> None:
        """Clear the filters where they were removed; refuse to remove an ordering.

        The server keeps filters and ordering that a PATCH leaves out, and cannot clear an ordering.
        """
        if any(field.name == "data" for field in chosen):
            old: dict[str, Any] = self._old(self._options.fields["data"]) or {}
            if old.get("ordering") and not self.data.get("ordering"):
                raise ValueError(
                    f"saving {self!r}: the server cannot clear a view's ordering; order by id "
                    "instead: data['ordering'] = ['tasks:id'], or create the view again"
                )
            if old.get("filters") and not self.data.get("filters"):
                with self._restored_on_failure():
                    self.data["filters"] = {"conjunction": "and", "items": []}
                    super()._update(chosen)
                return
        super()._update(chosen)


@resource(
    "",
    collection="/api/dm/actions/",
    pages=Plain(scoped_by=("project",)),
    label="title",
)
class Action(Resource):
    """An operation of the server on a selection of tasks: ``project.actions.all()``.

    ``id`` is its name; ``project.tasks.filter(...).perform(action.id)`` performs it.

    >>> "delete_tasks" in [action.id for action in project.actions.all()]
    True
    """

    id: str = readonly()  # type: ignore[assignment]  # the only resource whose ids are names
    project: ForeignKey[Project] = readonly_foreign_key()
    project_id = project.id
    title: str = readonly()
    order: int | None = readonly()
    permission: Any = readonly()
    experimental: bool = readonly()
    hidden: bool = readonly()
    reload: bool = readonly()
    dialog: dict[str, Any] | None = readonly()
    disabled: bool = readonly()
    disabled_reason: str | None = readonly()
