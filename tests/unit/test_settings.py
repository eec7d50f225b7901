"""The environment of the fast data path: what is missing is named."""

from __future__ import annotations

from deployments.settings import SETTINGS, missing_settings


def test_nothing_is_missing_where_the_launcher_set_it() -> None:
    assert missing_settings(SETTINGS) == []


def test_a_bare_start_is_told_what_it_lacks() -> None:
    missing = missing_settings({"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"})
    assert missing == ["RAY_SERVE_ENABLE_HA_PROXY=1"]
