"""Tables of what people labelled: one flat row a region, whatever a result holds."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import regions as regions
else:
    __getattr__ = importer(__name__)
