"""HTML that is safe by its making, its style, and tables of values. Knows nothing else."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import markup as markup
    from . import tables as tables
else:
    __getattr__ = importer(__name__)
