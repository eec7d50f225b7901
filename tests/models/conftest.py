"""What the tests of one engine must not leave to those of another."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def no_lazy_modules() -> Iterator[None]:
    """SpeechBrain leaves modules behind that import others as soon as somebody looks at them.

    Hypothesis looks at every module there is, and a property test of another engine then ends
    with a warning, or for want of a package that nobody installed.
    """
    yield
    importutils = sys.modules.get("speechbrain.utils.importutils")
    if importutils is None:
        return
    for name, module in list(sys.modules.items()):
        if isinstance(module, importutils.LazyModule):
            del sys.modules[name]
