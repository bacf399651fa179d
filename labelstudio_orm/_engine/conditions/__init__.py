"""Conditions and orders: how they are written, and what they mean."""

from typing import TYPE_CHECKING

from ..values.lazy import importer

if TYPE_CHECKING:
    from . import ordering as ordering
    from . import places as places
    from . import q as q
else:
    __getattr__ = importer(__name__)
