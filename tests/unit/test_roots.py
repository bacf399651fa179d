"""What a client begins with: ``ls.projects`` ..."""

from __future__ import annotations

import pydoc

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.roots import Root

ROOTS = {name: one for name, one in vars(LabelStudio).items() if isinstance(one, Root)}


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_is_the_queryset_of_its_resource_and_in_help(name: str, ls: LabelStudio) -> None:
    root, objects = ROOTS[name], getattr(ls, name)
    assert objects.client is ls
    assert type(objects) is type(ls.all_of(root.model))
    assert objects.model is root.model
    assert f" {name}\n" in pydoc.plain(pydoc.render_doc(LabelStudio))
    assert pydoc.getdoc(root).endswith(".")
    declared = options_of(root.model).queryset
    kind = declared.__name__ if declared else f"QuerySet[{root.model.__name__}]"
    assert LabelStudio.__annotations__[name] == f"Root[{kind}]"


def test_a_root_is_not_set(ls: LabelStudio) -> None:
    with pytest.raises(
        AttributeError, match=r"projects of <LabelStudio .*> is what the server has"
    ):
        ls.projects = Project  # type: ignore[assignment]
