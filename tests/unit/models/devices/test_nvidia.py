"""The driver is asked for GPUs, their processes, and which of them a process sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.devices import nvidia
from models.devices.nvidia import Gpu, GpuProcess
from tests.support import nvidia_driver
from tests.support.nvidia_driver import DRIVER, MIB, NO_DRIVER, UUIDS, FakeGpu, FakeProcess, gpu

TWO = [Gpu(i, UUIDS[i], "NVIDIA L4", 24 << 30, 0, 0, "550.54") for i in range(2)]


def test_a_gpu_is_read_with_its_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_driver.install(monkeypatch, gpus=[gpu(0, used_mib=500)])
    (found,) = nvidia.gpus()
    assert found == Gpu(0, UUIDS[0], "NVIDIA L4", 24 << 30, 500 * MIB, 7, DRIVER)
    assert found.free_bytes == 24_076 * MIB


def test_figures_and_names_that_the_driver_has_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without = FakeGpu(UUIDS[0], total_bytes=None, used_bytes=None, utilisation_percent=None)
    unnamed = FakeProcess(0, 12, None, name=None)
    nvidia_driver.install(monkeypatch, gpus=[without], processes=[unnamed])
    assert nvidia.processes() == [GpuProcess(UUIDS[0], 12, None, "")]
    (found,) = nvidia.gpus()
    assert (found.total_bytes, found.used_bytes, found.utilisation_percent) == (0, 0, None)


CUDAS = {"12.4": (12_040, "12.4"), "13.1": (13_010, "13.1"), "no libcuda": (None, None)}


@pytest.mark.parametrize(("cuda", "told"), CUDAS.values(), ids=CUDAS)
def test_the_drivers_cuda(
    monkeypatch: pytest.MonkeyPatch, cuda: int | None, told: str | None
) -> None:
    nvidia_driver.install(monkeypatch, cuda=cuda)
    assert nvidia.driver_cuda() == told


def test_a_machine_without_a_driver_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_driver.remove(monkeypatch, tmp_path)
    assert nvidia.why_no_gpu() == NO_DRIVER


@pytest.mark.parametrize("broken", ["nvmlInit", "nvmlDeviceGetName"])
def test_a_driver_that_does_not_work_says_what_it_says(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[gpu(0)], fails=broken)
    with pytest.raises(OSError, match="the NVIDIA driver does not work: Unknown Error"):
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
    "hidden": ([gpu(0)], "", "CUDA_VISIBLE_DEVICES='' hides every GPU from this process"),
    "none listed": ([], None, "the NVIDIA driver lists no GPU"),
    "there": ([gpu(0)], None, None),
    "a slice": ([gpu(0)], "MIG-1234", None),
}


@pytest.mark.parametrize(("rows", "value", "why"), HIDDEN.values(), ids=HIDDEN)
def test_why_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rows: list[FakeGpu],
    value: str | None,
    why: str | None,
) -> None:
    nvidia_driver.install(monkeypatch, gpus=rows)
    if value is not None:
        monkeypatch.setenv(nvidia.VISIBLE, value)
    assert nvidia.why_no_gpu() == why


def test_the_memory_of_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    used = [FakeProcess(0, os.getpid(), 300), FakeProcess(0, 1, 900)]
    nvidia_driver.install(monkeypatch, gpus=[gpu(0)], processes=used)
    assert nvidia.own_bytes() == 300 * MIB


def test_a_process_that_the_driver_does_not_name_has_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[gpu(0)], processes=[FakeProcess(0, 1, 900)])
    assert nvidia.own_bytes() is None


def test_gpus_are_counted_as_the_environment_shows_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[gpu(0), gpu(1)])
    assert nvidia.count({nvidia.VISIBLE: "1"}) == 1


def test_slices_of_a_gpu_cannot_be_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvidia_driver.install(monkeypatch, gpus=[gpu(0)])
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
def test_without_the_library_a_loaded_driver_leaves_the_count_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_driver: bool, counted: int | None
) -> None:
    nvidia_driver.remove(monkeypatch, tmp_path)
    if has_driver:
        nvidia.DRIVER_DEVICE.touch()
    assert nvidia.count({}) == counted
