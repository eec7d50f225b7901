"""Which device a model gets: what is asked, what is there, and the reason that is told."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.devices import nvidia
from models.devices.device import (
    Device,
    DeviceRequest,
    choose,
    choose_onnxruntime,
    choose_torch,
    confirm_onnxruntime,
    is_out_of_memory,
    load_failure,
    measured_again,
    report,
)
from models.errors import ConfigError, DeviceError
from tests.support import nvidia_driver
from tests.support.nvidia_driver import FakeProcess

MISSING = "this build has no CUDA"
CUDA = ["CUDAExecutionProvider", "CPUExecutionProvider"]
CPU = ["CPUExecutionProvider"]
TOTAL_BYTES = 24 << 30  # of the GPU that the driver tells of
AUTO = DeviceRequest("auto", 0.5)


@pytest.fixture(autouse=True)
def _a_machine_without_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_driver.remove(monkeypatch, tmp_path)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0)])


# ---- what is asked and what is there --------------------------------------------------

CHOICES = {
    "cpu-with-gpu": (DeviceRequest("cpu", 0.5), True, Device("cpu", "asked for cpu")),
    "cpu-without-gpu": (DeviceRequest("cpu"), False, Device("cpu", "asked for cpu")),
    "cuda-with-gpu": (DeviceRequest("cuda", 0.5), True, Device("cuda", "asked for cuda")),
    "auto-with-gpu": (AUTO, True, Device("cuda", "asked for auto")),
    "auto-without-gpu": (AUTO, False, Device("cpu", MISSING)),
    "auto-of-no-fraction": (DeviceRequest("auto", 0.0), True, Device("cpu", "gpu_fraction is 0")),
}


@pytest.mark.parametrize(("request_", "available", "expected"), CHOICES.values(), ids=CHOICES)
def test_choose(request_: DeviceRequest, available: bool, expected: Device) -> None:
    assert choose(request_, cuda_available=available, missing=MISSING) == expected


def test_cuda_that_is_not_there_stops_the_start_and_says_what_is_missing() -> None:
    with pytest.raises(DeviceError, match=MISSING):
        choose(DeviceRequest("cuda", 0.5), cuda_available=False, missing=MISSING)


@pytest.mark.parametrize("available", [True, False], ids=["with-gpu", "without-gpu"])
def test_cuda_without_a_share_of_a_gpu_names_the_field(available: bool) -> None:
    with pytest.raises(ConfigError, match="gpu_fraction"):
        choose(DeviceRequest("cuda", 0.0), cuda_available=available, missing=MISSING)


# ---- memory that others hold -----------------------------------------------------------


@pytest.fixture
def full_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0, used_mib=24_000)])


@pytest.mark.usefixtures("full_gpu")
def test_auto_falls_back_from_a_gpu_that_is_full_and_says_so() -> None:
    device = choose(AUTO, cuda_available=True, missing=MISSING)
    assert device.actual == "cpu"
    assert "NVIDIA L4 is short of memory: gpu_fraction 0.5 is 12.9 GB, and 0.6" in device.reason


@pytest.mark.usefixtures("full_gpu")
def test_cuda_by_name_does_not_start_on_a_gpu_that_is_full() -> None:
    with pytest.raises(DeviceError, match="short of memory"):
        choose(DeviceRequest("cuda", 0.5), cuda_available=True, missing=MISSING)


def test_half_a_share_is_enough_to_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0, used_mib=18_000)])
    assert choose(AUTO, cuda_available=True, missing=MISSING).actual == "cuda"


@pytest.mark.usefixtures("full_gpu")
def test_a_load_that_finds_no_memory_says_how_much_is_free() -> None:
    explained = load_failure(RuntimeError("CUDA failed with error out of memory"))
    assert isinstance(explained, DeviceError)
    assert "too short for the model: 0.6 GB are free of NVIDIA L4; CUDA failed" in str(explained)


def test_another_failure_to_load_stays_what_it_is() -> None:
    error = RuntimeError("no such file")
    assert load_failure(error) is error


SAID = {
    "torch": "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 22 GiB",
    "ctranslate2": "CUDA failed with error out of memory",
    "ctranslate2, cublas": "cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED",
    "torch, cudnn": "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "onnxruntime, arena": "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code "
    "returned while running Conv node. Failed to allocate memory for requested buffer of size 524",
    "onnxruntime, limit": "Available memory of 1048576 is smaller than requested bytes of 4194304",
    "onnxruntime, cuda": "CUDA failure 2: out of memory ; GPU=0 ; hostname=a ; expr=cudaMalloc",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_whoever_finds_no_memory_is_understood(said: str) -> None:
    assert is_out_of_memory(RuntimeError(said))


@pytest.mark.parametrize("said", ["CUDA error: an illegal memory access", "no such file"])
def test_another_error_is_not_for_want_of_memory(said: str) -> None:
    assert not is_out_of_memory(RuntimeError(said))


# ---- PyTorch ---------------------------------------------------------------------------


class FakeTorch(SimpleNamespace):
    """What ``choose_torch`` and ``report`` ask of torch; keeps what it was told."""

    def __init__(self, *, cuda: str | None, is_available: bool, warning: str = "") -> None:
        super().__init__(__version__="2.13.0", version=SimpleNamespace(cuda=cuda))
        self.threads, self.fraction = 0, 0.0
        self.warning, self.available = warning, is_available
        self.set_num_threads = lambda count: setattr(self, "threads", count)
        self.cuda = SimpleNamespace(
            is_available=self.begin,
            set_per_process_memory_fraction=lambda share: setattr(self, "fraction", share),
            get_device_properties=lambda index: SimpleNamespace(total_memory=8_000),
            get_device_name=lambda index: "of torch",
            memory_reserved=lambda index: 123,
        )

    def begin(self) -> bool:
        if self.warning:
            warnings.warn(self.warning, stacklevel=2)
        return self.available


def with_torch(
    monkeypatch: pytest.MonkeyPatch,
    *,
    cuda: str | None = "12.6",
    is_available: bool = True,
    warning: str = "",
) -> FakeTorch:
    torch = FakeTorch(cuda=cuda, is_available=is_available, warning=warning)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


@pytest.mark.usefixtures("gpu")
def test_torch_on_cuda_is_bound_by_its_fraction(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = with_torch(monkeypatch)
    device = choose_torch(DeviceRequest("auto", 0.25, threads=3))
    assert (device.actual, device.memory_limit_bytes) == ("cuda", TOTAL_BYTES // 4)
    assert (torch.fraction, torch.threads) == (0.25, 3)


def test_torch_tells_the_memory_where_the_driver_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch)
    assert choose_torch(AUTO).memory_limit_bytes == 4_000


@pytest.mark.parametrize("cuda", [None, "12.6"], ids=["built without", "built with"])
def test_torch_without_a_gpu_names_the_driver(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None
) -> None:
    with_torch(monkeypatch, cuda=cuda, is_available=False)
    assert choose_torch(AUTO) == Device("cpu", nvidia_driver.NO_DRIVER)


@pytest.mark.usefixtures("gpu")
def test_torch_without_cuda_beside_a_gpu_names_its_build(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, cuda=None, is_available=False)
    assert choose_torch(AUTO) == Device("cpu", "torch 2.13.0 is built without CUDA")


@pytest.mark.usefixtures("gpu")
def test_torch_that_is_newer_than_the_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, cuda="13.0", is_available=False)
    said = "torch sees no GPU: its CUDA 13.0 is newer than the driver's 12.4"
    assert choose_torch(AUTO).reason == said


@pytest.mark.usefixtures("gpu")
def test_torch_that_the_driver_could_run_gives_its_own_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_torch(monkeypatch, is_available=False, warning="CUDA unknown error\nTriggered at x.cpp")
    assert choose_torch(AUTO).reason == "torch sees no GPU: CUDA unknown error"


def test_torch_tells_the_memory_that_gpu_and_cpu_share(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.SHARED_MEMORY])
    with_torch(monkeypatch)
    assert choose_torch(AUTO).memory_limit_bytes == 4_000


@pytest.mark.parametrize(
    "request_", [DeviceRequest("cpu", 0.5), DeviceRequest("auto", 0.0)], ids=["cpu", "no fraction"]
)
def test_torch_that_may_not_use_a_gpu_is_not_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, request_: DeviceRequest
) -> None:
    torch = with_torch(monkeypatch)
    del torch.cuda
    assert choose_torch(request_).actual == "cpu"


# ---- ONNX Runtime ----------------------------------------------------------------------


def with_onnxruntime(monkeypatch: pytest.MonkeyPatch, providers: Sequence[str]) -> list[str]:
    """Installs a fake; returns what is called of it."""
    called: list[str] = []
    fake: Any = SimpleNamespace(
        get_available_providers=lambda: list(providers),
        preload_dlls=lambda: called.append("preload_dlls"),
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    return called


@pytest.mark.usefixtures("gpu")
def test_onnxruntime_on_cuda_gets_its_share_as_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    called = with_onnxruntime(monkeypatch, CUDA)
    device, providers = choose_onnxruntime(AUTO, sessions=3)
    cuda = ("CUDAExecutionProvider", {"gpu_mem_limit": TOTAL_BYTES // 6})
    assert providers == [cuda, ("CPUExecutionProvider", {})]
    assert (device.memory_limit_bytes, called) == (TOTAL_BYTES // 2, ["preload_dlls"])


@pytest.mark.usefixtures("gpu")
def test_onnxruntime_does_not_load_torch_for_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with_onnxruntime(monkeypatch, CUDA)
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises
    assert choose_onnxruntime(AUTO)[0].actual == "cuda"


@pytest.mark.usefixtures("gpu")
def test_onnxruntime_without_its_provider_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with_onnxruntime(monkeypatch, CPU)
    device, providers = choose_onnxruntime(AUTO)
    assert "no CUDAExecutionProvider (run `make install-gpu`)" in device.reason
    assert providers == [("CPUExecutionProvider", {})]


@pytest.mark.parametrize("providers", [CPU, CUDA], ids=["built without", "built with"])
def test_onnxruntime_without_a_gpu_names_the_driver(
    monkeypatch: pytest.MonkeyPatch, providers: list[str]
) -> None:
    with_onnxruntime(monkeypatch, providers)
    assert choose_onnxruntime(AUTO)[0].reason == nvidia_driver.NO_DRIVER


@pytest.mark.usefixtures("gpu")
def test_onnxruntime_whose_gpus_are_hidden_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with_onnxruntime(monkeypatch, CUDA)
    monkeypatch.setenv(nvidia.VISIBLE, "-1")
    assert "CUDA_VISIBLE_DEVICES='-1' hides every GPU" in choose_onnxruntime(AUTO)[0].reason


CONFIRMED = {
    "cpu-stays": (DeviceRequest("cpu"), Device("cpu", "asked for cpu"), CPU, "cpu"),
    "cuda-was-had": (DeviceRequest("cuda", 0.5), Device("cuda", "asked for cuda"), CUDA, "cuda"),
    "auto-fell-back": (AUTO, Device("cuda", "asked for auto"), CPU, "cpu"),
}


@pytest.mark.parametrize(
    ("request_", "device", "providers", "actual"), CONFIRMED.values(), ids=CONFIRMED
)
def test_confirm_onnxruntime(
    request_: DeviceRequest, device: Device, providers: list[str], actual: str
) -> None:
    assert confirm_onnxruntime(request_, device, providers).actual == actual


def test_an_onnxruntime_fallback_tells_why() -> None:
    fallen = confirm_onnxruntime(AUTO, Device("cuda", "asked for auto"), CPU)

    assert "could not load CUDA's libraries" in fallen.reason


def test_an_onnxruntime_fallback_from_cuda_by_name_stops_the_start() -> None:
    with pytest.raises(DeviceError, match="could not load CUDA's libraries"):
        confirm_onnxruntime(DeviceRequest("cuda", 0.5), Device("cuda", "asked for cuda"), CPU)


# ---- the report ------------------------------------------------------------------------


def test_a_report_tells_what_was_asked_and_what_was_got() -> None:
    request_ = DeviceRequest("auto", 0.5, threads=3)

    made = report(
        request_, Device("cpu", MISSING), library="lib 1", precision="int8", load_s=1.23456
    )

    told = (made.requested, made.actual, made.reason, made.threads, made.gpu_name, made.load_s)
    assert told == ("auto", "cpu", MISSING, 3, None, 1.235)


def test_a_report_of_a_cpu_counts_this_process_memory() -> None:
    made = report(DeviceRequest(), Device("cpu", ""), library="", precision="", load_s=0.0)

    assert 1 << 20 < made.memory_bytes < 1 << 40


def on_cuda(device: Device) -> tuple[str | None, int]:
    made = report(AUTO, device, library="", precision="", load_s=0.0)
    return made.gpu_name, made.memory_bytes


def test_a_report_of_a_gpu_counts_what_the_driver_gives_this_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = FakeProcess(0, os.getpid(), 300)
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0)], processes=[own])
    assert on_cuda(Device("cuda", "")) == ("NVIDIA L4", 300 << 20)


@pytest.mark.usefixtures("gpu")
def test_a_process_that_the_driver_does_not_name_counts_what_was_taken_since_the_load() -> None:
    assert on_cuda(Device("cuda", "", used_before_bytes=400 << 20)) == ("NVIDIA L4", 600 << 20)


def test_without_a_driver_a_report_counts_what_torch_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_torch(monkeypatch)
    assert on_cuda(Device("cuda", "")) == ("of torch", 123)


def test_without_a_driver_and_torch_a_report_has_no_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises
    assert on_cuda(Device("cuda", "")) == (None, 0)


def test_memory_is_measured_again_from_where_the_load_began(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0, used_mib=500)])
    device = Device("cuda", "", used_before_bytes=400 << 20)
    made = report(AUTO, device, library="", precision="", load_s=0.0)
    nvidia_driver.install(monkeypatch, gpus=[nvidia_driver.gpu(0, used_mib=900)])
    assert (made.memory_bytes, measured_again(made).memory_bytes) == (100 << 20, 500 << 20)


def test_a_report_has_the_limit_of_its_memory() -> None:
    device = Device("cpu", "", memory_limit_bytes=5)
    made = report(AUTO, device, library="", precision="", load_s=0.0)
    assert made.memory_limit_bytes == 5
