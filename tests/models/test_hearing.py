"""Recordings heard by the real models: once what is said once, whole over pauses, by language."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.graph.languages import cut_windows
from deployments.graph.listening import listen
from deployments.graph.plan import TranscribeOptions
from deployments.graph.transcripts import in_recording, joined, transcript_of
from models.asr.options import Options
from models.asr.repeats import is_said_twice
from models.asr.whisper import WhisperAsr
from models.devices.device import DeviceRequest
from models.runtime import ItemError, RuntimeSettings
from models.types import SAMPLE_RATE_HZ, AsrItem, Audio, Transcript, VadItem, VadResult
from models.vad.silero import Options as VadOptions
from models.vad.silero import SileroVad
from tests.models.test_asr import WEIGHTS
from tests.support.speech import SHORT_SPEECH, Clip, alike, clips

Sound = NDArray[np.int16]
SHORT = clips(folder=SHORT_SPEECH)


class Ear:
    """The two models, and what the server does with them, in this process."""

    def __init__(self, vad: SileroVad, asr: WhisperAsr) -> None:
        self._vad, self._asr = vad, asr
        self.alone = cache(self._alone)  # several tests compare with the same clip

    def _alone(self, clip: Clip) -> str:
        """Hear a clip as it was recorded, in its language."""
        return self.hear(clip.samples(), clip.language).text

    def hear(self, samples: Sound, language: str | None = None) -> Transcript:
        return asyncio.run(self._hear(Audio(samples), TranscribeOptions(language)))

    async def _hear(self, audio: Audio, options: TranscribeOptions) -> Transcript:
        audio, heard = await listen(audio, self._find, self._call)
        windows = await cut_windows(audio, heard.spans, options, self._recognise)
        parts = [
            in_recording(await transcript_of(audio, window, options, self._recognise), window)
            for window in windows
        ]
        return joined(parts, options.language)

    async def _find(self, item: VadItem) -> VadResult:
        (found,) = self._vad.run([item])
        assert not isinstance(found, ItemError)
        return found

    async def _recognise(self, item: AsrItem) -> Transcript:
        (found,) = self._asr.run([item])
        assert not isinstance(found, ItemError)
        return found

    async def _call(self, call: Callable[[], Any]) -> Any:
        return call()


@pytest.fixture(scope="module")
def ear() -> Iterator[Ear]:
    device = DeviceRequest("cpu", threads=1)
    vad = SileroVad(RuntimeSettings("vad", "package:silero_vad", device), VadOptions())
    asr = WhisperAsr(RuntimeSettings("asr", WEIGHTS, device), Options())
    vad.load()
    asr.load()
    yield Ear(vad, asr)
    asr.close()
    vad.close()


def pause(length_s: float) -> Sound:
    """A line's low noise."""
    noise = np.random.default_rng(0).normal(0, 3, round(length_s * SAMPLE_RATE_HZ))
    return noise.astype(np.int16)


def clipped(samples: Sound) -> Sound:
    return np.clip(samples.astype(np.int32) * 10, -32_768, 32_767).astype(np.int16)


def pitched(samples: Sound) -> Sound:
    at = np.arange(0, len(samples) - 1, 1.2)
    higher: Sound = np.interp(at, np.arange(len(samples)), samples).astype(np.int16)
    return higher


@pytest.mark.parametrize(
    "change", [np.copy, clipped, pitched], ids=["as recorded", "clipped", "pitched"]
)
def test_no_short_clip_is_said_twice(ear: Ear, change: Callable[[Sound], Sound]) -> None:
    some = SHORT[:: 5 if change is np.copy else 10]
    texts = [ear.hear(change(clip.samples()), clip.language).text for clip in some]
    assert [text for text in texts if is_said_twice(text)] == []


@pytest.mark.parametrize("pause_s", [0.0, 0.6], ids=["at once", "after a pause"])
def test_what_is_said_twice_is_heard_twice(ear: Ear, pause_s: float) -> None:
    some = [clip for clip in SHORT if clip.language in ("en", "es") and clip.duration_s < 3][:8]
    kept = []
    for clip in some:
        once = ear.alone(clip)
        again = np.concatenate([clip.samples(), pause(pause_s), clip.samples()])
        kept.append(alike(f"{once} {once}", ear.hear(again, clip.language).text))
    assert np.mean(kept) > 0.85, kept


@pytest.mark.parametrize("pause_s", [1.5, 4.0, 9.0])
def test_a_pause_breaks_no_sentence(ear: Ear, pause_s: float) -> None:
    """The pause lies at the quietest place of a clip's middle."""
    scores = []
    for clip in clips("en")[:5]:
        samples, whole = clip.samples(), ear.alone(clip)
        apart = np.concatenate([samples[: quietest(samples)], pause(pause_s)])
        apart = np.concatenate([apart, samples[quietest(samples) :]])
        scores.append(alike(whole, ear.hear(apart, "en").text))
    assert np.mean(scores) > 0.85, scores


def quietest(samples: Sound) -> int:
    """Find the quietest tenth of a second of the middle third."""
    frame = SAMPLE_RATE_HZ // 10
    starts = range(len(samples) // 3, 2 * len(samples) // 3, frame // 4)
    energies = [
        np.square(samples[start : start + frame].astype(np.float64)).sum() for start in starts
    ]
    return starts[int(np.argmin(energies))] + frame // 2


def test_speech_of_several_languages_is_heard_in_each(ear: Ear) -> None:
    shares = []
    for gap_s, picked in zip((0.5, 1.0, 2.0, 4.0), mixed(), strict=True):
        alone = [ear.alone(clip) for clip in picked]
        parts = [part for clip in picked for part in (clip.samples(), pause(gap_s))]
        shares.append(alike(" ".join(alone), ear.hear(np.concatenate(parts)).text))
    assert np.mean(shares) > 0.85, shares


def mixed() -> Sequence[Sequence[Clip]]:
    """Clips of two and three languages, in turns."""
    by_language = {
        code: [clip for clip in clips(code) if 2.5 < clip.duration_s < 8]
        for code in ("en", "es", "fr", "it", "ru")
    }
    orders = (("en", "ru", "en"), ("es", "en"), ("fr", "en", "it"), ("ru", "es", "ru"))
    return [
        [by_language[code][(number + place) % 3] for place, code in enumerate(order)]
        for number, order in enumerate(orders)
    ]


def test_quiet_speech_is_heard_whole(ear: Ear) -> None:
    some = clips("en")[:6]
    pairs = [
        (ear.alone(c), ear.hear((c.samples() * 0.01).astype(np.int16), "en").text) for c in some
    ]
    assert np.mean([alike(*pair) for pair in pairs]) > 0.9, pairs
