"""What the TTS engines share, and Kokoro's rules: no weights."""

from __future__ import annotations

import hashlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import (
    DragomanError,
    InvalidRequest,
    TooLarge,
    UnknownVoice,
    WeightsError,
)
from models.tts import kokoro, kokoro_files
from models.tts.phonemes import MAX_PIECES, Phonemizer, clean, is_speakable, pieces
from models.tts.speech import checked_text, speech
from models.types import TtsItem
from models.weights.source import resolve

# ---- what both engines ask of an item ----------------------------------------------------


@pytest.mark.parametrize(
    ("item", "error", "param"),
    [
        pytest.param(TtsItem("Hello.", "bob"), UnknownVoice, "voice", id="unknown-voice"),
        pytest.param(TtsItem("Hello.", ""), UnknownVoice, "voice", id="no-voice"),
        pytest.param(TtsItem("Hello.", "ann", 0.24), InvalidRequest, "speed", id="too-slow"),
        pytest.param(TtsItem("Hello.", "ann", 4.01), InvalidRequest, "speed", id="too-fast"),
        pytest.param(TtsItem("Hello.", "ann", math.nan), InvalidRequest, "speed", id="speed-nan"),
        pytest.param(TtsItem("", "ann"), InvalidRequest, "text", id="empty"),
        pytest.param(TtsItem(" \n\x00", "ann"), InvalidRequest, "text", id="only-spaces"),
    ],
)
def test_a_bad_item_is_refused(item: TtsItem, error: type[DragomanError], param: str) -> None:
    with pytest.raises(error) as raised:
        checked_text(item, {"ann": "en", "eve": "pt"})
    assert raised.value.param == param


def test_an_unknown_voice_is_told_those_there_are() -> None:
    with pytest.raises(UnknownVoice, match="there are ann, eve"):
        checked_text(TtsItem("Hello.", "bob"), {"eve": "en", "ann": "en"})


@pytest.mark.parametrize("speed", [0.25, 4.0])
def test_the_ends_of_the_speed_range_are_good(speed: float) -> None:
    assert checked_text(TtsItem(" Hello. ", "ann", speed), {"ann": "en"}) == "Hello."


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        pytest.param("It costs **$5**.", "en", "It costs 5 dollars.", id="english"),
        pytest.param("Custa **R$ 5**.", "pt", "Custa 5 reais.", id="portuguese"),
        pytest.param("Das **ist** gut.", "de", "Das ist gut.", id="without-rules"),
        pytest.param("a\x00b", "en", "a b", id="control-characters"),
        pytest.param("<br/>", "en", "", id="nothing-but-markup"),
    ],
)
def test_the_text_is_as_the_voices_language_says_it(
    text: str, language: str, expected: str
) -> None:
    assert checked_text(TtsItem(text, "ann"), {"ann": language}) == expected


@pytest.mark.parametrize("count", [1, 30, 71])
@pytest.mark.parametrize(
    "separator", [pytest.param(" ", id="space"), pytest.param(", ", id="comma")]
)
def test_every_number_of_a_list_has_its_phonemes(count: int, separator: str) -> None:
    """espeak-ng itself drops all behind about the 25th, where no punctuation stands between."""
    phonemes = Phonemizer("en-us")(separator.join(["987654"] * count))
    assert "".join(phonemes).count("nˈaɪnhˈʌndɹɪd") == count


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        pytest.param("", [], id="none"),
        pytest.param(" one two ", [" one two "], id="within-the-limit"),
        pytest.param("one two three", ["one two", "three"], id="at-a-space"),
        pytest.param("one, two three four", ["one, two", "three four"], id="comma-too-early"),
        pytest.param("one two, three four", ["one two,", "three four"], id="behind-a-comma"),
        pytest.param("one, two three, f", ["one, two", "three, f"], id="comma-too-late"),
        pytest.param("one 1.2345 6789", ["one 1.2345", "6789"], id="a-point-without-a-space"),
        pytest.param("ああああ、あああああああ", ["ああああ、", "あああああああ"], id="unspaced"),
        pytest.param("あああ？！ああああああ", ["あああ？！", "ああああああ"], id="two-marks"),
        pytest.param("abcdefghijklmnopqrstuvw", ["abcdefgh", "ijklmnop", "qrstuvw"], id="hard"),
        pytest.param("a bcdefghijklmno", ["a", "bcdefgh", "ijklmno"], id="a-word-over-the-limit"),
        pytest.param("one two   three four", ["one two", "three four"], id="spaces-between"),
    ],
)
def test_pieces(text: str, cut: list[str]) -> None:
    assert ["".join(piece) for piece in pieces(text, limit=10)] == cut


@given(st.text("ab, .？", max_size=200), st.integers(10, 50))
def test_pieces_hold_every_phoneme_and_are_within_the_limit(text: str, limit: int) -> None:
    found = ["".join(piece) for piece in pieces(text, limit)]
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert all(0 < len(piece) <= limit for piece in found)


def test_a_text_of_so_many_pieces_is_good() -> None:
    assert len(pieces("a" * 10 * MAX_PIECES, limit=10)) == MAX_PIECES


def test_a_text_of_more_pieces_is_refused() -> None:
    with pytest.raises(TooLarge, match="201 phonemes is too long: 200"):
        pieces("a" * (10 * MAX_PIECES + 1), limit=10)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("a\x00b", "a b", id="null"),
        pytest.param("a\ud800b", "a b", id="lone-surrogate"),
        pytest.param("one\r\ntwo", "one  two", id="line-break"),
        pytest.param("É são 😀", "É são 😀", id="untouched"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "speakable"),
    [
        pytest.param("...", False, id="dots"),
        pytest.param("¿?", False, id="question-marks"),
        pytest.param("♪ ♪", False, id="music"),
        pytest.param("é", True, id="letter"),
        pytest.param("«7»", True, id="digit"),
        pytest.param("我们", True, id="han"),
    ],
)
def test_is_speakable(text: str, speakable: bool) -> None:
    assert is_speakable(text) == speakable


def test_samples_keep_their_level() -> None:
    samples = speech(
        [np.array([0.25, -0.5], np.float32)], 22_050, speed=1.0, gain=1.0
    ).audio.samples
    assert samples.tolist() == [8_192, -16_384]


def test_pieces_are_heard_one_after_another() -> None:
    quarter, half = np.full(2, 0.25, np.float32), np.full(1, 0.5, np.float32)
    samples = speech([quarter, half], 22_050, speed=1.0, gain=1.0).audio.samples
    assert samples.tolist() == [8_192, 8_192, 16_384]


def test_no_pieces_are_no_samples() -> None:
    assert len(speech([], 22_050, speed=2.0, gain=1.5).audio.samples) == 0


def test_a_gain_is_of_every_sample() -> None:
    samples = speech([np.array([0.25, -0.5], np.float32)], 22_050, speed=1.0, gain=0.5)
    assert samples.audio.samples.tolist() == [4_096, -8_192]


def test_without_piper_tts_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piper.phonemize_espeak", None)
    with pytest.raises(WeightsError, match=r"pip install dragoman\[piper\]"):
        Phonemizer("en-us")


# ---- Kokoro --------------------------------------------------------------------------------

VOCAB = ["t", "ʧ", "ɐ", "\u0303", "ç", "ɡ", "o"]


@pytest.mark.parametrize(
    ("phonemes", "known"),
    [
        pytest.param(["t", "ʃ"], ["ʧ"], id="two-letters-one-sound"),
        pytest.param(["ɐ", "\u0303"], ["ɐ", "\u0303"], id="a-mark-is-a-token"),
        pytest.param(["õ"], ["o", "\u0303"], id="composed-letter-that-is-none"),
        pytest.param(["c", "\u0327"], ["ç"], id="composed-letter-that-is-one"),
        pytest.param(["g"], ["ɡ"], id="the-ipa-g"),
        pytest.param(["t", "?", "t"], ["t", "t"], id="unknown-is-left-out"),
    ],
)
def test_known_phonemes(phonemes: list[str], known: list[str]) -> None:
    assert kokoro.known_phonemes(phonemes, VOCAB) == known


def test_trim_keeps_a_moment_on_either_side() -> None:
    before, after = 1_200, 2_400  # 50 ms and 100 ms at 24 kHz
    audio = np.zeros(30_000, np.float32)
    audio[10_000:10_100] = 0.5
    assert len(kokoro.trim(audio)) == before + 100 + after


def test_trim_takes_no_more_than_there_is() -> None:
    audio = np.full(10, 0.5, np.float32)
    assert len(kokoro.trim(audio)) == len(audio)


def test_styles_of_an_unknown_voice_stop_the_start(tmp_path: Path) -> None:
    np.savez(tmp_path / "voices.npz", ann=np.zeros((510, 1, 256), np.float32))
    with pytest.raises(WeightsError, match="no voice 'bob'; there are ann"):
        kokoro_files.read_styles(tmp_path / "voices.npz", ["bob"])


def test_a_vocabulary_of_another_form_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(WeightsError, match="not a vocabulary"):
        kokoro_files.read_vocab(tmp_path / "vocab.json")


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A model in two packages, ``part_b`` before ``part_a``; the pins of their files."""
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    pins = {}
    for name, content in (("part_b", b"first "), ("part_a", b"second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "part.bin").write_bytes(content)
        pins[f"{name}/part.bin"] = hashlib.sha256(content).hexdigest()
    return pins


def test_the_parts_of_a_model_are_joined_in_the_order_of_the_packages(
    parts: dict[str, str],
) -> None:
    source = resolve("package:part_b+part_a", parts)
    assert kokoro_files.model_path(source, "model.onnx").read_bytes() == b"first second"


@pytest.mark.parametrize("name", ["part_b/model.onnx", "model.onnx"])
def test_a_joined_model_that_differs_from_its_pin_stops_the_start(
    parts: dict[str, str], name: str
) -> None:
    wrong = "0" * 64
    source = resolve("package:part_b+part_a", parts | {name: wrong})
    with pytest.raises(WeightsError, match=f"but {wrong} is pinned"):
        kokoro_files.model_path(source, "model.onnx")


# ---- phonemes of the caller's own -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        pytest.param("Ask \ue000.", "ˈæsk niːv.", id="at-the-end"),
        pytest.param("\ue000, ask!", "niːv, ˈæsk!", id="first-before-a-comma"),
        pytest.param("\ue000's shop", "niːvz ʃˈɑːp", id="possessive"),
        pytest.param('Ask "\ue000" and \ue001', "ˈæsk niːv ænd ʃɪˈvɔːn", id="two-and-quotes"),
        pytest.param("\ue000", "niːv", id="alone"),
        pytest.param("\ue007 ask", " ˈæsk", id="one-that-stands-for-nothing"),
    ],
)
def test_phonemes_stand_where_their_characters_do(text: str, phonemes: str) -> None:
    pytest.importorskip("piper")
    assert "".join(Phonemizer("en-us")(text, ("niːv", "ʃɪˈvɔːn"))) == phonemes
