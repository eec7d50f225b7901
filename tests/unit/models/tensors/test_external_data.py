"""Weights beside an ONNX model: found where they are, and refused wherever they lead out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import WeightsError
from models.tensors.external_data import check_external_data
from models.weights.source import WeightSource, resolve

DATA = "model.onnx_data"
BYTES = np.arange(6, dtype=np.float32).tobytes()
Place = Callable[[Any, Any], None]  # puts a tensor into a model


def external(location: str | None) -> Any:
    tensor = numpy_helper.from_array(np.arange(6, dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"offset": "0", "length": "24"} | ({} if location is None else {"location": location})
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def graph(*nodes: Any) -> Any:
    info = helper.make_tensor_value_info
    return helper.make_graph(
        nodes or [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [info("x", TensorProto.FLOAT, ["rows", 6])],
        [info("y", TensorProto.FLOAT, ["rows", 6])],
    )


def written(folder: Path, location: str | None, place: Place | None = None) -> WeightSource:
    model = helper.make_model(graph())
    (place or initializer)(model, external(location))
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return resolve(f"path:{folder}")


def initializer(model: Any, tensor: Any) -> None:
    model.graph.initializer.append(tensor)


def subgraph(model: Any, tensor: Any) -> None:
    inner = graph()
    inner.initializer.append(tensor)
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=graph())
    model.graph.node.append(node)


def constant(model: Any, tensor: Any) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["w"], value=tensor))


def function(model: Any, tensor: Any) -> None:
    node = helper.make_node("Constant", [], ["w"], value=tensor)
    opsets = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("own", "f", [], ["w"], [node], opsets))


def sparse(model: Any, tensor: Any) -> None:
    indices = numpy_helper.from_array(np.arange(6), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, indices, [12]))


def unmarked(model: Any, tensor: Any) -> None:
    tensor.data_location = TensorProto.DEFAULT
    model.graph.initializer.append(tensor)


PLACES = [initializer, subgraph, constant, function, sparse, unmarked]
place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)


@place
def test_weights_in_the_folder_are_taken(tmp_path: Path, place: Place) -> None:
    (tmp_path / DATA).write_bytes(BYTES)
    source = written(tmp_path, DATA, place)
    assert check_external_data(source, "model.onnx") == tmp_path / "model.onnx"


@place
def test_weights_outside_are_found_wherever_a_model_names_them(
    tmp_path: Path, place: Place
) -> None:
    with pytest.raises(WeightsError, match="leads out of its folder"):
        check_external_data(written(tmp_path, "../secret", place), "model.onnx")


OUTSIDE = {
    "absolute": "/etc/passwd",
    "of Windows": r"C:\secret",
    "upwards": "../secret",
    "upwards within": "data/../../secret",
    "upwards as in Windows": r"data\..\..\secret",
    "without a name": "",
    "not named": None,
    "a zero": "data\0",
    "not there": "nothing",
    "a folder": ".",
}


@pytest.mark.parametrize("location", OUTSIDE.values(), ids=OUTSIDE)
def test_other_places_are_refused(tmp_path: Path, location: str | None) -> None:
    folder = tmp_path / "weights"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(BYTES)
    with pytest.raises(WeightsError):
        check_external_data(written(folder, location), "model.onnx")


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, linked: str) -> None:
    folder, elsewhere = tmp_path / "weights", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / DATA).write_bytes(BYTES)
    if linked == "file":
        (folder / DATA).symlink_to(elsewhere / DATA)
    else:
        (folder / "data").symlink_to(elsewhere)
    location = DATA if linked == "file" else f"data/{DATA}"
    with pytest.raises(WeightsError, match="which a link leads out of its folder to"):
        check_external_data(written(folder, location), "model.onnx")


def test_a_model_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "weights", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / DATA).write_bytes(BYTES)
    written(elsewhere, DATA)
    (folder / "model.onnx").symlink_to(elsewhere / "model.onnx")
    with pytest.raises(WeightsError, match="which a link leads out of its folder to"):
        check_external_data(resolve(f"path:{folder}"), "model.onnx")


def test_a_snapshot_of_the_hub_links_to_its_repository_s_blobs(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "repo" / "snapshots" / "abc", tmp_path / "repo" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "1").write_bytes(BYTES)
    (snapshot / DATA).symlink_to("../../blobs/1")
    written(snapshot, DATA)
    source = WeightSource("hf:a/b@abc", (("a/b", snapshot),))
    assert check_external_data(source, "model.onnx") == snapshot / "model.onnx"


def test_weights_beside_a_model_in_a_folder_lie_there(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / DATA).write_bytes(BYTES)
    written(tmp_path / "onnx", DATA)
    found = check_external_data(resolve(f"path:{tmp_path}"), "onnx/model.onnx")
    assert found == tmp_path / "onnx" / "model.onnx"


def test_weights_are_held_to_their_pin(tmp_path: Path) -> None:
    (tmp_path / DATA).write_bytes(BYTES)
    written(tmp_path, DATA)
    good = resolve(f"path:{tmp_path}", {DATA: hashlib.sha256(BYTES).hexdigest()})
    check_external_data(good, "model.onnx")
    with pytest.raises(WeightsError, match="is pinned"):
        check_external_data(resolve(f"path:{tmp_path}", {DATA: "0" * 64}), "model.onnx")


@pytest.mark.parametrize("content", [b"no model", BYTES * 100], ids=["text", "bytes"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(WeightsError):
        check_external_data(resolve(f"path:{tmp_path}"), "model.onnx")


def test_onnx_reads_the_models_made_here(tmp_path: Path) -> None:
    (tmp_path / DATA).write_bytes(BYTES)
    written(tmp_path, DATA)
    model = onnx.load(tmp_path / "model.onnx")
    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == [0, 1, 2, 3, 4, 5]
