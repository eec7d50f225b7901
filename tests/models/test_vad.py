"""Silero VAD with its real weights: batched against one by one, and against Silero's own code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.devices.device import DeviceRequest
from models.errors import InvalidRequest
from models.runtime import ItemError, RuntimeSettings
from models.types import SAMPLE_RATE_HZ, Samples, VadItem, VadParameters, VadResult
from models.vad.silero import FRAME_SAMPLES, Options, SileroVad, spans
from models.weights import source
from tests.support.speech import Clip, clips

WEIGHTS = "package:silero_vad"
CLIPS = clips()

# Equal to the bit on x86 with AVX2; elsewhere the matrix kernels, and so the order of sums, may
# follow the size of the batch. A hundred times float32's epsilon: the recurrent state carries the
# difference on.
PROBABILITY_TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def vad() -> Iterator[SileroVad]:
    runtime = SileroVad(RuntimeSettings("vad", WEIGHTS, DeviceRequest("cpu")), Options())
    runtime.load()
    yield runtime
    runtime.close()


def answers(vad: SileroVad, batch: list[VadItem]) -> list[VadResult]:
    results = vad.run(batch)
    assert all(isinstance(result, VadResult) for result in results)
    return [result for result in results if isinstance(result, VadResult)]


def probabilities(vad: SileroVad, samples: Samples) -> NDArray[np.float32]:
    return answers(vad, [VadItem(samples)])[0].probabilities


def error(result: VadResult | ItemError) -> InvalidRequest:
    assert isinstance(result, ItemError)
    assert isinstance(result.error, InvalidRequest)
    return result.error


def silero(
    frames: NDArray[np.float32], parameters: VadParameters, n_samples: int
) -> list[tuple[float, float]]:
    """The spans that Silero's own code finds in the same probabilities, in seconds."""
    from silero_vad import get_speech_timestamps_from_probs

    found = get_speech_timestamps_from_probs(
        frames.tolist(),
        threshold=parameters.threshold,
        min_speech_duration_ms=parameters.min_speech_s * 1000,
        max_speech_duration_s=parameters.max_speech_s,
        min_silence_duration_ms=parameters.min_silence_s * 1000,
        speech_pad_ms=parameters.padding_s * 1000,
        audio_length_samples=n_samples,
    )
    return [(span["start"] / SAMPLE_RATE_HZ, span["end"] / SAMPLE_RATE_HZ) for span in found]


# ---- probabilities ---------------------------------------------------------------------


@pytest.mark.parametrize("one", CLIPS, ids=lambda one: one.name)
def test_probabilities_are_those_of_silero_itself(vad: SileroVad, one: Clip) -> None:
    import torch
    from silero_vad.utils_vad import OnnxWrapper

    samples = one.samples()
    path = source.resolve(WEIGHTS).file(Options().file)
    reference = OnnxWrapper(str(path), force_onnx_cpu=True)
    expected = reference.audio_forward(torch.from_numpy(samples / np.float32(32_768)), 16_000)

    np.testing.assert_allclose(
        probabilities(vad, samples), expected[0].numpy(), rtol=0, atol=PROBABILITY_TOLERANCE
    )


def test_a_batch_of_all_lengths_equals_one_by_one(vad: SileroVad) -> None:
    batch = [VadItem(one.samples()) for one in CLIPS]

    for item, result in zip(batch, answers(vad, batch), strict=True):
        alone = probabilities(vad, item.samples)
        np.testing.assert_allclose(result.probabilities, alone, rtol=0, atol=PROBABILITY_TOLERANCE)


def test_a_batch_finds_the_spans_of_one_by_one(vad: SileroVad) -> None:
    batch = [VadItem(one.samples()) for one in CLIPS]

    alone = [answers(vad, [item])[0].spans for item in batch]

    assert [result.spans for result in answers(vad, batch)] == alone


def test_int16_and_float32_are_one_signal(vad: SileroVad) -> None:
    samples = CLIPS[0].samples()
    as_float = samples.astype(np.float32) / np.float32(32_768)

    np.testing.assert_array_equal(probabilities(vad, samples), probabilities(vad, as_float))


# ---- streams ---------------------------------------------------------------------------


@pytest.mark.parametrize("piece_frames", [1, 3, 50], ids=lambda n: f"{n}-frames")
def test_a_stream_in_pieces_equals_the_whole(vad: SileroVad, piece_frames: int) -> None:
    samples = CLIPS[0].samples()
    found, state = [], None
    for first in range(0, len(samples), piece_frames * FRAME_SAMPLES):
        piece = samples[first : first + piece_frames * FRAME_SAMPLES]
        (result,) = answers(vad, [VadItem(piece, state=state)])
        found.append(result.probabilities)
        state = result.state

    np.testing.assert_array_equal(np.concatenate(found), probabilities(vad, samples))


def test_streams_of_one_batch_keep_their_own_states(vad: SileroVad) -> None:
    signals = [one.samples()[: 40 * FRAME_SAMPLES] for one in CLIPS[:4]]
    cuts = [(10 + 7 * row) * FRAME_SAMPLES for row in range(len(signals))]
    heads = [s[:cut] for s, cut in zip(signals, cuts, strict=True)]
    tails = [s[cut:] for s, cut in zip(signals, cuts, strict=True)]

    before = answers(vad, [VadItem(head) for head in heads])
    states = [result.state for result in before]
    after = answers(vad, [VadItem(t, state=s) for t, s in zip(tails, states, strict=True)])

    for first, second, samples in zip(before, after, signals, strict=True):
        joined = np.concatenate((first.probabilities, second.probabilities))
        whole = probabilities(vad, samples)
        np.testing.assert_allclose(joined, whole, rtol=0, atol=PROBABILITY_TOLERANCE)


def test_a_state_is_not_changed_by_going_on_from_it(vad: SileroVad) -> None:
    samples = CLIPS[0].samples()[: 20 * FRAME_SAMPLES]
    (first,) = answers(vad, [VadItem(samples)])
    kept = first.state.copy()

    vad.run([VadItem(samples, state=first.state)])

    np.testing.assert_array_equal(first.state, kept)


def test_runs_are_independent(vad: SileroVad) -> None:
    samples = CLIPS[0].samples()
    before = probabilities(vad, samples)

    probabilities(vad, CLIPS[1].samples())

    np.testing.assert_array_equal(probabilities(vad, samples), before)


def test_an_empty_piece_has_no_spans(vad: SileroVad) -> None:
    (result,) = answers(vad, [VadItem(np.empty(0, np.int16))])

    assert (result.spans, len(result.probabilities)) == ((), 0)


def test_an_empty_piece_hands_its_state_on(vad: SileroVad) -> None:
    (first,) = answers(vad, [VadItem(CLIPS[0].samples()[: 20 * FRAME_SAMPLES])])

    (second,) = answers(vad, [VadItem(np.empty(0, np.int16), state=first.state)])

    np.testing.assert_array_equal(second.state, first.state)


def test_silence_has_no_spans(vad: SileroVad) -> None:
    (result,) = answers(vad, [VadItem(np.zeros(2 * SAMPLE_RATE_HZ, np.int16))])

    assert result.spans == ()


# ---- bad items -------------------------------------------------------------------------

BAD = {
    "parameters": (VadItem(np.zeros(512, np.int16), VadParameters(threshold=1.5)), "threshold"),
    "foreign-state": (VadItem(np.zeros(512, np.int16), state=np.zeros(7, np.float32)), "state"),
    "ended-state": (VadItem(np.zeros(512, np.int16), state=np.empty(0, np.float32)), "state"),
    "not-a-number": (VadItem(np.full(512, np.nan, np.float32)), "file"),
}


@pytest.mark.parametrize(("item", "param"), BAD.values(), ids=BAD)
def test_a_bad_item_names_its_field(vad: SileroVad, item: VadItem, param: str) -> None:
    (result,) = vad.run([item])

    assert error(result).param == param


def test_a_bad_item_does_not_harm_its_neighbours(vad: SileroVad) -> None:
    good = VadItem(CLIPS[0].samples())

    first, _, last = vad.run([good, BAD["not-a-number"][0], good])

    assert isinstance(first, VadResult)
    assert isinstance(last, VadResult)
    np.testing.assert_array_equal(first.probabilities, last.probabilities)


def test_a_piece_that_fills_no_frame_ends_its_stream(vad: SileroVad) -> None:
    (first,) = answers(vad, [VadItem(np.zeros(700, np.int16))])

    (second,) = vad.run([VadItem(np.zeros(512, np.int16), state=first.state)])

    assert "ended" in error(second).message


# ---- spans against Silero's own code ---------------------------------------------------

ON_CLIPS = {
    "default": VadParameters(),
    "transcription": VadParameters(min_silence_s=0.5, padding_s=0.2),
    "short": VadParameters(max_speech_s=1.5),
    "eager": VadParameters(threshold=0.2, min_speech_s=0.0, min_silence_s=0.0, padding_s=0.0),
}


@pytest.mark.parametrize("parameters", ON_CLIPS.values(), ids=ON_CLIPS)
def test_spans_of_every_clip_are_those_of_silero(vad: SileroVad, parameters: VadParameters) -> None:
    batch = [VadItem(one.samples(), parameters) for one in CLIPS]

    for item, result in zip(batch, answers(vad, batch), strict=True):
        expected = silero(result.probabilities, parameters, len(item.samples))
        assert [(span.start_s, span.end_s) for span in result.spans] == expected


# Probabilities come in runs, as speech does; the thresholds themselves are among them.
RUNS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.34, 0.35, 0.4, 0.5, 0.51, 1.0]), st.integers(1, 20)),
    max_size=30,
)
PARAMETERS = st.builds(
    VadParameters,
    threshold=st.sampled_from([0.1, 0.5, 0.51]),
    min_speech_s=st.sampled_from([0.0, 0.064, 0.25]),
    min_silence_s=st.sampled_from([0.0, 0.032, 0.1, 0.5]),
    padding_s=st.sampled_from([0.0, 0.03, 0.125, 0.4]),
    max_speech_s=st.sampled_from([1.0, 2.5, float("inf")]),
)


@settings(max_examples=400)
@given(runs=RUNS, parameters=PARAMETERS, cut=st.integers(0, FRAME_SAMPLES - 1))
def test_spans_of_any_probabilities_are_those_of_silero(
    runs: list[tuple[float, int]], parameters: VadParameters, cut: int
) -> None:
    values = [value for value, count in runs for _ in range(count)]
    n_samples = max(0, len(values) * FRAME_SAMPLES - cut)
    frames = np.array(values, np.float32)

    found = spans(frames, parameters, n_samples / SAMPLE_RATE_HZ)

    assert [(span.start_s, span.end_s) for span in found] == silero(frames, parameters, n_samples)
