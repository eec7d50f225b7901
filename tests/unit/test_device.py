"""Which device a model gets: what is asked, what is there, and the reason that is told."""

from __future__ import annotations

import pytest

from models.device import Device, DeviceRequest, choose, confirm_onnxruntime, report
from models.errors import DeviceError

MISSING = "this build has no CUDA"
CUDA = ["CUDAExecutionProvider", "CPUExecutionProvider"]
CPU = ["CPUExecutionProvider"]

CHOICES = {
    "cpu-with-gpu": (DeviceRequest("cpu", 0.5), True, Device("cpu", "asked for cpu")),
    "cpu-without-gpu": (DeviceRequest("cpu"), False, Device("cpu", "asked for cpu")),
    "cuda-with-gpu": (DeviceRequest("cuda", 0.5), True, Device("cuda", "asked for cuda")),
    "cuda-of-no-fraction": (DeviceRequest("cuda", 0.0), True, Device("cuda", "asked for cuda")),
    "auto-with-gpu": (DeviceRequest("auto", 0.5), True, Device("cuda", "asked for auto")),
    "auto-without-gpu": (DeviceRequest("auto", 0.5), False, Device("cpu", MISSING)),
    "auto-of-no-fraction": (DeviceRequest("auto", 0.0), True, Device("cpu", "gpu_fraction is 0")),
}


@pytest.mark.parametrize(("request_", "available", "expected"), CHOICES.values(), ids=CHOICES)
def test_choose(request_: DeviceRequest, available: bool, expected: Device) -> None:
    assert choose(request_, cuda_available=available, missing=MISSING) == expected


def test_cuda_that_is_not_there_stops_the_start_and_says_what_is_missing() -> None:
    with pytest.raises(DeviceError, match=MISSING):
        choose(DeviceRequest("cuda", 0.5), cuda_available=False, missing=MISSING)


CONFIRMED = {
    "cpu-stays": (DeviceRequest("cpu"), Device("cpu", "asked for cpu"), CPU, "cpu"),
    "cuda-was-had": (DeviceRequest("cuda", 0.5), Device("cuda", "asked for cuda"), CUDA, "cuda"),
    "auto-fell-back": (DeviceRequest("auto", 0.5), Device("cuda", "asked for auto"), CPU, "cpu"),
}


@pytest.mark.parametrize(
    ("request_", "device", "providers", "actual"), CONFIRMED.values(), ids=CONFIRMED
)
def test_confirm_onnxruntime(
    request_: DeviceRequest, device: Device, providers: list[str], actual: str
) -> None:
    assert confirm_onnxruntime(request_, device, providers).actual == actual


def test_an_onnxruntime_fallback_tells_why() -> None:
    fallen = confirm_onnxruntime(DeviceRequest("auto", 0.5), Device("cuda", "asked for auto"), CPU)

    assert "could not load CUDA's libraries" in fallen.reason


def test_an_onnxruntime_fallback_from_cuda_by_name_stops_the_start() -> None:
    with pytest.raises(DeviceError, match="could not load CUDA's libraries"):
        confirm_onnxruntime(DeviceRequest("cuda", 0.5), Device("cuda", "asked for cuda"), CPU)


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
