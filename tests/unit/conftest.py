"""A test that starts a process says so: `make test-unit` leaves it out, and CI does not."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let no test without the mark `process` start one, in its fixtures or by what it calls."""
    if item.get_closest_marker("process"):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", NotMarked)
        return (yield)


class NotMarked(subprocess.Popen[Any]):
    """Stands for a process that is not started."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pytest.fail("this test starts a process: mark it with pytest.mark.process")
