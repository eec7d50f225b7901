"""A machine with GPUs, as its driver tells of them: the functions of NVML that are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from models.devices import nvidia

GIB = 1 << 30
MIB = 1 << 20
UUIDS = ("GPU-aaaa-1", "GPU-bbbb-2")
DRIVER = "550.54"
CUDA_12_4 = 12_040  # as NVML writes it
NO_DRIVER = "no NVIDIA driver: its library libnvidia-ml.so.1 is not here"


@dataclass(frozen=True)
class FakeGpu:
    """A GPU as the driver tells of it; None: that it does not support the question."""

    uuid: str
    name: str = "NVIDIA L4"
    total_bytes: int | None = 24 * GIB
    used_bytes: int | None = 1000 * MIB
    utilisation_percent: int | None = 7


def gpu(index: int, *, used_mib: int = 1000) -> FakeGpu:
    return FakeGpu(UUIDS[index], used_bytes=used_mib * MIB)


# A GPU that shares its memory with the CPU: the driver has no figure of it.
SHARED_MEMORY = FakeGpu(UUIDS[0], "NVIDIA GB10", None, None)


@dataclass(frozen=True)
class FakeProcess:
    """A process on the GPU of that index; ``name`` None: the driver does not find it."""

    gpu_index: int
    pid: int
    used_mib: int | None
    name: str | None = "python"


def install(
    monkeypatch: pytest.MonkeyPatch,
    *,
    gpus: Sequence[FakeGpu] = (),
    processes: Sequence[FakeProcess] = (),
    cuda: int | None = CUDA_12_4,
    fails: str | None = None,
) -> None:
    """Put a driver in the place of this machine's, if it has one.

    Args:
        gpus: that it lists.
        processes: that compute on them.
        cuda: the newest that it runs; None: there is no libcuda.
        fails: the function that ends with an error.
    """

    def memory_of(index: int, version: int) -> Any:
        if gpus[index].total_bytes is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(total=gpus[index].total_bytes, used=gpus[index].used_bytes)

    def utilisation_of(index: int) -> Any:
        if gpus[index].utilisation_percent is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=gpus[index].utilisation_percent)

    def processes_on(index: int) -> list[Any]:
        return [
            SimpleNamespace(
                pid=p.pid, usedGpuMemory=None if p.used_mib is None else p.used_mib * MIB
            )
            for p in processes
            if p.gpu_index == index
        ]

    def name_of(pid: int) -> str:
        names = [p.name for p in processes if p.pid == pid and p.name is not None]
        if not names:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return names[0]

    def cuda_version() -> int:
        if cuda is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
        return cuda

    def failing(*arguments: Any, **named: Any) -> Any:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)

    functions = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: DRIVER,
        "nvmlSystemGetCudaDriverVersion_v2": cuda_version,
        "nvmlDeviceGetCount": lambda: len(gpus),
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda index: gpus[index].uuid,
        "nvmlDeviceGetName": lambda index: gpus[index].name,
        "nvmlDeviceGetMemoryInfo": memory_of,
        "nvmlDeviceGetUtilizationRates": utilisation_of,
        "nvmlDeviceGetComputeRunningProcesses": processes_on,
        "nvmlSystemGetProcessName": name_of,
    }
    for name, function in functions.items():
        monkeypatch.setattr(pynvml, name, failing if name == fails else function)
    monkeypatch.delenv(nvidia.VISIBLE, raising=False)


def remove(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A machine without a driver, whatever this one has."""

    def no_library() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", no_library)
    monkeypatch.setattr(nvidia, "DRIVER_DEVICE", folder / "nvidiactl")
    monkeypatch.delenv(nvidia.VISIBLE, raising=False)
