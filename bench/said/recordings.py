"""Recordings made of the spoken prompts, with the text and the time of each part.

Everything is drawn from a seed, so that two runs hear the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.types import SAMPLE_RATE_HZ
from tests.support import speech
from tests.support.speech import SHORT_SPEECH, SPEECH

SEED = 20_240_517
FLOOR = 3.0  # of the noise in pauses, RMS in int16: no telephone or microphone is silent
LANGUAGES = ("en", "es", "fr", "it", "ru")
LONG_PAUSES_S = (0.3, 2.0)
CLIPS_A_SOUND = 5
MARGIN_S = 0.3  # before the first clip and after the last


@dataclass(frozen=True)
class Part:
    """Tell what is said in one stretch of a recording."""

    text: str
    language: str
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Clip:
    """One prompt as a folder has it."""

    name: str
    language: str
    text: str
    samples: NDArray[np.int16]  # [n] at 16 kHz

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, eq=False)
class Recording:
    """One file to be heard."""

    name: str
    samples: NDArray[np.int16]  # [n] at 16 kHz
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return " ".join(part.text for part in self.parts)

    @property
    def language(self) -> str | None:
        """Return the one language; None where there are several, or nothing is said."""
        found = {part.language for part in self.parts}
        return found.pop() if len(found) == 1 else None

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@cache
def clips() -> tuple[Clip, ...]:
    """Read all of them, by language and name."""
    return tuple(sorted(_read(), key=lambda clip: (clip.language, clip.name)))


def _read() -> Iterator[Clip]:
    for folder in (SPEECH, SHORT_SPEECH):
        for clip in speech.clips(folder=folder):
            # Two folders may have prompts of one name.
            name = f"{folder.name}/{Path(clip.name).stem}"
            yield Clip(name, clip.language, clip.text, clip.samples())


def of_language(language: str) -> list[Clip]:
    return [clip for clip in clips() if clip.language == language]


def as_recording(clip: Clip) -> Recording:
    part = Part(clip.text, clip.language, 0.0, clip.duration_s)
    return Recording(clip.name, clip.samples, (part,))


def generator(*what: object) -> random.Random:
    """Seed the chance of one purpose: what another draws does not change it."""
    return random.Random(f"{SEED} {what}")


def floor(duration_s: float, *what: object) -> NDArray[np.int16]:
    """Make a pause of low noise."""
    numbers = np.random.default_rng(abs(generator("floor", duration_s, *what).getrandbits(63)))
    count = round(duration_s * SAMPLE_RATE_HZ)
    return np.rint(numbers.normal(0, FLOOR, count)).astype(np.int16)


def joined(
    name: str, said: Sequence[Clip], pauses_s: Sequence[float], margin_s: float = 0.0
) -> Recording:
    """Join clips with the pauses between them; one without a text is no part."""
    pieces, parts = [floor(margin_s, name)], []
    at_s = margin_s
    for number, (clip, pause_s) in enumerate(zip(said, [*pauses_s, margin_s], strict=True)):
        if clip.text:
            parts.append(Part(clip.text, clip.language, at_s, at_s + clip.duration_s))
        pieces += [clip.samples, floor(pause_s, name, number)]
        at_s += clip.duration_s + pause_s
    return Recording(name, np.concatenate(pieces), tuple(parts))


def long(language: str, minutes: float, name: str, sounds: Sequence[Clip] = ()) -> Recording:
    """Join clips of a language in other orders again and again, as far as ``minutes`` hold them.

    ``sounds``, which are not speech, come in turn after every ``CLIPS_A_SOUND`` clips.
    """
    draw = generator("long", language, minutes, name)
    said: list[Clip] = []
    pauses_s: list[float] = []
    left_s = 60 * minutes - 2 * MARGIN_S
    for clip in _with_sounds(_in_other_orders(of_language(language), draw), sounds):
        pause_s = draw.uniform(*LONG_PAUSES_S)
        left_s -= clip.duration_s + pause_s
        if left_s < 0:
            break
        said.append(clip)
        pauses_s.append(pause_s)
    return joined(name, said, pauses_s[:-1], MARGIN_S)


def _in_other_orders(some: Sequence[Clip], draw: random.Random) -> Iterator[Clip]:
    """Draw clips without end; no clip follows itself."""
    last: Clip | None = None
    while True:
        order = draw.sample(some, len(some))
        if order[0] is last:
            order.reverse()
        yield from order
        last = order[-1]


def _with_sounds(speech: Iterable[Clip], sounds: Sequence[Clip]) -> Iterator[Clip]:
    turns = cycle(sounds)
    for number, clip in enumerate(speech, 1):
        yield clip
        if number % CLIPS_A_SOUND == 0 and (sound := next(turns, None)):
            yield sound
