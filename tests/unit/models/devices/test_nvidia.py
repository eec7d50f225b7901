"""What the driver says: GPUs, who uses them, and which of them a process sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.devices import nvidia
from models.devices.nvidia import MEBIBYTE, Gpu
from tests.support import nvidia_smi
from tests.support.nvidia_smi import UUIDS, gpu_row

TWO = [Gpu(i, UUIDS[i], "NVIDIA L4", 24 << 30, 0, 0, "550.54") for i in range(2)]


def test_a_gpu_is_read_with_its_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, gpus=[gpu_row(0, used_mib=500)])
    (gpu,) = nvidia.gpus()
    assert gpu == Gpu(0, UUIDS[0], "NVIDIA L4", 24 << 30, 500 * MEBIBYTE, 7, "550.54")
    assert gpu.free_bytes == 24_076 * MEBIBYTE


def test_figures_that_the_driver_has_not_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = "GPU-aaaa-1, 12, [N/A], python, of a comma"
    nvidia_smi.install(monkeypatch, tmp_path, processes=[row, "no such row"])
    assert nvidia.processes() == [nvidia.GpuProcess("GPU-aaaa-1", 12, None, "python, of a comma")]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(nvidia_smi.HEADER, id="of today"),
        pytest.param("| Driver Version: 590.1   CUDA UMD Version: 12.4 |", id="of newer drivers"),
    ],
)
def test_the_drivers_cuda(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, header: str) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, header=header)
    assert nvidia.driver_cuda() == "12.4"


def test_a_machine_without_a_driver_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_smi.remove(monkeypatch, tmp_path)
    assert nvidia.why_no_gpu() == "no NVIDIA driver: there is no nvidia-smi here"


def test_a_driver_that_does_not_work_says_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, gpus=["couldn't communicate"], exit_code=9)
    with pytest.raises(OSError, match="driver does not work: couldn't communicate"):
        nvidia.gpus()


VISIBLE = {
    "unset": (None, [0, 1]),
    "one": ("1", [1]),
    "turned": ("1,0", [1, 0]),
    "by uuid": ("GPU-bbbb", [1]),
    "ambiguous uuid": ("GPU-", []),
    "empty": ("", []),
    "minus one": ("-1", []),
    "up to the first that is none": ("0,7,1", [0]),
}


@pytest.mark.parametrize(("value", "indices"), VISIBLE.values(), ids=VISIBLE)
def test_visible_gpus(value: str | None, indices: list[int]) -> None:
    environment = {} if value is None else {nvidia.VISIBLE: value}
    assert [gpu.index for gpu in nvidia.visible(TWO, environment)] == indices


HIDDEN = {
    "hidden": ([gpu_row(0)], "", "CUDA_VISIBLE_DEVICES='' hides every GPU from this process"),
    "none listed": ([], None, "nvidia-smi lists no GPU"),
    "there": ([gpu_row(0)], None, None),
    "a slice": ([gpu_row(0)], "MIG-1234", None),
}


@pytest.mark.parametrize(("rows", "value", "why"), HIDDEN.values(), ids=HIDDEN)
def test_why_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rows: list[str],
    value: str | None,
    why: str | None,
) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, gpus=rows)
    if value is not None:
        monkeypatch.setenv(nvidia.VISIBLE, value)
    assert nvidia.why_no_gpu() == why


def test_the_memory_of_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [f"{UUIDS[0]}, {os.getpid()}, 300, python", f"{UUIDS[0]}, 1, 900, other"]
    nvidia_smi.install(monkeypatch, tmp_path, processes=rows)
    assert nvidia.own_bytes() == 300 * MEBIBYTE


def test_a_process_that_the_driver_does_not_name_has_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, processes=[f"{UUIDS[0]}, 1, 900, other"])
    assert nvidia.own_bytes() is None


def test_gpus_are_counted_as_the_environment_shows_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, gpus=[gpu_row(0), gpu_row(1)])
    assert nvidia.count({nvidia.VISIBLE: "1"}) == 1


def test_slices_of_a_gpu_cannot_be_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, gpus=[gpu_row(0)])
    assert nvidia.count({nvidia.VISIBLE: "MIG-1234"}) is None


DRIVERS = {
    "older major": ("13.0", "12.4", True),
    "older minor": ("12.6", "12.4", False),
    "newer": ("12.6", "13.0", False),
    "unknown": ("13.0", None, False),
}


@pytest.mark.parametrize(("built", "driver", "newer"), DRIVERS.values(), ids=DRIVERS)
def test_a_build_of_a_newer_major_cuda_needs_a_newer_driver(
    built: str, driver: str | None, newer: bool
) -> None:
    assert nvidia.needs_newer_driver(built, driver) == newer


@pytest.mark.parametrize(("has_driver", "counted"), [(False, 0), (True, None)], ids=["no", "yes"])
def test_without_nvidia_smi_a_loaded_driver_leaves_the_count_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_driver: bool, counted: int | None
) -> None:
    nvidia_smi.remove(monkeypatch, tmp_path)
    if has_driver:
        nvidia.DRIVER_DEVICE.touch()
    assert nvidia.count({}) == counted
