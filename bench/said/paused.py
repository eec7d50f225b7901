"""Part ``pauses``: a sentence with a pause in its middle is still one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.results import Aim, Cell, Table
from bench.said import telling
from bench.said.hearing import Ears, Piece, Run
from bench.said.judging import broken_at
from bench.said.recordings import (
    LANGUAGES,
    Clip,
    Part,
    Recording,
    as_recording,
    floor,
    of_language,
)
from bench.said.telling import LOST_COLUMNS, Told, examples, lost
from models.types import SAMPLE_RATE_HZ

PAUSES_S = (0.7, 1.5, 3.0, 5.0, 8.0)
CLIPS_A_LANGUAGE = 4
LENGTHS_S = (3.0, 9.0)
LEAST_WORDS = 3  # on each side of the cut
SEARCH_S = 0.1  # around a gap between words, for its quietest moment
FRAME_S = 0.02
FADE_S = 0.005
AIM_BROKEN = 0
AIM_WER = 1.0  # points over the same clips without a pause


@dataclass(frozen=True)
class Cut:
    """Name a place between two words of a clip."""

    clip: Clip
    at_s: float
    before: str
    after: str
    loudness: float  # RMS

    def paused(self, pause_s: float) -> Recording:
        """Return the clip with a pause there, or as it is."""
        text, language = self.clip.text, self.clip.language
        if not pause_s:
            return as_recording(self.clip)
        place = round(self.at_s * SAMPLE_RATE_HZ)
        name = f"{self.clip.name}, {pause_s:g} s"
        first, second = (half.astype(np.float64) for half in np.split(self.clip.samples, [place]))
        fade = np.linspace(0, 1, round(FADE_S * SAMPLE_RATE_HZ))
        first[-len(fade) :] *= fade[::-1]  # no click where the speech is cut
        second[: len(fade)] *= fade
        samples = np.concatenate([first, floor(pause_s, name), second]).astype(np.int16)
        return Recording(name, samples, (Part(text, language, 0.0, len(samples) / SAMPLE_RATE_HZ),))


def cuts(clip: Clip, words: Sequence[Piece]) -> Iterator[Cut]:
    """Find the places of a clip where a pause would stand within a sentence."""
    for number in range(LEAST_WORDS, len(words) - LEAST_WORDS + 1):
        before, after = words[:number], words[number:]
        if not before[-1].text.strip()[-1:].isalpha():
            continue  # a sign: a pause may well end a sentence there
        at_s, loudness = _quietest(clip, before[-1].end_s, after[0].start_s)
        yield Cut(clip, at_s, _joined(before), _joined(after), loudness)


def _joined(words: Sequence[Piece]) -> str:
    return "".join(word.text for word in words).strip()


def _quietest(clip: Clip, end_s: float, start_s: float) -> tuple[float, float]:
    frame = round(FRAME_S * SAMPLE_RATE_HZ)
    most = len(clip.samples) - frame  # times of words may lie behind the end
    first = min(max(round((min(end_s, start_s) - SEARCH_S) * SAMPLE_RATE_HZ), 0), most)
    last = min(round((max(end_s, start_s) + SEARCH_S) * SAMPLE_RATE_HZ), most)
    places = range(first, max(last, first + 1), frame // 2)
    square = clip.samples.astype(np.float64) ** 2
    loudness = {place: float(np.sqrt(square[place : place + frame].mean())) for place in places}
    best = min(loudness, key=loudness.__getitem__)
    return (best + frame / 2) / SAMPLE_RATE_HZ, loudness[best]


def chosen(ears: Ears, quick: bool) -> list[Cut]:
    """Choose the quietest place of some clips of each language, the quietest ones first."""
    least_s, most_s = LENGTHS_S
    found: list[Cut] = []
    for language in LANGUAGES:
        some = [clip for clip in of_language(language) if least_s <= clip.duration_s <= most_s]
        some = some[:: 3 if quick else 1][: 2 * CLIPS_A_LANGUAGE]
        words = ears.timed_words([as_recording(clip) for clip in some])
        best = [
            min(places, key=lambda cut: cut.loudness)
            for clip, its in zip(some, words, strict=True)
            if (places := list(cuts(clip, its)))
        ]
        best.sort(key=lambda cut: cut.loudness)
        found += best[: 1 if quick else CLIPS_A_LANGUAGE]
    return found


@dataclass(frozen=True)
class Found:
    """``recordings`` has those of each cut, by pause; 0 is without one."""

    cuts: Sequence[Cut]
    recordings: dict[float, list[Recording]]
    runs: Sequence[Run]  # faster-whisper first

    def broken(self, run: Run, pause_s: float) -> list[Cut]:
        """Find the sentences that are two, where without a pause they are one."""
        pairs = zip(self.cuts, self.recordings[pause_s], self.recordings[0.0], strict=True)
        return [
            cut
            for cut, paused, plain in pairs
            if broken_at(run.heard[paused.name].text, cut.before, cut.after)
            and not broken_at(run.heard[plain.name].text, cut.before, cut.after)
        ]

    def row(self, run: Run, pause_s: float) -> list[Cell]:
        counted, broken = lost(self.recordings[pause_s], run), len(self.broken(run, pause_s))
        return [run.way, f"{pause_s:g}", len(self.cuts), broken, *counted.cells]


def measure(ears: Ears, quick: bool) -> Told:
    some = chosen(ears, quick)
    recordings = {p: [cut.paused(p) for cut in some] for p in (0.0, *PAUSES_S)}
    flat = [each for group in recordings.values() for each in group]
    runs = [ears.reference(flat), ears.served(flat, "json"), ears.served(flat, "verbose_json")]
    return report(Found(some, recordings, runs))


def report(found: Found) -> Told:
    rows = [found.row(run, pause_s) for run in found.runs for pause_s in found.recordings]
    broken = [
        [run.way, f"{pause_s:g}", run.heard[cut.paused(pause_s).name].text]
        for run in found.runs[1:]
        for pause_s in PAUSES_S
        for cut in found.broken(run, pause_s)
    ]
    aims = []
    for run in found.runs[1:]:
        count = sum(row[0] == run.way for row in broken)
        aims.append(Aim.at_most(f"pauses, {run.way}: sentences broken", count, AIM_BROKEN))
        plain = lost(found.recordings[0.0], run).wer
        worst = max(lost(found.recordings[pause_s], run).wer for pause_s in PAUSES_S)
        what = f"pauses, {run.way}: WER over that without a pause, at worst"
        aims.append(Aim.at_most(what, 100 * (worst - plain), AIM_WER, " points"))
    columns = ["who", "pause s", "sentences", "broken", *LOST_COLUMNS]
    return Told(
        tables=[
            Table("Sentences with a pause in the middle", columns, rows),
            *examples("Sentences broken, some", ["who", "pause s", "heard"], broken),
        ],
        aims=aims,
        raw=telling.raw([r for group in found.recordings.values() for r in group], found.runs),
        notes=[
            "Pauses: low noise at the quietest moment between two words, none of them beside a "
            "sign in faster-whisper's text. Broken is a sentence that ends there, or has dots, "
            "and does not without the pause."
        ],
    )
