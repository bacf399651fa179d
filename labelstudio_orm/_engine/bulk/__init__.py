"""The verbs that act on many objects, and what they report."""

from typing import TYPE_CHECKING

from ..values.lazy import importer

if TYPE_CHECKING:
    from . import creation as creation
    from . import deletion as deletion
    from . import run as run
    from . import updating as updating
else:
    __getattr__ = importer(__name__)

BATCH_SIZE = 1000
BATCH_BYTES = 8_000_000
"""Items of the first request, and bytes of JSON in each, unless a call says otherwise."""
