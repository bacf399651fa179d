"""How a query is planned and read: objects, rows of values, tables."""

from typing import TYPE_CHECKING

from ..values.lazy import importer

if TYPE_CHECKING:
    from . import columns as columns
    from . import counted as counted
    from . import dask_tables as dask_tables
    from . import explain as explain
    from . import forward as forward
    from . import planner as planner
    from . import preview as preview
    from . import reader as reader
    from . import rows as rows
    from . import tables as tables
else:
    __getattr__ = importer(__name__)
