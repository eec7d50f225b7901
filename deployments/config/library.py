"""The section ``library``: where voices, glossaries and jobs of callers are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deployments.config.policy import Strict


class Library(Strict):
    """Keep what callers leave at the server, each caller's apart from all others'."""

    folder: Annotated[str, Field(min_length=1)] | None = None
    """Folder that all ingress processes share; it is made where it is missing. What is in it is
    encrypted where the environment variable DRAGOMAN_LIBRARY_KEY holds a key of at least 32
    characters. null: nothing is kept, and who asks for it is refused."""
    max_bytes_per_owner: Annotated[int, Field(ge=1 << 20)] = 4 << 30
    """Most bytes that are kept for one API key, or for all callers together without keys."""
    voice_days: Annotated[int, Field(ge=1)] | None = 365
    """Days after which a voice, and the consent that it was made with, are deleted. null: they stay
    until they are deleted."""
