"""The bench of shared memory: what it sends is understood, and it is answered there."""

from __future__ import annotations

from pathlib import Path

from bench import shared_memory
from bench.overhead.protocols import HEADER_LENGTH, check
from bench.overhead.wrk import Load
from bench.shared_memory import INFER, Measurement, Way, memory, ways_of
from deployments.config.schema import ModelConfig
from deployments.config.shared_memory import SharedMemory
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.inference.regions import Regions
from tests.support.asgi import connect
from tests.support.fakes import SLEEP
from tests.support.local import fake_config, fake_fleet


async def test_every_way_is_answered_alike(tmp_path: Path) -> None:
    config = fake_config()
    config.models["speaker"] = ModelConfig(engine=SLEEP, options={"embedding_size": 192})
    bounds = SharedMemory(prefix=shared_memory.PREFIX)
    regions = Regions(bounds, config.limits, tmp_path / "records")
    app = asgi_app(await fake_fleet(config), config, Admission(8), regions=regions)
    async with connect(app) as http:
        with memory() as places:
            for name, size_bytes in places.items():
                await regions.register(name, f"{bounds.prefix}{name}", 0, size_bytes)
            for way in ways_of(10, places):
                headers = dict(way.protocol.headers)
                answer = await http.post(INFER, content=way.protocol.body, headers=headers)
                assert answer.status_code == 200, answer.text
                check(way.protocol, answer.headers, answer.content)
                is_binary = HEADER_LENGTH.lower() in answer.headers
                assert is_binary is (way.tensors == shared_memory.BODY)


def test_ways_are_compared_length_by_length() -> None:
    with memory() as places:
        body, shared = ways_of(1, places)

    def of(way: Way, answers: int, cpu_s: float) -> Measurement:
        return Measurement(way, Load(1.0, answers, 1.0, 1.0, 0, 0, 0), cpu_s)

    found = shared_memory.results([of(body, 100, 0.5), of(shared, 150, 0.6)], callers=1)
    assert found.tables[0].rows[0][3] == "5.00 (5.00 to 5.00)"
    assert "1.50 (1.50 to 1.50) times the requests/s" in found.findings[0]
    assert "0.80 (0.80 to 0.80) times the CPU" in found.findings[0]
