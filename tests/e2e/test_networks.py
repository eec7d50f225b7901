"""A server without any speech: networks of their own tensors, asked by NVIDIA's client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.networks import CITIES, classified, classifier, image_network, text_bag
from tests.support.server import Running, config_on_a_free_port, running
from tests.support.triton import sync_client, tensor

CALLERS = 32
IDS = {"name": "INPUT__0", "data_type": "TYPE_INT64", "dims": [-1]}
BAG = {
    "inputs": [IDS, {"name": "INPUT__1", "data_type": "TYPE_FP32", "dims": [1]}],
    "outputs": [
        {"name": "OUTPUT__0", "data_type": "TYPE_FP32", "dims": [3]},
        {"name": "OUTPUT__1", "data_type": "TYPE_INT64", "dims": []},
    ],
}


def config(folder: Path) -> dict[str, Any]:
    classifier(folder / "table" / "model.onnx")
    image_network(folder / "images" / "model.onnx", external=True)
    text_bag(folder / "bags" / "model.pt")
    models = {
        "table": {"engine": "onnx", "weights": f"path:{folder / 'table'}"},
        "images": {
            "engine": "onnx",
            "weights": f"path:{folder / 'images'}",
            "options": {"any_length": 8},
        },
        "bags": {"engine": "torchscript", "weights": f"path:{folder / 'bags'}", "options": BAG},
    }
    policy = {"max_batch_size": 16, "max_queue_delay_ms": 20, "delay_when_idle": True}
    application = {
        "name": "dragoman",
        "route_prefix": "/",
        "import_path": "deployments.app:build",
        "args": {"models": models},
        "deployments": [
            {"name": "Ingress", "user_config": {"batching": dict.fromkeys(models, policy)}}
        ],
    }
    return {
        "proxy_location": "Disabled",
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": [application],
    }


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("networks")
    with running(config_on_a_free_port(folder, config(folder))) as server:
        yield server


def test_callers_of_networks_share_batches_and_have_their_own_answers(networks: Running) -> None:
    asked = [(CITIES[number % len(CITIES)], float(number)) for number in range(CALLERS)]
    with sync_client(networks.url) as client:
        assert client.get_model_metadata("table")["inputs"][0]["datatype"] == "BYTES"
        sent = [
            client.async_infer(
                "table",
                [tensor("city", [[city]]), tensor("years", np.array([[years]], np.float32))],
            )
            for city, years in asked
        ]
        for (city, years), each in zip(asked, sent, strict=True):
            found, (label, probabilities) = each.get_result(), classified(city, years)
            assert found.as_numpy("label").tolist() == [[label.encode()]]
            np.testing.assert_allclose(found.as_numpy("probabilities")[0], probabilities, rtol=1e-4)
        (stats,) = client.get_inference_statistics("table")["model_stats"]
    assert stats["inference_count"] == CALLERS
    assert stats["execution_count"] < CALLERS


def test_large_and_varied_rows_come_back_as_they_are_alone(networks: Running) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 224, 224)).astype(np.uint8)
    bags = [np.array([[1, 2, 3]]), np.array([[4]]), np.array([[5, 6, 7]])]
    one = np.ones((1, 1), np.float32)
    with sync_client(networks.url) as client:
        together = client.infer("images", [tensor("pixels", images)]).as_numpy("scores")
        alone = [
            client.infer("images", [tensor("pixels", image[None])]).as_numpy("scores")[0]
            for image in images
        ]
        asked = [[tensor("INPUT__0", ids), tensor("INPUT__1", one)] for ids in bags]
        sent = [client.async_infer("bags", inputs) for inputs in asked]
        at_once = [each.get_result().as_numpy("OUTPUT__0") for each in sent]
        by_one = [client.infer("bags", inputs).as_numpy("OUTPUT__0") for inputs in asked]
    np.testing.assert_allclose(together, alone, rtol=1e-4)
    np.testing.assert_allclose(at_once, by_one, rtol=1e-4, atol=1e-6)
