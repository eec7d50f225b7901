"""The quick suite starts no Python: a test that does is marked, or fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOTHING = [sys.executable, "-S", "-c", ""]


def test_a_test_without_the_mark_starts_no_python() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"pytest\.mark\.process"):
        subprocess.run(NOTHING, check=True)


@pytest.mark.process
def test_a_test_with_the_mark_does() -> None:
    assert subprocess.run(NOTHING, check=False).returncode == 0
