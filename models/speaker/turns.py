"""Tell speakers apart: cut speech into pieces, gather their embeddings, and say who speaks when.

The steps are the usual ones of the field (x-vectors in Kaldi, pyannote's pipelines): short pieces
that overlap, average-linkage clustering by cosine, then each moment goes to the nearest speaker,
where a change of speakers has a price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_float32
from models.types import SAMPLE_RATE_HZ, Samples, SpeechSpan

PIECE_S = 1.6  # what GE2E hears at once; a shorter piece is a worse voiceprint
HOP_S = 0.4
LONG_S = 1.2  # the voices of shorter pieces are too unclear to be grouped
STEP_S = 0.1  # of the moments that are given to a speaker
MAX_CLUSTERED = 2_000  # pieces: memory and time of clustering grow with their square
MAX_SPEAKERS = 26
MAX_LOOKED_AT = 60  # pieces whose band is measured
BANDS = 512  # samples of one spectrum
TELEPHONE_HZ, TELEPHONE_SHARE = 4_000, 1e-4  # above the one there is less than that of the power
ROUNDS = 3  # of giving pieces to the nearest speaker


@dataclass(frozen=True, slots=True)
class Rules:
    """Set how speakers are told apart, for one kind of voiceprint.

    Attributes:
        threshold: mean cosine of two groups of pieces from which they are one speaker.
        narrow_threshold: the same in the band of a telephone.
        change_price: what a change of speakers costs, in cosines of a step.
        pause_price: what it costs where there is a pause.
        least_s: who speaks less in all is taken for the nearest other speaker.
        known_threshold: cosine from which a speaker is taken for a known one.
    """

    threshold: float
    narrow_threshold: float
    change_price: float
    pause_price: float
    least_s: float
    known_threshold: float


RULES = {"ge2e": Rules(0.63, 0.7, 1.0, 0.3, 1.0, 0.7)}
# Of voiceprints that spread about zero, as those of most engines do.
OTHER_RULES = Rules(0.35, 0.35, 1.5, 0.3, 1.0, 0.35)


def rules_of(engine: str) -> Rules:
    """Return the rules for the voiceprints of an engine."""
    return RULES.get(engine, OTHER_RULES)


@dataclass(frozen=True, slots=True)
class Turn:
    """Speech of one speaker, who has a number."""

    start_s: float
    end_s: float
    speaker: int


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """The turns of the speakers; ``centroids`` [k, d], of length 1, are their voices."""

    turns: tuple[Turn, ...]
    centroids: NDArray[np.float32]

    def spoken_s(self, speaker: int) -> float:
        """Return how long a speaker speaks in all."""
        return sum(t.end_s - t.start_s for t in self.turns if t.speaker == speaker)


def pieces(spans: Sequence[SpeechSpan]) -> list[SpeechSpan]:
    """Cut spans of speech into pieces that overlap; a short span is one piece."""
    found = []
    for span in spans:
        spare_s = span.end_s - span.start_s - PIECE_S
        count = max(0, math.ceil(spare_s / HOP_S)) + 1
        hop_s = spare_s / (count - 1) if count > 1 else 0.0
        starts_s = (span.start_s + hop_s * number for number in range(count))
        found += [SpeechSpan(at_s, min(at_s + PIECE_S, span.end_s)) for at_s in starts_s]
    return found


def is_narrow(samples: Samples, heard: Sequence[SpeechSpan]) -> bool:
    """Tell whether speech has the band of a telephone, in which voices are more alike.

    Args:
        samples: of the recording [n] at 16 kHz.
        heard: pieces of its speech, of which some are looked at.
    """
    some = heard[:: math.ceil(len(heard) / MAX_LOOKED_AT)] if heard else []
    power = np.zeros(BANDS // 2 + 1)
    for piece in some:
        own = to_float32(samples_of(samples, piece))
        frames = own[: len(own) // BANDS * BANDS].reshape(-1, BANDS) * np.hanning(BANDS)
        power += np.square(np.abs(np.fft.rfft(frames))).sum(axis=0)
    high = power[round(BANDS * TELEPHONE_HZ / SAMPLE_RATE_HZ) :].sum()
    return bool(high < TELEPHONE_SHARE * power.sum())


def samples_of(samples: Samples, piece: SpeechSpan) -> Samples:
    """Take a piece's samples; a short one is repeated, as zeros behind it would make all alike."""
    start, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in (piece.start_s, piece.end_s))
    own, size = samples[start:end], round(PIECE_S * SAMPLE_RATE_HZ)
    if not 0 < len(own) < size:
        return own
    repeated: Samples = np.tile(own, math.ceil(size / len(own)))[:size]  # type: ignore[assignment]
    return repeated


def tell_apart(
    spans: Sequence[SpeechSpan],
    heard: Sequence[SpeechSpan],
    embeddings: NDArray[np.float32],
    rules: Rules,
    known: Sequence[NDArray[np.float32]] = (),
    *,
    narrow: bool = False,
) -> Turns:
    """Say who speaks when.

    Args:
        spans: the speech, in order and disjoint.
        heard: its pieces, in order.
        embeddings: [n, d], of length 1, of the pieces.
        rules: for such embeddings.
        known: voices [d] of speakers who may be among them; those whom nothing else tells apart
            are told apart by these.
        narrow: the recording has the band of a telephone.
    """
    if not len(embeddings):
        return Turns((), embeddings)
    threshold = rules.narrow_threshold if narrow else rules.threshold
    centroids = _centroids(heard, embeddings, threshold, rules.least_s)
    centroids = _among_known(centroids, embeddings, rules, known)
    scores = _scores(spans, heard, embeddings @ centroids.T)
    return Turns(_turns(spans, scores, rules), centroids)


def _centroids(
    heard: Sequence[SpeechSpan], embeddings: NDArray[np.float32], threshold: float, least_s: float
) -> NDArray[np.float32]:
    """Find the speakers' voices, those who speak most first; [k, d]."""
    weights_s = _own_s(heard)
    long = np.array([piece.end_s - piece.start_s >= LONG_S for piece in heard])
    clear = embeddings[long] if np.count_nonzero(long) > 1 else embeddings
    grouped = clear[:: math.ceil(len(clear) / MAX_CLUSTERED)]
    voices = _means(grouped, _groups(grouped, threshold))
    for _ in range(ROUNDS):
        nearest = np.argmax(embeddings @ voices.T, axis=1)
        spoken_s = np.bincount(nearest, weights_s, minlength=len(voices))
        order = np.argsort(-spoken_s, kind="stable")[:MAX_SPEAKERS]
        kept = [number for number in order if spoken_s[number] >= least_s] or [order[0]]
        nearest = np.argmax(embeddings @ voices[kept].T, axis=1)
        voices = _means(embeddings, nearest)
    return voices


def _among_known(
    voices: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    rules: Rules,
    known: Sequence[NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Part each voice that is near to several known ones."""
    parted: list[NDArray[np.float32]] = []
    for voice in voices:
        near = [each for each in known if float(each @ voice) >= rules.known_threshold]
        parted += near if len(near) > 1 else [voice]
    if len(parted) == len(voices):
        return voices
    return _means(embeddings, np.argmax(embeddings @ np.stack(parted).T, axis=1))


def _groups(embeddings: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """Number the groups [n] whose mean cosine is at least ``threshold``."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(embeddings) == 1:
        return np.zeros(1, np.intp)
    tree = linkage(embeddings, "average", "cosine")
    return np.asarray(fcluster(tree, 1 - threshold, "distance"), np.intp)


def _means(embeddings: NDArray[np.float32], labels: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the mean of each group that there is, of length 1; [k, d]."""
    means = np.stack([embeddings[labels == label].mean(axis=0) for label in np.unique(labels)])
    found: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
    return found


def _own_s(heard: Sequence[SpeechSpan]) -> NDArray[np.float64]:
    """Return how much speech each piece stands for: pieces of one span share it."""
    starts_s = np.array([piece.start_s for piece in heard])
    ends_s = np.array([piece.end_s for piece in heard])
    nexts_s = np.append(starts_s[1:], np.inf)
    own_s: NDArray[np.float64] = np.minimum(ends_s, nexts_s) - starts_s
    return own_s


def _scores(
    spans: Sequence[SpeechSpan], heard: Sequence[SpeechSpan], cosines: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Score every speaker at every step of each span: [steps, k] of each.

    A piece counts most in its middle.
    """
    found, number = [], 0
    for span in spans:
        count = max(1, round((span.end_s - span.start_s) / STEP_S))
        at_s = span.start_s + STEP_S * (np.arange(count) + 0.5)
        sums = np.zeros((count, cosines.shape[1]), np.float32)
        weights = np.zeros((count, 1), np.float32)
        while number < len(heard) and heard[number].start_s < span.end_s:
            piece = heard[number]
            middle_s, half_s = (piece.start_s + piece.end_s) / 2, (piece.end_s - piece.start_s) / 2
            near = np.maximum(1.05 - np.abs(at_s - middle_s) / max(half_s, STEP_S), 0)[:, None]
            sums += near * cosines[number]
            weights += near
            number += 1
        found.append((sums / np.maximum(weights, 1e-6)).astype(np.float32))
    return found


def _turns(
    spans: Sequence[SpeechSpan], scores: Sequence[NDArray[np.float32]], rules: Rules
) -> tuple[Turn, ...]:
    """Find the likeliest speakers of all steps, at the price of each change (Viterbi)."""
    prices = np.full(sum(map(len, scores)), rules.change_price)
    starts = np.cumsum([0, *map(len, scores)])[:-1]
    prices[starts] = rules.pause_price
    path = _best_path(np.concatenate(scores), prices)
    turns: list[Turn] = []
    for span, start, own in zip(spans, starts, scores, strict=True):
        speakers = path[start : start + len(own)]
        changes = [0, *(np.flatnonzero(np.diff(speakers)) + 1), len(own)]
        for first, last in pairwise(changes):
            start_s = span.start_s + first * STEP_S
            end_s = span.end_s if last == len(own) else span.start_s + last * STEP_S
            turns.append(Turn(float(start_s), float(end_s), int(speakers[first])))
    return tuple(turns)


def _best_path(scores: NDArray[np.float32], prices: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the speakers [n] whose scores [n, k], less the prices of changes, are the highest."""
    best = scores[0].astype(np.float64)
    came_from = np.empty(scores.shape, np.intp)
    stay = np.arange(scores.shape[1])
    for step in range(1, len(scores)):
        first = int(np.argmax(best))
        changed = best[first] - prices[step]
        stays = best >= changed
        came_from[step] = np.where(stays, stay, first)
        best = np.where(stays, best, changed) + scores[step]
    path = np.empty(len(scores), np.intp)
    path[-1] = int(np.argmax(best))
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path
