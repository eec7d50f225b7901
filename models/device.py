"""Where a model runs: what was asked (auto, cuda, cpu), what was got, and why."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from models.errors import DeviceError

DeviceName: TypeAlias = Literal["auto", "cuda", "cpu"]


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What the configuration asks for one replica of a model."""

    device: DeviceName = "auto"
    gpu_fraction: float = 0.0  # of one GPU; 0: never touches a GPU
    threads: int = 1  # CPU threads of one replica


@dataclass(frozen=True, slots=True)
class Device:
    """What was got. ``reason`` says why, when it is not what was preferred."""

    actual: Literal["cuda", "cpu"]
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One loaded model's answer to "is the GPU used?"."""

    requested: DeviceName
    actual: Literal["cuda", "cpu"]
    reason: str
    library: str  # e.g. "ctranslate2 4.8.5"
    precision: str  # e.g. "int8", "float32"
    threads: int
    gpu_name: str | None
    memory_bytes: int  # resident memory of the process (CPU) or the device's (CUDA)
    load_s: float


def choose(request: DeviceRequest, *, cuda_available: bool, missing: str) -> Device:
    """Decide the device of a model.

    Args:
        request: what the configuration asks.
        cuda_available: whether this engine's library can run on CUDA here.
        missing: what is missing where it cannot.

    Raises:
        DeviceError: ``cuda`` was asked for by name and cannot be had.
    """
    if request.device == "cpu":
        return Device("cpu", "asked for cpu")
    if request.device == "cuda" and not cuda_available:
        raise DeviceError(f"device: cuda was asked for, but {missing}")
    if request.gpu_fraction == 0 and request.device == "auto":
        return Device("cpu", "gpu_fraction is 0")
    if cuda_available:
        return Device("cuda", f"asked for {request.device}")
    return Device("cpu", missing)


def choose_torch(request: DeviceRequest) -> Device:
    """``choose`` for engines on PyTorch; bounds the process's share of the GPU and its threads."""
    import torch

    device = choose(
        request,
        cuda_available=torch.cuda.is_available(),
        missing="torch has no CUDA" if torch.version.cuda is None else "torch sees no GPU",
    )
    torch.set_num_threads(request.threads)
    if device.actual == "cuda" and request.gpu_fraction:
        torch.cuda.set_per_process_memory_fraction(request.gpu_fraction)
    return device


def choose_onnxruntime(request: DeviceRequest) -> tuple[Device, list[tuple[str, dict[str, int]]]]:
    """``choose`` for engines on ONNX Runtime: the device and the providers of a session.

    ONNX Runtime falls back to the CPU in silence when CUDA's libraries do not load, so an
    engine must check ``session.get_providers()`` with ``confirm_onnxruntime``.
    """
    import onnxruntime

    device = choose(
        request,
        cuda_available="CUDAExecutionProvider" in onnxruntime.get_available_providers(),
        missing="onnxruntime has no CUDAExecutionProvider (install onnxruntime-gpu)",
    )
    cpu: tuple[str, dict[str, int]] = ("CPUExecutionProvider", {})
    if device.actual == "cpu":
        return device, [cpu]
    cuda: dict[str, int] = {}
    if request.gpu_fraction:
        cuda["gpu_mem_limit"] = int(request.gpu_fraction * gpu_total_memory_bytes())
    return device, [("CUDAExecutionProvider", cuda), cpu]


def confirm_onnxruntime(request: DeviceRequest, device: Device, providers: list[str]) -> Device:
    """The device that a session really got.

    Raises:
        DeviceError: ``cuda`` was asked for by name and the session fell back.
    """
    if device.actual == "cpu" or "CUDAExecutionProvider" in providers:
        return device
    missing = "onnxruntime could not load CUDA's libraries (see its warning above)"
    return choose(request, cuda_available=False, missing=missing)


def gpu_total_memory_bytes() -> int:
    """Total memory of the first visible GPU."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory)


def report(
    request: DeviceRequest, device: Device, *, library: str, precision: str, load_s: float
) -> DeviceReport:
    """The report of a model that has just been loaded in this process."""
    gpu_name, memory_bytes = None, _resident_bytes()
    if device.actual == "cuda":
        import torch

        gpu_name = torch.cuda.get_device_name(0)
        free_bytes, total_bytes = torch.cuda.mem_get_info(0)
        memory_bytes = total_bytes - free_bytes
    return DeviceReport(
        requested=request.device,
        actual=device.actual,
        reason=device.reason,
        library=library,
        precision=precision,
        threads=request.threads,
        gpu_name=gpu_name,
        memory_bytes=memory_bytes,
        load_s=round(load_s, 3),
    )


def _resident_bytes() -> int:
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the peak is the nearest there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
