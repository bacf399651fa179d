"""Querysets, relations, and the declaration of resources."""

from typing import TYPE_CHECKING

from ..values.lazy import importer

if TYPE_CHECKING:
    from . import defaults as defaults
    from . import server as server
else:
    __getattr__ = importer(__name__)
