"""Bound the live sessions of one ingress process."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deployments.config.policy import Strict


class Live(Strict):
    """Bound live sessions: how many, how long, for how many listeners and languages."""

    max_sessions: Annotated[int, Field(ge=1)] = 128
    """Most sessions that one ingress process has open; one more is answered 503."""
    max_sessions_per_key: Annotated[int, Field(ge=1)] | None = 64
    """Most sessions that one API key has open in one ingress process; one more is answered 429.
    null: no bound but max_sessions."""
    max_load: Annotated[float, Field(gt=0, le=1)] | None = 0.8
    """Most share of a model's time that live sessions take together, by its measured batches; a
    session beyond it is answered 503, and a follower's language or an update beyond it is refused.
    null: no bound."""
    max_session_s: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which a session is flushed and closed."""
    max_idle_s: Annotated[float, Field(gt=0)] = 300.0
    """Seconds without any audio after which a session is flushed and closed."""
    max_unheard_s: Annotated[float, Field(gt=0)] = 15.0
    """Most seconds of audio that wait for the models; no more is read from the caller meanwhile."""
    max_targets: Annotated[int, Field(ge=1)] = 8
    """Most languages that one session is translated to, those of its followers among them."""
    max_listeners: Annotated[int, Field(ge=1)] = 64
    """Most connections that listen to one session."""
    listener_bytes: Annotated[int, Field(ge=1 << 16)] = 4 << 20
    """Most bytes of events that wait for one listener; one who does not read them is dropped."""
