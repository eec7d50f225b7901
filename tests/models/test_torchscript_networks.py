"""Networks that are no speech in TorchScript: their answers, their batches, and refusals."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deployments.config.schema import ModelConfig
from models.contract.checks import check_engine
from models.errors import Unprocessable, WeightsError
from models.registry import find_engine
from models.runtime import ItemError, Runtime, RuntimeSpec
from models.types import TensorsItem, TensorsResult
from tests.support.networks import script, text_bag

IDS = {"name": "ids", "data_type": "TYPE_INT64", "dims": [-1]}
WEIGHT = {"name": "weight", "data_type": "TYPE_FP32", "dims": [1]}
LOGITS = {"name": "OUTPUT__0", "data_type": "TYPE_FP32", "dims": [3]}
LABEL = {"name": "OUTPUT__1", "data_type": "TYPE_INT64", "dims": []}
BAG = {"inputs": [IDS, WEIGHT], "outputs": [LOGITS, LABEL]}
X = {"name": "INPUT__0", "data_type": "TYPE_FP32", "dims": [2]}
Y = {"name": "OUTPUT__0", "data_type": "TYPE_FP32", "dims": [2]}
SIMPLE = {"inputs": [X], "outputs": [Y]}


class Dictionary(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"twice": x * 2, "more": x + 1}


class Transposed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.t()


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


class Same(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def settings(path: Path, **options: Any) -> Any:
    weights = f"path:{path.parent}"
    config = ModelConfig(
        engine="torchscript", weights=weights, options={"file": path.name, **options}
    )
    return config.settings("m")


def loaded(path: Path, **options: Any) -> tuple[Runtime[Any, Any], RuntimeSpec]:
    runtime = find_engine("torchscript").create(settings(path, **options))
    spec, _ = runtime.load()
    runtime.warm_up()
    return runtime, spec


def outputs(answer: Any) -> dict[str, Any]:
    assert isinstance(answer, TensorsResult), answer.error
    return dict(answer.outputs)


def bag(*ids: int, weight: float = 1.0) -> TensorsItem:
    return TensorsItem({"ids": np.array(ids), "weight": np.array([weight], np.float32)})


def test_bags_are_answered_as_torch_answers_each_alone(tmp_path: Path) -> None:
    path = text_bag(tmp_path / "model.pt")
    runtime, _ = loaded(path, **BAG)
    bags = [bag(1, 2, 3), bag(4), bag(9, 8, 7), bag(5, 5, weight=0.5), bag(6)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        direct = torch.jit.load(path).eval()  # type: ignore[no-untyped-call]
    for item, answer in zip(bags, runtime.run(bags), strict=True):
        fed = [torch.from_numpy(item.inputs[name])[None] for name in ("ids", "weight")]
        with torch.inference_mode():
            logits, label = direct(*fed)
        found = outputs(answer)
        np.testing.assert_allclose(found["OUTPUT__0"], logits[0], rtol=1e-4, atol=1e-6)
        assert found["OUTPUT__1"].tolist() == int(label)


def test_a_network_keeps_the_contract(tmp_path: Path) -> None:
    made = settings(text_bag(tmp_path / "model.pt"), any_length=4, **BAG)
    checks = check_engine(find_engine("torchscript"), made)
    assert [check for check in checks if check.status == "failed"] == []


def test_a_network_that_was_saved_while_it_was_trained_is_served_as_trained(tmp_path: Path) -> None:
    network = nn.BatchNorm1d(2)
    assert network.training
    runtime, _ = loaded(script(network, tmp_path / "model.pt"), **SIMPLE)
    rows = [TensorsItem({"INPUT__0": np.array([n, 1], np.float32)}) for n in (0, 100)]
    alone = [outputs(runtime.run([row])[0])["OUTPUT__0"].tolist() for row in rows]
    assert [outputs(each)["OUTPUT__0"].tolist() for each in runtime.run(rows)] == alone


def test_a_dict_is_answered_by_its_names(tmp_path: Path) -> None:
    named = [Y | {"name": "more"}, Y | {"name": "twice"}]
    runtime, _ = loaded(script(Dictionary(), tmp_path / "model.pt"), inputs=[X], outputs=named)
    (found,) = runtime.run([TensorsItem({"INPUT__0": np.array([1, 5], np.float32)})])
    answered = {name: array.tolist() for name, array in outputs(found).items()}
    assert answered == {"more": [2, 6], "twice": [2, 10]}


NUMBERS = [
    *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "BF16"),
]


@pytest.mark.parametrize("datatype", NUMBERS)
def test_every_datatype_comes_back_as_it_went(tmp_path: Path, datatype: str) -> None:
    type_ = {"data_type": f"TYPE_{datatype}"}
    options = {"inputs": [X | type_], "outputs": [Y | type_]}
    made = settings(script(Same(), tmp_path / "model.pt"), **options)
    checks = check_engine(find_engine("torchscript"), made)
    assert [check for check in checks if check.status == "failed"] == []


REFUSED: dict[str, tuple[nn.Module, dict[str, Any], str]] = {
    "rows behind": (Transposed(), {}, "output 'OUTPUT__0' has the shape"),
    "rows that change each other": (Mean(), {}, "beside other rows than alone"),
    "another type": (Same(), {"outputs": [Y | {"data_type": "TYPE_FP64"}]}, "float32, not FP64"),
    "halves": (Same(), {"outputs": [Y | {"data_type": "TYPE_BF16"}]}, "float32, not BF16"),
    "an output too many": (
        Same(),
        {"outputs": [Y, Y | {"name": "OUTPUT__1"}]},
        r"output 'OUTPUT__1' is missing: forward\(\) returns 1",
    ),
    "an output of no name": (Dictionary(), {}, "output 'OUTPUT__0' is missing; there are twice"),
    "an argument too many": (
        Same(),
        {"inputs": [X, X | {"name": "INPUT__1"}]},
        r"2 are named, and forward\(\) takes x",
    ),
    "no argument": (Same(), {"inputs": [X | {"name": "y"}]}, "'y' is no argument"),
}


@pytest.mark.parametrize(("network", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_served_is_refused_in_words(
    tmp_path: Path, network: nn.Module, options: dict[str, Any], message: str
) -> None:
    path = script(network, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=message):
        loaded(path, **{**SIMPLE, **options})


def test_rows_that_change_each_other_may_go_alone(tmp_path: Path) -> None:
    path = script(Mean(), tmp_path / "model.pt")
    runtime, spec = loaded(path, rows="alone", **SIMPLE)
    rows = [TensorsItem({"INPUT__0": np.array([n, 1], np.float32)}) for n in (1, 2)]
    assert spec.max_batch_size == 1
    assert [outputs(each)["OUTPUT__0"].tolist() for each in runtime.run(rows)] == [[0, 0], [0, 0]]


class Harmful:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("it was unpickled",))


def no_torchscript(path: Path, what: str) -> Path:
    if what == "a pickle":
        import pickle

        path.write_bytes(pickle.dumps(Harmful()))
    elif what == "a checkpoint":
        torch.save({"weights": Harmful()}, path)
    elif what == "an archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/b", "c")
    elif what == "half an archive":
        whole = text_bag(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    "what", ["a pickle", "a checkpoint", "an archive", "half an archive", "nothing"]
)
def test_what_is_no_torchscript_is_refused_unread(tmp_path: Path, what: str) -> None:
    path = no_torchscript(tmp_path / "model.pt", what)
    with pytest.raises(WeightsError, match=r"no TorchScript[:,] "):
        loaded(path, **BAG)


def test_an_index_out_of_range_is_the_rows_own_error(tmp_path: Path) -> None:
    runtime, _ = loaded(text_bag(tmp_path / "model.pt"), **BAG)
    good, bad, other = runtime.run([bag(1), bag(999), bag(2)])
    assert outputs(good).keys() == outputs(other).keys()
    assert isinstance(bad, ItemError)
    assert isinstance(bad.error, Unprocessable)
    assert "999" not in bad.error.message
