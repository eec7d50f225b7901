"""Networks that are no speech on ONNX Runtime: their answers, their batches, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deployments.config.schema import ModelConfig
from models.contract.checks import check_engine
from models.errors import InvalidRequest, Unprocessable, WeightsError
from models.registry import find_engine
from models.runtime import ItemError, Runtime, RuntimeSpec, TensorInfo
from models.tensors.signature import DTYPES
from models.types import TensorsItem, TensorsResult
from tests.support.named_tensors import strings
from tests.support.networks import classified, classifier, image_network, save, tensor

FLOAT = TensorProto.FLOAT


def configured(path: Path, **options: Any) -> ModelConfig:
    weights = f"path:{path.parent}"
    return ModelConfig(engine="onnx", weights=weights, options={"file": path.name, **options})


def loaded(path: Path, **options: Any) -> tuple[Runtime[Any, Any], RuntimeSpec]:
    config = configured(path, **options)
    runtime = find_engine("onnx").create(config.settings("m"))
    spec, _ = runtime.load()
    runtime.warm_up()
    return runtime, spec


def outputs(answer: Any) -> dict[str, Any]:
    assert isinstance(answer, TensorsResult), answer.error
    return dict(answer.outputs)


def of_table(city: str, years: float) -> TensorsItem:
    return TensorsItem({"city": strings(city.encode()), "years": np.array([years], np.float32)})


def test_a_classifier_of_strings_and_numbers_answers_as_numpy_does(tmp_path: Path) -> None:
    runtime, spec = loaded(classifier(tmp_path / "model.onnx"))
    assert spec.inputs == (TensorInfo("city", "BYTES", (1,)), TensorInfo("years", "FP32", (1,)))
    asked = [("Porto", 1.0), ("Lisboa", 40.0), ("Faro", 3.5)]
    for (city, years), answer in zip(
        asked, runtime.run([of_table(*a) for a in asked]), strict=True
    ):
        label, probabilities = classified(city, years)
        found = outputs(answer)
        assert found["label"].tolist() == [label.encode()]
        np.testing.assert_allclose(found["probabilities"], probabilities, rtol=1e-5)


def test_a_string_that_is_no_utf_8_is_refused_alone(tmp_path: Path) -> None:
    runtime, _ = loaded(classifier(tmp_path / "model.onnx"))
    bad = TensorsItem({"city": strings(b"\xff"), "years": np.ones(1, np.float32)})
    good, refused = runtime.run([of_table("Faro", 1), bad])
    assert outputs(good)["label"].tolist() == [b"n\xc3\xa3o"]
    assert isinstance(refused, ItemError)
    assert (type(refused.error), refused.error.param) == (InvalidRequest, "city")


def test_images_of_several_sizes_are_answered_as_they_are_alone(tmp_path: Path) -> None:
    runtime, spec = loaded(image_network(tmp_path / "model.onnx"), any_length=8)
    assert spec.inputs == (TensorInfo("pixels", "UINT8", (3, -1, -1), 8),)
    random = np.random.default_rng(1)
    images = [
        TensorsItem({"pixels": random.integers(0, 256, (3, *size)).astype(np.uint8)})
        for size in ((8, 8), (16, 4), (8, 8), (32, 32), (8, 8))
    ]
    together = [outputs(answer)["scores"] for answer in runtime.run(images)]
    alone = [outputs(runtime.run([image])[0])["scores"] for image in images]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("made", [classifier, image_network], ids=["table", "images"])
def test_a_network_keeps_the_contract(tmp_path: Path, made: Any) -> None:
    config = configured(made(tmp_path / "model.onnx"), any_length=8)
    checks = check_engine(find_engine("onnx"), config.settings("m"))
    assert [check for check in checks if check.status == "failed"] == []


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    here, _ = loaded(image_network(tmp_path / "a" / "model.onnx"), any_length=8)
    beside = image_network(tmp_path / "b" / "model.onnx", external=True)
    assert (beside.parent / "model.onnx_data").stat().st_size > 0
    there, _ = loaded(beside, any_length=8)
    item = TensorsItem({"pixels": np.full((3, 8, 8), 100, np.uint8)})
    answers = [outputs(runtime.run([item])[0])["scores"] for runtime in (here, there)]
    assert (answers[0] == answers[1]).all()


DATATYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BF16": TensorProto.BFLOAT16,
    "BYTES": TensorProto.STRING,
}


@pytest.mark.parametrize("datatype", DATATYPES)
def test_every_datatype_comes_back_as_it_went(tmp_path: Path, datatype: str) -> None:
    type_ = DATATYPES[datatype]
    path = save(
        tmp_path / "model.onnx",
        [tensor("x", type_, ["rows", 2])],
        [tensor("y", type_, ["rows", 2])],
        [helper.make_node("Identity", ["x"], ["y"])],
    )
    config = configured(path)
    checks = list(check_engine(find_engine("onnx"), config.settings("m")))
    assert [check for check in checks if check.status == "failed"] == []
    runtime, _ = loaded(path)
    values: Any = strings(b"a", "é".encode()) if datatype == "BYTES" else np.array([1, 0])
    sent = values if datatype == "BYTES" else values.astype(DTYPES[datatype])
    (answer,) = runtime.run([TensorsItem({"x": sent})])
    assert (outputs(answer)["y"].dtype, outputs(answer)["y"].tolist()) == (
        sent.dtype,
        sent.tolist(),
    )


def identity(path: Path, shape: Any, out: Any = None) -> Path:
    node = helper.make_node("Identity", ["x"], ["y"])
    given, answered = tensor("x", FLOAT, shape), tensor("y", FLOAT, shape if out is None else out)
    return save(path / "model.onnx", [given], [answered], [node])


def test_a_model_of_one_row_takes_one_at_a_time(tmp_path: Path) -> None:
    runtime, spec = loaded(identity(tmp_path, [1, 2]))
    assert (spec.max_batch_size, spec.inputs[0].dims) == (1, (2,))
    rows = [TensorsItem({"x": np.full(2, value, np.float32)}) for value in range(3)]
    assert [outputs(each)["y"].tolist() for each in runtime.run(rows)] == [[0, 0], [1, 1], [2, 2]]


def test_the_configuration_may_narrow_what_the_file_says(tmp_path: Path) -> None:
    named = {"data_type": "TYPE_FP32", "dims": [4]}
    _, spec = loaded(
        identity(tmp_path, ["rows", "n"]),
        inputs=[{"name": "x", **named}],
        outputs=[{"name": "y", **named}],
    )
    assert (spec.inputs[0].dims, spec.outputs[0].dims) == ((4,), (4,))


X = {"name": "x", "data_type": "TYPE_FP32", "dims": [2]}
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "four rows": ([4, 2], {}, "its first dimension must be that of the rows"),
    "no rows": ([], {}, "has no dimension of the rows"),
    "another type": (
        ["n", 2],
        {"inputs": [X | {"data_type": "TYPE_FP64"}]},
        "'x' is FP32, not FP64",
    ),
    "other dims": (["n", 2], {"inputs": [X | {"dims": [3]}]}, r"has the dims \[2\], not \[3\]"),
    "another name": (["n", 2], {"inputs": [X | {"name": "z"}]}, "has no 'z'; there are x"),
    "another file": (["n", 2], {"file": "other.onnx"}, "no file 'other.onnx'"),
}


@pytest.mark.parametrize(("shape", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_served_is_refused_in_words(
    tmp_path: Path, shape: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        loaded(identity(tmp_path, shape), **options)


def test_an_output_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    sequence = helper.make_tensor_sequence_value_info("y", FLOAT, None)
    path = save(tmp_path / "model.onnx", [tensor("x", FLOAT, ["n", 2])], [sequence], [node])
    with pytest.raises(WeightsError, match="output 'y' is seq"):
        loaded(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"model\.onnx"):
        loaded(tmp_path / "model.onnx")


def test_an_operator_of_a_library_is_not_loaded(tmp_path: Path) -> None:
    node = helper.make_node("Own", ["x"], ["y"], domain="own.library")
    path = save(
        *(tmp_path / "model.onnx", [tensor("x", FLOAT, ["n", 2])], [tensor("y", FLOAT, ["n", 2])]),
        [node],
        opsets=(("", 20), ("own.library", 1)),
    )
    with pytest.raises(WeightsError, match="Own"):
        loaded(path)


def test_normalising_over_the_rows_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    path = save(
        *(tmp_path / "model.onnx", [tensor("x", FLOAT, ["n", 2])], [tensor("y", FLOAT, ["n", 2])]),
        *(nodes, {"axes": np.array([0])}),
    )
    with pytest.raises(WeightsError, match="output 'y' of a row is another beside other rows"):
        loaded(path)


def test_an_index_out_of_range_is_the_rows_own_error(tmp_path: Path) -> None:
    path = save(
        tmp_path / "model.onnx",
        [tensor("ids", TensorProto.INT64, ["rows", "n"])],
        [tensor("y", FLOAT, ["rows", "n"])],
        [helper.make_node("Gather", ["table", "ids"], ["y"])],
        {"table": np.arange(4, dtype=np.float32)},
    )
    runtime, _ = loaded(path)
    items = [TensorsItem({"ids": np.array([id_])}) for id_ in (1, 99, 3)]
    one, bad, three = runtime.run(items)
    assert [outputs(each)["y"].tolist() for each in (one, three)] == [[1], [3]]
    assert isinstance(bad, ItemError)
    assert isinstance(bad.error, Unprocessable)


def test_the_made_networks_are_valid(tmp_path: Path) -> None:
    for made in (classifier, image_network):
        onnx.checker.check_model(str(made(tmp_path / f"{made.__name__}.onnx")))
