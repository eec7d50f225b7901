"""Speaker checks: silence beside an embedding's speech, and the threshold by speech's length.

    python -m bench.speaker_checks [--threads 2] [--padded 12]

GE2E and Silero run with their real weights, as the server runs them: the speech that is found is
embedded alone. The prompts are of five voices on a telephone. Some minutes; silence is most of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
from numpy.typing import NDArray

from bench.bare import answers, loaded
from bench.command import run, value
from bench.results import Cell, Results, Table
from bench.turns import cut
from deployments.http.v1.comparison import threshold_of
from models.audio.samples import levelled
from models.speaker.voice_clips import voice_in
from models.types import SAMPLE_RATE_HZ, Audio, SpeakerItem, VadItem
from tests.support.padding import NOISES, PLACES, padded
from tests.support.speech import SHORT_SPEECH, SPEECH, Clip, clips

LENGTHS_S = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
RATIOS = (0.5, 2.0, 8.0)  # silence, in lengths of the clip
OLD_THRESHOLD = 0.79  # of raw clips, whatever their length
LEAST_COSINE = 0.95
BATCH = 16
Samples = NDArray[np.int16]


class Listener:
    """Put the two models together, as the server does."""

    def __init__(self, stack: ExitStack, threads: int) -> None:
        self._vad = loaded(stack, "silero", "package:silero_vad", threads)
        self._speaker = loaded(stack, "ge2e", "package:resemblyzer", threads)

    def speech(self, some: Sequence[Samples]) -> list[Samples]:
        """Return the speech of each clip alone; a clip without any as it is."""
        found: list[Samples] = []
        for batch in cut(some, BATCH):
            heard = answers(self._vad, [VadItem(levelled(samples)) for samples in batch])
            voices = (voice_in(Audio(s), h)[0] for s, h in zip(batch, heard, strict=True))
            found += [np.asarray(voice.samples, np.int16) for voice in voices]
        return found

    def embed(self, some: Sequence[Samples]) -> NDArray[np.float32]:
        """Return float32 [n, 256]."""
        rows = [
            result.embedding
            for batch in cut([SpeakerItem(samples) for samples in some], BATCH)
            for result in answers(self._speaker, batch)
        ]
        return np.stack(rows)


def prompts() -> list[Clip]:
    return [clip for folder in (SPEECH, SHORT_SPEECH) for clip in clips(folder=folder)]


@dataclass(frozen=True, eq=False)
class Cut:
    """Hold the speech of all prompts that have enough, cut to one length."""

    numbers: NDArray[np.int64]  # of the prompts
    speakers: NDArray[np.str_]
    embeddings: NDArray[np.float32]

    def beside(self, other: Cut) -> Pairs:
        """Pair every prompt with every other one, and none with itself."""
        alike = self.embeddings @ other.embeddings.T
        same = self.speakers[:, None] == other.speakers[None]
        others = self.numbers[:, None] != other.numbers[None]
        return Pairs(alike[same & others], alike[~same])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Hold the cosines of pairs of clips: of one speaker, and of two."""

    same: NDArray[np.float32]
    different: NDArray[np.float32]

    def equal_error(self) -> float:
        """Find the threshold at which as large a share of one kind is misjudged as of the other."""
        candidates = np.arange(0.3, 1.0, 0.005)
        gaps = [abs(np.subtract(*self.errors(at))) for at in candidates]
        return float(candidates[int(np.argmin(gaps))])

    def errors(self, threshold: float) -> tuple[float, float]:
        """Return the shares of false rejections and of false acceptances."""
        rejected, accepted = self.same < threshold, self.different >= threshold
        return float(np.mean(rejected)), float(np.mean(accepted))


def cuts(listener: Listener) -> dict[float, Cut]:
    found = prompts()
    spoken = listener.speech([prompt.samples() for prompt in found])
    speakers = np.array([prompt.speaker for prompt in found])
    by_length = {}
    for seconds in LENGTHS_S:
        size = round(seconds * SAMPLE_RATE_HZ)
        enough = np.array([n for n, samples in enumerate(spoken) if len(samples) >= size])
        embeddings = listener.embed([spoken[number][:size] for number in enough])
        by_length[seconds] = Cut(enough, speakers[enough], embeddings)
    return by_length


def lengths_table(listener: Listener) -> Table:
    """Compare each two lengths: the threshold of equal errors, and errors before and now."""
    by_length = cuts(listener)
    rows: list[list[Cell]] = []
    for one, other in combinations_with_replacement(LENGTHS_S, 2):
        pairs = by_length[one].beside(by_length[other])
        table = threshold_of("ge2e", one, other)
        assert table is not None
        shares = (*pairs.errors(OLD_THRESHOLD), *pairs.errors(table))
        counts = (len(pairs.same), len(pairs.different))
        at = (f"{pairs.equal_error():.3f}", f"{table:.3f}")
        rows.append([one, other, *counts, *at, *(f"{100 * share:.1f}" for share in shares)])
        print(*rows[-1], flush=True)
    return Table(
        "GE2E by the lengths of speech",
        [
            "speech s",
            "of the other, s",
            "pairs of one speaker",
            "pairs of two",
            "threshold of equal errors",
            "the table's",
            f"at {OLD_THRESHOLD}: refused %",
            "accepted %",
            "by the table: refused %",
            "accepted %",
        ],
        rows,
    )


def silence_table(listener: Listener, count: int) -> tuple[Table, float]:
    """Compare each clip with itself and silence, whole and its speech alone."""
    whole = [prompt.samples() for prompt in prompts()[:48]]
    some = [whole[number] for number in np.linspace(0, len(whole) - 1, count).astype(int)]
    raw, alone = listener.embed(some), listener.embed(listener.speech(some))
    rows: list[list[Cell]] = []
    least_of_all = 1.0
    for noise, ratio in product(NOISES, RATIOS):
        before, after = [], []
        for place in PLACES:
            silent = [padded(samples, ratio, place, noise) for samples in some]
            before.append(np.sum(listener.embed(silent) * raw, axis=1))
            after.append(np.sum(listener.embed(listener.speech(silent)) * alone, axis=1))
        under = f"{int(np.sum(np.array(after) < LEAST_COSINE))} of {np.size(after)}"
        figures = (np.min(before), np.median(before), np.min(after), np.median(after))
        rows.append([noise, f"{ratio:g}", *(f"{figure:.3f}" for figure in figures), under])
        least_of_all = min(least_of_all, float(np.min(after)))
        print(*rows[-1], flush=True)
    table = Table(
        f"The same clip with silence ({', '.join(PLACES)}), cosine to itself",
        ["silence", "times its length", "whole: least", "whole: median",
         "speech alone: least", "speech alone: median", f"under {LEAST_COSINE}"],
        rows,
    )  # fmt: skip
    return table, least_of_all


def bench(args: argparse.Namespace) -> Results:
    with ExitStack() as stack:
        listener = Listener(stack, args.threads)
        lengths = lengths_table(listener)
        silence, least = silence_table(listener, args.padded)
    return Results(
        name="speaker_checks",
        title="Speaker checks: silence, and the length of speech",
        findings=[f"The least cosine of a clip to itself with silence is {least:.3f}."],
        tables=[lengths, silence],
        notes=["Pairs of clips cut to two lengths of speech; five voices, one a language."],
    )


if __name__ == "__main__":
    options = {"threads": value(2), "padded": value(12, "clips that silence is added to")}
    run(__doc__, bench, options)
