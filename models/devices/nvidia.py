"""What the NVIDIA driver says through ``nvidia-smi``: GPUs, their memory, and who uses it.

No CUDA context is made and no heavy library is loaded, so every engine and the diagnosis ask here.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SMI = "nvidia-smi"
SMI_TIMEOUT_S = 20.0  # a cold driver without its persistence daemon takes seconds
DRIVER_DEVICE = Path("/dev/nvidiactl")  # there once the driver is loaded
VISIBLE = "CUDA_VISIBLE_DEVICES"
MEBIBYTE = 1 << 20  # the unit of nvidia-smi's figures
DRIVER_CUDA = re.compile(r"CUDA (?:UMD )?Version:\s*(\d+\.\d+)")
GPU_FIELDS = "index,uuid,name,memory.total,memory.used,utilization.gpu,driver_version"
PROCESS_FIELDS = "gpu_uuid,pid,used_memory,process_name"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of this machine."""

    index: int
    uuid: str
    name: str
    total_bytes: int
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
    """Every GPU of this machine, whatever CUDA_VISIBLE_DEVICES says.

    Raises:
        OSError: nvidia-smi is not there, or cannot speak with the driver; the message says which.
    """
    rows = _rows("--query-gpu=" + GPU_FIELDS, fields=7)
    return [
        Gpu(
            index=int(index),
            uuid=uuid,
            name=name,
            total_bytes=(_number(total) or 0) * MEBIBYTE,
            used_bytes=(_number(used) or 0) * MEBIBYTE,
            utilisation_percent=_number(utilisation),
            driver=driver,
        )
        for index, uuid, name, total, used, utilisation, driver in rows
    ]


def processes() -> list[GpuProcess]:
    """The processes that compute on any GPU. Raises OSError as ``gpus`` does."""
    rows = _rows("--query-compute-apps=" + PROCESS_FIELDS, fields=4)
    return [
        GpuProcess(uuid, int(pid), None if (mib := _number(used)) is None else mib * MEBIBYTE, name)
        for uuid, pid, used, name in rows
    ]


def driver_cuda() -> str | None:
    """The newest CUDA that the driver runs, such as "12.4". Raises OSError as ``gpus`` does."""
    found = DRIVER_CUDA.search(_smi())
    return found[1] if found else None


def names_slice(environment: Mapping[str, str]) -> bool:
    """Whether an environment names a slice of a GPU (MIG), which is no row of nvidia-smi's."""
    return "MIG-" in environment.get(VISIBLE, "")


def needs_newer_driver(built: str, driver: str | None) -> bool:
    """Whether a build for that CUDA cannot run on a driver for that one; not, if it is not known.

    Within one major version of CUDA any driver will do (CUDA compatibility guide, "Minor Version
    Compatibility").
    """
    return driver is not None and int(built.split(".")[0]) > int(driver.split(".")[0])


def count(environment: Mapping[str, str]) -> int | None:
    """How many GPUs an environment sees; None: there may be some, but the driver does not say."""
    if names_slice(environment):
        return None
    try:
        return len(visible(gpus(), environment))
    except (OSError, ValueError):
        return None if DRIVER_DEVICE.exists() else 0


def visible(all_gpus: Sequence[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    """The GPUs that a process of this environment sees, in CUDA's order.

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
    """The GPU that this process computes on; None: there is none, or the driver does not say."""
    try:
        seen = visible(gpus(), os.environ)
    except (OSError, ValueError):
        return None
    return seen[0] if seen else None


def own_bytes() -> int | None:
    """GPU memory of this process; None where the driver does not name it, as in a container."""
    try:
        own = [p.used_bytes for p in processes() if p.pid == os.getpid()]
    except (OSError, ValueError):
        return None
    known = [used for used in own if used is not None]
    return sum(known) if known else None


def why_no_gpu() -> str | None:
    """What hides a GPU from this process, before any library is asked; None: nothing does."""
    if names_slice(os.environ):
        return None
    try:
        found = gpus()
    except (OSError, ValueError) as error:
        return None if DRIVER_DEVICE.exists() else str(error)  # a container may lack nvidia-smi
    if not found:
        return f"{SMI} lists no GPU"
    if not visible(found, os.environ):
        return f"{VISIBLE}={os.environ[VISIBLE]!r} hides every GPU from this process"
    return None


def _named(entry: str, all_gpus: Sequence[Gpu]) -> Gpu | None:
    """The GPU of an entry of CUDA_VISIBLE_DEVICES: an index, or the beginning of its UUID."""
    if entry.isdigit():
        return next((gpu for gpu in all_gpus if gpu.index == int(entry)), None)
    matching = [gpu for gpu in all_gpus if entry and gpu.uuid.startswith(entry)]
    return matching[0] if len(matching) == 1 else None


def _rows(query: str, *, fields: int) -> list[list[str]]:
    lines = _smi(query, "--format=csv,noheader,nounits").splitlines()
    rows = [[cell.strip() for cell in line.split(",", fields - 1)] for line in lines]
    return [row for row in rows if len(row) == fields]


def _number(cell: str) -> int | None:
    """An integer, or None for what the driver writes where it has none, such as "[N/A]"."""
    return int(cell) if cell.isdigit() else None


def _smi(*arguments: str) -> str:
    try:
        done = subprocess.run(
            [SMI, *arguments], capture_output=True, text=True, timeout=SMI_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise OSError(f"no NVIDIA driver: there is no {SMI} here") from error
    except subprocess.TimeoutExpired as error:
        raise OSError(f"the NVIDIA driver does not answer: {SMI} hung") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise OSError(f"the NVIDIA driver does not work: {said[0] if said else SMI + ' failed'}")
    return done.stdout
