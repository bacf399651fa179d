"""The operations of the API, as far as the fake has them."""

from __future__ import annotations

from .._wire.routes import Routes
from . import (
    actions,
    drafts,
    exports,
    imports,
    media,
    ml,
    organizations,
    predictions,
    projects,
    snapshots,
    storages,
    tasks,
    tokens,
    uploads,
    users,
    views,
    webhooks,
)
from .enterprise import routes as enterprise

ROUTES = Routes(
    actions.routes,
    drafts.routes,
    enterprise.ROUTES,
    exports.routes,
    imports.routes,
    media.routes,
    ml.routes,
    organizations.routes,
    predictions.routes,
    projects.routes,
    snapshots.routes,
    storages.routes,
    tasks.routes,
    tokens.routes,
    uploads.routes,
    users.routes,
    views.routes,
    webhooks.routes,
)
"""Every route. A new module of operations is added here."""
