"""Cuts texts into the cheapest cues, cues into lines, and two texts at like places."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from models.audio.subtitles.limits import MAX_CUE_S, USUAL, Limits
from models.audio.subtitles.pieces import Break

MIN_CUE_S = 1.0  # a shorter cue cannot be read
PAUSE_S = 2.0  # no cue stands over a longer silence

# Costs of a cue, and of faults that make it hard to read, in the unit of ``Break``.
CUE = 10.0
SLACK = 20.0  # of an empty cue; grows by the square, so that cues are alike
SECOND_LINE = 38.0  # of one of two languages
ORPHAN = 25.0  # a single word that is no sentence
STRADDLES = 25.0  # parts of two sentences
SHORT_A_S = 60.0
LONG_A_S = 50.0
LONG_AT_MOST = 100.0  # where the times of words are not known
PAUSE_A_S = 12.0  # taken off a break for each second of pause there
ORPHAN_LINE = 30.0
UNEVEN = 40.0  # lines, by the square of their difference
ASTRAY = 40.0  # a cut one cue from its place in the other language
EMPTY = 60.0  # a cue without a text in one language
COARSE = 4  # characters between two places to cut, in scripts without spaces
NARROW = 10  # columns: a cue of a word or less

Cut = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece with its time. ``cost``: of a cut before it; ``opens``: it begins a sentence."""

    text: str
    space: str
    width: int
    start_s: float
    end_s: float
    cost: float
    opens: bool
    is_timed: bool  # by words
    starts_anew: bool = False  # never in a cue with the atom before it
    limits: Limits = USUAL  # of its language; a cue is of one language


@dataclass(frozen=True, slots=True)
class Shape:
    """The desired shape of cues.

    ``projected`` is the width of a translation for one column of the text; a cue holds at most
    ``most_projected`` columns of it; None: two lines.
    """

    full_lines: int = 2
    second_line: float = 0.0
    projected: float = 1.0
    most_projected: float | None = None


class Ruler:
    """Measures runs of atoms."""

    def __init__(self, atoms: Sequence[Atom]) -> None:
        self._atoms = atoms
        self._ends = [0, *accumulate(len(atom.space) + atom.width for atom in atoms)]
        self._sentences = [0, *accumulate(int(atom.opens) for atom in atoms)]
        self._line_ends = list(self._fitting())

    @property
    def total(self) -> int:
        return self._ends[-1]

    def width(self, start: int, stop: int) -> int:
        """Return the columns of the atoms in one line."""
        if start == stop:
            return 0
        return self._ends[stop] - self._ends[start] - len(self._atoms[start].space)

    def share(self, stop: int) -> float:
        """Return the share of the text that lies before an atom."""
        return self._ends[stop] / max(1, self.total)

    def opens_within(self, start: int, stop: int) -> bool:
        """Tell whether a sentence begins behind the first of the atoms."""
        return self._sentences[stop] > self._sentences[start + 1]

    def line_end(self, start: int) -> int:
        """Return the last stop of a line that begins here."""
        return self._line_ends[start]

    def cue_end(self, start: int) -> int:
        """Return the last stop of two lines that begin here."""
        return self._line_ends[self._line_ends[start]]

    def _fitting(self) -> Iterator[int]:
        stop, count = 0, len(self._atoms)
        for start in range(count):
            stop = max(stop, start + 1)
            most = self._atoms[start].limits.line_width
            while (
                stop < count
                and not self._atoms[stop].starts_anew  # there another width may hold
                and self.width(start, stop + 1) <= most
            ):
                stop += 1
            yield stop
        yield count


def best_cuts(atoms: Sequence[Atom], shape: Shape = Shape()) -> list[Cut]:
    """Return the atoms of each cue, so that all cues together cost least."""
    ruler, count = Ruler(atoms), len(atoms)
    costs = [0.0] + [math.inf] * count
    starts = [0] * (count + 1)
    for start in range(count):
        if costs[start] == math.inf:
            continue
        for stop in _stops(atoms, ruler, start, shape):
            width = max(1.0, shape.projected) * ruler.width(start, stop)
            cost = costs[start] + _cost(atoms, start, stop, width, shape)
            if ruler.opens_within(start, stop) and not _is_sentence(atoms, start, stop):
                cost += STRADDLES
            if cost < costs[stop]:
                costs[stop], starts[stop] = cost, start
    edges = [count]
    while edges[-1]:
        edges.append(starts[edges[-1]])
    return list(pairwise(reversed(edges)))


def _stops(atoms: Sequence[Atom], ruler: Ruler, start: int, shape: Shape) -> Sequence[int]:
    """Return where a cue may end that begins here; within words only some places, to save time."""
    most = shape.most_projected or 2 * atoms[start].limits.line_width
    end = start + 1
    while (
        end < ruler.cue_end(start)
        and not atoms[end].starts_anew
        and ruler.width(start, end + 1) * shape.projected <= most
    ):
        end += 1
    stops = range(start + 1, end + 1)
    good = [
        stop
        for stop in stops
        if stop == len(atoms) or atoms[stop].cost <= Break.SPACE or stop % COARSE == 0
    ]
    if end < len(atoms) and atoms[end].starts_anew:
        good.append(end)
    return good or stops


def _cost(atoms: Sequence[Atom], start: int, stop: int, width: float, shape: Shape) -> float:
    first, last = atoms[start], atoms[stop - 1]
    full = shape.full_lines * first.limits.line_width
    following = atoms[stop] if stop < len(atoms) else None
    cost = CUE + SLACK * max(0.0, 1 - width / full) ** 2
    if width > first.limits.line_width:
        cost += shape.second_line
    too_long = LONG_A_S * max(0.0, last.end_s - first.start_s - MAX_CUE_S)
    cost += too_long if first.is_timed else min(too_long, LONG_AT_MOST)
    if following is not None:
        cost += following.cost
        if not following.starts_anew:
            cost += SHORT_A_S * max(0.0, MIN_CUE_S - (following.start_s - first.start_s))
    if (stop - start == 1 or width < NARROW) and not _is_sentence(atoms, start, stop):
        cost += ORPHAN
    return cost


def _is_sentence(atoms: Sequence[Atom], start: int, stop: int) -> bool:
    """Tell whether these are whole sentences."""
    return atoms[start].opens and (stop == len(atoms) or atoms[stop].opens)


def lines(atoms: Sequence[Atom]) -> tuple[str, ...]:
    """Return the atoms in one line, or in two of like width that break at a clause if possible."""
    if not atoms:
        return ()
    ruler, count = Ruler(atoms), len(atoms)
    if ruler.line_end(0) == count:
        return (_text(atoms),)

    def cost(stop: int) -> float:
        above, below = ruler.width(0, stop), ruler.width(stop, count)
        orphan = ORPHAN_LINE if stop in (1, count - 1) else 0.0
        return atoms[stop].cost + orphan + UNEVEN * ((above - below) / (above + below)) ** 2

    fitting = [stop for stop in range(1, ruler.line_end(0) + 1) if ruler.line_end(stop) == count]
    stop = min(fitting, key=cost)
    return _text(atoms[:stop]), _text(atoms[stop:])


def _text(atoms: Iterable[Atom]) -> str:
    return "".join(atom.space + atom.text for atom in atoms).strip()


def cut_pair(atoms: Sequence[Atom], others: Sequence[Atom]) -> list[tuple[Cut, Cut]]:
    """Cut two texts of one meaning into equally many cues, one line a language if possible."""
    if not atoms or not others:
        return _spread(atoms, others)
    ruler = Ruler(atoms)
    projected = Ruler(others).total / max(1, ruler.total)
    line_width = others[0].limits.line_width
    for most_lines in (2, 5 / 3, 4 / 3, 1):
        shape = Shape(1, SECOND_LINE, projected, most_lines * line_width)
        cuts = best_cuts(atoms, shape)
        matching = _matching(others, [ruler.share(stop) for _, stop in cuts])
        if matching is not None:
            return list(zip(cuts, matching, strict=True))
    return _spread(atoms, others)


def _matching(atoms: Sequence[Atom], shares: Sequence[float]) -> list[Cut] | None:
    """Return the atoms of each cue, cut as near to these shares of the text as is readable.

    None: some cue would not fit into two lines, or would lie more than one cue from its place.
    """
    ruler, count, cues = Ruler(atoms), len(atoms), len(shares)
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, (0,))}
    for number, share in enumerate(shares, start=1):
        reached: dict[int, tuple[float, tuple[int, ...]]] = {}
        for start, (so_far, edges) in best.items():
            last = ruler.cue_end(start)
            for stop in range(start if number < cues else count, last + 1):
                astray = abs(ruler.share(stop) - share) * cues
                if astray > 1:
                    continue
                cost = so_far + ASTRAY * astray**2
                cost += atoms[stop].cost if 0 < stop < count else 0.0
                cost += EMPTY if start == stop else 0.0
                cost += SECOND_LINE if ruler.line_end(start) < stop else 0.0
                if stop not in reached or cost < reached[stop][0]:
                    reached[stop] = cost, (*edges, stop)
        best = reached
    return list(pairwise(best[count][1])) if count in best else None


def _spread(atoms: Sequence[Atom], others: Sequence[Atom]) -> list[tuple[Cut, Cut]]:
    """Cut each text by itself, and spread the fewer cues of one over those of the other."""
    ours, theirs = best_cuts(atoms), best_cuts(others)
    count = max(len(ours), len(theirs))
    return list(zip(_stretched(ours, count), _stretched(theirs, count), strict=True))


def _stretched(cuts: Sequence[Cut], count: int) -> list[Cut]:
    """Return as many cuts as asked for, with empty ones between."""
    places = {number * count // len(cuts): cut for number, cut in enumerate(cuts)}
    found, end = [], 0
    for number in range(count):
        start, end = places.get(number, (end, end))
        found.append((start, end))
    return found
