"""The listener: TLS, its bounds, a port that replicas share, health checks, slow messages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from deployments.config.grpc import Grpc
from deployments.config.ingress import IngressConfig
from deployments.config.schema import Limits
from deployments.config.security import Tls
from deployments.grpc import arrivals
from deployments.grpc.arrivals import Arrivals
from deployments.grpc.messages import CLASSES, HEALTH, SERVICE
from deployments.grpc.server import GrpcListener, options
from models.errors import BodyTooSlow, Overloaded
from tests.support.certificates import made
from tests.support.grpc_server import Served, Setting, serving
from tests.support.local import fake_config
from tests.support.triton_grpc import bare

LIVE = f"{SERVICE}/ServerLive"
Code = grpc.StatusCode


def health(service: str) -> bytes:
    data: bytes = CLASSES["grpc.health.v1.HealthCheckRequest"](service=service).SerializeToString()
    return data


def certificate_of(tls: Tls) -> bytes:
    return Path(tls.certificate).read_bytes()


def status(answer: bytes) -> str:
    kind = CLASSES["grpc.health.v1.HealthCheckResponse"]
    found = kind.FromString(answer)
    return str(kind.ServingStatus.Name(found.status))


# ---- the listener --------------------------------------------------------------------------


def test_every_bound_is_said() -> None:
    config = fake_config(max_body_bytes=1000)
    found = dict(options(config, Grpc(port=1, max_calls_per_connection=3, max_connections=2)))
    assert found["grpc.max_receive_message_length"] == 1000
    assert found["grpc.max_concurrent_streams"] == 3
    assert found["grpc.max_allowed_incoming_connections"] == 2
    assert found["grpc.max_connection_age_ms"] == 3_600_000


async def test_two_listeners_share_a_port(served: Served) -> None:
    port = int(served.address.rpartition(":")[2])
    other = GrpcListener({}, served.config, Grpc(port=port))
    await other.start()
    other.check()
    await other.stop(0)


async def test_an_address_that_is_not_here_is_an_error(served: Served) -> None:
    at = IngressConfig(host="192.0.2.1")
    config = served.config.model_copy(update={"ingress": at})
    with pytest.raises(OSError, match=r"192\.0\.2\.1:9 cannot be listened on"):
        await GrpcListener({}, config, Grpc(port=9)).start()


async def test_a_listener_that_was_not_started_is_not_well(served: Served) -> None:
    with pytest.raises(RuntimeError, match="was not started"):
        GrpcListener({}, served.config, Grpc(port=9)).check()


async def test_calls_over_tls(tmp_path: Path) -> None:
    tls = made(tmp_path, signs_itself_for="127.0.0.1")
    trusted = grpc.ssl_channel_credentials(certificate_of(tls))
    config = fake_config().model_copy(update={"ingress": IngressConfig(tls=tls)})
    async with (
        serving(Setting(config)) as served,
        grpc.aio.secure_channel(served.address, trusted) as channel,
    ):
        code, *_ = await bare(served.address, LIVE, b"", channel=channel)
    assert code is Code.OK


def test_a_port_of_its_own_is_needed() -> None:
    with pytest.raises(ValueError, match="HTTP has that port already"):
        IngressConfig(port=8001, grpc=Grpc(port=8001))


# ---- health --------------------------------------------------------------------------------

SERVICES = {"server": "", "service": SERVICE, "model": "asr"}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
async def test_a_service_is_serving(served: Served, service: str) -> None:
    code, _, _, answer = await bare(served.address, f"{HEALTH}/Check", health(service))
    assert (code, status(answer)) == (Code.OK, "SERVING")


async def test_a_service_that_is_not_there_is_not_found(served: Served) -> None:
    code, *_ = await bare(served.address, f"{HEALTH}/Check", health("nothing"))
    assert code is Code.NOT_FOUND


async def test_a_watcher_is_told_of_a_change(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.grpc.health.WATCH_S", 0.01)
    async with grpc.aio.insecure_channel(served.address) as channel:
        watching = channel.unary_stream(f"/{HEALTH}/Watch")(health(""))
        assert status(await watching.read()) == "SERVING"
        served.admission.is_open = False
        assert status(await watching.read()) == "NOT_SERVING"
        served.admission.stopping.set()
        assert await watching.code() is Code.OK


# ---- messages that arrive ------------------------------------------------------------------


def limits(**values: Any) -> Limits:
    return Limits(max_body_bytes=1000, max_bodies_bytes=2000, **values)


async def arriving(all_: Arrivals) -> None:
    with all_.one():
        await asyncio.Event().wait()


async def test_the_oldest_of_too_many_slow_messages_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrivals, "YOUNG_S", 0.0)
    monkeypatch.setattr(arrivals, "WATCH_S", 0.01)
    all_ = Arrivals(limits())
    tasks = [asyncio.create_task(arriving(all_)) for _ in range(3)]
    with pytest.raises(Overloaded, match="this one was the slowest"):
        await tasks[0]
    assert not tasks[1].done()
    for task in tasks:
        task.cancel()


async def test_a_message_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "YOUNG_S", 0.0)
    monkeypatch.setattr(arrivals, "WATCH_S", 0.01)
    with pytest.raises(BodyTooSlow, match="took longer than this server gives one"):
        await arriving(Arrivals(limits(receive_timeout_s=0.05)))


async def test_no_more_messages_arrive_than_may() -> None:
    all_ = Arrivals(limits(max_receiving=1))
    first = asyncio.create_task(arriving(all_))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="too many messages"):
        await arriving(all_)
    first.cancel()


async def test_a_caller_who_leaves_is_no_error_of_its_message() -> None:
    task = asyncio.create_task(arriving(Arrivals(limits())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
