"""Shared memory over the whole application: Triton's own client, keys, and memory that goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient.http import InferInput, InferRequestedOutput
from tritonclient.utils import serialize_byte_tensor, shared_memory

from deployments.config.schema import AppConfig
from deployments.config.security import Key, Security
from deployments.config.shared_memory import SharedMemory
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.inference.regions import Regions
from deployments.security.keys import new_key
from tests.support.asgi import connect
from tests.support.local import fake_config, fake_fleet
from tests.support.shared_memory import PREFIX, Memory, memory
from tests.support.sockets import serving
from tests.support.triton import CLIENTS, asking, tensor

REGION = "/v2/systemsharedmemory/region"
SECRETS = {name: new_key() for name in ("alice", "bob")}
SECOND = np.full(16_000, 700 / 32768, np.float32)


def configured(*, prefix: str | None = PREFIX, keys: bool = False) -> AppConfig:
    owners = [Key(name=n, hash=h, scopes=("infer",)) for n, (_, h) in SECRETS.items()]
    return fake_config().model_copy(
        update={
            "shared_memory": SharedMemory(prefix=prefix),
            "security": Security(keys=tuple(owners) if keys else ()),
        }
    )


async def application(config: AppConfig, folder: Path) -> Any:
    regions = Regions(config.shared_memory, config.limits, folder)
    return asgi_app(await fake_fleet(config), config, Admission(64), regions=regions)


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(await application(configured(), tmp_path / "records")) as client:
        yield client


@pytest.fixture
def shared() -> Iterator[Memory]:
    with memory(1 << 20) as made:
        yield made


async def register(
    http: httpx.AsyncClient,
    name: str,
    shared: Memory,
    offset: int = 0,
    size: int = 1 << 19,
    /,
    **headers: str,
) -> httpx.Response:
    content = {"key": shared.key, "offset": offset, "byte_size": size}
    return await http.post(f"{REGION}/{name}/register", json=content, headers=headers)


def embedding(region: str, offset: int = 0, output: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request for the embedding of a second of audio in a region."""
    part = {
        "shared_memory_region": region,
        "shared_memory_byte_size": SECOND.nbytes,
        "shared_memory_offset": offset,
    }
    audio = {"name": "AUDIO", "datatype": "FP32", "shape": [1, len(SECOND)], "parameters": part}
    return {"inputs": [audio], "outputs": [{"name": "EMBEDDING", "parameters": output or {}}]}


async def infer(
    http: httpx.AsyncClient, content: dict[str, Any], /, **headers: str
) -> httpx.Response:
    return await http.post("/v2/models/speaker/infer", json=content, headers=headers)


def peak(answer: httpx.Response) -> int:
    """Where the embedding of the fake is largest: it tells how loud the audio was."""
    assert answer.status_code == 200, answer.text
    return int(np.argmax(answer.json()["outputs"][0]["data"]))


# ---- Triton's own client -----------------------------------------------------------------


def _of_client(name: str, size: int) -> Any:
    return shared_memory.create_shared_memory_region(
        name, f"{PREFIX}{name}", size, create_only=True
    )


def translated(ask: Callable[..., Any]) -> tuple[list[bytes], Any]:
    """Translate with texts in and out of shared memory; the answer, and the regions there were."""
    put = serialize_byte_tensor(np.array([[b"Hello."], [b"Good morning."]], object))
    size = len(put.item())
    texts, answers = _of_client("texts", size), _of_client("answers", 256)
    try:
        shared_memory.set_shared_memory_region(texts, [put])
        ask("register_system_shared_memory", "texts", f"{PREFIX}texts", size)
        ask("register_system_shared_memory", "answers", f"{PREFIX}answers", 256)
        status = ask("get_system_shared_memory_status")
        output = InferRequestedOutput("TRANSLATION")
        output.set_shared_memory("answers", 200, offset=8)
        inputs = [
            InferInput("TEXT", [2, 1], "BYTES").set_shared_memory("texts", size),
            tensor("SOURCE_LANGUAGE", [["en"], ["en"]]),
            tensor("TARGET_LANGUAGE", [["pt"], ["pt"]], binary=False),
        ]
        answer = ask("infer", "nmt", inputs, outputs=[output]).get_output("TRANSLATION")
        ask("unregister_system_shared_memory", "texts")
        ask("unregister_system_shared_memory")
        assert ask("get_system_shared_memory_status") == []
        found = shared_memory.get_contents_as_numpy(answers, np.object_, answer["shape"], 8)
        return found.ravel().tolist(), status
    finally:
        shared_memory.destroy_shared_memory_region(texts)
        shared_memory.destroy_shared_memory_region(answers)


@pytest.mark.parametrize("colour", CLIENTS)
async def test_tritons_own_client_reads_and_writes_regions(tmp_path: Path, colour: str) -> None:
    app = await application(configured(), tmp_path / "records")
    async with serving(app) as url:
        found, status = await asyncio.to_thread(translated, asking(url, colour))
    assert found == [b"pt: Hello.", b"pt: Good morning."]
    assert {row["name"]: row["byte_size"] for row in status} == {"answers": 256, "texts": 27}


@pytest.mark.parametrize("prefix", [PREFIX, None], ids=["on", "off"])
async def test_metadata_tells_whether_it_is_on(tmp_path: Path, prefix: str | None) -> None:
    app = await application(configured(prefix=prefix), tmp_path / "records")
    async with connect(app) as http:
        found = (await http.get("/v2")).json()["extensions"]
    assert ("system_shared_memory" in found) is (prefix is not None)


async def test_where_it_is_off_it_is_said(tmp_path: Path, shared: Memory) -> None:
    async with connect(await application(configured(prefix=None), tmp_path / "records")) as http:
        answer = await register(http, "a", shared)
        asked = await infer(http, embedding("a"))
        assert (await http.get("/v2/systemsharedmemory/status")).json() == []
    assert (answer.status_code, asked.status_code) == (400, 400)
    assert "shared_memory.prefix is not set" in answer.text
    assert "shared_memory.prefix is not set" in asked.text


# ---- the calls ---------------------------------------------------------------------------

KEY = f"{PREFIX}x"
BAD = {
    "no key": ({"byte_size": 8}, "key is required"),
    "no size": ({"key": KEY}, "byte_size is required"),
    "a size of words": ({"key": KEY, "byte_size": "x"}, "byte_size must be a whole number"),
    "a fraction": ({"key": KEY, "byte_size": 8.5}, "byte_size must be a whole number"),
    "a negative offset": ({"key": KEY, "byte_size": 8, "offset": -1}, "offset must be at least 0"),
    "another field": ({"key": KEY, "byte_size": 8, "id": 1}, "id is not a field"),
    "another prefix": ({"key": "/psm_x", "byte_size": 8}, "key must begin with"),
    "no memory": ({"key": KEY, "byte_size": 8}, "No such file"),
}


@pytest.mark.parametrize(("content", "says"), BAD.values(), ids=BAD)
async def test_a_registration_says_what_is_wrong(
    http: httpx.AsyncClient, content: dict[str, Any], says: str
) -> None:
    answer = await http.post(f"{REGION}/a/register", json=content)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


async def test_a_region_has_its_status(http: httpx.AsyncClient, shared: Memory) -> None:
    assert (await register(http, "a", shared, 64, 128)).status_code == 200
    answer = await http.get(f"{REGION}/a/status")
    assert answer.json() == [{"name": "a", "key": shared.key, "offset": 64, "byte_size": 128}]
    assert (await http.get(f"{REGION}/b/status")).status_code == 404


async def test_memory_of_gpus_is_refused_in_words(http: httpx.AsyncClient) -> None:
    cuda = "/v2/cudasharedmemory"
    assert (await http.get(f"{cuda}/status")).json() == []
    assert (await http.get(f"{cuda}/region/a/status")).status_code == 404
    answer = await http.post(f"{cuda}/region/a/register", json={"raw_handle": {"b64": "AA=="}})
    assert (answer.status_code, "not supported" in answer.text) == (400, True)
    for path in ("region/a/unregister", "unregister"):
        assert (await http.post(f"{cuda}/{path}")).status_code == 200


# ---- inference ---------------------------------------------------------------------------


async def test_a_large_input_is_read_as_a_small_one_is(
    http: httpx.AsyncClient, shared: Memory
) -> None:
    await register(http, "a", shared)
    shared.put(SECOND.tobytes(), 4096)
    assert peak(await infer(http, embedding("a", 4096))) == 700 % 192


async def test_an_input_beyond_its_region_is_refused(
    http: httpx.AsyncClient, shared: Memory
) -> None:
    await register(http, "a", shared, 0, SECOND.nbytes)
    answer = await infer(http, embedding("a", 1))
    assert (answer.status_code, "must lie within" in answer.text) == (400, True)


async def test_an_unknown_region_is_refused_before_the_model_runs(
    http: httpx.AsyncClient, shared: Memory
) -> None:
    await register(http, "a", shared)
    place = {"shared_memory_region": "x", "shared_memory_byte_size": 768}
    answer = await infer(http, embedding("a", 0, place))
    assert (answer.status_code, "'x'" in answer.text) == (400, True)
    (done,) = (await http.get("/v2/models/speaker/stats")).json()["model_stats"]
    assert done["inference_count"] == 0


async def test_an_output_that_has_no_room_is_refused(
    http: httpx.AsyncClient, shared: Memory
) -> None:
    await register(http, "a", shared)
    place = {"shared_memory_region": "a", "shared_memory_byte_size": 767}
    answer = await infer(http, embedding("a", 0, {**place, "shared_memory_offset": 1 << 18}))
    assert answer.status_code == 400
    assert "output 'EMBEDDING' (767 bytes) should be at least 768" in answer.json()["error"]


GOING: dict[str, Callable[[Memory], None]] = {
    "cut short": lambda shared: shared.cut(100),
    "emptied": lambda shared: shared.cut(0),
    "removed": lambda shared: shared.path.unlink(),
}


@pytest.mark.parametrize("go", GOING.values(), ids=GOING)
async def test_memory_that_goes_is_an_error_and_the_server_goes_on(
    http: httpx.AsyncClient, shared: Memory, go: Callable[[Memory], None]
) -> None:
    await register(http, "a", shared)
    with memory(1 << 20) as other:
        await register(http, "b", other)
        go(shared)
        refused = await infer(http, embedding("a"))
        place = {"shared_memory_region": "a", "shared_memory_byte_size": 768}
        unwritten = await infer(http, embedding("b", 0, place))
        other.put(SECOND.tobytes())
        assert peak(await infer(http, embedding("b"))) == 700 % 192
    assert (refused.status_code, unwritten.status_code) == (400, 400)
    assert "shared memory" in refused.json()["error"]
    assert "shared memory" in unwritten.json()["error"]


# ---- keys and processes ------------------------------------------------------------------


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRETS[name][0]}"}


async def test_regions_belong_to_their_key(tmp_path: Path, shared: Memory) -> None:
    shared.put(SECOND.tobytes())
    async with connect(await application(configured(keys=True), tmp_path / "records")) as http:
        assert (await register(http, "a", shared, **bearer("alice"))).status_code == 200
        assert (await http.get(f"{REGION}/a/status", headers=bearer("bob"))).status_code == 404
        assert (await infer(http, embedding("a"), **bearer("bob"))).status_code == 400
        await http.post("/v2/systemsharedmemory/unregister", headers=bearer("bob"))
        assert peak(await infer(http, embedding("a"), **bearer("alice"))) == 700 % 192


@asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two ingresses of one server, as they are in processes of their own."""
    async with AsyncExitStack() as stack:
        apps = [await application(configured(), folder) for _ in range(2)]
        yield [await stack.enter_async_context(connect(app)) for app in apps]


async def test_every_ingress_knows_what_one_has_registered(tmp_path: Path, shared: Memory) -> None:
    shared.put(SECOND.tobytes())
    async with processes(tmp_path / "records") as (one, other):
        await register(one, "a", shared)
        assert peak(await infer(other, embedding("a"))) == 700 % 192
        await other.post(f"{REGION}/a/unregister")
        assert (await infer(one, embedding("a"))).status_code == 400
