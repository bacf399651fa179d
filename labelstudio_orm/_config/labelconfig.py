"""The labelling config of a project as an object."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from attrs import NOTHING

from .._engine.values.brief import brief, joined
from .._engine.values.codec import copy_json, same_json
from .._engine.values.near import unknown
from ..errors import LabelStudioError, MissingSizeWarning
from . import building, editing, picture, rules, union
from .building import TagForm
from .check import DIRECTIONS, Check, without_sizes
from .controls import Control
from .marks import Mark
from .parsed import ParsedConfig
from .reading import ControlName, in_order, region_id, remembered, write
from .regions import Region
from .results import with_sizes
from .tags import ObjectTag

_MESSAGE = 1000


class BrokenConfig(LabelStudioError, ValueError):
    """A project has a labelling config that cannot be parsed."""


class LabelConfig(ParsedConfig):
    """A labelling config: its controls by name, in document order.

    ``config[name]`` is a ``Control`` (else ``UnknownControl``, a KeyError); ``in``, ``iter`` and
    ``len`` are about the names of controls. ``str(config)`` is the XML as given; two configs are
    equal when their texts are.

    Controls in a ``<Repeater>`` are found as templates (``"score_{{idx}}"``), and
    ``config["score_2"]`` is the control of one item.

    ```python
    config = LabelConfig.parse(xml)
    region = config["sentiment"].choice("Positive")
    config.values([region])       # {"sentiment": "Positive"}
    config.problems([region])     # [], it is valid
    ```
    """

    __slots__ = ()

    @classmethod
    def parse(cls, xml: str) -> LabelConfig:
        """Return the config of this XML.

        Raises ValueError with line and column (counted from 1) for broken XML, for a name that two
        tags have, and for a ``toName`` that names nothing; the server refuses all three. Unknown
        tags are kept as they are.
        """
        return cls(xml)

    @classmethod
    def build(
        cls,
        tags: Mapping[str, TagForm],
        *,
        mapping: Mapping[str, str] = MappingProxyType({}),
        title: str | None = None,
    ) -> LabelConfig:
        """Return a config of a few tags, by name, in this order.

        A tag is ``"Text"``, a tuple of tag and attributes, or the result of ``choices``, ``labels``
        or ``taxonomy``. An object without a ``value`` shows the data under its name; a control
        without a ``toName`` is about the object that ``mapping`` gives for its name, else about the
        first one. ``title`` is shown above all. Raises ValueError for a config that the server
        would refuse.

        ```python
        config = LabelConfig.build({"text": "Text", "mood": choices(["good", "bad"])})
        project = ls.projects.create(title="Moods", label_config=str(config))
        ```
        """
        config = cls(building.build(tags, mapping, title))
        config.validate()
        return config

    @property
    def data_keys(self) -> frozenset[str]:
        """Return the keys of a task's data that the config shows, as objects or as labels.

        These are ``{"text"}`` for ``value="$text"``.
        """
        tags: list[ObjectTag | Control] = [*self.objects.values(), *self.controls.values()]
        values = (one.attributes.get("value") or "" for one in tags)
        found = {one.path[0] for one in self.shown.values() if "$" not in one.path[0]}
        for value in values:
            if value.rfind("$") > 0:  # `$a and $b` are two; `$my-key` is one to the server
                found.update(re.findall(r"\$(\w+)", value))
        return frozenset(found)

    def values(self, result: object) -> dict[str, Any]:
        """Return the values in an annotation's or a prediction's ``result``, by control.

        * ``Choices``: the choice as str, a list of them with ``choice="multiple"``; each is a path
          (list of str) with ``allowNested``
        * ``TextArea``: the text, or a list where there are several; ``Rating``, ``Number``: the
          number; ``DateTime``, ``Pairwise``: the text; ``Taxonomy``: a list of paths
        * ``Labels``, ``HyperTextLabels``, ``TimeSeriesLabels``, ``TimelineLabels``: a list of
          ``Span``; ``ParagraphLabels``: a list of ``Passage``
        * ``RectangleLabels`` and the other shapes, with labels or without: a list of ``Box``,
          ``Ellipse``, ``KeyPoint``, ``Polygon``, ``Vector``, ``Brush``, ``Bitmask``;
          ``VideoRectangle``: of ``Track``
        * ``Ranker``: a list of ids, or a dict of such lists by bucket; ``Chat``: a list of
          messages, ``ReactCode``: its outputs, both as dicts
        * a control with ``perRegion``: a dict of these by the id of the region that they are about;
          one with ``perItem``, or whose regions have an ``item_index``: by that

        A control without a region is absent. Several regions of a control that should have one give
        a list. Regions of an unknown control or form are kept as they are, under their
        ``from_name``; those without a ``from_name`` (relations) are left out. Never raises.

        The keys beside the value of a span or shape (``item_index``, ``score``, ``meta`` ...) are
        its fields. The names of the dict remember the regions, and the relations: see ``regions``.
        """
        found = result if isinstance(result, (list, tuple)) else ()
        regions: dict[str, list[Mapping[str, Any]]] = {}
        for region in found:
            name = region.get("from_name") if isinstance(region, Mapping) else None
            if isinstance(name, str):
                regions.setdefault(name, []).append(region)
        read: dict[str, Any] = {}
        for name, same in regions.items():
            control = self.get(name)
            values = control.read(same) if control else same
            read[ControlName(name, control, same, found)] = values
        return read

    def regions(self, values: Mapping[str, Any]) -> list[Region]:
        """Return the regions for values by control: the reverse of ``values``.

        Values that ``values`` has read are written as they were, with everything beside the value
        of a region, and relations, so that ``regions(values(result))`` are the regions of
        ``result``. If the value of a region was changed, the rest of it stays. New regions on an
        image get its size from the others on it. Beside spans and shapes a dict is accepted, as the
        region is to hold it.

        Raises UnknownControl, and TypeError or ValueError for an invalid value.

        ```python
        task.predictions.create(result=config.regions({"sentiment": "Positive", "stars": 4}))
        config.regions({"ner": [Span(0, 4, "Anna", ("Person",))]})
        ```
        """
        written: list[Region] = []
        stored: set[int] = set()
        for name, value in values.items():
            was = self._remembered(name)
            stored.update(map(id, was))
            known = name not in self and was and same_json(was, value)
            written += was if known else write(self[name], value, was)
        others = remembered(values, written)
        stored.update(map(id, others))
        written = in_order(values, [*written, *others])
        fresh = [place for place, one in enumerate(written) if id(one) not in stored]
        written = with_sizes(written, fresh)
        for problem in Check(self).of_places(written, fresh):
            raise ValueError(problem)
        return [copy_json(region) for region in written]

    def _remembered(self, name: str) -> list[Any]:
        """Return the regions that a name remembers, if this config reads them in the same way."""
        known = isinstance(name, ControlName) and name.control == self.get(name)
        return [*name.regions] if known and isinstance(name, ControlName) else []

    def relation(
        self,
        first: Region | Mark | str,
        second: Region | Mark | str,
        *labels: str,
        direction: str = "right",
    ) -> Region:
        """Return a relation of two regions of the same result, as plain JSON.

        An end is a region, the span or shape that was read from it, or its id. ``direction``:
        ``"right"`` from the first to the second, ``"left"`` or ``"bi"``. Raises ValueError for
        another direction, for an end without an id, and for labels that are not in ``relations``.

        ```python
        result = [anna, oslo, config.relation(anna, oslo, "lives in")]
        ```
        """
        if direction not in DIRECTIONS:
            raise ValueError(
                f"direction must be one of {', '.join(DIRECTIONS)}, not {brief(direction)}"
            )
        for label in labels:
            if label not in self.relations:
                raise ValueError(unknown("no <Relation> of the config", label, self.relations))
        relation = {"type": "relation", "from_id": region_id(first), "to_id": region_id(second)}
        return {**relation, "direction": direction, **({"labels": [*labels]} if labels else {})}

    def problems(self, item: Any = NOTHING) -> list[str]:
        """Return all problems, each with its place; an empty list if everything is valid.

        * ``problems()``: the config itself, what the server would refuse in it
        * ``problems(task)``: a Task, or a dict as ``bulk_create`` takes it, with or without
          annotations and predictions
        * ``problems(annotation)``: an Annotation, Prediction or draft, or a dict with a ``result``
        * ``problems([region, ...])``: the regions of one result

        Nothing is sent. Of a Task from the server only the data are checked.

        ```python
        config.problems({"result": [region]})
        # ["result[0].value.choices[0]: <Choices name='sentiment'> has no label 'Postive'; did ..."]
        ```
        """
        return list(rules.problems(self.xml) if item is NOTHING else Check(self).problems(item))

    def validate(self, item: Any = NOTHING) -> None:
        """Raise ValueError with all ``problems``.

        A ``MissingSizeWarning`` names shapes that lack the size of their image: they are valid, but
        exports in pixels leave them out.
        """
        found = self.problems(item)
        if found:
            raise ValueError(joined(found, "\n", _MESSAGE))
        lacking = [] if item is NOTHING else Check(self).without_size(item)
        if lacking:
            warnings.warn(without_sizes(lacking), MissingSizeWarning, stacklevel=2)

    def _repr_html_(self) -> str:
        return picture.picture(self)

    # -- edits: of the XML as text, so that all the rest of it stays as it is ---------------------

    def with_label(
        self,
        label: str | Sequence[str],
        control: str | None = None,
        *,
        after: str | Sequence[str] | None = None,
        **attributes: Any,
    ) -> LabelConfig:
        """Return a config with one more label; ``attributes`` are those of its tag.

        It is the last one, or follows ``after``. A path (a tuple or list) is a branch of a
        ``Taxonomy`` or of nested choices; missing branches on the way are created. ``control`` may
        be left out where only one has labels. Raises ValueError for a label that exists.

        ```python
        config.with_label("Car", background="red")
        ```
        """
        return type(self)(editing.with_label(self, label, control, attributes, after))

    def renamed(
        self, old: str | Sequence[str], new: str | Sequence[str], control: str | None = None
    ) -> LabelConfig:
        """Return a config with a label renamed, which keeps its position and its attributes.

        A label with an alias can be named by either: the one that was used is renamed. Conditions
        on the label (``whenLabelValue``, ``whenChoiceValue``) follow. A branch keeps its labels.
        ``control`` may be left out where only one has the label. Raises ValueError where none has
        it, and for a name that is taken.
        """
        return type(self)(editing.renamed(self, old, new, control))

    def without_label(self, label: str | Sequence[str], control: str | None = None) -> LabelConfig:
        """Return a config without a label and its branches; arguments as for ``renamed``."""
        return type(self)(editing.without_label(self, label, control))

    def __or__(self, other: LabelConfig) -> LabelConfig:
        """Return ``self.union(other)``: ``config | other``."""
        return self.union(other) if isinstance(other, LabelConfig) else NotImplemented

    def union(
        self, *others: LabelConfig | str, conflicts: Literal["raise", "first"] = "raise"
    ) -> LabelConfig:
        """Return a config that has the controls and the labels of others too.

        Labels keep all attributes of their tags (``background``, ``hotkey``, ``alias``, ``value``,
        ``hint`` ...) and follow the existing ones, branches under their parents; a missing control
        is added as it is written. Attributes that only the other config has for a common label are
        added too.

        Raises ValueError, listing all conflicts, where two configs differ about a label, or give
        two labels one hotkey: ``conflicts="first"`` keeps this config's version, or that of the
        earlier one of ``others``. Always raises for controls of one name that are of different
        kinds or about different objects, for a control whose object is missing here, and for labels
        that are shown or stored under each other's names.

        ```python
        both = LabelConfig.parse(first).union(second, conflicts="first")
        ```
        """
        if conflicts not in ("raise", "first"):
            raise ValueError(f'conflicts must be "raise" or "first", not {brief(conflicts)}')
        made = self
        for other in others:
            one = other if isinstance(other, LabelConfig) else LabelConfig.parse(other)
            made = type(self)(union.joined(made, one, keeps_own=conflicts == "first"))
        return made
