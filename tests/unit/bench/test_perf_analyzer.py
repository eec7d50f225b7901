"""The inputs of perf_analyzer, and that only pinned files are run."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from bench import perf_analyzer
from tests.support.speech import clips

ROOT = Path(__file__).parents[3]
CONTENT = b"what was pinned"
PIN = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two places that Debian's files come from, both empty."""
    places = (tmp_path / "mirror", tmp_path / "snapshot")
    for place in places:
        place.mkdir()
    monkeypatch.setattr(perf_analyzer, "DEBIAN", tuple(place.as_uri() for place in places))
    return places


@pytest.mark.parametrize("first", [None, b"another"], ids=["missing", "changed"])
def test_the_next_place_is_asked(mirrors: tuple[Path, Path], first: bytes | None) -> None:
    if first is not None:
        (mirrors[0] / "file").write_bytes(first)
    (mirrors[1] / "file").write_bytes(CONTENT)
    assert perf_analyzer.download("file", PIN) == CONTENT


def test_a_file_that_nobody_has_as_it_was_pinned_is_not_used(mirrors: tuple[Path, Path]) -> None:
    (mirrors[0] / "file").write_bytes(b"another")
    with pytest.raises(perf_analyzer.NotToBeHad, match=r"not the pinned file.*No such file"):
        perf_analyzer.download("file", PIN)


def test_every_shipped_model_has_inputs() -> None:
    config = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    shipped = set(config["applications"][0]["args"]["models"])
    assert shipped | {"speech_translation"} <= set(perf_analyzer.INPUTS)


def test_speech_is_sent_to_the_sample(tmp_path: Path) -> None:
    steps = json.loads(perf_analyzer.write_inputs("asr", tmp_path).read_text())["data"]
    sent = {base64.b64decode(s["AUDIO"]["b64"])[: s["AUDIO_LENGTH"][0] * 4] for s in steps}
    full_scale = np.float32(32_768)
    recorded = {(clip.samples() / full_scale).tobytes() for clip in clips()}
    assert sent <= recorded
    assert len(sent) == len(steps) > 1


def test_clips_of_one_file_can_share_a_request(tmp_path: Path) -> None:
    steps = json.loads(perf_analyzer.write_inputs("speaker", tmp_path).read_text())["data"]
    assert len({tuple(step["AUDIO"]["shape"]) for step in steps}) == 1
