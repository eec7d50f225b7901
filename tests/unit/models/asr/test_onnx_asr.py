"""Options of onnx-asr, and words and sentences of what its library says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.asr.onnx_asr.answers import segments_of
from models.asr.onnx_asr.options import Options
from models.types import AsrItem, SpeechSpan


def said(text: str, tokens: str = "", times: tuple[float, ...] | None = None) -> Any:
    """Answer as the library does; tokens stand between bars."""
    each = tokens.split("|") if tokens else None
    logprobs = [-0.5] * len(each) if each else None
    timed = list(times) if times else None
    return SimpleNamespace(text=text, tokens=each, timestamps=timed, logprobs=logprobs)


def item(length_s: float = 4.0, **given: Any) -> AsrItem:
    return AsrItem(np.zeros(int(16_000 * length_s), np.int16), word_timestamps=True, **given)


def test_tokens_become_words() -> None:
    answer = said("Hello, world.", " Hel|lo|,| wor|ld|.", (0.1, 0.2, 0.4, 1.0, 1.1, 1.3))

    (segment,) = segments_of(answer, item(), "en")

    words = [(w.text, round(w.start_s, 2), round(w.end_s, 2)) for w in segment.words or ()]
    assert words == [(" Hello,", 0.1, 0.8), (" world.", 1.0, 1.7)]
    assert segment.words is not None
    assert segment.words[0].probability == pytest.approx(np.exp(-0.5))


def test_a_space_of_its_own_is_no_word() -> None:
    answer = said("да нет", "д|а| |н|е|т", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5))

    (segment,) = segments_of(answer, item(), "ru")

    assert [w.text for w in segment.words or ()] == [" да", " нет"]


def test_each_sentence_is_a_segment() -> None:
    text = "I saw Mr. Smith. He left - at nine."
    tokens = "| ".join(text.split(" "))
    answer = said(text, tokens, tuple(0.3 * n for n in range(len(text.split(" ")))))

    segments = segments_of(answer, item(), "en")

    assert [s.text for s in segments] == ["I saw Mr. Smith.", "He left - at nine."]
    assert segments[1].start_s == pytest.approx(1.2)


def test_without_times_the_speech_is_one_segment() -> None:
    heard = item(speech=(SpeechSpan(0.5, 1.0), SpeechSpan(2.0, 3.5)))

    (segment,) = segments_of(said("One. Two."), heard, "en")

    assert (segment.start_s, segment.end_s, segment.words) == (0.5, 3.5, None)


def test_nothing_said_is_no_segment() -> None:
    assert segments_of(said(" "), item(), "en") == ()


def test_a_named_model_tells_its_languages() -> None:
    assert len(Options().spoken) == 25
    assert Options("nemo-parakeet-tdt-0.6b-v2").spoken == ("en",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"model": "parakeet"}, "model: one of", id="model"),
        pytest.param({"model": "kaldi-rnnt"}, "languages: kaldi-rnnt is a layout", id="languages"),
        pytest.param({"longest_s": 500}, "longest_s", id="length"),
        pytest.param({"quantization": "../int8"}, "quantization", id="quantization"),
    ],
)
def test_a_wrong_option_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Options(**given)
