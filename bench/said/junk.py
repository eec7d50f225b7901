"""Part ``junk``: sounds that are not speech, and whether their words are told to be doubtful."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.results import Aim, Cell, Table
from bench.said import telling
from bench.said.hearing import Ears, Heard, Run
from bench.said.judging import words
from bench.said.music import NoMusicError, music
from bench.said.recordings import LANGUAGES, SEED, Recording, floor, of_language
from bench.said.telling import Told
from models.types import SAMPLE_RATE_HZ

SECONDS = (3.0, 8.0, 20.0)
QUICK_SECONDS = (3.0,)
LOUD = 3000.0  # RMS in int16
REVERSED_A_LANGUAGE = 3
UNSURE_LOGPROB, UNSURE_SILENCE = -1.0, 0.6  # below and above these Whisper itself doubts a text


@dataclass(frozen=True)
class Found:
    """Recordings by their kind; the runs hold all of them."""

    kinds: Mapping[str, Sequence[Recording]]
    reference: Run
    json: Run
    verbose: Run

    def heard(self, recording: Recording) -> Heard:
        return self.verbose.heard[recording.name]


def kinds(quick: bool) -> tuple[dict[str, list[Recording]], list[str]]:
    """Make the recordings of each kind; say which cannot be had, and why."""
    lengths_s = QUICK_SECONDS if quick else SECONDS
    count = 1 if quick else REVERSED_A_LANGUAGE
    made: dict[str, Callable[[int], NDArray[np.float64]]] = {
        "white noise": _white,
        "pink noise": _pink,
        "hum": _hum,
        "tone on and off": _beeps,
        "digital silence": np.zeros,
    }
    found = {
        kind: [_recording(f"{kind}, {s:g} s", make(round(s * SAMPLE_RATE_HZ))) for s in lengths_s]
        for kind, make in made.items()
    }
    found["low noise"] = [Recording(f"low noise, {s:g} s", floor(s), ()) for s in lengths_s]
    found["speech reversed"] = [
        Recording(f"reversed {clip.name}", clip.samples[::-1].copy(), ())
        for language in LANGUAGES
        for clip in of_language(language)[5::12][:count]
    ]
    missing = []
    try:
        pieces = music()[: 2 if quick else None]
        found["music"] = [Recording(f"music {clip.name}", clip.samples, ()) for clip in pieces]
    except NoMusicError as error:
        missing.append(f"Junk: music is missing: {error}")
    return found, missing


def _recording(name: str, samples: NDArray[np.float64]) -> Recording:
    loudness = float(np.sqrt(np.mean(samples**2)))
    scaled = samples * (LOUD / loudness if loudness else 0.0)
    return Recording(name, np.clip(scaled, -32768, 32767).astype(np.int16), ())


def _white(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(SEED).normal(size=count)


def _pink(count: int) -> NDArray[np.float64]:
    """Make noise whose power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(_white(count))
    shaped: NDArray[np.float64] = np.fft.irfft(
        spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), count
    )
    return shaped


def _hum(count: int) -> NDArray[np.float64]:
    times_s = np.arange(count) / SAMPLE_RATE_HZ
    total = np.zeros(count)
    for harmonic in (1, 2, 3, 5):
        total += np.sin(2 * np.pi * 50 * harmonic * times_s) / harmonic
    return total


def _beeps(count: int) -> NDArray[np.float64]:
    times_s = np.arange(count) / SAMPLE_RATE_HZ
    tone: NDArray[np.float64] = np.sin(2 * np.pi * 425 * times_s) * (times_s % 1.0 < 0.5)
    return tone


def measure(ears: Ears, quick: bool) -> Told:
    by_kind, missing = kinds(quick)
    flat = [each for group in by_kind.values() for each in group]
    return report(
        Found(
            by_kind,
            ears.reference(flat, named=False),
            ears.served(flat, "json", named=False),
            ears.served(flat, "verbose_json", named=False),
        ),
        missing,
    )


def report(found: Found, missing: Sequence[str] = ()) -> Told:
    flat = [each for group in found.kinds.values() for each in group]
    runs = (found.reference, found.json, found.verbose)
    unmarked = [each for each in flat if _unmarked(found.verbose.heard[each.name])]
    measured = f"{len(unmarked)} of {len(flat)}"
    what = "junk: answers with words and no sign of doubt"
    return Told(
        tables=[
            Table.of("What is not speech", found.kinds.items(), _columns(found)),
            Table.of(
                "Words heard of what is not speech",
                [each for each in flat if words(found.verbose.heard[each.name].text)],
                {
                    "recording": lambda each: each.name,
                    "heard (verbose_json)": lambda each: found.heard(each).text[:80],
                    "avg_logprob": lambda each: _middle(found.heard(each), "avg_logprob"),
                    "no_speech_prob": lambda each: _middle(found.heard(each), "no_speech_prob"),
                    "warnings": lambda each: ", ".join(found.heard(each).warnings) or None,
                },
            ),
        ],
        aims=[Aim(what, measured, "none", not unmarked)],
        raw=telling.raw(flat, runs),
        notes=[
            f"Junk: a sign of doubt is a warning, or an avg_logprob below {UNSURE_LOGPROB:g} or a "
            f"no_speech_prob over {UNSURE_SILENCE:g} in the middle segment of verbose_json.",
            *missing,
        ],
    )


Group: TypeAlias = tuple[str, Sequence[Recording]]


def _columns(found: Found) -> dict[str, Callable[[Group], Cell]]:
    runs = {"faster-whisper": found.reference, "json": found.json, "verbose_json": found.verbose}

    def count(group: Group, run: Run, at_most: int | None = None) -> int:
        counts = (len(words(run.heard[each.name].text)) for each in group[1])
        return sum(one if at_most is None else min(at_most, one) for one in counts)

    columns: dict[str, Callable[[Group], Cell]] = {
        "kind": lambda group: group[0],
        "recordings": lambda group: len(group[1]),
    }
    for name, run in runs.items():
        columns[f"with words, {name}"] = partial(count, run=run, at_most=1)
    for name, run in runs.items():
        columns[f"words, {name}"] = partial(count, run=run)

    def answers(group: Group) -> list[Heard]:
        return [found.heard(each) for each in group[1]]

    columns["with a warning"] = lambda group: sum(bool(h.warnings) for h in answers(group))
    columns["no sign of doubt"] = lambda group: sum(map(_unmarked, answers(group)))
    return columns


def _middle(heard: Heard, figure: str) -> float | None:
    values = (getattr(piece, figure) for piece in heard.pieces)
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _unmarked(heard: Heard) -> bool:
    logprob, silence = _middle(heard, "avg_logprob"), _middle(heard, "no_speech_prob")
    doubted = (logprob is not None and logprob < UNSURE_LOGPROB) or (
        silence is not None and silence > UNSURE_SILENCE
    )
    return bool(words(heard.text)) and not heard.warnings and not doubted
