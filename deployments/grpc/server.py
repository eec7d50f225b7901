"""The gRPC listener of an ingress replica, on the event loop and beside the listener of HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from deployments.config.grpc import Grpc
from deployments.config.schema import AppConfig
from deployments.config.security import Tls
from deployments.grpc.calls import Handler

MS = 1000
PINGS_A_KEEPALIVE = 2  # a caller may ask more often than it is asked, but not much
MAX_METADATA_BYTES = 16_384  # of a call
IDENTITY = 1  # of the bits that name ways to compress: a small message could become a large one


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Find the handler of a method by its name."""

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = {f"/{method}": handler for method, handler in handlers.items()}

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(details.method)


class GrpcListener:
    """Serve methods on one address; replicas on one machine share the port (SO_REUSEPORT).

    Args:
        handlers: of each method, by its full name.
        config: of the application.
        settings: of gRPC in it.
    """

    def __init__(self, handlers: dict[str, Handler], config: AppConfig, settings: Grpc) -> None:
        self._handlers, self._options = Handlers(handlers), options(config, settings)
        host = config.ingress.host
        self._address = f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
        self._tls = config.ingress.tls
        self._server: Any = None
        self._is_stopping = False

    @property
    def is_listening(self) -> bool:
        return self._server is not None

    async def start(self) -> None:
        """Take connections from now on. Raises OSError: the address cannot be listened on."""
        server = grpc.aio.server(handlers=[self._handlers], options=self._options)
        try:
            if self._tls is None:
                server.add_insecure_port(self._address)
            else:
                server.add_secure_port(self._address, _credentials(self._tls))
        except RuntimeError as error:
            raise OSError(f"{self._address} cannot be listened on: {error}") from error
        await server.start()
        self._server = server
        self._ended = asyncio.ensure_future(server.wait_for_termination())

    def check(self) -> None:
        """Look whether calls are taken. Raises RuntimeError: nothing was started, or it ended."""
        if self._server is None:
            raise RuntimeError("the listener of gRPC was not started")
        if not self._is_stopping and self._ended.done():
            raise RuntimeError("the listener of gRPC has ended")

    async def stop(self, within_s: float) -> None:
        """Take no more calls, and finish those that run within a time."""
        self._is_stopping = True
        if self._server is not None:
            await self._server.stop(within_s)
            await self._ended


def options(config: AppConfig, settings: Grpc) -> list[tuple[str, int]]:
    """Return the channel's arguments: every bound is said."""
    lasting_s = max(config.limits.request_timeout_s, config.live.max_session_s)
    keepalive_ms = round(settings.keepalive_s * MS)
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", config.limits.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.compression_enabled_algorithms_bitset", IDENTITY),
        ("grpc.max_concurrent_streams", settings.max_calls_per_connection),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_connection_age_ms", round(settings.max_connection_age_s * MS)),
        ("grpc.max_connection_age_grace_ms", round(lasting_s * MS)),
        ("grpc.max_connection_idle_ms", config.ingress.keep_alive_timeout_s * MS),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            keepalive_ms // PINGS_A_KEEPALIVE,
        ),
        ("grpc.server_handshake_timeout_ms", 10 * MS),
    ]


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    certificate, key = Path(tls.certificate).read_bytes(), Path(tls.key).read_bytes()
    return grpc.ssl_server_credentials([(key, certificate)])
