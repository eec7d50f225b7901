"""The section ``ingress.grpc`` of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deployments.config.policy import Strict


class Grpc(Strict):
    """Speak Triton's protocol over gRPC, too, on a port of its own at the same address."""

    port: Annotated[int, Field(ge=1, le=65_535)]
    """Port that it listens on; the ingress processes of a machine share it."""
    max_connections: Annotated[int, Field(ge=1)] = 1024
    """Most connections to one ingress process at once."""
    max_calls_per_connection: Annotated[int, Field(ge=1)] = 256
    """Most calls and streams on one connection at once; one more waits."""
    max_streams: Annotated[int, Field(ge=1)] = 256
    """Most streams of one ingress process at once; one more is refused as UNAVAILABLE."""
    max_in_flight_per_stream: Annotated[int, Field(ge=1)] = 64
    """Most requests of one stream at once; its next ones are not read before."""
    max_connection_age_s: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which a connection takes no more calls, so that callers spread again. What runs
    on it is finished."""
    keepalive_s: Annotated[float, Field(ge=10)] = 60.0
    """Seconds without anything from a caller after which it is asked whether it is still there."""
