"""Counts, aggregates and agreement: what is computed of values that were read. Sends nothing."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import aggregates as aggregates
    from . import agreement as agreement
    from . import answers as answers
    from . import counts as counts
    from . import plots as plots
else:
    __getattr__ = importer(__name__)
