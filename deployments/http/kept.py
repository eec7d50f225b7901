"""Find what the caller of a request keeps at the server."""

from __future__ import annotations

from starlette.types import Scope

from deployments.http.realtime.queries import owner
from deployments.library.shelf import Shelf
from deployments.library.store import Store
from models.errors import NothingKept

NOTHING_KEPT = "this server keeps nothing of its callers: library.folder is not set"


def shelf_of(scope: Scope, store: Store | None, kind: str) -> Shelf:
    """Return the things of one kind that the caller has.

    Raises:
        NothingKept: the server keeps nothing.
    """
    if store is None:
        raise NothingKept(NOTHING_KEPT)
    return store.shelf(owner(scope), kind)
