"""Ask the NVIDIA driver (NVML) for the GPUs, their memory, and the processes on them.

No CUDA context is made and no heavy library is loaded, so every engine and the doctor ask here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml

DRIVER_DEVICE = Path("/dev/nvidiactl")  # there once the driver is loaded
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of this machine."""

    index: int
    uuid: str
    name: str
    total_bytes: int  # 0 where the driver has no figure
    used_bytes: int
    utilisation_percent: int | None
    driver: str  # version

    @property
    def free_bytes(self) -> int:
        return self.total_bytes - self.used_bytes


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that computes on a GPU. In a container ``pid`` may be the host's number."""

    gpu_uuid: str
    pid: int
    used_bytes: int | None  # None: the driver does not say
    name: str


def gpus() -> list[Gpu]:
    """Return every GPU of this machine, whatever CUDA_VISIBLE_DEVICES says.

    Raises:
        OSError: there is no driver, or it does not work; the message says which.
    """
    with _driver():
        version = pynvml.nvmlSystemGetDriverVersion()
        return [_gpu(index, handle, version) for index, handle in _handles()]


def processes() -> list[GpuProcess]:
    """Return the processes that compute on any GPU. Raises OSError as ``gpus`` does."""
    with _driver():
        return [
            GpuProcess(uuid, each.pid, each.usedGpuMemory, _process_name(each.pid))
            for _, handle in _handles()
            for uuid in [pynvml.nvmlDeviceGetUUID(handle)]
            for each in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        ]


def driver_cuda() -> str | None:
    """Return the newest CUDA that the driver runs, such as "12.4"; None if it has no libcuda.

    Raises:
        OSError: as ``gpus`` does.
    """
    with _driver():
        try:
            version: int = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        except pynvml.NVMLError_LibraryNotFound:
            return None
        return f"{version // 1000}.{version % 1000 // 10}"


def names_slice(environment: Mapping[str, str]) -> bool:
    """Tell whether an environment names a slice of a GPU (MIG), which ``gpus`` does not list."""
    return "MIG-" in environment.get(VISIBLE, "")


def needs_newer_driver(built: str, driver: str | None) -> bool:
    """Tell whether a build for one CUDA needs a newer driver; False if the driver's is not known.

    Within one major version of CUDA any driver will do (CUDA compatibility guide, "Minor Version
    Compatibility").
    """
    return driver is not None and int(built.split(".")[0]) > int(driver.split(".")[0])


def count(environment: Mapping[str, str]) -> int | None:
    """Count the GPUs that an environment sees; None: the driver is there and does not say."""
    if names_slice(environment):
        return None
    try:
        return len(visible(gpus(), environment))
    except OSError:
        return None if DRIVER_DEVICE.exists() else 0


def visible(all_gpus: Sequence[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    """Return the GPUs that a process of this environment sees, in CUDA's order.

    CUDA reads the variable from the left, and stops at the first entry that names no GPU
    (CUDA C++ programming guide, "CUDA Environment Variables"): "-1" and "" hide all.
    """
    named = environment.get(VISIBLE)
    if named is None:
        return list(all_gpus)
    seen: list[Gpu] = []
    for entry in named.split(","):
        gpu = _named(entry.strip(), all_gpus)
        if gpu is None:
            break
        seen.append(gpu)
    return seen


def first_visible() -> Gpu | None:
    """Return the GPU that this process computes on; None: none, or the driver does not say."""
    try:
        seen = visible(gpus(), os.environ)
    except OSError:
        return None
    return seen[0] if seen else None


def own_bytes() -> int | None:
    """Return this process's GPU memory; None if the driver does not name it, as in a container."""
    try:
        own = [p.used_bytes for p in processes() if p.pid == os.getpid()]
    except OSError:
        return None
    known = [used for used in own if used is not None]
    return sum(known) if known else None


def why_no_gpu() -> str | None:
    """Return what hides every GPU from this process; None: nothing does, or nobody can tell."""
    if names_slice(os.environ):
        return None
    try:
        found = gpus()
    except OSError as error:
        return None if DRIVER_DEVICE.exists() else str(error)  # a container may lack the library
    if not found:
        return "the NVIDIA driver lists no GPU"
    if not visible(found, os.environ):
        return f"{VISIBLE}={os.environ[VISIBLE]!r} hides every GPU from this process"
    return None


def _named(entry: str, all_gpus: Sequence[Gpu]) -> Gpu | None:
    """Find the GPU of an entry of CUDA_VISIBLE_DEVICES: an index, or the start of its UUID."""
    if entry.isdigit():
        return next((gpu for gpu in all_gpus if gpu.index == int(entry)), None)
    matching = [gpu for gpu in all_gpus if entry and gpu.uuid.startswith(entry)]
    return matching[0] if len(matching) == 1 else None


@contextmanager
def _driver() -> Iterator[None]:
    """Open the driver's library for the length of a block.

    Raises:
        OSError: there is no driver, or it does not answer a question of the block.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound as error:
        raise OSError("no NVIDIA driver: its library libnvidia-ml.so.1 is not here") from error
    except pynvml.NVMLError as error:
        raise OSError(f"the NVIDIA driver does not work: {error}") from error
    try:
        yield
    except pynvml.NVMLError as error:
        raise OSError(f"the NVIDIA driver does not work: {error}") from error
    finally:
        pynvml.nvmlShutdown()


def _handles() -> list[tuple[int, Any]]:
    count = pynvml.nvmlDeviceGetCount()
    return [(index, pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(count)]


def _gpu(index: int, handle: Any, driver: str) -> Gpu:
    total_bytes, used_bytes, utilisation = 0, 0, None
    with suppress(pynvml.NVMLError_NotSupported):  # GPU and CPU may share their memory
        # Version 2 counts what the driver keeps for itself apart from what is used.
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
        total_bytes, used_bytes = memory.total, memory.used
    with suppress(pynvml.NVMLError_NotSupported):  # the GPU may be cut into slices (MIG)
        utilisation = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
    uuid, name = pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle)
    return Gpu(index, uuid, name, total_bytes, used_bytes, utilisation, driver)


def _process_name(pid: int) -> str:
    """Return a process's name; empty if it has ended, or is not in this container."""
    try:
        name: str = pynvml.nvmlSystemGetProcessName(pid)
    except (pynvml.NVMLError_NotFound, pynvml.NVMLError_NoPermission):
        return ""
    return name
