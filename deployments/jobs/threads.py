"""Open things in threads, and close them where nobody waits for them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

R = TypeVar("R")


async def opened(call: Callable[[], R], close: Callable[[R], None]) -> R:
    """Run a call in a thread; if its caller is cancelled meanwhile, close what it returns."""
    running = asyncio.create_task(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        with suppress(Exception):  # it opened nothing
            close(await running)
        raise
