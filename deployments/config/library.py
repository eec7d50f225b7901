"""The section ``library``: where voices, glossaries and jobs of callers are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deployments.config.policy import Strict


class Jobs(Strict):
    """Bound the work on recordings that are longer than a request takes."""

    at_once: Annotated[int, Field(ge=1, le=64)] = 2
    """Most jobs that one ingress process runs at once."""
    max_waiting: Annotated[int, Field(ge=1)] = 100
    """Most jobs of all callers that wait; one more is answered 503."""
    max_uploads: Annotated[int, Field(ge=1)] = 8
    """Most recordings that one ingress process receives for jobs at once; one more is answered
    503."""
    max_bytes: Annotated[int, Field(ge=1)] = 4 << 30
    """Most bytes of a job's form, with its recording."""
    max_audio_s: Annotated[float, Field(gt=0)] = 36_000.0
    """Most seconds of a job's recording."""
    receive_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 3000.0
    """Seconds that a recording may take to arrive."""
    retention_s: Annotated[float, Field(gt=0)] = 7 * 86_400.0
    """Seconds that a job is kept after it ended, or while nothing happens to it."""


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
    jobs: Jobs = Jobs()
    """How many jobs run and wait, and how long their recordings may be."""
