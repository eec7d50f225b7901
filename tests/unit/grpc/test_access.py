"""Who may call, how many at once and how long: as over HTTP, counted together with it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from tritonclient.grpc.aio import InferenceServerClient

from deployments.config.security import Key, Security
from deployments.grpc.messages import HEALTH, SERVICE, message
from deployments.grpc.rights import ROUTES
from deployments.security.scopes import RIGHTS
from tests.support.grpc_server import Served, Setting, serving
from tests.support.local import fake_config
from tests.support.triton_grpc import bare, refusal, texts

INFER = f"{SERVICE}/ModelInfer"
Code = grpc.StatusCode


def infer_message(**values: str) -> bytes:
    """A request to translate."""
    inputs = {"TEXT": "Hello.", "SOURCE_LANGUAGE": "en", "TARGET_LANGUAGE": "pt", **values}
    request = message("ModelInferRequest")(model_name="nmt")
    for name, value in inputs.items():
        each = request.inputs.add(name=name, datatype="BYTES", shape=[1, 1])
        each.contents.bytes_contents.append(value.encode())
    data: bytes = request.SerializeToString()
    return data


def key(name: str, *scopes: Any, **limits: Any) -> Key:
    return Key(name=name, hash=hashlib.sha256(name.encode()).hexdigest(), scopes=scopes, **limits)


def bearer(name: str) -> str:
    return f"Bearer {name}"


@pytest.fixture
async def locked() -> AsyncIterator[Served]:
    keys = (
        key("worker", "infer"),
        key("watcher", "metrics"),
        key("boss", "admin"),
        key("slow", "infer", requests_per_minute_per_ingress=1),
        key("single", "infer", max_concurrent_per_ingress=1),
    )
    config = fake_config().model_copy(update={"security": Security(keys=keys)})
    async with serving(Setting(config)) as served:
        yield served


# ---- keys ----------------------------------------------------------------------------------


async def test_without_a_key_nothing_is_answered(locked: Served) -> None:
    code, details, trailers, _ = await bare(locked.address, INFER, infer_message())
    assert code is Code.UNAUTHENTICATED
    assert "a key is needed" in details
    assert trailers["x-error-code"] == "no_api_key"


async def test_an_unknown_key_is_refused_and_counted(locked: Served) -> None:
    code, *_ = await bare(locked.address, INFER, infer_message(), authorization=bearer("nobody"))
    assert code is Code.UNAUTHENTICATED
    assert locked.known_keys.figures.refused == {("", "invalid_api_key"): 1}


async def test_a_key_opens_what_it_is_for(locked: Served) -> None:
    code, *_ = await bare(locked.address, INFER, infer_message(), authorization=bearer("worker"))
    assert code is Code.OK
    assert locked.known_keys.figures.usage["worker"].requests == 1
    assert locked.known_keys.figures.usage["worker"].characters == len("Hello.")


SCOPES = {
    "infer-by-metrics": (INFER, "watcher", Code.PERMISSION_DENIED),
    "load-by-infer": (f"{SERVICE}/RepositoryModelLoad", "worker", Code.PERMISSION_DENIED),
    "load-by-admin": (f"{SERVICE}/RepositoryModelLoad", "boss", Code.NOT_FOUND),
    "statistics-by-admin": (f"{SERVICE}/ModelStatistics", "boss", Code.PERMISSION_DENIED),
    "statistics-by-metrics": (f"{SERVICE}/ModelStatistics", "watcher", Code.OK),
    "index-by-any": (f"{SERVICE}/RepositoryIndex", "watcher", Code.OK),
}


@pytest.mark.parametrize(("method", "name", "code"), SCOPES.values(), ids=SCOPES)
async def test_scopes_are_those_of_http(
    locked: Served, method: str, name: str, code: grpc.StatusCode
) -> None:
    found, *_ = await bare(locked.address, method, b"", authorization=bearer(name))
    assert found is code


def test_every_call_stands_for_a_route_of_http() -> None:
    assert {tuple(route) for route in ROUTES.values()} <= set(RIGHTS)


PROBES = [f"{SERVICE}/ServerLive", f"{SERVICE}/ServerReady", f"{HEALTH}/Check", f"{HEALTH}/List"]


@pytest.mark.parametrize("method", PROBES)
async def test_probes_need_no_key(locked: Served, method: str) -> None:
    code, *_ = await bare(locked.address, method, b"")
    assert code is Code.OK


async def test_two_keys_are_none(locked: Served) -> None:
    async with grpc.aio.insecure_channel(locked.address) as channel:
        sent = (("authorization", bearer("worker")), ("authorization", bearer("boss")))
        call = channel.unary_unary(f"/{INFER}")(infer_message(), metadata=sent)
        assert await call.code() is Code.INVALID_ARGUMENT


async def test_the_rate_of_a_key_is_kept(locked: Served) -> None:
    asking = [
        await bare(locked.address, INFER, infer_message(), authorization=bearer("slow"))
        for _ in range(2)
    ]
    assert [code for code, *_ in asking] == [Code.OK, Code.RESOURCE_EXHAUSTED]
    assert int(asking[1][2]["grpc-retry-pushback-ms"]) > 1000
    assert asking[1][2]["x-error-code"] == "rate_limit_exceeded"


async def test_each_request_of_a_stream_counts_for_its_key(locked: Served) -> None:
    inputs = texts(TEXT="Hello.", SOURCE_LANGUAGE="en", TARGET_LANGUAGE="pt")
    request = {"model_name": "nmt", "inputs": inputs}
    async with InferenceServerClient(locked.address) as client:

        async def two() -> AsyncIterator[dict[str, Any]]:
            for _ in range(2):
                yield request

        headers = {"authorization": bearer("slow")}
        told = [error async for _, error in client.stream_infer(two(), headers=headers)]
    assert told[0] is None
    assert "this key may send 1 requests a minute" in told[1].message()


async def test_requests_at_once_of_a_key_are_bounded(locked: Served) -> None:
    gate = asyncio.Event()
    locked.remotes["nmt"].hold_all(gate)
    key = bearer("single")
    first = asyncio.create_task(bare(locked.address, INFER, infer_message(), authorization=key))
    caller = locked.known_keys.named("single")
    assert caller is not None
    while not caller.running:
        await asyncio.sleep(0.01)
    code, _, trailers, _ = await bare(locked.address, INFER, infer_message(), authorization=key)
    gate.set()
    assert (code, trailers["x-error-code"]) == (Code.RESOURCE_EXHAUSTED, "too_many_running")
    assert (await first)[0] is Code.OK


# ---- places and time -----------------------------------------------------------------------


async def test_more_than_there_are_places_for_is_refused() -> None:
    async with serving(Setting(places=1)) as served:
        with served.admission:
            code, _, trailers, _ = await bare(served.address, INFER, infer_message())
            live, *_ = await bare(served.address, f"{SERVICE}/ServerLive", b"")
    assert (code, live) == (Code.UNAVAILABLE, Code.OK)
    assert trailers["grpc-retry-pushback-ms"] == "1000"
    assert trailers["retry-after"] == "1"


async def test_a_draining_server_refuses(served: Served) -> None:
    assert await served.admission.drain(0.1)
    code, details, trailers, _ = await bare(served.address, INFER, infer_message())
    assert (code, details) == (Code.UNAVAILABLE, "the server is stopping")
    assert trailers["grpc-retry-pushback-ms"] == "5000"


async def test_a_drain_waits_for_what_runs(served: Served) -> None:
    gate = asyncio.Event()
    served.remotes["nmt"].hold_all(gate)
    asking = asyncio.create_task(bare(served.address, INFER, infer_message()))
    while not served.remotes["nmt"] or served.admission._running == 0:
        await asyncio.sleep(0.01)
    draining = asyncio.create_task(served.admission.drain(20))
    await asyncio.sleep(0)
    gate.set()
    assert await draining
    assert (await asking)[0] is Code.OK


async def test_a_deadline_is_kept(served: Served) -> None:
    gate = asyncio.Event()
    served.remotes["nmt"].hold_all(gate)
    code, *_ = await bare(served.address, INFER, infer_message(), timeout_s=0.2)
    assert code is Code.DEADLINE_EXCEEDED
    await until_idle(served)
    gate.set()


async def test_a_caller_who_leaves_frees_its_place(served: Served) -> None:
    gate = asyncio.Event()
    served.remotes["nmt"].hold_all(gate)
    async with grpc.aio.insecure_channel(served.address) as channel:
        call = channel.unary_unary(f"/{INFER}")(infer_message())
        asking = asyncio.ensure_future(call)
        while not served.admission._running:
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until_idle(served)
    assert served.bodies.held_bytes == 0
    gate.set()


async def until_idle(served: Served) -> None:
    async with asyncio.timeout(10):
        while served.admission._running or served.admission._coming:
            await asyncio.sleep(0.01)


async def test_a_call_without_a_message_is_refused(served: Served) -> None:
    async with grpc.aio.insecure_channel(served.address) as channel:
        call = channel.stream_unary(f"/{INFER}")(iter(()))
        assert await call.code() is Code.INVALID_ARGUMENT


async def test_a_message_that_is_too_large_is_refused() -> None:
    async with serving(Setting(fake_config(max_body_bytes=10_000))) as served:
        text = "a" * 20_000
        code, *_ = await bare(served.address, INFER, infer_message(TEXT=text))
    assert code is Code.RESOURCE_EXHAUSTED


async def test_a_method_that_is_not_there_is_unimplemented(served: Served) -> None:
    code, *_ = await bare(served.address, f"{SERVICE}/Nothing", b"")
    assert code is Code.UNIMPLEMENTED


# ---- ids and errors ------------------------------------------------------------------------


async def test_a_request_id_comes_back(served: Served) -> None:
    _, _, trailers, _ = await bare(served.address, INFER, infer_message(), x_request_id="mine")
    assert trailers["x-request-id"] == "mine"


async def test_a_refusal_has_an_id_too(served: Served) -> None:
    _, _, trailers, _ = await bare(served.address, INFER, b"\xff")
    assert trailers["x-request-id"]


async def test_a_fault_tells_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(items: Any) -> Any:
        raise RuntimeError("secret")

    served.remotes["nmt"].infer = fails  # type: ignore[method-assign]
    code, details, _, _ = await bare(served.address, INFER, infer_message())
    assert code in (Code.INTERNAL, Code.UNAVAILABLE)
    assert "secret" not in details


async def test_a_long_message_is_cut_to_what_a_header_holds(served: Served) -> None:
    voice = "é" * 50_000
    error = await refusal(_speak(served, voice))
    assert len(error.message().encode()) <= 2_000


async def _speak(served: Served, voice: str) -> Any:
    async with InferenceServerClient(served.address) as client:
        return await client.infer("tts", texts(TEXT="Hello.", VOICE=voice))


async def test_a_compressed_message_is_refused_before_it_is_unpacked(served: Served) -> None:
    async with grpc.aio.insecure_channel(served.address) as channel:
        call = channel.unary_unary(f"/{INFER}")(
            infer_message(TEXT="a" * 5_000), compression=grpc.Compression.Gzip
        )
        assert await call.code() is Code.UNIMPLEMENTED
