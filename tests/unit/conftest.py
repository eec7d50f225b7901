"""A test that starts a Python says so: `make test-unit` leaves it out, and CI does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let no test without the mark `process` start one, in its fixtures or by what it calls."""
    if item.get_closest_marker("process"):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", OfNoPython)
        return (yield)


class OfNoPython(subprocess.Popen[Any]):
    """Start what is no Python: that takes a hundredth of the time."""

    def __init__(self, args: Any, *more: Any, **options: Any) -> None:
        if not isinstance(args, str) and sys.executable in args:
            pytest.fail("this test starts a Python: mark it with pytest.mark.process")
        super().__init__(args, *more, **options)
