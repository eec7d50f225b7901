"""Fake engines of every kind: deterministic, for tests and benches of what is around a model.

Each answer is a function of its item alone, so that nobody else's answer can pass for it. They
come in as anybody's engines do: ``engine: tests.support.fakes:FakeAsr``.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from models.audio.samples import to_int16
from models.devices.device import Device, DeviceReport, report
from models.errors import (
    DragomanError,
    InvalidRequest,
    UnknownLanguage,
    UnknownVoice,
    UnsupportedPair,
)
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec, Voice
from models.types import (
    SAMPLE_RATE_HZ,
    UNDETERMINED,
    AsrItem,
    Audio,
    NmtItem,
    Samples,
    Segment,
    SpeakerItem,
    Speech,
    SpeechSpan,
    Transcript,
    Translation,
    TtsItem,
    VadItem,
    VadResult,
    Voiceprint,
    Word,
)

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# What a configuration calls them.
SLEEP = "tests.support.fakes:SleepSpeaker"
FAKE_VAD = "tests.support.fakes:FakeVad"
FAKE_ASR = "tests.support.fakes:FakeAsr"
WORDY_ASR = "tests.support.fakes:WordyAsr"
FAKE_NMT = "tests.support.fakes:FakeNmt"
TERMED_NMT = "tests.support.fakes:TermedNmt"
FAKE_TTS = "tests.support.fakes:FakeTts"

FRAME_SAMPLES = 512  # of the fake VAD, as Silero's
NOISE_LEVEL = 1  # what the fake VAD takes for speech and the fake ASR hears as nothing
ASR_LANGUAGES = ("en", "pt", "fr")
NMT_PAIRS = (("en", "pt"), ("pt", "en"), ("en", "fr"))
VOICES = (
    Voice("fake-pt", "pt", "fake-tts", SAMPLE_RATE_HZ),
    Voice("fake-en", "en", "fake-tts", SAMPLE_RATE_HZ),
)
TTS_SAMPLES_A_CHAR = 800  # at 16 kHz: 20 characters a second


@dataclass(frozen=True, slots=True)
class Options:
    """Let a batch of n items sleep ``base_ms + n * item_ms``: a GPU's time, which costs no CPU."""

    base_ms: float = 0.0
    """Milliseconds of each batch."""
    item_ms: float = 0.0
    """Milliseconds of each item."""


@dataclass(frozen=True, slots=True)
class SleepOptions(Options):
    base_ms: float = 5.0
    item_ms: float = 0.2
    embedding_size: int = 192


def check_samples(samples: Samples) -> None:
    """Refuse samples that are no numbers. Raises InvalidRequest."""
    if samples.dtype == np.float32 and not np.isfinite(samples).all():
        raise InvalidRequest("the audio's values must be numbers", param="file")


class Fake(ABC, Generic[ItemT, ResultT]):
    """Share what fakes have in common: nothing to load, a time to sleep, an answer an item."""

    engine: Engine
    id: str  # what the spec calls it

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options

    @abstractmethod
    def answer(self, item: ItemT) -> ResultT:
        """Answer one item. Raises DragomanError: it is bad."""

    def spec(self) -> RuntimeSpec:
        return RuntimeSpec(self.engine.kind, self.id, weights="none", licence="none")

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        device, request = Device("cpu", "is a fake"), self._settings.device
        return self.spec(), report(request, device, library="none", precision="none", load_s=0.0)

    def warm_up(self) -> None:
        pass

    def run(self, batch: Sequence[ItemT]) -> list[ResultT | ItemError]:
        time.sleep((self._options.base_ms + len(batch) * self._options.item_ms) / 1000)
        return [self._answer_or_error(item) for item in batch]

    def _answer_or_error(self, item: ItemT) -> ResultT | ItemError:
        try:
            return self.answer(item)
        except DragomanError as error:
            return ItemError(error)

    def close(self) -> None:
        pass


class SleepSpeaker(Fake[SpeakerItem, Voiceprint]):
    """Answer with an embedding whose one value stands where the clip's first sample says."""

    engine = Engine("speaker", SleepOptions, needs_weights=False)
    id = "sleep"

    def __init__(self, settings: RuntimeSettings, options: SleepOptions) -> None:
        super().__init__(settings, options)
        self._size = options.embedding_size

    def spec(self) -> RuntimeSpec:
        return RuntimeSpec("speaker", "sleep", "none", "none", embedding_size=self._size)

    def answer(self, item: SpeakerItem) -> Voiceprint:
        if not len(item.samples):
            raise InvalidRequest("the clip has no samples", param="file")
        check_samples(item.samples)
        embedding = np.zeros(self._size, np.float32)
        embedding[int(to_int16(item.samples)[0]) % self._size] = 1.0
        return Voiceprint(embedding)


class FakeVad(Fake[VadItem, VadResult]):
    """Find speech from the first to the last sample that is not zero."""

    engine = Engine("vad", Options, needs_weights=False)
    id = "fake-vad"

    def answer(self, item: VadItem) -> VadResult:
        check_samples(item.samples)
        loud = np.flatnonzero(item.samples)
        spans: tuple[SpeechSpan, ...] = ()
        if len(loud):
            first, last = loud[0] / SAMPLE_RATE_HZ, (loud[-1] + 1) / SAMPLE_RATE_HZ
            spans = (SpeechSpan(float(first), float(last)),)
        starts = np.arange(0, len(item.samples), FRAME_SAMPLES)
        loudness = np.maximum.reduceat(np.abs(item.samples), starts)
        probabilities = (loudness > 0).astype(np.float32)
        return VadResult(spans, probabilities, np.zeros(0, np.float32))


class FakeAsr(Fake[AsrItem, Transcript]):
    """Say two sentences: the window's length and its loudest sample."""

    engine = Engine("asr", Options, needs_weights=False)
    id = "fake-asr"

    def spec(self) -> RuntimeSpec:
        return RuntimeSpec(
            "asr", "fake-asr", "none", "none", languages=ASR_LANGUAGES, takes_prefix=True
        )

    def answer(self, item: AsrItem) -> Transcript:
        check_samples(item.samples)
        if item.language not in (None, *ASR_LANGUAGES):
            raise UnknownLanguage(f"no language {item.language!r}", param="language")
        loudest = int(np.abs(to_int16(item.samples).astype(np.int32)).max(initial=0))
        if loudest == NOISE_LEVEL:
            return Transcript("", UNDETERMINED, 0.0, ())
        if item.task == "detect":
            return Transcript("", "en", 0.9, (), (("en", 0.9), ("pt", 0.1)))
        text = f"There are {len(item.samples)} samples. The loudest is {loudest}."
        said = f" {text}"
        if item.prefix is not None:  # what was sent stands, and as many words are left out
            rest = re.findall(r"\s*\S+", said)[len(item.prefix.split()) :]
            text, said = "".join(rest), item.prefix + "".join(rest)
        words = spread(said, item.length) if item.word_timestamps else None
        segment = Segment(0.0, item.length, said, (), 0.0, -0.1, 1.0, 0.0, words)
        return Transcript(text, item.language or "en", 1.0 if item.language else 0.9, (segment,))


def spread(text: str, length_s: float) -> tuple[Word, ...]:
    """Say a text's words one after the other, all equally long."""
    words = re.findall(r"\s*\S+", text)
    step_s = length_s / max(1, len(words))
    return tuple(
        Word(number * step_s, (number + 1) * step_s, word, 1.0) for number, word in enumerate(words)
    )


class WordyAsr(FakeAsr):
    """Say a number each quarter of a second, and when it is said where that is asked for."""

    id = "wordy-asr"

    def answer(self, item: AsrItem) -> Transcript:
        heard = super().answer(item)
        if not heard.segments:
            return heard
        count = max(1, round(4 * item.length))
        words = tuple(Word(n / 4, n / 4 + 0.2, f" {n}", 1.0) for n in range(count))
        text = "".join(word.text for word in words).strip()
        timed = words if item.word_timestamps else None
        segments = (replace(heard.segments[0], text=text, words=timed),)
        return replace(heard, text=text, segments=segments)


class FakeNmt(Fake[NmtItem, Translation]):
    """Repeat the text, marked with its target language."""

    engine = Engine("nmt", Options, needs_weights=False)
    id = "fake-nmt"

    def spec(self) -> RuntimeSpec:
        return RuntimeSpec("nmt", "fake-nmt", "none", "none", pairs=NMT_PAIRS)

    def answer(self, item: NmtItem) -> Translation:
        pair = item.source_language, item.target_language
        if pair not in NMT_PAIRS:
            raise UnsupportedPair(f"no pair {'-'.join(pair)}", param="target_language")
        return Translation(f"{item.target_language}: {item.text}", *pair)


class TermedNmt(FakeNmt):
    """Do the same, as an engine whose terms are kept."""

    engine = Engine("nmt", Options, needs_weights=False, keeps=True)

    def lacks(self, text: str, source_language: str, target_language: str) -> bool:
        return False


class FakeTts(Fake[TtsItem, Speech]):
    """Speak as many samples as the text is long, at a level that the text decides."""

    engine = Engine("tts", Options, needs_weights=False)
    id = "fake-tts"

    def spec(self) -> RuntimeSpec:
        return RuntimeSpec(
            "tts", "fake-tts", "none", "none", voices=VOICES, cloning_languages=("pt",)
        )

    def answer(self, item: TtsItem) -> Speech:
        if item.reference is None:
            if item.voice not in [voice.id for voice in VOICES]:
                raise UnknownVoice(f"no voice {item.voice!r}", param="voice")
            level = 1 + sum(item.text.encode()) % 1000
        else:
            level = int(to_int16(item.reference)[0])  # the fake speaker hears the same voice in it
        count = round(len(item.text) * TTS_SAMPLES_A_CHAR / item.speed)
        return Speech(Audio(np.full(count, level, np.int16), SAMPLE_RATE_HZ))
