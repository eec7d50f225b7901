"""What there is on this machine to compute with: driver, GPUs, libraries, environment.

``python -m deployments.facts`` prints it as JSON: the server asks a process of its own, because
its ingress is not allowed to see a GPU, and must not load these libraries.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter

from models import nvidia
from models.nvidia import VISIBLE, Gpu, GpuProcess

T = TypeVar("T")
# What CTranslate2 4 loads by name at its first operation on CUDA 12 (its installation guide).
CUDA_LIBRARIES = ("libcublas.so.12", "libcudnn.so.9")
ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu")  # two packages that write one folder
PIPER_USE_GPU = "PIPER_USE_GPU"
TOLD_VARIABLES = (VISIBLE, "NVIDIA_VISIBLE_DEVICES", PIPER_USE_GPU, "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Torch:
    version: str
    cuda: str | None  # that it was built for; None: built without
    is_available: bool
    device_count: int
    said: str = ""  # its warning, where CUDA could not be begun


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    version: str
    providers: tuple[str, ...]
    packages: tuple[str, ...]  # of ONNXRUNTIMES, those that are installed
    cuda: str | None = None  # that it was built for; None: built without


@dataclass(frozen=True, slots=True)
class CTranslate2:
    version: str
    device_count: int
    compute_types: tuple[str, ...]  # on the GPU, or on the CPU where there is none


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts, not judgements. ``driver_error`` and ``errors`` say why something is not known."""

    hostname: str
    gpus: tuple[Gpu, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    driver_cuda: str | None = None
    driver_error: str | None = None
    torch: Torch | None = None
    onnxruntime: OnnxRuntime | None = None
    ctranslate2: CTranslate2 | None = None
    errors: Mapping[str, str] = field(default_factory=dict)  # library -> why it cannot be loaded
    libraries: Mapping[str, str | None] = field(default_factory=dict)  # name -> why not; None: fine
    environment: Mapping[str, str] = field(default_factory=dict)  # of TOLD_VARIABLES, those set

    @property
    def visible_gpus(self) -> list[Gpu]:
        return nvidia.visible(self.gpus, self.environment)


def gather(environment: Mapping[str, str]) -> Machine:
    """Ask everything once; loads torch, ONNX Runtime and CTranslate2 into this process."""
    gpus: tuple[Gpu, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    driver_cuda, driver_error = None, None
    try:
        gpus, processes = tuple(nvidia.gpus()), tuple(nvidia.processes())
        driver_cuda = nvidia.driver_cuda()
    except (OSError, ValueError) as error:
        driver_error = str(error)
    errors: dict[str, str] = {}
    return Machine(
        hostname=socket.gethostname(),
        gpus=gpus,
        processes=processes,
        driver_cuda=driver_cuda,
        driver_error=driver_error,
        # Before torch, which would bring CUDA libraries of its own into this process.
        libraries={name: _why_not_loaded(name) for name in CUDA_LIBRARIES} if gpus else {},
        ctranslate2=_attempt("ctranslate2", _ctranslate2, errors),
        onnxruntime=_attempt("onnxruntime", _onnxruntime, errors),
        torch=_attempt("torch", _torch, errors),
        errors=errors,
        environment={name: environment[name] for name in TOLD_VARIABLES if name in environment},
    )


def to_json(machine: Machine) -> str:
    return json.dumps(asdict(machine))


def from_json(text: str | bytes) -> Machine:
    """Raises ValueError: it is not what ``to_json`` writes."""
    return TypeAdapter(Machine).validate_json(text)


def _attempt(name: str, ask: Callable[[], T], errors: dict[str, str]) -> T | None:
    try:
        return ask()
    except Exception as error:  # a broken library is what is looked for
        errors[name] = f"{type(error).__name__}: {error}"
        return None


def _torch() -> Torch:
    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        is_available = torch.cuda.is_available()
        count = torch.cuda.device_count()
    told = "; ".join(str(warning.message).split("\n")[0] for warning in said)
    return Torch(torch.__version__, torch.version.cuda, is_available, count, told)


def _onnxruntime() -> OnnxRuntime:
    import onnxruntime
    from onnxruntime.capi import build_and_package_info

    packages = tuple(name for name in ONNXRUNTIMES if _is_installed(name))
    providers = tuple(onnxruntime.get_available_providers())
    cuda = getattr(build_and_package_info, "cuda_version", None) or None
    return OnnxRuntime(onnxruntime.__version__, providers, packages, cuda)


def _ctranslate2() -> CTranslate2:
    import ctranslate2

    count = ctranslate2.get_cuda_device_count()
    types: Any = ctranslate2.get_supported_compute_types("cuda" if count else "cpu")
    return CTranslate2(ctranslate2.__version__, count, tuple(sorted(types)))


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _why_not_loaded(library: str) -> str | None:
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return None


def main() -> int:
    sys.stdout.write(to_json(gather(os.environ)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
