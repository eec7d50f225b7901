"""Choice of the spoken language: most speech is clear, other speech is tried in several."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Languages = tuple[tuple[str, float], ...]  # with their probabilities, the likeliest first

CLEAR = 0.8  # the probability from which a detection counts as sure
LEAST_S = 1.0  # of speech; less does not show its language
LIKELIEST = 2  # detected languages to try, beside those of the recording
MOST_TRIED = 5


def is_clear(found: Languages) -> bool:
    """Tell whether a detection is sure of its language."""
    return bool(found) and found[0][1] >= CLEAR


def among(found: Languages, candidates: Collection[str]) -> Languages:
    """Leave the candidates alone, which then have all of the probability; without any, leave all.

    Where none of them was found, they are alike.
    """
    if not found or not candidates:
        return found
    left = [pair for pair in found if pair[0] in candidates]
    total = sum(probability for _, probability in left)
    if not total:
        return tuple((language, 1 / len(candidates)) for language in candidates)
    return tuple((language, probability / total) for language, probability in left)


def clear_languages(stretches: Sequence[Languages]) -> tuple[str, ...]:
    """List the languages that are clearly heard somewhere in a recording."""
    return tuple(dict.fromkeys(found[0][0] for found in stretches if is_clear(found)))


def to_try(
    found: Languages, known: Collection[str] = (), allowed: Collection[str] = ()
) -> tuple[str, ...]:
    """Choose the languages in which doubtful speech is decoded to find its own.

    Args:
        found: the detected languages.
        known: the languages that are clearly heard elsewhere in the recording.
        allowed: the languages that the caller can use; empty: all. A known one is always allowed.
    """
    usable = [language for language, _ in found if not allowed or language in allowed]
    likeliest = [language for language, _ in found if language in known]
    return tuple(dict.fromkeys([*usable[:LIKELIEST], *likeliest]))[:MOST_TRIED]


def filled(chosen: Sequence[tuple[str, float] | None]) -> list[tuple[str, float] | None]:
    """Give stretches of unknown language that of the nearest known stretch.

    Of two that are equally near the earlier counts. If none is known, nothing changes.
    """
    known = [place for place, language in enumerate(chosen) if language is not None]
    if not known:
        return list(chosen)
    return [
        chosen[min(known, key=lambda place: (abs(place - at), place))] for at in range(len(chosen))
    ]
