"""Whisper's rules without its weights: windows, fallback, segments, loudness, options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from models.asr.decoding import (
    Attempt,
    Query,
    Stretch,
    Thresholds,
    compression_ratio,
    decode,
    join_text,
    max_length,
    max_new_tokens,
    segments_of,
    smallest_window_s,
    window_capacities_s,
)
from models.asr.model import Search
from models.asr.options import Options
from models.audio.samples import loudness_dbfs, to_float32
from models.types import Samples, Segment

WINDOWS_S = (5.0, 10.0, 30.0)


def attempt(
    *,
    logprob: float = -0.2,
    repeats: float = 1.0,
    no_speech: float = 0.0,
    temperature: float = 0.0,
    tokens: tuple[int, ...] = (1,),
) -> Attempt:
    return Attempt(tokens, temperature, logprob, repeats, no_speech)


class Script:
    """A decoder that answers by (row, temperature), and remembers what it was asked."""

    def __init__(self, answers: dict[tuple[int, float], Attempt]) -> None:
        self.answers, self.calls = answers, list[tuple[list[int], float]]()

    def __call__(self, rows: list[int], temperature: float) -> list[Attempt]:
        self.calls.append((rows, temperature))
        return [self.answers.get((row, temperature), attempt()) for row in rows]


def queries(n: int, temperatures: tuple[float, ...] = (0.0, 0.2, 0.4)) -> list[Query]:
    return [Query((1, 2, 3), temperatures)] * n


# ---- windows ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length_s", "window_s"),
    [
        pytest.param(0.5, 5.0, id="short"),
        pytest.param(3.5, 5.0, id="fits-with-margin"),
        pytest.param(3.6, 10.0, id="fits-only-without-margin"),
        pytest.param(8.6, 30.0, id="skips-to-the-largest"),
        pytest.param(30.0, 30.0, id="largest-needs-no-margin"),
    ],
)
def test_window_holds_audio_and_margin(length_s: float, window_s: float) -> None:
    assert smallest_window_s(WINDOWS_S, 1.5, length_s) == window_s


@pytest.mark.parametrize("index", [0, 1, 2], ids=["5s", "10s", "30s"])
def test_capacity_is_the_longest_audio_of_its_window(index: int) -> None:
    capacity_s = window_capacities_s(WINDOWS_S, 1.5)[index]
    assert smallest_window_s(WINDOWS_S, 1.5, capacity_s) == WINDOWS_S[index]


@pytest.mark.parametrize(
    ("window_s", "prompt", "new_tokens"),
    [
        pytest.param(30.0, 3, 224, id="full-window-is-whispers-own-bound"),
        pytest.param(5.0, 3, 91, id="short-window"),
        pytest.param(5.0, 200, 91, id="short-window-long-prompt"),
        pytest.param(30.0, 227, 221, id="longest-prompt-fills-the-decoder"),
    ],
)
def test_max_length_leaves_room_for_new_tokens(
    window_s: float, prompt: int, new_tokens: int
) -> None:
    assert max_new_tokens(max_length(window_s, prompt), prompt) == new_tokens


# ---- fallback --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        pytest.param(attempt(), False, id="good"),
        pytest.param(attempt(repeats=2.5), True, id="repeats"),
        pytest.param(attempt(repeats=2.4), False, id="repeats-at-threshold"),
        pytest.param(attempt(logprob=-1.1), True, id="unlikely"),
        pytest.param(attempt(logprob=-1.1, no_speech=0.7), False, id="silence"),
        pytest.param(attempt(logprob=-1.1, repeats=3.0, no_speech=0.7), False, id="noise"),
        pytest.param(attempt(repeats=2.5, no_speech=0.7), True, id="likely-text-in-noise"),
    ],
)
def test_needs_fallback(tried: Attempt, expected: bool) -> None:
    assert Thresholds().needs_fallback(tried) is expected


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        pytest.param(attempt(no_speech=0.7, logprob=-1.1), True, id="unlikely-text"),
        pytest.param(attempt(no_speech=0.7, logprob=-0.5), False, id="likely-text"),
        pytest.param(attempt(no_speech=0.5, logprob=-1.1), False, id="speech"),
    ],
)
def test_is_silence(tried: Attempt, expected: bool) -> None:
    assert Thresholds().is_silence(tried) is expected


def test_only_failing_rows_are_decoded_again() -> None:
    script = Script({(1, 0.0): attempt(repeats=9.0), (1, 0.2): attempt(logprob=-2.0)})
    decode(queries(3), script, Thresholds())
    assert script.calls == [([0, 1, 2], 0.0), ([1], 0.2), ([1], 0.4)]


def test_the_first_attempt_that_passes_is_taken() -> None:
    good = attempt(logprob=-0.9, temperature=0.2)
    script = Script({(0, 0.0): attempt(repeats=9.0, logprob=-0.1), (0, 0.2): good})
    assert decode(queries(1), script, Thresholds()) == [good]


def test_when_all_fail_the_likeliest_without_repeats_is_taken_at_the_last_temperature() -> None:
    answers = {
        (0, 0.0): attempt(repeats=9.0, logprob=-0.1, tokens=(1,)),
        (0, 0.2): attempt(logprob=-1.2, tokens=(2,), temperature=0.2),
        (0, 0.4): attempt(logprob=-1.5, tokens=(3,), temperature=0.4),
    }
    (best,) = decode(queries(1), Script(answers), Thresholds())
    assert (best.tokens, best.temperature) == ((2,), 0.4)


def test_rows_with_prompts_of_different_length_are_decoded_apart() -> None:
    script = Script({})
    rows = [Query((1,), (0.0,)), Query((1, 2), (0.0,)), Query((3,), (0.0,))]
    decode(rows, script, Thresholds())
    assert script.calls == [([0, 2], 0.0), ([1], 0.0)]


def test_rows_with_and_without_timestamps_are_decoded_apart() -> None:
    """Of one length, too: the text before then makes up for the token that says so."""
    script = Script({})
    rows = [Query((1, 2), (0.0,)), Query((1, 2), (0.0,), timestamps=False), Query((3, 4), (0.0,))]
    decode(rows, script, Thresholds())
    assert script.calls == [([0, 2], 0.0), ([1], 0.0)]


def test_rows_of_another_beam_are_decoded_apart_and_forced_tokens_are_not() -> None:
    script = Script({})
    rows = [
        Query((1, 2), (0.0,)),
        Query((1, 2), (0.0,), beam_size=1),
        Query((1, 2), (0.0,), forced=(7, 8, 9)),
    ]
    decode(rows, script, Thresholds())
    assert script.calls == [([0, 2], 0.0), ([1], 0.0)]


def test_a_temperature_of_its_own_is_tried_alone() -> None:
    script = Script({(0, 0.7): attempt(repeats=9.0)})
    decode([Query((1,), (0.7,)), Query((1,), (0.0, 0.2))], script, Thresholds())
    assert script.calls == [([0], 0.7), ([1], 0.0)]


def test_attempts_come_back_in_the_order_of_rows() -> None:
    answers = {(row, 0.0): attempt(tokens=(row,)) for row in range(3)}
    rows = [Query((1,), (0.0,)), Query((1, 2), (0.0,)), Query((3,), (0.0,))]
    assert [a.tokens for a in decode(rows, Script(answers), Thresholds())] == [(0,), (1,), (2,)]


def test_repeated_text_compresses_past_the_threshold() -> None:
    assert compression_ratio("I am going to do it, " * 6) > Thresholds().compression_ratio


@pytest.mark.parametrize("temperature", [0.0, 0.4], ids=["beam", "sampling"])
def test_search_uses_beams_only_at_temperature_zero(temperature: float) -> None:
    arguments = Search(beam_size=5).arguments(temperature)
    assert arguments["beam_size"] == (5 if temperature == 0 else 1)


# ---- segments --------------------------------------------------------------------------


class Letters:
    """A tokenizer whose tokens are code points."""

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))


def said(start: float, end: float, text: str = " hi") -> dict[str, Any]:
    return {"start": start, "end": end, "tokens": [ord(c) for c in text]}


def cut(*raw: dict[str, Any], duration_s: float = 2.0, words: bool = False) -> list[Segment]:
    stretch = Stretch(list(raw), next_frame=200, complete=True)
    return segments_of(
        stretch, attempt(), Letters(), duration_s, language="en", word_timestamps=words
    )


@pytest.mark.parametrize(
    ("raw", "times"),
    [
        pytest.param(said(0.2, 1.5), [(0.2, 1.5)], id="inside"),
        pytest.param(said(0.2, 4.0), [(0.2, 2.0)], id="clipped-to-the-audio"),
        pytest.param(said(2.5, 4.0), [], id="in-the-padding"),
        pytest.param(said(1.0, 1.0), [], id="no-duration"),
        pytest.param(said(0.2, 1.5, "  "), [], id="no-text"),
    ],
)
def test_segment_times(raw: dict[str, Any], times: list[tuple[float, float]]) -> None:
    assert [(s.start_s, s.end_s) for s in cut(raw)] == times


def test_words_are_kept_inside_their_segment_and_in_order() -> None:
    words = [
        {"word": " a", "start": 0.1, "end": 0.9, "probability": 0.5},
        {"word": " b", "start": 0.8, "end": 2.9, "probability": 0.5},
    ]
    (segment,) = cut(said(0.2, 2.5) | {"words": words}, words=True)
    assert [(w.start_s, w.end_s) for w in segment.words or ()] == [(0.2, 0.9), (0.9, 2.0)]


@pytest.mark.parametrize(
    ("language", "text"),
    [pytest.param("en", "hi hi", id="spaced"), pytest.param("ja", "hihi", id="unspaced")],
)
def test_text_is_joined_as_its_language_writes(language: str, text: str) -> None:
    assert join_text(cut(said(0, 1), said(1, 2)), language) == text


# ---- audio -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "dbfs"),
    [
        pytest.param(np.zeros(0, np.int16), -np.inf, id="empty"),
        pytest.param(np.zeros(16_000, np.int16), -np.inf, id="digital-silence"),
        pytest.param(np.full(960, 16_384, np.int16), -6.02, id="half-scale"),
        pytest.param(np.full(960, 0.001, np.float32), -60.0, id="float32"),
    ],
)
def test_loudness(samples: Samples, dbfs: float) -> None:
    assert loudness_dbfs(samples) == pytest.approx(dbfs, abs=0.01)


def test_loudness_is_that_of_the_loudest_30_ms() -> None:
    samples = np.zeros(16_000, np.float32)
    samples[4_800:5_280] = 0.5
    assert loudness_dbfs(samples) == pytest.approx(-6.02, abs=0.01)


def test_int16_is_scaled_to_one() -> None:
    assert to_float32(np.array([-32_768, 16_384], np.int16)).tolist() == [-1.0, 0.5]


# ---- options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        pytest.param({"windows_s": []}, "windows_s", id="no-window"),
        pytest.param({"windows_s": [10, 5]}, "windows_s", id="not-ascending"),
        pytest.param({"windows_s": [5, 31]}, "windows_s", id="over-30-s"),
        pytest.param({"windows_s": [1, 30]}, "windows_s", id="under-the-margin"),
        pytest.param({"temperatures": []}, "temperatures", id="no-temperature"),
        pytest.param({"temperatures": [-0.1]}, "temperatures", id="negative-temperature"),
        pytest.param({"beam_size": 0}, "beam_size", id="no-beam"),
        pytest.param({"compute_type": "int4"}, "compute_type", id="unknown-precision"),
    ],
)
def test_bad_options_name_their_field(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        TypeAdapter(Options).validate_python(options)
