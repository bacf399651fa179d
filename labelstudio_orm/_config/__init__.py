"""The labelling config: its parsing, its regions, its checks and its edits."""

from typing import TYPE_CHECKING

from .._engine.values.lazy import importer

if TYPE_CHECKING:
    from . import labelconfig as labelconfig
    from . import markup as markup
    from . import picture as picture
    from . import results as results
else:
    __getattr__ = importer(__name__)
