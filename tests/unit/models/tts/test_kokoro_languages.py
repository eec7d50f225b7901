"""Which language a voice of Kokoro speaks, and what is missing for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from models.errors import WeightsError
from models.tts.kokoro import Options
from models.tts.kokoro_files import read_vocab, styles_of
from models.tts.kokoro_languages import LANGUAGES, MisakiPhonemizer, voice_name
from models.weights.source import resolve


@pytest.mark.parametrize(
    ("name", "style", "dialect", "language"),
    [
        pytest.param("af_heart", "af_heart", "en-us", "en", id="american"),
        pytest.param("bm_lewis", "bm_lewis", "en-gb", "en", id="british"),
        pytest.param("ef_dora", "ef_dora", "es", "es", id="spanish"),
        pytest.param("ff_siwis", "ff_siwis", "fr-fr", "fr", id="french"),
        pytest.param("hm_omega", "hm_omega", "hi", "hi", id="hindi"),
        pytest.param("if_sara", "if_sara", "it", "it", id="italian"),
        pytest.param("jm_kumo", "jm_kumo", "ja", "ja", id="japanese"),
        pytest.param("pf_dora", "pf_dora", "pt-br", "pt", id="portuguese"),
        pytest.param("zf_xiaobei", "zf_xiaobei", "zh", "zh", id="chinese"),
        pytest.param("jm_kumo/es", "jm_kumo", "es", "es", id="another"),
        pytest.param("mine/fr-fr", "mine", "fr-fr", "fr", id="a name of one's own"),
    ],
)
def test_a_voice_speaks_the_language_of_its_name(
    name: str, style: str, dialect: str, language: str
) -> None:
    voice = voice_name(name)

    assert (voice.id, voice.style, voice.dialect, voice.language) == (
        *(name, style),
        *(dialect, language),
    )


@pytest.mark.parametrize("name", ["heart", "xf_heart", "af-heart", "jm_kumo/de", "jm_kumo/", ""])
def test_a_name_without_a_language_stops_the_start(name: str) -> None:
    with pytest.raises(ValueError, match="tells no language"):
        Options(voices=(name,), language=None)


def test_without_voices_nothing_starts() -> None:
    with pytest.raises(ValueError, match="name at least one"):
        Options(voices=(), language=None)


def test_with_a_language_every_name_speaks_it() -> None:
    (voice,) = Options(voices=("jm_kumo",)).names
    assert (voice.id, voice.language) == ("jm_kumo", "pt")


@pytest.mark.parametrize("dialect", LANGUAGES.values())
def test_without_misaki_the_extra_is_named(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("misaki", "misaki.espeak", "misaki.cutlet", "misaki.zh"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(WeightsError, match=r"pip install dragoman\[kokoro-languages\]"):
        MisakiPhonemizer(dialect)


def test_each_voice_may_have_a_file(tmp_path: Path) -> None:
    style = np.random.default_rng(0).normal(size=(510, 256)).astype(np.float32)
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "af_heart.bin").write_bytes(style.tobytes())

    found = styles_of(resolve(f"path:{tmp_path}"), "voices/{voice}.bin", ["af_heart"])

    np.testing.assert_array_equal(found["af_heart"], style)


@pytest.mark.parametrize("size_bytes", [3, 400], ids=["no float32", "too short"])
def test_a_file_that_is_no_voice_stops_the_start(tmp_path: Path, size_bytes: int) -> None:
    (tmp_path / "af_heart.bin").write_bytes(bytes(size_bytes))

    with pytest.raises(WeightsError, match=r"af_heart\.bin"):
        styles_of(resolve(f"path:{tmp_path}"), "{voice}.bin", ["af_heart"])


def test_the_tokens_of_a_tokenizer_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": {"vocab": {"$": 0, "ɡ": 92}}}))
    assert read_vocab(path) == {"$": 0, "ɡ": 92}
