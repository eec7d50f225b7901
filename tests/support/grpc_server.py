"""The gRPC service in this process, on fakes and on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from deployments.catalogue.selection import Fleet
from deployments.config.grpc import Grpc
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig
from deployments.grpc.server import GrpcListener
from deployments.grpc.service import grpc_listener
from deployments.http.app import LiveParts
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import Bodies
from deployments.inference.regions import Regions
from deployments.live.fleet_sessions import sessions_of
from deployments.live.sessions import Sessions
from deployments.security.keys import KnownKeys
from deployments.serve.ports import free_port
from deployments.telemetry.cluster_figures import ClusterFigures
from tests.support.local import LocalDirectory, fake_config, fake_fleet, fake_remotes


@dataclass
class Served:
    """A running service, and what a test looks at behind it."""

    address: str
    config: AppConfig
    fleet: Fleet
    remotes: LocalDirectory
    admission: Admission
    known_keys: KnownKeys
    sessions: Sessions
    listener: GrpcListener
    bodies: Bodies


@dataclass
class Setting:
    """What is other than the default."""

    config: AppConfig = field(default_factory=fake_config)
    grpc: dict[str, Any] = field(default_factory=dict)
    places: int = 64
    policies: dict[str, BatchPolicy] = field(default_factory=dict)
    sessions: Sessions | None = None


@asynccontextmanager
async def serving(setting: Setting | None = None) -> AsyncIterator[Served]:
    """Serve for the length of a block."""
    setting = setting or Setting()
    settings = Grpc(port=free_port(), **setting.grpc)
    config = setting.config
    remotes = fake_remotes(config)
    fleet = await fake_fleet(config, remotes, **setting.policies)
    admission, bodies = Admission(setting.places), Bodies(config.limits)
    known_keys = KnownKeys(config.security)
    figures = ClusterFigures("alone", fleet.figures, access=known_keys.figures)
    sessions = setting.sessions or sessions_of(fleet, config)
    listener = grpc_listener(
        *(fleet, config, settings, admission, bodies, figures, known_keys, LiveParts(sessions)),
        Regions(config.shared_memory, config.limits),
    )
    await listener.start()
    try:
        yield Served(
            f"{config.ingress.host}:{settings.port}",
            *(config, fleet, remotes, admission, known_keys, sessions, listener, bodies),
        )
    finally:
        await listener.stop(0)
