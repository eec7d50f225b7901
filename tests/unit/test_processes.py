"""The quick suite starts no process: a test that does is marked, or fails."""

from __future__ import annotations

import subprocess

import pytest


def test_a_test_without_the_mark_starts_no_process() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"pytest\.mark\.process"):
        subprocess.run(["true"], check=True)


@pytest.mark.process
def test_a_test_with_the_mark_does() -> None:
    assert subprocess.run(["true"], check=False).returncode == 0
