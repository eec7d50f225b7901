"""Where a CTranslate2 model is opened: CUDA is got when the model has run on it."""

from __future__ import annotations

from typing import Literal

import pytest

from models.ctranslate import compute_type, open_model
from models.device import DeviceRequest
from models.errors import ConfigError, DeviceError

AUTO = DeviceRequest("auto", gpu_fraction=0.5)
CUDA = DeviceRequest("cuda", gpu_fraction=0.5)


@pytest.fixture(autouse=True)
def devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library sees a CUDA device, wherever the test runs."""
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 1)
    monkeypatch.setattr("models.nvidia.first_visible", lambda: None)


def opened(on: Literal["cuda", "cpu"], compute: str) -> tuple[str, str]:
    return on, compute


def broken(on: Literal["cuda", "cpu"], compute: str) -> tuple[str, str]:
    """What a machine does that has a GPU, but not CUDA's libraries."""
    if on == "cuda":
        raise RuntimeError("Library libcublas.so.12 is not found")
    return on, compute


def test_auto_takes_cuda() -> None:
    model, got = open_model(AUTO, "auto", opened)
    assert (model, got.actual) == (("cuda", "float16"), "cuda")


def test_auto_falls_back_and_says_why() -> None:
    model, got = open_model(AUTO, "auto", broken)
    assert model == ("cpu", "int8")
    assert "libcublas.so.12" in got.reason


def test_cuda_by_name_does_not_fall_back() -> None:
    with pytest.raises(DeviceError, match=r"libcublas\.so\.12"):
        open_model(CUDA, "auto", broken)


def test_cuda_by_name_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 0)
    with pytest.raises(DeviceError, match="CTranslate2 sees no CUDA device"):
        open_model(CUDA, "auto", opened)


def test_a_precision_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="compute_type"):
        compute_type("float16", "cpu")
