"""Tasks and their regions as pictures in HTML, from plain values."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import chips as chips
    from . import labelled as labelled
else:
    __getattr__ = importer(__name__)
