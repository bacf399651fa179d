"""Pictures in HTML: tables of objects, and tasks with their regions. All from plain values."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import chips as chips
    from . import labelled as labelled
    from . import markup as markup
    from . import tables as tables
else:
    __getattr__ = importer(__name__)
