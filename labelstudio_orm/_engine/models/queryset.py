"""QuerySet: a lazy, frozen description of some objects, and the verbs on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ...errors import DoesNotExist
from .. import bulk, models
from ..fields.options import options_of
from ..http.deadline import one_call
from ..pages.sources import Embedded
from ..reading.by_id import parents_in
from ..reading.summaries import SummarizingQuerySet
from ..records.inside import bind, drop_prefetched_of_parents, restored_on_failure, set_parents
from ..values.ids import id_given, id_of
from ..values.misuse import check_items
from ..values.secret import hidden_items, hide, hide_inside, seal

if TYPE_CHECKING:
    from typing_extensions import Never

    from ...progress import Progress
    from ..bulk.run import BulkRun
    from ..bulk.updating import Update
    from ..conditions.places import Place
    from ..conditions.q import Q
    from ..http.connection import Connection
    from ..values.summary import Created, OnError, Summary

R = TypeVar("R")


class QuerySet(SummarizingQuerySet[R]):
    """Some objects of one resource.

    Every method that narrows or orders returns a new queryset and costs nothing. Requests are sent
    when objects are needed: by a loop, ``len``, ``bool``, an index, ``first``, ``count`` and the
    other verbs. A loop that ran to its end is kept, so a second one costs nothing; ``iterator()``
    keeps nothing.

    >>> todo = project.tasks.filter(total_annotations=0)     # no request
    >>> for task in todo:                                    # pages of up to 1,000 tasks
    ...     print(task.data)
    """

    # -- one object -------------------------------------------------------------------------------

    @one_call
    def create(self, *given: Never, **fields: Any) -> R:
        """Make one object and save it; one POST.

        Raises TypeError for what the resource does not have, naming what is near.

        >>> project.tasks.create(data={"text": "a"})
        """
        if self._query.options.secret_wires:  # the frame of an error shows them
            given = tuple(map(seal, given))
        obj: Any = self._new(hide(fields, self._known), *given)
        obj.save()
        drop_prefetched_of_parents(obj)
        return cast("R", obj)

    def _new(self, fields: Mapping[str, Any], *unnamed: Any) -> R:
        """Return an unsaved object of these fields, in the scope."""
        query = self._query
        options = query.options
        scope = {name: one for name, one in query.scope.items() if name in options.relations}
        for name, value in scope.items():
            here = id_given(value, f"{query.description}: the {name}")
            given = fields.get(name, value)
            if id_of(given) != here:
                raise ValueError(
                    f"creating a {options.name} of {name} {here}: "
                    f"{name}={given!r:.80} is another; go through that one"
                )
        try:
            obj = self.model(*unnamed, **{**scope, **fields})
        except TypeError as error:
            raise TypeError(str(error).replace(".__init__()", "")) from error
        bind(obj, self.client)
        set_parents(obj, parents_in(scope))
        return cast("R", obj)

    @one_call
    def get_or_create(
        self, *conditions: Q | Mapping[str, Any] | None, **lookups: Any
    ) -> tuple[R, bool]:
        """Return the one object that matches, or a new one, as ``(object, created)``.

        A new one has the values of the lookups and the ``defaults``. Conditions may be
        ``data["src__id"] == 5`` as well.

        What this queryset is filtered by exactly is set too (``data__lang`` of
        ``filter(data__lang="de")``), and a key that a lookup says is set beside those of the
        defaults. Raises ValueError where the new object would not match, since the next run would
        not find it.

        >>> from labelstudio_orm import data
        >>> notes = ls.projects.create(title="Notes")
        >>> task, created = notes.tasks.get_or_create(
        ...     {"data": {"n": 1}}, data["src__id"] == 5, data__text="a"
        ... )
        >>> task.data, created
        ({'n': 1, 'src__id': 5, 'text': 'a'}, True)
        """
        conditions, lookups = self._hidden(conditions, lookups)
        defaults, asked, lookups = models.defaults.defaults_and_lookups(
            self._query, conditions, lookups
        )
        try:
            return self._but(may_be_new=True).get(*asked, **lookups), False
        except DoesNotExist:
            if self._query.is_of_view:
                raise ValueError(
                    f"creating in {self._query.description}: it is unknown whether the new one "
                    "would be of the view, so that each run could make another one; "
                    "use project.tasks"
                ) from None
            said = models.defaults.exact_lookups(self._query, asked, lookups)
            fields = models.defaults.new_fields(
                (*models.defaults.pinned_fields(self._query), *said), defaults
            )
            narrowed = self.filter(*asked, **hide(lookups))
            models.defaults.refuse_unmatched(narrowed._query, narrowed._new, fields)
            return self.create(**fields), True

    def _hidden(
        self, conditions: tuple[Any, ...], lookups: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of ``get_or_create`` with their secrets sealed."""
        # The caller's variables take the result: a frame of an error would show the arguments.
        return tuple(hidden_items(conditions, self._known)), hide_inside(lookups, self._known)

    @one_call
    def update_or_create(
        self, *conditions: Q | Mapping[str, Any] | None, **lookups: Any
    ) -> tuple[R, bool]:
        """Set ``defaults`` in the one object that matches, or create one: ``(object, created)``.

        ``data`` and ``meta`` are set key by key: the other keys stay. Errors as for
        ``get_or_create``.
        """
        conditions, lookups = self._hidden(conditions, lookups)
        defaults, asked, lookups = models.defaults.defaults_and_lookups(
            self._query, conditions, lookups
        )
        obj, created = self.get_or_create(*asked, defaults=defaults, **lookups)
        if not created:
            said = models.defaults.exact_lookups(self._query, asked, lookups)
            made: Any = obj
            with restored_on_failure(made):
                for name, value in models.defaults.changed_fields(made, said, defaults).items():
                    setattr(made, name, value)
                made.save()
        return obj, created

    @one_call
    def bulk_create(
        self,
        items: Iterable[Mapping[str, Any] | R],
        *,
        on_error: OnError = "raise",
        workers: int | None = None,
        progress: Progress = None,
    ) -> Created[R]:
        """Create many objects; they come back with ids, in the order of the input.

        ``items`` are dicts of fields, or unsaved objects; the result has a ``summary``. Each object
        is one request, sent by ``workers`` at once (default: the client's). ``progress``: True for
        a line on stderr, or a function ``(done, total)``.

        The first error stops it, once all requests under way have ended, and has the objects so far
        in ``created``, and the ``summary``; with ``on_error="collect"`` the others go on, and
        ``summary.failed`` names each that failed with its place and the reason.

        >>> views = [{"data": {"title": "First"}}, {"data": {"title": "Second"}}]
        >>> project.views.bulk_create(views).summary
        <Summary: 2 created>
        """
        check_items(items, "bulk_create()")
        items = hidden_items(items, self._known)
        run = self._run("creating", workers, on_error, progress)
        return bulk.creation.create_each(self.create, items, run)

    @one_call
    def bulk_update(
        self,
        objects: Iterable[R],
        fields: Iterable[str] | None = None,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Save many objects that were changed here.

        Returns a summary with ``updated`` and ``skipped``.

        One PATCH each, with what was changed (of ``fields`` only, where they are given); none for
        an object without changes. ``workers`` send them at once (default: the client's), and take
        no more from ``objects`` than they are about to save, so that it may be an endless stream.

        The first error stops it, once what is under way has ended, and has the ``summary``; with
        ``on_error="collect"`` the others go on, and ``summary.failed`` has it. Objects that were
        saved have no changes any more, so it may simply be run again.

        >>> tasks = list(project.tasks.filter(data__lang="de"))
        >>> for task in tasks:
        ...     task.data["seen"] = True
        >>> project.tasks.bulk_update(tasks)
        <Summary: 1 updated>
        """
        run = self._run("saving", workers, on_error, progress)
        return bulk.updating.save_many(self, objects, fields, run)

    @one_call
    def update(
        self,
        assignments: Mapping[Place, Any] | None = None,
        /,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
        **values: Any,
    ) -> Summary:
        """Set these fields of all the objects.

        Returns a summary with ``updated`` and ``skipped``. Refused without a condition unless
        ``all()`` was called.

        ``data__split="train"`` sets one key inside ``data`` (or ``meta``, or another nested field)
        and leaves the others; ``data__a__b=1`` makes ``a`` where there is none; ``overlap=2`` and
        ``data={...}`` set a field as a whole; ``{data["src__id"]: 7}`` sets a key that has other
        signs in it. Raises FieldError for ``data__a__b`` where a task has a key ``a__b``.

        A function gives the value for each object: ``data__image=lambda task: ...``. It gets the
        object with all its fields, as it was read last; ValueError names the object for which it
        raises an error, or TypeError the one for which it returns what cannot be set.

        The objects are listed, light, and those that have the values already are skipped. A text
        for a key of the data of tasks, other than those that the labelling config shows, is set by
        the server's own action, 1,000 tasks a request: it leaves ``updated_at`` as it is, and no
        webhook is sent. Of all others each is one PATCH, sent by ``workers`` at once (default: the
        client's). A PATCH replaces a nested field, and the server has no conditional writes; so
        where a key is set, or a function gives a nested field, each object is read again before,
        and skipped when it is gone or matches the conditions no more: tasks many in one request,
        not more than 5 s before, other objects one by one. What others save in between is lost;
        ``save(check=True)`` of one object looks.

        Errors as for ``bulk_update``. It may be run again.

        >>> project.tasks.filter(data__lang="de").update(data__split="train", overlap=2)
        <Summary: 1 updated>
        """
        said = dict[Any, Any](assignments or {}) | hide(values, self._known)
        run = self._run("updating", workers, on_error, progress)
        return self._updating(said).run(run)

    @one_call
    def delete(
        self,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Delete the objects; return a summary with ``deleted``.

        Objects that were gone before are ``skipped``. Refused without a condition, unless ``all()``
        confirmed it. The objects are listed, and one request deletes one, sent by ``workers`` at
        once (default: the client's).

        Errors as for ``bulk_update``. It may be stopped, and run again.

        >>> project.views.filter(id__gt=5).delete()
        <Summary: nothing to do>
        """
        self._query.require_confirmation("delete()")
        with self._run("deleting", workers, on_error, progress) as run:
            bulk.deletion.delete_each(list(self._light()), run)
        return run.summary()

    def _light(self) -> QuerySet[R]:
        """Return the same objects with their ids alone, where that saves the server most work."""
        is_inside = isinstance(self._query.options.pages, Embedded)
        return self.only("id") if is_inside and self._cache is None else self

    def _updating(self, values: Mapping[Any, Any]) -> Update:
        return bulk.updating.Update(self, values)

    def _run(
        self, doing: str, workers: int | None, on_error: OnError, progress: Progress
    ) -> BulkRun:
        return bulk.run.BulkRun(
            self.client,
            f"{doing} {self._query.description}",
            workers=workers,
            on_error=on_error,
            progress=progress,
        )


def queryset_of(model: type[R], client: Connection, **state: Any) -> QuerySet[R]:
    """Return a queryset of the class that the resource names in its header."""
    declared: Any = model
    queryset: type[QuerySet[R]] = options_of(declared).queryset or QuerySet
    return queryset(model, client, **state)
