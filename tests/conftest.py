"""What every test is given: properties have time on any machine, collections have little to do."""

from __future__ import annotations

import gc
from collections.abc import Generator

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what lives until the end.

    Thousands of tests and their modules are made here. Every later collection would look at all of
    them, and some tests collect often.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
