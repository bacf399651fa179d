"""From conditions to what the server filters and what is checked here."""

from typing import TYPE_CHECKING

from ..values.lazy import importer

if TYPE_CHECKING:
    from . import columns as columns
    from . import plan as plan
else:
    __getattr__ = importer(__name__)
