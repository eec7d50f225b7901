"""Speech for live sessions: prompts with pauses between them, whose text and times are known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio.decode import resample
from models.audio.encode import encode
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.speech import SHORT_SPEECH, SPEECH, clips

RATE_HZ = 24_000  # of the realtime protocols
BYTES_A_S = 2 * RATE_HZ
PAUSES_S = (0.3, 2.0)
QUIET = 0.02  # of a clip's loudest sample: what ends it may be softer


@dataclass(frozen=True)
class Span:
    """One prompt in a talk: its text, and where its speech begins and ends."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Talk:
    """A file of PCM (16 bits, one channel, 24 kHz) and what is said in it."""

    path: Path
    language: str
    duration_s: float
    spans: Sequence[Span]

    @property
    def text(self) -> str:
        return " ".join(span.text for span in self.spans)


@dataclass(frozen=True)
class Prompt:
    """A text and its recording, int16 [n] at 16 kHz."""

    text: str
    samples: NDArray[np.int16]


def recorded(language: str) -> list[Prompt]:
    """Return the recorded prompts of a language."""
    own = [each for folder in (SPEECH, SHORT_SPEECH) for each in clips(language, folder)]
    return [Prompt(clip.text, clip.samples()) for clip in own]


def talk(
    path: Path, language: str, duration_s: float, seed: int, prompts: Sequence[Prompt]
) -> Talk:
    """Join prompts with pauses, in an order of that seed, and write the PCM.

    Prompts come again, in another order, once all were said.
    """
    chance = random.Random(f"{language} {seed}")
    parts: list[NDArray[np.int16]] = []
    spans: list[Span] = []
    at_s, queue = 0.0, list[Prompt]()
    while True:
        pause = np.zeros(round(chance.uniform(*PAUSES_S) * SAMPLE_RATE_HZ), np.int16)
        queue = queue or chance.sample(prompts, len(prompts))
        prompt = queue.pop()
        start_s = at_s + len(pause) / SAMPLE_RATE_HZ
        end_s = start_s + len(prompt.samples) / SAMPLE_RATE_HZ
        if spans and end_s > duration_s:
            break
        parts += [pause, prompt.samples]
        first_s, last_s = loud(prompt.samples)
        spans.append(Span(prompt.text, start_s + first_s, start_s + last_s))
        at_s = end_s
    rest = np.zeros(max(0, round((duration_s - at_s) * SAMPLE_RATE_HZ)), np.int16)
    whole = Audio(np.concatenate([*parts, rest]), SAMPLE_RATE_HZ)
    path.write_bytes(resample(whole, RATE_HZ).samples.astype("<i2").tobytes())
    return Talk(path, language, len(whole.samples) / SAMPLE_RATE_HZ, spans)


def loud(samples: NDArray[np.int16]) -> tuple[float, float]:
    """Return where speech begins and ends in int16 [n] at 16 kHz, in seconds."""
    level = np.abs(samples.astype(np.int32))
    places = np.flatnonzero(level >= QUIET * level.max())
    return float(places[0]) / SAMPLE_RATE_HZ, float(places[-1] + 1) / SAMPLE_RATE_HZ


def wav_of(talk: Talk) -> bytes:
    """Return a talk as a WAV file, for who takes whole files."""
    samples = np.frombuffer(talk.path.read_bytes(), "<i2")
    return encode(Audio(samples, RATE_HZ), "wav")
