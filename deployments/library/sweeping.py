"""Delete now and then what callers left at the server and whose time is over."""

from __future__ import annotations

import asyncio

from deployments.library.store import Store
from deployments.telemetry.log import logger

EVERY_S = 3600.0


async def sweep_for_ever(store: Store, every_s: float = EVERY_S) -> None:
    """Sweep at once, and again after each ``every_s``; cancel it to stop.

    A sweep that fails is logged: the next one may do better.
    """
    while True:
        try:
            await asyncio.to_thread(store.sweep)
        except OSError as error:
            logger.error("what is over could not be deleted from the library: %s", error)
        await asyncio.sleep(every_s)
