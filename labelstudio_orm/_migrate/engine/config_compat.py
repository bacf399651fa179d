"""Checks whether one labelling config can show what was labelled with others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ...config import LabelConfig
from ...errors import LabelStudioError

if TYPE_CHECKING:
    from ...resources.projects import Project


class IncompatibleConfigs(LabelStudioError, ValueError):
    """The labelling config of the target cannot show what was labelled in a project.

    The message lists every reason. Nothing was written.

    >>> other = ls.projects.create(title="Other", label_config="<View></View>")
    >>> merge([project], into=other, key="data.text")
    Traceback (most recent call last):
    labelstudio_orm._migrate.engine.config_compat.IncompatibleConfigs: the labelling config of ...
    """


def check_configs(configs: Mapping[str, str | None], into: Project) -> None:
    """Raise IncompatibleConfigs unless the target's config has every control of the others.

    These are given by the names of their projects. A control has to be of the same kind and about
    the same objects, with every label.
    """
    problems = [
        f"{name}: {problem}"
        for name, config in configs.items()
        for problem in _mismatches(LabelConfig.parse(config or "<View></View>"), into.config)
    ]
    if problems:
        raise IncompatibleConfigs(
            f"the labelling config of {into!r} does not match that of {'; '.join(problems)}. Add "
            "what it lacks (project.label_config = project.config.union(other.config).xml), "
            "save it, then merge again. Nothing was written"
        )


def _mismatches(config: LabelConfig, mine: LabelConfig) -> Iterator[str]:
    for name, theirs in config.controls.items():
        control = mine.controls.get(name)
        if control is None:
            yield f"{theirs} is not there"
        elif control.tag.lower() != theirs.tag.lower():
            yield f"{theirs} is a {control.tag} there"
        elif missing := set(theirs.to_name) - set(control.to_name):
            yield f"{theirs} is not about {', '.join(sorted(missing))} there"
        else:
            paths = {label.path for label in control.label_tags}
            lacks = [label.stored for label in theirs.label_tags if label.path not in paths]
            if lacks:
                yield f"{theirs} has no {', '.join(map(repr, lacks))} there"
