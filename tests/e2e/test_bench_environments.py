"""The environments of the peers that the overhead bench measures: real ones, made by pip."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.overhead import environments


def test_packages_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(environments.NotToBeHad, match="dragoman-has-no-such-peer"):
        environments.made("nobody", ["dragoman-has-no-such-peer==1.0"])


def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    python = environments.made("bare", ["pip"])  # which every environment has
    made_ns = python.lstat().st_mtime_ns
    assert environments.made("bare", ["pip"]) == python
    assert python.lstat().st_mtime_ns == made_ns
