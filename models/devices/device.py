"""Chooses where a model runs: what was asked (auto, cuda, cpu), what was got, and why."""

from __future__ import annotations

import os
import resource
import sys
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeAlias

from models.devices import nvidia
from models.errors import ConfigError, DeviceError

DeviceName: TypeAlias = Literal["auto", "cuda", "cpu"]
# Parts of errors, in lower case.
OUT_OF_MEMORY = (
    "out of memory",  # CUDA, as torch, ONNX Runtime and CTranslate2 report it
    "failed to allocate memory for requested buffer",  # ONNX Runtime's arena
    "is smaller than requested bytes",  # ONNX Runtime's limit
    "_status_alloc_failed",  # cuBLAS and cuDNN, in torch and CTranslate2
)
CUDA_PROVIDER = "CUDAExecutionProvider"
# The part of a model's share that must be free before it is loaded. Not all of it: a share is an
# upper bound, and the CUDA contexts of other models take memory beside their shares.
NEEDED_OF_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """The configuration's request for one replica of a model."""

    device: DeviceName = "auto"
    gpu_fraction: float = 0.0  # of one GPU; 0: never touches a GPU
    threads: int = 1  # CPU threads of one replica

    @property
    def may_use_gpu(self) -> bool:
        return self.device != "cpu" and self.gpu_fraction > 0


@dataclass(frozen=True, slots=True)
class Device:
    """The device that a model got. ``reason`` is set when it is not the preferred one."""

    actual: Literal["cuda", "cpu"]
    reason: str
    # Bound on the model's memory on the GPU; None: there is none.
    memory_limit_bytes: int | None = field(default=None, compare=False)
    # Of the whole GPU, before the model was loaded.
    used_before_bytes: int | None = field(default=None, compare=False)


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
    memory_bytes: int  # of this process: resident (CPU) or on the GPU (CUDA)
    load_s: float
    # The library's limit on its GPU memory. None: on a CPU, and with CTranslate2, which has no
    # limit; there the batch and its length bound it.
    memory_limit_bytes: int | None = None
    used_before_bytes: int | None = None  # of the whole GPU, before the model was loaded


def choose(request: DeviceRequest, *, cuda_available: bool, missing: str) -> Device:
    """Decide the device of a model.

    Args:
        request: what the configuration asks.
        cuda_available: whether this engine's library can run on CUDA here.
        missing: what is missing where it cannot.

    Raises:
        ConfigError: ``cuda`` was asked for by name, but no share of a GPU.
        DeviceError: ``cuda`` was asked for by name and cannot be had.
    """
    if request.device == "cpu":
        return Device("cpu", "asked for cpu")
    if request.gpu_fraction == 0 and request.device == "auto":
        return Device("cpu", "gpu_fraction is 0")
    if request.gpu_fraction == 0:
        raise ConfigError("gpu_fraction: device: cuda needs a share of a GPU, above 0")
    gpu = nvidia.first_visible() if cuda_available else None
    if gpu is not None and _is_short(gpu, request.gpu_fraction):
        cuda_available, missing = False, _shortage(gpu, request.gpu_fraction)
    if request.device == "cuda" and not cuda_available:
        raise DeviceError(f"device: cuda was asked for, but {missing}")
    if cuda_available:
        used = gpu.used_bytes if gpu else None
        return Device("cuda", f"asked for {request.device}", used_before_bytes=used)
    return Device("cpu", missing)


def _is_short(gpu: nvidia.Gpu, fraction: float) -> bool:
    """Tell whether the GPU lacks memory; never if the driver has no figure, as of shared memory."""
    return gpu.total_bytes > 0 and gpu.free_bytes < NEEDED_OF_SHARE * fraction * gpu.total_bytes


def _shortage(gpu: nvidia.Gpu, fraction: float) -> str:
    share, free = fraction * gpu.total_bytes / 1e9, gpu.free_bytes / 1e9
    return (
        f"{gpu.name} is short of memory: gpu_fraction {fraction:g} is {share:.1f} GB, "
        f"and {free:.1f} GB are free"
    )


def choose_torch(request: DeviceRequest) -> Device:
    """Choose for engines on PyTorch; bound the process's share of the GPU and its threads."""
    import torch

    torch.set_num_threads(request.threads)
    available, said = begin_cuda(torch) if request.may_use_gpu else (False, "")
    missing = "" if available or not request.may_use_gpu else _missing_in_torch(torch, said)
    device = choose(request, cuda_available=available, missing=missing)
    if device.actual == "cpu":
        return device
    torch.cuda.set_per_process_memory_fraction(request.gpu_fraction)
    return replace(device, memory_limit_bytes=_share_bytes(request))


def begin_cuda(torch: ModuleType) -> tuple[bool, str]:
    """Tell whether torch can run on CUDA here, and its warnings about it.

    torch warns only once, so this must be the first call in the process that asks.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        is_available = torch.cuda.is_available()
    return is_available, "; ".join(str(warning.message).split("\n")[0] for warning in said)


def _missing_in_torch(torch: ModuleType, said: str) -> str:
    hidden = nvidia.why_no_gpu()  # first: without a GPU, no other build would help
    if hidden is not None:
        return hidden
    built = torch.version.cuda
    if built is None:
        return f"torch {torch.__version__} is built without CUDA"
    try:
        driver = nvidia.driver_cuda()
    except OSError:  # a container may lack the driver's library
        driver = None
    if nvidia.needs_newer_driver(built, driver):
        return f"torch sees no GPU: its CUDA {built} is newer than the driver's {driver}"
    return f"torch sees no GPU: {said or 'it does not say why'}"


def free_torch_memory() -> None:
    """Give back the GPU memory that PyTorch keeps for later, if it has used any."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.cuda.empty_cache()


def choose_onnxruntime(
    request: DeviceRequest, *, sessions: int = 1
) -> tuple[Device, list[tuple[str, dict[str, int]]]]:
    """Choose for engines on ONNX Runtime: the device and the providers of a session.

    Each session has a memory limit of its own: an engine states how many ``sessions`` share the
    model's fraction. ONNX Runtime falls back to the CPU in silence when CUDA's libraries do not
    load, so an engine must check ``session.get_providers()`` with ``confirm_onnxruntime``.
    """
    import onnxruntime

    has_provider = CUDA_PROVIDER in onnxruntime.get_available_providers()
    hidden = nvidia.why_no_gpu() if request.may_use_gpu else None
    missing = hidden or f"onnxruntime has no {CUDA_PROVIDER} (run `make install-gpu`)"
    device = choose(request, cuda_available=has_provider and hidden is None, missing=missing)
    cpu: tuple[str, dict[str, int]] = ("CPUExecutionProvider", {})
    if device.actual == "cpu":
        return device, [cpu]
    onnxruntime.preload_dlls()  # CUDA's libraries from the packages nvidia-*, if installed
    share_bytes = _share_bytes(request)
    limit: dict[str, int] = {"gpu_mem_limit": share_bytes // max(1, sessions)}
    return replace(device, memory_limit_bytes=share_bytes), [(CUDA_PROVIDER, limit), cpu]


def confirm_onnxruntime(request: DeviceRequest, device: Device, providers: list[str]) -> Device:
    """Return the device that a session really got.

    Raises:
        DeviceError: ``cuda`` was asked for by name and the session fell back.
    """
    if device.actual == "cpu" or CUDA_PROVIDER in providers:
        return device
    missing = "onnxruntime could not load CUDA's libraries (see its warning above)"
    return choose(request, cuda_available=False, missing=missing)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a library found no memory on the GPU.

    Most raise RuntimeError, so the text decides.
    """
    said = str(error).lower()
    return any(text in said for text in OUT_OF_MEMORY)


def load_failure(error: Exception) -> Exception:
    """Return the error of a failed load or warm-up; a full GPU is a DeviceError."""
    if not is_out_of_memory(error):
        return error
    gpu = nvidia.first_visible()
    free = f"{gpu.free_bytes / 1e9:.1f} GB are free of {gpu.name}; " if gpu else ""
    return DeviceError(f"the GPU's memory is too short for the model: {free}{error}")


def _share_bytes(request: DeviceRequest) -> int:
    return int(request.gpu_fraction * gpu_total_memory_bytes())


def gpu_total_memory_bytes() -> int:
    """Return the total memory of the first visible GPU.

    torch is asked where the driver has no figure: where GPU and CPU share their memory, and where
    the driver's library is not there.
    """
    gpu = nvidia.first_visible()
    if gpu is not None and gpu.total_bytes > 0:
        return gpu.total_bytes
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory)


def report(
    request: DeviceRequest, device: Device, *, library: str, precision: str, load_s: float
) -> DeviceReport:
    """Return the report of a model that has just been loaded in this process."""
    gpu_name, memory_bytes = None, _resident_bytes()
    if device.actual == "cuda":
        gpu_name, memory_bytes = _on_gpu(device.used_before_bytes)
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
        memory_limit_bytes=device.memory_limit_bytes,
        used_before_bytes=device.used_before_bytes,
    )


def measured_again(made: DeviceReport) -> DeviceReport:
    """Return the report with this process's present memory: a warm-up takes more than the load."""
    if made.actual == "cpu":
        return replace(made, memory_bytes=_resident_bytes())
    return replace(made, memory_bytes=_on_gpu(made.used_before_bytes)[1])


def _on_gpu(used_before_bytes: int | None) -> tuple[str | None, int]:
    """Return the GPU's name and this process's memory on it.

    The driver lists memory by process, but not inside every container. There the memory taken since
    before the load counts, which includes a neighbour that loads at the same time. Without the
    driver's library it is what torch has reserved, if the model runs on torch.
    """
    gpu, own_bytes = nvidia.first_visible(), nvidia.own_bytes()
    if gpu is not None:
        taken = 0 if used_before_bytes is None else max(0, gpu.used_bytes - used_before_bytes)
        return gpu.name, taken if own_bytes is None else own_bytes
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None, own_bytes or 0
    return torch.cuda.get_device_name(0), int(torch.cuda.memory_reserved(0))


def _resident_bytes() -> int:
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the peak is the nearest figure
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
