"""Where a CTranslate2 model is opened: CUDA is got when the model has run on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import ctranslate2
import pytest

from models.devices.ctranslate import compute_type, open_model
from models.devices.device import DeviceRequest
from models.errors import ConfigError, DeviceError

AUTO = DeviceRequest("auto", gpu_fraction=0.5)
CUDA = DeviceRequest("cuda", gpu_fraction=0.5)


@pytest.fixture(autouse=True)
def devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library sees a CUDA device, wherever the test runs."""
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 1)
    monkeypatch.setattr("models.devices.nvidia.first_visible", lambda: None)
    has(monkeypatch, {"float32", "float16", "int8"})


def has(monkeypatch: pytest.MonkeyPatch, precisions: set[str]) -> None:
    """The CUDA device computes in these precisions, and the CPU in those it has."""
    of_cpu = ctranslate2.get_supported_compute_types("cpu")
    monkeypatch.setattr(
        "ctranslate2.get_supported_compute_types",
        lambda on: precisions if on == "cuda" else of_cpu,
    )


def opened(on: Literal["cuda", "cpu"], compute: str) -> tuple[str, str]:
    return on, compute


def broken(error: type[Exception]) -> Callable[[Literal["cuda", "cpu"], str], tuple[str, str]]:
    """What a machine does that has a GPU, but not CUDA's libraries."""

    def open_on(on: Literal["cuda", "cpu"], compute: str) -> tuple[str, str]:
        if on == "cuda":
            raise error("Library libcublas.so.12 is not found")
        return on, compute

    return open_on


def test_auto_takes_cuda() -> None:
    model, got = open_model(AUTO, "auto", opened)
    assert (model, got.actual) == (("cuda", "float16"), "cuda")


def test_auto_is_float32_on_a_gpu_without_fast_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, {"float32", "int8"})
    assert open_model(AUTO, "auto", opened)[0] == ("cuda", "float32")


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_auto_falls_back_and_says_why(error: type[Exception]) -> None:
    model, got = open_model(AUTO, "auto", broken(error))
    assert model == ("cpu", "int8")
    assert "libcublas.so.12" in got.reason


def test_cuda_by_name_does_not_fall_back() -> None:
    with pytest.raises(DeviceError, match=r"libcublas\.so\.12"):
        open_model(CUDA, "auto", broken(RuntimeError))


def test_cuda_by_name_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 0)
    with pytest.raises(DeviceError, match="CTranslate2 sees no CUDA device"):
        open_model(CUDA, "auto", opened)


def test_a_precision_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="compute_type"):
        compute_type("float16", "cpu")
