"""``project.labels``: renames, merges, removes and adds labels everywhere at once.

A change goes in the order that the server accepts: the new label joins the old one in the config,
all annotations, drafts and predictions are rewritten, the old label leaves the config, and anything
saved meanwhile is rewritten too. Each step looks at the current state, so a run that died is
completed by running it again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from . import _statistics
from ._config import editing
from ._config.controls import Control
from ._config.editing import Path, find, path_of
from ._config.labelconfig import LabelConfig
from ._config.tags import Label
from ._engine.http.deadline import deadline_of, one_call
from ._engine.http.paths import at
from ._engine.records.inside import client_of, refetch, row_of, saved_id
from ._engine.values.summary import OnError, Summary
from ._relabel.plans import Plan, addition, merging, removal, renaming, taken_back
from ._relabel.results import Relabelling
from ._relabel.runs import Run
from ._relabel.undofile import UndoFile, check_changes, read_changes, read_job
from .errors import BadRequest, LabelStudioError
from .progress import Progress

if TYPE_CHECKING:
    from typing import Literal

    from ._reports import Report
    from ._statistics.counts import Counts
    from .resources.projects import Project

__all__ = ["LabelName", "Labels", "UndoPath"]

_STILL_USED: Final = "These labels still exist"
"""The beginning of the server's message about labels that are no longer in the config."""

LabelName: TypeAlias = "str | Sequence[str]"
"""A label, or a branch: ``"Car"``, ``("Animal", "Dog")``."""

UndoPath: TypeAlias = "str | os.PathLike[str] | None"


class Labels:
    """The labels of a project, in the order of its labelling config.

    Iterating gives each as a ``Label``; ``len`` and ``in`` are about them too. A label is named as
    it is stored or as it is shown; one of a taxonomy by its path, ``("Animal", "Dog")``. The
    control may be left out where only one has the label.

    Labels are changed in the labelling config, and in all annotations (also cancelled ones), drafts
    (of all users) and predictions that have them. Ids, authors, ground truth, lead times and
    everything else stay, but the server records who saved an annotation last (``updated_by``) and
    when, and notifies webhooks and ML backends. Values of other controls stay, even with the same
    text. Each object is read again just before it is saved, since a save replaces its whole result.

    * ``undo``: a path. The previous state is written to this file before each change, and
      ``undo(path)`` restores it. An interrupted run continues its file.
    * ``workers``: how many objects are saved at once (default: the client's).
    * ``on_error="collect"`` continues where one cannot be saved: it is in the report's ``failed``,
      and the old label stays in the config.
    * ``progress``: True for a line on stderr, or a function ``(done, total)``; the total is not
      known before the end.

    The verbs return a ``Report`` with ``counts`` of "annotations", "drafts" and "predictions". In a
    dry run nothing is written, and the counts are the same. An interrupted run is simply repeated;
    repeated once more, it writes nothing: an unknown label that nothing has may have been changed
    already, or be misspelt, and the report's ``what`` says so. An error of the server ends the run.

    >>> [label.value for label in project.labels]
    ['Positive', 'Neutral', 'Negative']
    >>> report = project.labels.rename("Neutral", "Mixed", undo="undo.jsonl")
    >>> dict(report.counts)["annotations"], "Mixed" in project.labels
    (<Summary: nothing to do>, True)
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    @property
    def _deadline(self) -> float | None:
        return deadline_of(self._project)

    def __iter__(self) -> Iterator[Label]:
        for control in self._project.config.controls.values():
            yield from control.label_tags

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True  # without labels there are still verbs

    def __contains__(self, label: object) -> bool:
        config = self._project.config
        try:
            path = path_of(label)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return False
        return any(find(config, name, path) for name in config.controls)

    def __repr__(self) -> str:
        return f"<Labels of {self._project!r}: {len(self)}>"

    # -- the verbs --------------------------------------------------------------------------------

    @one_call
    def rename(
        self,
        old: LabelName,
        new: LabelName,
        *,
        control: str | None = None,
        undo: UndoPath = None,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Report:
        """Rename a label, which keeps its position, its colour, hotkey and other attributes.

        A label with an alias is stored under that: named by the text that is shown, only that
        changes, and named by its alias, the stored name. For a branch, every path through it is
        rewritten; it stays beneath its parent. Where several labels were chosen, they keep their
        order without duplicates.

        Raises ValueError for an unknown label, for a name that is taken (``merge`` joins two
        labels), and for a path into another branch.

        >>> project.labels.rename("Neutral", "Mixed", control="sentiment").ok
        True
        """
        plan = partial(renaming, old=path_of(old), new=path_of(new), control=control)
        return self._run(plan, undo, workers, on_error, progress)

    @one_call
    def merge(
        self,
        labels: Sequence[LabelName],
        into: LabelName,
        *,
        control: str | None = None,
        undo: UndoPath = None,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Report:
        """Replace several labels by one.

        If ``into`` does not exist, it is created after the first of them, with its attributes.

        Raises ValueError for unknown labels, unless ``into`` exists and none of them does, or the
        ``undo`` file shows that this was begun; and for a branch with branches that ``into`` lacks.

        >>> project.labels.merge(["Negative", "Unclear"], into="Other", control="sentiment").ok
        True
        """
        if isinstance(labels, str):
            raise TypeError(f"merge() takes a list of labels, not {labels!r:.80}")
        sources = [path_of(label) for label in labels]
        plan = partial(merging, labels=sources, into=path_of(into), control=control)
        return self._run(plan, undo, workers, on_error, progress)

    @one_call
    def remove(
        self,
        label: LabelName,
        *,
        control: str | None = None,
        regions: Literal["refuse", "drop"] = "refuse",
        undo: UndoPath = None,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Report:
        """Remove a label, with the branches beneath it.

        A label in use is refused with a ValueError that gives the number of objects, unless
        ``regions="drop"``: then it is removed from the regions that have it, and a region that is
        left without a label is removed, with its texts, other per-region values and relations. An
        annotation may become empty.

        >>> project.labels.remove("Neutral", control="sentiment", regions="drop").ok
        True
        """
        if regions not in ("refuse", "drop"):
            raise ValueError(f'regions must be "refuse" or "drop", not {regions!r:.80}')
        plan = partial(removal, path=path_of(label), control=control, regions=regions)
        if regions == "refuse":
            self._refuse_if_used(path_of(label), control)
        return self._run(plan, undo, workers, on_error, progress)

    @one_call
    def add(
        self,
        label: LabelName,
        *,
        control: str | None = None,
        undo: UndoPath = None,
        progress: Progress = None,
        **attributes: Any,
    ) -> Report:
        """Add a label at the end of a control, or of a branch; one PATCH.

        Missing branches on the way are created. ``attributes``: those of its tag,
        ``background="blue"``.

        Nothing is done if the label exists with these attributes; with others that raises
        ValueError. The report's ``counts["labels"]`` distinguishes them: the labels ``created``,
        branches included, or one ``skipped``.

        >>> project.labels.add("Unclear", control="sentiment", hotkey="u").counts["labels"].created
        1
        >>> project.labels.add("Unclear", control="sentiment", hotkey="u").counts["labels"].skipped
        1
        """
        plans: list[Plan] = []

        def make_plan(config: LabelConfig) -> Plan:
            plans.append(addition(config, path_of(label), control, attributes))
            return plans[-1]

        report = self._run(make_plan, undo, None, "raise", progress)
        added = _labels_added(plans[0])
        done = Summary(created=added, skipped=0 if added else 1)
        counts = {"labels": done, **report.counts}
        return attrs.evolve(report, counts=counts, unchanged="already there")

    @one_call
    def usage(self, label: LabelName, *, control: str | None = None) -> dict[str, int]:
        """Return how many annotations, drafts and predictions have a label, or one beneath it.

        Reads the tasks that have it. Raises ValueError for a label that is neither in the config
        nor in use.

        >>> project.labels.usage("Positive")
        {'annotations': 1, 'drafts': 0, 'predictions': 1}
        """
        config = self._fresh_config()
        name, path = editing.control_of(config, label, control), path_of(label)
        counts = self._usage(removal(config, path, name, "drop"))
        if not any(counts.values()) and not config[name].dynamic:
            editing.found(config, name, path)
        return counts

    @one_call
    def counts(self) -> Counts:
        """Return how many annotations, drafts and predictions have each label, by control.

        The numbers are those of ``usage`` for each label: labels of the config that nothing has are
        there with 0, and labels in use that are not in the config follow them. One pass over the
        tasks, and a request for each task with a draft.

        >>> project.labels.counts()["sentiment", "Positive", "annotations"]
        1
        >>> project.labels.counts().to_pandas().pivot(index="label", columns="kind", values="count")
        """
        config, run = self._fresh_config(), Run(self._project, "counts", None, "raise", None)
        controls = {name: one for name, one in config.controls.items() if _has_labels(one)}
        changes = {name: Relabelling(one, {}) for name, one in controls.items()}
        found: Counter[tuple[Any, ...]] = Counter()
        for name, control in controls.items():
            for label in control.label_tags:
                path = label.path if control.nested else label.path[-1:]
                found.update({(name, _shown(path), kind): 0 for kind in run.finders})
        for kind, result in run.all_results():
            for name, change in changes.items():
                found.update((name, _shown(path), kind) for path in change.paths(result))
        return _statistics.counts.Counts(("control", "label", "kind"), found)

    @one_call
    def recount(self) -> None:
        """Make the server count the labels in use again. One request.

        Its count becomes wrong where drafts change, and the settings page of the project refuses a
        config without a label that is in use by this count.

        >>> project.labels.recount()
        """
        project = self._project
        client_of(project).request(
            "POST",
            at("/api/projects/{}/summary/reset/", saved_id(project, "labels.recount()")),
            json={},
            timeout=client_of(project).long_timeout,
            idempotent=True,
            doing=f"counting the labels of {project!r}",
            dry=None,
        )

    @one_call
    def undo(
        self,
        path: str | os.PathLike[str],
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Report:
        """Restore the labels of the regions, and the config, from an undo file.

        Other edits made since then stay. A region whose labels were changed again keeps them; the
        report names its object among the ``differences``. It also names labels that would leave the
        config but are used by something newer; these stay in it. It may be run again.

        Raises ValueError for a file of another project, and for one that is not an undo file.
        """
        job, project = read_job(path), self._project
        check_changes(path)
        expected = {"server": client_of(project).url, "project": project.id}
        for name, value in expected.items():
            if job.get(name) != value:
                raise ValueError(f"{path} belongs to {name} {job.get(name)}, not to {value}")
        config = self._fresh_config()
        between, after = taken_back(config, job)
        run = Run(project, f"undoing: {job['job']} in {project!r}", workers, on_error, progress)
        with run.line:
            return self._take_back(run, job, between, after, path)

    def _take_back(
        self,
        run: Run,
        job: dict[str, Any],
        between: str,
        after: str,
        path: str | os.PathLike[str],
    ) -> Report:
        run.configure(between)
        run.restore(read_changes(path))
        if run.failed:
            return run.report()
        both, final = LabelConfig(between), LabelConfig(after)
        in_use = False
        for one in editing.label_tags(both, job["control"]):
            if not find(final, job["control"], one.stored) and not run.is_dry:
                counts = self._usage(removal(both, one.stored, job["control"], "drop"))
                if any(counts.values()):
                    run.differs("labels", " > ".join(one.stored), "in use", counts, None)
                    in_use = True
        if not in_use:
            if not run.is_dry and (now := self._fresh_config()).xml != between:  # edited meanwhile
                after = editing.merged(between, after, now.xml) or taken_back(now, job)[1]
            run.finish(after)
        return run.report()

    # -- what they share --------------------------------------------------------------------------

    def _fresh_config(self) -> LabelConfig:
        """Return the config as the server has it now."""
        project = self._project
        saved_id(project, "labels")
        if "label_config" in project.changes:
            raise ValueError(f"{project!r} has an unsaved label_config; save() it first")
        refetch(project, f"reading {project!r}")
        if "label_config" not in row_of(project) and not client_of(project).is_dry:
            raise LabelStudioError(f"{project!r}: the server's answer has no label_config")
        return project.config

    def _run(
        self,
        make_plan: Callable[[LabelConfig], Plan],
        undo: UndoPath,
        workers: int | None,
        on_error: OnError,
        progress: Progress,
    ) -> Report:
        project = self._project
        config = self._fresh_config()
        plan = make_plan(config)
        self._refuse_if_locked(plan, config)
        run = Run(project, self._what(plan, config), workers, on_error, progress)
        job = {
            "job": plan.what,
            "server": client_of(project).url,
            "project": project.id,
            "control": plan.control,
            "before": plan.before,
            "between": plan.between,
            "after": plan.after,
            "note": plan.note,
        }
        file = UndoFile(undo, job, is_dry=run.is_dry)
        is_begun = file.is_begun
        if plan.halfway and not is_begun:  # labels leave the config all at once
            raise ValueError(f"{plan.missing}. Merge a label that only regions have by itself")
        with file, run.line:
            run.undo = file
            run.configure(plan.between)
            changes = plan.relabelling
            if changes is not None:
                run.rewrite(changes)
            if run.failed:
                return run.report()
            if plan.after == plan.between == project.label_config:
                return _with_doubts(run.report(), plan, is_begun)
            after = plan.after
            if not run.is_dry and self._fresh_config().xml != plan.between:  # edited meanwhile
                after = make_plan(project.config).after
            run.finish(after)
            if changes is not None and not run.is_dry:
                run.rewrite(changes)  # what was saved while the old label was still there
        return run.report()

    def _refuse_if_locked(self, plan: Plan, config: LabelConfig) -> None:
        """Raise ValueError where the server accepts no config any more, not even the present one.

        That happens when a control of a ``<Repeater>`` is in use whose index the server does not
        know. One request where there is a Repeater.
        """
        changes = plan.before != plan.after or plan.between != plan.after
        if not changes or not any(one.index_flags for one in config.controls.values()):
            return
        try:
            self._project.validate_config(config.xml)
        except BadRequest as error:
            if _STILL_USED in str(error):  # which matters where labels leave, and is checked there
                return
            raise ValueError(
                f"{plan.what} of {self._project!r}: its config has a <Repeater> whose controls are "
                f"in use, so the server accepts no change of it ({error.detail}) but one: give the "
                'Repeater its indexFlag="{{idx}}" in project.label_config, save() it, and run this '
                "again"
            ) from error

    def _what(self, plan: Plan, config: LabelConfig) -> str:
        of = f"{config[plan.control]} of " if plan.control else ""
        return f"{plan.what} in {of}{self._project!r}"

    def _usage(self, plan: Plan) -> dict[str, int]:
        change = plan.relabelling
        assert change is not None
        run = Run(self._project, plan.what, None, "raise", None)
        return {
            kind: sum(1 for one in found(change) if change.apply(one.result)[1])
            for kind, found in run.finders.items()
        }

    def _refuse_if_used(self, path: Path, control: str | None) -> None:
        config = self._fresh_config()
        plan = removal(config, path, control, "drop")
        counts = self._usage(plan) if plan.becomes else {}
        if any(counts.values()):
            users = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
            raise ValueError(
                f"{self._what(plan, config)} is refused: {users} have it. regions='drop' "
                "removes it from them; merge([...], into=...) gives them another label"
            )


def _has_labels(control: Control) -> bool:
    tag = control.tag.lower()
    is_kind = tag in ("choices", "taxonomy") or tag.endswith("labels")
    return bool(control.label_tags) or (is_kind and control.dynamic)


def _shown(path: Path) -> Any:
    """Return a label as it is named: a text, or its path."""
    return path[0] if len(path) == 1 else path


def _labels_added(plan: Plan) -> int:
    before, after = (
        len(LabelConfig(xml)[plan.control].label_tags) for xml in (plan.before, plan.after)
    )
    return after - before


def _with_doubts(report: Report, plan: Plan, is_begun: bool) -> Report:
    """Return a report that says so, if the change found nothing to do."""
    if not plan.missing or any(done.updated for done in report.counts.values()):
        return report
    doubt = "done already" if is_begun else f"done already, or misspelt? {plan.missing}"
    return attrs.evolve(report, what=f"{report.what} (nothing to do: {doubt})")
