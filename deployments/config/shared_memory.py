"""The section ``shared_memory``: what callers on the server's machine may hand over in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deployments.config.policy import Strict


class SharedMemory(Strict):
    """Let callers under /v2 leave tensors in POSIX shared memory of the server's machine."""

    prefix: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_.-]{0,64}$")] | None = None
    """What the key of every region must begin with, such as /dragoman-. With / alone, callers reach
    all shared memory that the server's user may open. null: nobody may register a region."""
    max_regions_per_key: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Most regions that are registered for one API key, or for all callers together without
    keys."""
    max_bytes_per_key: Annotated[int, Field(ge=1)] = 1 << 30
    """Most bytes of all regions that are registered for one API key, or for all callers together
    without keys."""
