"""A machine with GPUs, as its driver tells of them: an ``nvidia-smi`` first on the PATH."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.devices import nvidia

GIB = 1 << 30
UUIDS = ("GPU-aaaa-1", "GPU-bbbb-2")
HEADER = "| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: 12.4 |"


def gpu_row(index: int, *, used_mib: int = 1000, name: str = "NVIDIA L4") -> str:
    return f"{index}, {UUIDS[index]}, {name}, 24576, {used_mib}, 7, 550.54"


# A GPU that shares its memory with the CPU: the driver has no figure of it.
SHARED_MEMORY_ROW = f"0, {UUIDS[0]}, NVIDIA GB10, [N/A], [N/A], 7, 580.1"


def install(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    gpus: Sequence[str] = (),
    processes: Sequence[str] = (),
    header: str = HEADER,
    exit_code: int = 0,
    fails: str | None = None,
) -> None:
    """Put it on the PATH; a row is a line of its answer; ``fails``: the one argument it refuses."""

    def told(lines: Sequence[str]) -> str:
        return "\n".join(f'    echo "{line}"' for line in lines) or "    true"

    script = folder / nvidia.SMI
    script.write_text(
        '#!/bin/sh\ncase "$1" in\n'
        f"{'' if fails is None else f'  {fails or chr(34) * 2}) exit 9 ;;'}\n"
        f"  --query-gpu=*)\n{told(gpus)} ;;\n"
        f"  --query-compute-apps=*)\n{told(processes)} ;;\n"
        f"  *)\n{told([header])} ;;\nesac\nexit {exit_code}\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(nvidia.VISIBLE, raising=False)


def remove(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A machine without a driver, whatever this one has."""
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(nvidia, "DRIVER_DEVICE", folder / "nvidiactl")
    monkeypatch.delenv(nvidia.VISIBLE, raising=False)
