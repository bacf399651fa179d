"""The operations of the API, as far as the fake has them."""

from __future__ import annotations

from .._wire.routes import Routes
from . import (
    drafts,
    exports,
    imports,
    ml,
    organizations,
    predictions,
    projects,
    snapshots,
    storages,
    tasks,
    uploads,
    users,
    views,
    webhooks,
)
from .enterprise import routes as enterprise

ROUTES = Routes(
    drafts.routes,
    enterprise.ROUTES,
    exports.routes,
    imports.routes,
    ml.routes,
    organizations.routes,
    predictions.routes,
    projects.routes,
    snapshots.routes,
    storages.routes,
    tasks.routes,
    uploads.routes,
    users.routes,
    views.routes,
    webhooks.routes,
)
"""Every route. A new module of operations is added here."""
