"""Cores and threads: what a container allows, and what a replica takes by default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deployments.config.schema import ModelConfig
from models.devices.threads import MOST_THREADS, default_threads, usable_cores

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("said", "cores"),
    [
        pytest.param("max 100000", ALLOWED, id="no-bound"),
        pytest.param("100000 100000", 1, id="one-core"),
        pytest.param("50000 100000", 1, id="half-a-core"),
        pytest.param("99900000 100000", ALLOWED, id="more-than-there-are"),
        pytest.param("nonsense", ALLOWED, id="not-understood"),
    ],
)
def test_a_container_bounds_the_cores(tmp_path: Path, said: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(said + "\n")
    assert usable_cores(tmp_path / "cpu.max") == cores


def test_without_a_container_it_is_what_the_process_may_use(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "missing") == ALLOWED


@pytest.mark.parametrize(
    ("replicas", "cores", "small", "threads"),
    [
        pytest.param(1, 2, False, 2, id="all-cores"),
        pytest.param(2, 4, False, 2, id="shared-by-replicas"),
        pytest.param(8, 4, False, 1, id="never-none"),
        pytest.param(1, 64, False, MOST_THREADS, id="bounded"),
        pytest.param(1, 64, True, 1, id="small"),
    ],
)
def test_threads_of_a_replica(replicas: int, cores: int, small: bool, threads: int) -> None:
    assert default_threads(replicas, cores, small=small) == threads


def test_configured_threads_are_taken() -> None:
    model = ModelConfig(engine="whisper", threads=7)
    assert model.settings("asr").device.threads == 7


def test_a_small_engine_has_one_thread() -> None:
    assert ModelConfig(engine="silero").settings("vad").device.threads == 1


def test_threads_left_out_are_those_of_this_machine() -> None:
    model = ModelConfig(engine="whisper")
    assert model.settings("asr").device.threads == default_threads(1, usable_cores(), small=False)
