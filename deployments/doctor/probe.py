"""Find out what this machine computes with: driver, GPUs, libraries, environment.

``python -m deployments.doctor.probe`` prints it as JSON. ``look`` runs such a process, because the
library path must be set before it starts, and because the ingress may not see a GPU.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter

from deployments.config.environment import LIBRARY_PATH, machine_environment, with_libraries
from deployments.telemetry.log import logger
from models.devices import nvidia
from models.devices.device import begin_cuda
from models.devices.nvidia import VISIBLE, Gpu, GpuProcess
from models.devices.threads import usable_cores
from models.tts.piper.engine import USE_GPU

T = TypeVar("T")
# CTranslate2 4 loads these by name at its first operation on CUDA 12 (its installation guide).
CUDA_LIBRARIES = ("libcublas.so.12", "libcudnn.so.9")
ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu")  # two packages that write one folder
CUDNNS = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")  # and so do these
FACTS_S = 60.0  # for a look at the machine, which loads three libraries
TOLD_VARIABLES = (VISIBLE, "NVIDIA_VISIBLE_DEVICES", USE_GPU, LIBRARY_PATH)


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
    """Facts of a machine; ``driver_error`` and ``errors`` say why something is not known."""

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
    cudnn_packages: tuple[str, ...] = ()  # of CUDNNS, those that are installed
    environment: Mapping[str, str] = field(default_factory=dict)  # of TOLD_VARIABLES, those set
    cores: int | None = None  # that a process may run on; None: not looked at

    @property
    def visible_gpus(self) -> list[Gpu]:
        return nvidia.visible(self.gpus, self.environment)

    @property
    def gpu_count(self) -> int | None:
        """Count the GPUs that a process sees here; None: slices (MIG), which cannot be counted."""
        return None if nvidia.names_slice(self.environment) else len(self.visible_gpus)

    def without_names(self) -> Machine:
        """Leave out the names and numbers of the processes on the GPUs."""
        hidden = tuple(GpuProcess(p.gpu_uuid, 0, p.used_bytes, "") for p in self.processes)
        return replace(self, processes=hidden)


def look(environment: Mapping[str, str]) -> Machine:
    """Look at the machine from a new process, with the libraries and GPUs of a server's models.

    Raises:
        OSError: it took too long, or ended with an error.
        ValueError: what it wrote cannot be read.
    """
    try:
        looked = subprocess.run(
            [sys.executable, "-m", "deployments.doctor.probe"],
            capture_output=True,
            env=with_libraries(machine_environment(environment)),
            timeout=FACTS_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"it took more than {FACTS_S:.0f} s") from error
    if looked.returncode:
        logger.error("looking at the machine failed: %s", looked.stderr.decode(errors="replace"))
        raise OSError(f"its process ended with {looked.returncode}; the log says why")
    return from_json(looked.stdout)


def gather(environment: Mapping[str, str]) -> Machine:
    """Ask everything once; load torch, ONNX Runtime and CTranslate2 into this process."""
    driver_errors: list[str] = []
    gpus = tuple(_asked(nvidia.gpus, driver_errors) or ())
    processes = tuple((_asked(nvidia.processes, driver_errors) if gpus else None) or ())
    driver_cuda = _asked(nvidia.driver_cuda, driver_errors) if gpus else None
    errors: dict[str, str] = {}
    return Machine(
        hostname=socket.gethostname(),
        gpus=gpus,
        processes=processes,
        driver_cuda=driver_cuda,
        driver_error=driver_errors[0] if driver_errors else None,
        # Before torch, which would bring CUDA libraries of its own into this process.
        libraries={name: _why_not_loaded(name) for name in CUDA_LIBRARIES} if gpus else {},
        ctranslate2=_attempt("ctranslate2", _ctranslate2, errors),
        onnxruntime=_attempt("onnxruntime", _onnxruntime, errors),
        torch=_attempt("torch", _torch, errors),
        errors=errors,
        cudnn_packages=tuple(name for name in CUDNNS if _is_installed(name)),
        environment={name: environment[name] for name in TOLD_VARIABLES if name in environment},
        cores=usable_cores(),
    )


def to_json(machine: Machine) -> str:
    """Write the facts as JSON."""
    return json.dumps(asdict(machine))


def from_json(text: str | bytes) -> Machine:
    """Read what ``to_json`` writes. Raises ValueError: the text is something else."""
    return TypeAdapter(Machine).validate_json(text)


def _asked(ask: Callable[[], T], errors: list[str]) -> T | None:
    """Ask the driver one question alone, so that one that fails does not hide the GPU."""
    try:
        return ask()
    except (OSError, ValueError) as error:
        errors.append(str(error))
        return None


def _attempt(name: str, ask: Callable[[], T], errors: dict[str, str]) -> T | None:
    try:
        return ask()
    except Exception as error:  # a broken library may raise anything
        errors[name] = f"{type(error).__name__}: {error}"
        return None


def _torch() -> Torch:
    import torch

    is_available, said = begin_cuda(torch)
    count = torch.cuda.device_count()
    return Torch(torch.__version__, torch.version.cuda, is_available, count, said)


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
