"""A network that is no speech over gRPC: by its own tensors, as over HTTP."""

from __future__ import annotations

import numpy as np

from deployments.config.schema import AppConfig, ModelConfig
from tests.support.grpc_server import Setting, serving
from tests.support.named_tensors import FAKE_TENSORS
from tests.support.triton_grpc import ASK, tensor

CONFIG = AppConfig(models={"sums": ModelConfig(engine=FAKE_TENSORS)})


async def test_a_network_is_asked_over_grpc_on_a_server_without_speech() -> None:
    inputs = [
        tensor("values", np.array([[1, 2], [3, np.nan]], np.float32)),
        tensor("note", np.array([[b"a"], [b"b"]], object)),
        tensor("count", np.array([1, 1], np.int64)),
    ]
    ask = ASK["asyncio"]
    async with serving(Setting(CONFIG)) as served:
        metadata = await ask(served.address, "get_model_metadata", "sums", as_json=True)
        config = await ask(served.address, "get_model_config", "sums", as_json=True)
        found = await ask(served.address, "infer", "sums", inputs)
    assert [each["name"] for each in metadata["inputs"]] == ["values", "note", "count"]
    assert config["config"]["input"][1]["data_type"] == "TYPE_STRING"
    assert str(found.as_numpy("sum").tolist()) == "[3.0, nan]"
    assert found.as_numpy("note").tolist() == [[b"a"], [b"b"]]
