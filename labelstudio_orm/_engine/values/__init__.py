"""Values: reading, writing, showing them in messages, and keeping them secret."""

from typing import TYPE_CHECKING

from .lazy import importer

if TYPE_CHECKING:
    from . import near as near
else:
    __getattr__ = importer(__name__)
