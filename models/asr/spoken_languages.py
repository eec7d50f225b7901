"""Tell which language is spoken where: most speech says it clearly, other speech is tried."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Languages = tuple[tuple[str, float], ...]  # with their probabilities, the likeliest first

CLEAR = 0.8  # the probability from which a detection is believed
LEAST_S = 1.0  # of speech that tells its language
LIKELIEST = 2  # languages that doubtful speech is tried in, beside those of its recording
MOST_TRIED = 5


def is_clear(found: Languages) -> bool:
    """Tell whether a detection is sure of its language."""
    return bool(found) and found[0][1] >= CLEAR


def clear_languages(stretches: Sequence[Languages]) -> tuple[str, ...]:
    """List the languages that are clearly heard somewhere in a recording."""
    return tuple(dict.fromkeys(found[0][0] for found in stretches if is_clear(found)))


def to_try(
    found: Languages, known: Collection[str] = (), allowed: Collection[str] = ()
) -> tuple[str, ...]:
    """Choose the languages that doubtful speech may be in: decoding in each tells which it is.

    Args:
        found: what detection says of it.
        known: the languages that are clearly heard elsewhere in the recording.
        allowed: those that somebody can use; empty: all. A known one is always allowed.
    """
    usable = [language for language, _ in found if not allowed or language in allowed]
    likeliest = [language for language, _ in found if language in known]
    return tuple(dict.fromkeys([*usable[:LIKELIEST], *likeliest]))[:MOST_TRIED]


def filled(chosen: Sequence[tuple[str, float] | None]) -> list[tuple[str, float] | None]:
    """Give a stretch that is too short to tell its language that of the nearest one.

    Of two that are as near the earlier counts. Without any known one nothing is known.
    """
    known = [place for place, language in enumerate(chosen) if language is not None]
    if not known:
        return list(chosen)
    return [
        chosen[min(known, key=lambda place: (abs(place - at), place))] for at in range(len(chosen))
    ]
