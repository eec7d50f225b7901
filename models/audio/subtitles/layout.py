"""Lays out timed text as cues of at most two short lines that stay long enough to be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from models.audio.subtitles.cutting import (
    MIN_CUE_S,
    PAUSE_A_S,
    PAUSE_S,
    Atom,
    best_cuts,
    cut_pair,
    lines,
)
from models.audio.subtitles.limits import GAP_MS, LEAST_CUE_S, MAX_CUE_S, limits_of
from models.audio.subtitles.pieces import Break, display_width, ends_sentence, pieces, space_between
from models.audio.subtitles.times import character_times
from models.audio.subtitles.types import Cue, Phrase
from models.types import AnswerWarning

SHORTEST_WITH_GAP_MS = 500
ROUNDING_S = 0.002
SHORTEST_MS = 40  # a picture: a shorter cue is not shown

# Phrases are cues of their own, unless one is too short to be read. These are the gains of a cut
# between two phrases, at the end of a sentence and within one.
PHRASE_END = -35.0
OPEN_PHRASE_END = -15.0


@dataclass(frozen=True, slots=True)
class _Draft:
    """A cue before it has its place among the others. ``reading_s`` is what its text takes."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    reading_s: float


def lay_out(phrases: Sequence[Phrase]) -> list[Cue]:
    """Cut phrases, which are in order, into cues.

    A cue has at most two lines, as wide as its language has them, and lasts at most 7 s. It
    stands while its text is spoken. If that is too short to read, it stays on in the silence
    behind. Long texts are cut at ends of sentences, else at clauses, else between words, and at
    pauses over 2 s. Cues are in order and do not overlap. Apart from white space, their text is
    that of the phrases.
    """
    atoms: list[Atom] = []
    language = None
    for phrase in phrases:
        found = _atoms(phrase)
        if found and atoms:
            found[0] = _joined_to(atoms[-1], found[0], is_foreign=phrase.language != language)
        atoms += found
        language = phrase.language if found else language
    return _timed(_draft(atoms[start:stop]) for start, stop in best_cuts(atoms))


def lay_out_pairs(pairs: Sequence[tuple[Phrase, Phrase]]) -> list[Cue]:
    """Cut phrases and their translations into cues that show a part of both.

    The parts are at like places of the two texts. Each language has at most two lines, one
    where there is time for more cues. The times are those of the phrases; for the rest see
    ``lay_out``.
    """
    drafts = []
    for original, translation in pairs:
        told = replace(translation, start_s=original.start_s, end_s=original.end_s, words=None)
        above, below = _atoms(original), _atoms(told)
        for (start, stop), (other_start, other_stop) in cut_pair(above, below):
            upper, lower = above[start:stop], below[other_start:other_stop]
            first, second = _draft(upper or lower), _draft(lower or upper)
            shown = lines(upper) + lines(lower)
            reading_s = max(first.reading_s, second.reading_s)
            drafts.append(_Draft(first.start_s, first.end_s, shown, reading_s))
    return _timed(drafts)


def _atoms(phrase: Phrase) -> list[Atom]:
    """Return the pieces of a phrase with their times."""
    found: list[Atom] = []
    limits = limits_of(phrase.language)
    parts = pieces(phrase.text, phrase.language)
    letters = ["".join(part.text.split()) for part in parts]
    times = character_times(phrase, "".join(letters))
    end = 0
    for part, text in zip(parts, letters, strict=True):
        start, end = end, end + len(text)
        start_s, end_s = times[start].start_s, times[end - 1].end_s
        silence_s = max(0.0, start_s - found[-1].end_s) if found else 0.0
        found.append(
            Atom(
                text=part.text,
                space=part.space,
                width=display_width(part.text),
                start_s=start_s,
                end_s=end_s,
                cost=max(0.0, part.before - PAUSE_A_S * min(1.0, silence_s)),
                opens=part.before == Break.SENTENCE,
                is_timed=bool(phrase.words),
                starts_anew=silence_s > PAUSE_S,
                limits=limits,
            )
        )
    return found


def _joined_to(last: Atom, first: Atom, *, is_foreign: bool) -> Atom:
    """Return the first atom of a phrase that stands behind another."""
    opens = ends_sentence(last.text)
    return replace(
        first,
        space=space_between(last.text, first.text),
        cost=PHRASE_END if opens else OPEN_PHRASE_END,
        opens=opens,
        starts_anew=is_foreign or first.start_s - last.end_s > PAUSE_S,
    )


def _draft(atoms: Sequence[Atom]) -> _Draft:
    shown = lines(atoms)
    reading_s = sum(map(display_width, shown)) / atoms[0].limits.reading_width_a_s
    return _Draft(atoms[0].start_s, atoms[-1].end_s, shown, reading_s)


def _timed(drafts: Iterable[_Draft]) -> list[Cue]:
    """Give each cue time to be read, as far as nothing is said behind it."""
    drafts = list(drafts)
    starts_ms: list[int] = []
    for draft in drafts:
        earliest_ms = starts_ms[-1] + SHORTEST_MS if starts_ms else 0
        starts_ms.append(max(earliest_ms, round(draft.start_s * 1000)))
    cues = []
    for number, draft in enumerate(drafts):
        start_ms = starts_ms[number]
        reading_s = min(MAX_CUE_S, max(MIN_CUE_S, draft.reading_s))
        end_ms = max(round(draft.end_s * 1000), start_ms + round(reading_s * 1000))
        end_ms = min(end_ms, start_ms + round(MAX_CUE_S * 1000))
        if number + 1 < len(drafts):
            end_ms = _before(starts_ms[number + 1], start_ms, end_ms)
        cues.append(Cue(start_ms / 1000, end_ms / 1000, draft.lines, draft.reading_s))
    return cues


def _before(next_ms: int, start_ms: int, end_ms: int) -> int:
    """Return an end of a cue that leaves a gap before the next, if there is time for one."""
    if next_ms - start_ms >= SHORTEST_WITH_GAP_MS + GAP_MS:
        next_ms -= GAP_MS
    return min(end_ms, next_ms)


def doubts(cues: Sequence[Cue]) -> list[AnswerWarning]:
    """Tell of cues that pass too quickly: nothing that is said is left out."""
    fast = [cue for cue in cues if cue.lasts_s < min(cue.reading_s, MAX_CUE_S) - ROUNDING_S]
    short = [cue for cue in cues if cue.lasts_s < LEAST_CUE_S - ROUNDING_S]
    found = []
    for code, some, what in (
        ("subtitle_too_fast", fast, "faster than they can be read"),
        ("subtitle_too_short", short, f"for less than {LEAST_CUE_S:.2f} s"),
    ):
        if some:
            first_s = f"the first one at {some[0].start_s:.1f} s"
            message = f"{len(some)} of {len(cues)} subtitles pass {what}: {first_s}"
            found.append(AnswerWarning(code, message))
    return found
