"""Small networks that are no speech, made for tests: ONNX graphs and TorchScript archives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CITIES = ("Porto", "Lisboa", "Faro")
TABLE = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]], np.float32)  # of each city
PER_YEAR = np.array([[0.1, -0.1]], np.float32)


def tensor(name: str, type_: int, shape: Sequence[str | int] | None) -> Any:
    return helper.make_tensor_value_info(name, type_, shape)


def save(
    path: Path,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    nodes: Sequence[Any],
    weights: dict[str, NDArray[Any]] | None = None,
    opsets: Sequence[tuple[str, int]] = (("", 20),),
) -> Path:
    """Write an ONNX model."""
    initializers = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "made", inputs, outputs, initializers)
    versions = [helper.make_opsetid(domain, version) for domain, version in opsets]
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=10), path)
    return path


def classifier(path: Path) -> Path:
    """A tabular classifier as scikit-learn exports them: a city and a number of years."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["city"],
            ["index"],
            domain="ai.onnx.ml",
            keys_strings=list(CITIES),
            values_int64s=list(range(len(CITIES))),
            default_int64=0,
        ),
        helper.make_node("Gather", ["table", "index"], ["looked_up"]),
        helper.make_node("Squeeze", ["looked_up", "one"], ["of_city"]),
        helper.make_node("MatMul", ["years", "per_year"], ["of_years"]),
        helper.make_node("Add", ["of_city", "of_years"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["best"], axis=1, keepdims=1),
        helper.make_node(
            "LabelEncoder",
            ["best"],
            ["label"],
            domain="ai.onnx.ml",
            keys_int64s=[0, 1],
            values_strings=["não", "sim"],
        ),
    ]
    return save(
        path,
        [
            tensor("city", TensorProto.STRING, ["rows", 1]),
            tensor("years", TensorProto.FLOAT, ["rows", 1]),
        ],
        [
            tensor("label", TensorProto.STRING, ["rows", 1]),
            tensor("probabilities", TensorProto.FLOAT, ["rows", 2]),
        ],
        nodes,
        {"table": TABLE, "per_year": PER_YEAR, "one": np.array([1])},
        (("", 20), ("ai.onnx.ml", 4)),
    )


def classified(city: str, years: float) -> tuple[str, NDArray[np.float64]]:
    """What the classifier should answer, by NumPy."""
    logits = (TABLE[CITIES.index(city)] + years * PER_YEAR[0]).astype(np.float64)
    exponents = np.exp(logits - logits.max())
    return ("não", "sim")[int(logits.argmax())], exponents / exponents.sum()


def image_network(path: Path, *, external: bool = False) -> Path:
    """A convolution over images of any size, whose mean is taken: pixels to three numbers."""
    random = np.random.default_rng(0)
    weights = {"kernel": random.standard_normal((3, 3, 3, 3)).astype(np.float32)}
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["floats", "kernel"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["scores"], axis=1),
    ]
    inputs = [tensor("pixels", TensorProto.UINT8, ["rows", 3, "height", "width"])]
    outputs = [tensor("scores", TensorProto.FLOAT, ["rows", 3])]
    save(path, inputs, outputs, nodes, weights)
    if external:
        options = {"location": f"{path.name}_data", "size_threshold": 0}
        onnx.save(onnx.load(path), path, save_as_external_data=True, **options)
    return path


def text_bag(path: Path) -> Path:
    """A TorchScript network over bags of token ids, 0 of which is padding."""
    import torch
    from torch import Tensor, nn

    class TextBag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(50, 8, padding_idx=0)
            self.norm = nn.BatchNorm1d(8)
            self.head = nn.Linear(8, 3)

        def forward(self, ids: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
            words = self.embedding(ids)
            logits = self.head(self.norm(words.sum(1) * weight))
            return logits, logits.argmax(1)

    torch.manual_seed(0)
    return script(TextBag(), path)


def script(network: Any, path: Path) -> Path:
    """Write a network as TorchScript, in whatever mode it is."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(network).save(str(path))
    return path
