"""The engines that the shipped configuration serves keep the contract, with their own weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.config.files import load
from models.contract.checks import check_engine
from models.registry import find_engine

ROOT = Path(__file__).parents[2]
MODELS = load(ROOT / "serve_config.yaml").applications[0].args.models


# Without tts-pt: Kokoro takes one text at a time, and each check would wait for it.
@pytest.mark.parametrize("name", ["vad", "asr", "nmt", "tts-en", "speaker"])
def test_a_shipped_engine_keeps_the_contract(name: str) -> None:
    model = MODELS[name]
    checks = check_engine(find_engine(model.engine), model.settings(name))
    assert [check for check in checks if check.status == "failed"] == []
