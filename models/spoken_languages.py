"""Which language is spoken where: detection is sure of some stretches, and tells of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from models.types import UNDETERMINED

Languages = tuple[tuple[str, float], ...]  # with their probabilities, the likeliest first

CLEAR = 0.8  # the probability from which a detection is believed
CLEAR_ALONE = 0.97  # of a short stretch in a language that is heard nowhere else
ENOUGH_S = 2.5  # speech that tells its language by itself
LEAST_S = 1.0  # what is shorter tells none


def likeliest(found: Languages, candidates: Sequence[str] = ()) -> tuple[str, float]:
    """Choose a language: the likeliest where that is clear, else the likeliest candidate.

    Returns its probability, too: of all languages, or among the candidates.
    """
    if not found:
        return UNDETERMINED, 0.0
    if not candidates or found[0][1] >= CLEAR:
        return found[0]
    return _among(found, candidates) or found[0]


def _among(found: Languages, candidates: Collection[str]) -> tuple[str, float] | None:
    """Choose the likeliest candidate, with its probability among them; None: there is none."""
    among = [(language, p) for language, p in found if language in candidates]
    total = sum(p for _, p in among)
    return (among[0][0], among[0][1] / total) if total > 0 else None


def by_stretch(
    found: Sequence[Languages], lengths_s: Sequence[float], candidates: Sequence[str] = ()
) -> list[tuple[str, float]]:
    """Choose the language of each stretch of speech of one recording, with its probability.

    A stretch is in the language that is clearly heard there. One that is not clear is in one
    of those that are clear elsewhere in the recording: the likeliest of them where that is
    clear among them, else that of the nearest clear stretch. Where none is clear, all are in
    the one that is likeliest over the recording, of ``candidates`` if there are any.

    Args:
        found: each stretch's languages as detection gave them; empty where nothing was asked.
        lengths_s: each stretch's length.
        candidates: languages that a doubtful detection chooses from; empty: all.
    """
    known = {
        languages[0][0]
        for languages, length_s in zip(found, lengths_s, strict=True)
        if languages and languages[0][1] >= CLEAR and length_s >= ENOUGH_S
    }
    chosen = [_clear(languages, known) for languages in found]
    if not any(chosen):
        return [_overall(found, lengths_s, candidates)] * len(found)
    return [_nearest(chosen, at) for at in range(len(chosen))]


def _clear(languages: Languages, known: set[str]) -> tuple[str, float] | None:
    if not languages:
        return None
    first, probability = languages[0]
    if probability >= (CLEAR if first in known or not known else CLEAR_ALONE):
        return languages[0]
    chosen = _among(languages, known)
    return chosen if chosen is not None and chosen[1] >= CLEAR else None


def _nearest(chosen: Sequence[tuple[str, float] | None], at: int) -> tuple[str, float]:
    """Take the language of the nearest stretch that has one; of two as near, the earlier."""
    known = [place for place, language in enumerate(chosen) if language is not None]
    language = chosen[min(known, key=lambda place: (abs(place - at), place))]
    assert language is not None
    return language


def _overall(
    found: Sequence[Languages], lengths_s: Sequence[float], candidates: Sequence[str]
) -> tuple[str, float]:
    totals: defaultdict[str, float] = defaultdict(float)
    for languages, length_s in zip(found, lengths_s, strict=True):
        for language, probability in languages:
            totals[language] += probability * length_s
    asked = {language: totals[language] for language in candidates if language in totals}
    pool = asked or totals
    if not pool:
        return UNDETERMINED, 0.0
    best = max(pool, key=lambda language: pool[language])
    return best, totals[best] / sum(totals.values())
