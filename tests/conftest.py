"""What every test is given: properties have time on any machine, collections have little to do."""

from __future__ import annotations

import gc
from collections.abc import Generator

import hypothesis
import pytest

# `make test-unit` asks for the quick profile; `make fuzz` tries thousands of examples.
for name, examples in {"whole": 100, "quick": 25}.items():
    hypothesis.settings.register_profile(
        name,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
hypothesis.settings.load_profile("whole")


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
