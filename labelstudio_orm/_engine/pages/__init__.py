"""How listings are read: the shapes of their pages, and tasks by id."""

from typing import TYPE_CHECKING

from ..values.lazy import importer

if TYPE_CHECKING:
    from . import checks as checks
    from . import select as select
else:
    __getattr__ = importer(__name__)
