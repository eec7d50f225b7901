"""Where the server listens, and how many processes do."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from deployments.config.grpc import Grpc
from deployments.config.policy import Strict
from deployments.config.security import Tls
from models.devices.threads import default_threads, usable_cores

MEBIBYTE = 1 << 20


class IngressConfig(Strict):
    """Listen on HTTP, and do what stands beside batching."""

    host: str = "127.0.0.1"
    """Address that it listens on; 0.0.0.0, with security.keys, to be reached from other
    machines."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 8000
    """Port that it listens on; the ingress processes of a machine share it."""
    tls: Tls | None = None
    """Certificate for HTTPS. null: HTTP, for this machine or behind a proxy."""
    grpc: Grpc | None = None
    """gRPC beside HTTP (see grpc.md). null: HTTP alone."""
    keep_alive_timeout_s: Annotated[int, Field(ge=1)] = 90
    """Seconds after which a connection without requests is closed."""
    replicas: Annotated[int, Field(ge=1)] | Literal["every_node"] = 1
    """Number of ingress processes. every_node: one on each node of the Ray cluster that has CPUs,
    as nodes come and go."""
    codec_threads: Annotated[int, Field(ge=1)] | None = None
    """Threads of each ingress process that decode and encode audio. null: as many as this
    machine's cores have for them."""
    sentence_gap_s: Annotated[float, Field(ge=0, le=5)] = 0.2
    """Seconds of silence between spoken sentences."""
    response_cache_bytes: Annotated[int, Field(ge=0)] = 64 * MEBIBYTE
    """Most bytes of kept answers of all models together, in each ingress process."""
    drain_notice_s: Annotated[float, Field(ge=0)] = 1.0
    """Seconds that a stopping server says that it is not ready before it refuses requests."""

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.grpc is not None and self.grpc.port == self.port:
            raise ValueError("grpc.port: HTTP has that port already")
        return self

    @property
    def on_a_node(self) -> int:
        """Ingress processes that share one machine."""
        return 1 if self.replicas == "every_node" else self.replicas

    @property
    def may_be_several(self) -> bool:
        """Tell whether an ingress process may have others beside it."""
        return self.replicas != 1

    @property
    def threads_of_codecs(self) -> int:
        """Threads of one replica, as configured or by this machine's cores."""
        return self.codec_threads or default_threads(self.on_a_node, usable_cores(), small=False)
