"""The picture of the floors is that of today's imports."""

from __future__ import annotations

from tests.house.imports import imports, modules
from tests.house.picture import PICTURE, counted, floors, picture


def test_the_picture_shows_the_imports_of_today() -> None:
    assert PICTURE.read_text("utf-8") == picture(), "make house draws it anew"


def test_no_floor_imports_from_above() -> None:
    arrows = counted(imports(modules()), floors())
    assert arrows
    assert all(importer < imported for importer, imported in arrows)
