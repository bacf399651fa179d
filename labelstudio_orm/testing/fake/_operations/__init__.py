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
    states,
    storages,
    tasks,
    tokens,
    uploads,
    users,
    views,
    webhooks,
)
from .enterprise import routes as enterprise


def _with(edition: Routes) -> Routes:
    return Routes(
        actions.routes,
        drafts.routes,
        edition,
        exports.routes,
        imports.routes,
        media.routes,
        ml.routes,
        organizations.routes,
        predictions.routes,
        projects.routes,
        snapshots.routes,
        states.routes,
        storages.routes,
        tasks.routes,
        tokens.routes,
        uploads.routes,
        users.routes,
        views.routes,
        webhooks.routes,
    )


ROUTES = _with(enterprise.ROUTES)
"""Every route. A new module of operations is added above."""

NEWEST = _with(enterprise.NEWEST)
"""The same, where those of the Enterprise edition are as the newest client declares them."""
