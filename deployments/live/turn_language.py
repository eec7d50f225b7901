"""Decide early in which language a turn is spoken, by what was clearly heard in its session."""

from __future__ import annotations

from collections.abc import Collection

from models.asr.spoken_languages import CLEAR, LEAST_S, Languages, among

SURE = 0.95  # the probability from which little speech shows its language
EARLY_S = 2.0  # of speech; from there on a clear detection is nearly always right


def settled(found: Languages, known: Collection[str]) -> bool:
    """Tell whether a detection counts: of a new language it must be sure.

    Args:
        found: the detected languages.
        known: the languages that were clearly heard in the session; empty: none yet.
    """
    if not found:
        return False
    name, probability = found[0]
    return probability >= (CLEAR if name in known or not known else SURE)


def early_language(
    found: Languages, known: Collection[str], allowed: Collection[str], heard_s: float
) -> str | None:
    """Return the language of speech that goes on; None: more of it must be heard.

    Args:
        found: the languages that were detected in it.
        known: those that were clearly heard in the session.
        allowed: those that it may be in; empty: all.
        heard_s: how long it is.
    """
    found = among(found, allowed)
    if not found or heard_s < LEAST_S:
        return None
    name, probability = found[0]
    if probability >= SURE:
        return name
    is_usual = name in known or (not known and heard_s >= EARLY_S)
    return name if is_usual and probability >= CLEAR else None
