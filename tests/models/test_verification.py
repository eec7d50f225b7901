"""Speakers verified by GE2E's real weights, whatever silence is around their speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.graph.voice_embeddings import HeardVoice
from deployments.http.v1.comparison import compare
from models.audio.samples import levelled
from models.devices.device import DeviceRequest
from models.runtime import RuntimeSettings
from models.speaker.ge2e import engine
from models.speaker.voice_clips import voice_in
from models.types import SAMPLE_RATE_HZ, Audio, SpeakerItem, VadItem, VadResult, Voiceprint
from models.vad.silero import Options, SileroVad
from tests.support.padding import NOISES, PLACES, padded
from tests.support.speech import clip, clips

CLIPS = clips()
# The share of pairs that may be misjudged: of those of one speaker, and of those of two.
MAX_ERROR = {1.0: 0.25, 2.0: 0.15, None: 0.12}
SILENT_CLIPS = ("en-conf-onlyperson", "es-conf-invalid", "it-queue-youarenext", "ru-vm-review")
SILENCES = [
    pytest.param(ratio, place, noise, id=f"{ratio:g} {place}, {noise}")
    for ratio, place, noise in product((0.5, 2.0, 8.0), PLACES, NOISES)
]
LEAST_COSINE = 0.95  # of a recording to itself with silence


class Listener:
    """The two models, put together as the server does."""

    def __init__(self) -> None:
        cpu = DeviceRequest("cpu")
        self._vad = SileroVad(RuntimeSettings("vad", "package:silero_vad", cpu), Options())
        self._speaker = engine.Ge2eSpeaker(
            RuntimeSettings("speaker", "package:resemblyzer", cpu), engine.Options()
        )
        self._vad.load()
        self._speaker.load()

    def hear(
        self, signals: Sequence[NDArray[np.int16]], at_most_s: float | None = None
    ) -> list[HeardVoice]:
        """The voice of each; ``at_most_s``: of its speech alone."""
        heard = self._vad.run([VadItem(levelled(samples)) for samples in signals])
        voices = [
            voice_in(Audio(samples), result)
            for samples, result in zip(signals, heard, strict=True)
            if isinstance(result, VadResult)
        ]
        size = None if at_most_s is None else round(at_most_s * SAMPLE_RATE_HZ)
        found = self._speaker.run([SpeakerItem(audio.samples[:size]) for audio, _ in voices])
        return [
            HeardVoice(result, speech_s if at_most_s is None else min(at_most_s, speech_s))
            for result, (_, speech_s) in zip(found, voices, strict=True)
            if isinstance(result, Voiceprint)
        ]

    def close(self) -> None:
        self._vad.close()
        self._speaker.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def voices(listener: Listener) -> list[HeardVoice]:
    return listener.hear([clip.samples() for clip in CLIPS])


def misjudged(voices: list[HeardVoice], *, of_one_speaker: bool) -> float:
    """Of the pairs of clips of one speaker, or else of two: the share that was misjudged."""
    found = []
    for (a, first), (b, second) in combinations(zip(CLIPS, voices, strict=True), 2):
        if (a.speaker == b.speaker) == of_one_speaker:
            (row,) = compare([first], [second], engine="ge2e")
            found.append(row.same_speaker != of_one_speaker)
    return float(np.mean(found))


@pytest.mark.parametrize("of_one_speaker", [True, False], ids=["one speaker", "two speakers"])
@pytest.mark.parametrize("at_most_s", MAX_ERROR, ids=["1 s", "2 s", "whole"])
def test_speakers_are_told_apart_by_any_length_of_speech(
    listener: Listener, at_most_s: float | None, of_one_speaker: bool
) -> None:
    voices = listener.hear([clip.samples() for clip in CLIPS], at_most_s)

    assert misjudged(voices, of_one_speaker=of_one_speaker) < MAX_ERROR[at_most_s]


@pytest.mark.parametrize(("ratio", "place", "noise"), SILENCES)
def test_silence_does_not_change_a_voice(
    listener: Listener, ratio: float, place: str, noise: str
) -> None:
    plain = [clip(stem).samples() for stem in SILENT_CLIPS]
    silent = [padded(samples, ratio, place, noise) for samples in plain]

    pairs = zip(listener.hear(plain), listener.hear(silent), strict=True)

    rows = [compare([one], [other], engine="ge2e")[0] for one, other in pairs]
    assert min(row.cosine for row in rows) >= LEAST_COSINE


def test_silence_is_not_counted_as_speech(listener: Listener) -> None:
    plain = clip(SILENT_CLIPS[0]).samples()

    (one, other) = listener.hear([plain, padded(plain, 8.0, "both", "low noise")])

    assert other.speech_s == pytest.approx(one.speech_s, abs=0.2)


def test_a_search_finds_another_clip_of_its_speaker(voices: list[HeardVoice]) -> None:
    found = 0
    for index, query in enumerate(CLIPS):
        others = [other for other in range(len(CLIPS)) if other != index]
        (nearest,) = compare([voices[index]], [voices[i] for i in others], engine="ge2e", top_k=1)
        found += CLIPS[others[nearest.compare_index]].speaker == query.speaker

    assert found >= 0.9 * len(CLIPS)
