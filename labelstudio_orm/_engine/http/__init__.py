"""One request and its outcome: connections, credentials, retries, JSON, files."""

from typing import TYPE_CHECKING

from ..values.lazy import importer

if TYPE_CHECKING:
    from . import multipart as multipart
    from . import releases as releases
    from . import server as server
else:
    __getattr__ = importer(__name__)
