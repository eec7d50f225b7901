"""Who speaks when: Dragoman's way beside a bare one, on joined voices and on labelled recordings.

    python -m bench.diarisation [--voices FOLDER] [--labelled FOLDER] [--recordings 32]

Silero and GE2E run with their real weights, as the server runs them. The bare way is the usual
recipe: windows of 1.5 s every 0.75 s, and average-linkage clustering with one threshold. It is
shown with Dragoman's threshold, and with the one that does best on a set. Further voices and labels
come from folders: one folder of audio files a voice, and ``NAME.wav`` beside ``NAME.rttm``. It
takes some minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.bare import answers, loaded
from bench.command import flag, run, value
from bench.conversations import Conversation, joined, labelled, voices
from bench.der import NONE, Errors, errors
from bench.results import Aim, Cell, Results, Table
from bench.turns import cut
from deployments.graph.diarisation import TURN_VAD, named
from deployments.graph.listening import VAD_PIECE_SAMPLES
from deployments.graph.said import SpeakerSpan
from models.audio.samples import levelled
from models.speaker.turns import Rules, is_narrow, pieces, rules_of, samples_of, tell_apart
from models.types import SAMPLE_RATE_HZ, Samples, SpeakerItem, SpeechSpan, VadItem, VadParameters
from models.vad.silero import spans

COLLAR_S = 0.25
THRESHOLDS = (0.60, 0.63, 0.65, 0.67, 0.70)  # of the bare way
WINDOW_S, WINDOW_HOP_S = 1.5, 0.75
BATCH = 32
HOUR_S = 3_600.0
Embeddings = NDArray[np.float32]


class Heard:
    """One recording as both ways need it: embedded once, judged with many rules."""

    def __init__(self, conversation: Conversation, listener: Listener) -> None:
        self.conversation = conversation
        probabilities = listener.probabilities(conversation.samples)
        duration_s = conversation.duration_s
        samples = conversation.samples
        self.speech = spans(probabilities, TURN_VAD, duration_s)
        self.pieces = pieces(self.speech)
        self.is_narrow = is_narrow(samples, self.pieces)
        started_s = time.perf_counter()
        self.embeddings = listener.embed([samples_of(samples, piece) for piece in self.pieces])
        self.embedding_s = time.perf_counter() - started_s
        self.windows = _windows(spans(probabilities, VadParameters(), duration_s))
        self.of_windows = listener.embed([_cut(samples, window) for window in self.windows])

    def ours(self, rules: Rules) -> tuple[SpeakerSpan, ...]:
        """Say who speaks when, as the server does."""
        found = tell_apart(self.speech, self.pieces, self.embeddings, rules, narrow=self.is_narrow)
        return named(found, (), (), rules)

    def bare(self, threshold: float) -> list[SpeakerSpan]:
        """Group windows at one threshold; a moment is of the window whose middle is nearest."""
        from scipy.cluster.hierarchy import fcluster, linkage

        if not self.windows:
            return []
        labels = np.zeros(len(self.windows), np.intp)
        if len(self.windows) > 1:
            tree = linkage(self.of_windows, "average", "cosine")
            labels = fcluster(tree, 1 - threshold, "distance")
        borders = [
            (max(a.start_s, b.start_s) + min(a.end_s, b.end_s)) / 2 if b.start_s < a.end_s else None
            for a, b in pairwise(self.windows)
        ]
        starts, ends = [None, *borders], [*borders, None]
        return [
            SpeakerSpan(start or w.start_s, end or w.end_s, str(label))
            for w, start, end, label in zip(self.windows, starts, ends, labels, strict=True)
        ]


class Listener:
    """Put the two models together, as the server does."""

    def __init__(self, stack: ExitStack, threads: int) -> None:
        self._vad = loaded(stack, "silero", "package:silero_vad", threads)
        self._speaker = loaded(stack, "ge2e", "package:resemblyzer", threads)

    def probabilities(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Tell for each frame how likely it is speech."""
        state, found, loud = None, [], levelled(samples)
        for start in range(0, len(loud), VAD_PIECE_SAMPLES):
            piece = VadItem(loud[start : start + VAD_PIECE_SAMPLES], state=state)
            (heard,) = answers(self._vad, [piece])
            state = heard.state
            found.append(heard.probabilities)
        return np.concatenate(found)

    def embed(self, some: Sequence[Samples]) -> Embeddings:
        """Return float32 [n, 256]."""
        rows = [
            result.embedding
            for batch in cut([SpeakerItem(samples) for samples in some], BATCH)
            for result in answers(self._speaker, batch)
        ]
        return np.stack(rows) if rows else np.empty((0, 1), np.float32)


def _windows(speech: Sequence[SpeechSpan]) -> list[SpeechSpan]:
    found = []
    for span in speech:
        count = max(0, int(np.ceil((span.end_s - span.start_s - WINDOW_S) / WINDOW_HOP_S))) + 1
        starts_s = np.linspace(span.start_s, max(span.start_s, span.end_s - WINDOW_S), count)
        found += [SpeechSpan(float(s), min(float(s) + WINDOW_S, span.end_s)) for s in starts_s]
    return found


def _cut(samples: NDArray[np.int16], span: SpeechSpan) -> NDArray[np.int16]:
    return samples[round(span.start_s * SAMPLE_RATE_HZ) : round(span.end_s * SAMPLE_RATE_HZ)]


# ---- judging ------------------------------------------------------------------------------

Way = Callable[[Heard], Sequence[SpeakerSpan]]


class Judged:
    """What one way makes of a set of recordings."""

    def __init__(self, some: Sequence[Heard], way: Way) -> None:
        found = [(heard.conversation, way(heard)) for heard in some]
        self.strict, self.lenient = (
            reduce(add, (errors(c.truth, said, c.duration_s, collar) for c, said in found), NONE)
            for collar in (0.0, COLLAR_S)
        )
        off = [len({span.speaker for span in said}) - c.speakers for c, said in found]
        self.counted_right = off.count(0)
        self.total = len(off)

    def cells(self) -> list[Cell]:
        """Show it as a row of the table, without its names."""
        lenient: Errors = self.lenient
        return [
            round(self.strict.rate, 1),
            round(lenient.rate, 2),
            round(100 * lenient.missed_s / lenient.speech_s, 2),
            round(100 * lenient.false_s / lenient.speech_s, 2),
            round(lenient.confused, 2),
            f"{self.counted_right} of {self.total}",
        ]


def judge(name: str, some: Sequence[Heard], rules: Rules) -> tuple[list[list[Cell]], Aim]:
    """Compare both ways on one set; the aim is the bare way at the same threshold."""
    ours = Judged(some, lambda heard: heard.ours(rules))
    bare = {at: Judged(some, lambda heard, at=at: heard.bare(at)) for at in THRESHOLDS}  # type: ignore[misc]
    best = min(bare, key=lambda at: bare[at].lenient.rate)
    rows: list[list[Cell]] = [[name, len(some), "Dragoman", *ours.cells()]]
    rows += [
        [name, len(some), f"bare, {at:g}", *bare[at].cells()]
        for at in sorted({best, rules.threshold})
    ]
    aim = Aim.at_most(
        f"DER on {name}", ours.lenient.rate, round(bare[rules.threshold].lenient.rate, 2), " %"
    )
    return rows, aim


def an_hour(rules: Rules) -> float:
    """Return the seconds that an hour of speech takes once it is embedded."""
    rng = np.random.default_rng(1)
    speech = [SpeechSpan(at_s, at_s + 3.5) for at_s in np.arange(0.0, HOUR_S, 4.0)]
    heard = pieces(speech)
    centres = rng.normal(size=(5, 256))
    rows = centres[[int(piece.start_s) // 40 % 5 for piece in heard]]
    rows = rows + rng.normal(size=rows.shape) / 4
    embeddings = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    started_s = time.perf_counter()
    tell_apart(speech, heard, embeddings, rules)
    return time.perf_counter() - started_s


def bench(args: argparse.Namespace) -> Results:
    rules = rules_of("ge2e")
    folder = Path(args.voices) if args.voices else None
    people = voices(folder, args.threads, synthesised=not args.recorded_only)
    sets = {"joined voices": list(joined(people, args.recordings))}
    if args.labelled:
        sets |= {path.name: list(labelled(path)) for path in map(Path, args.labelled.split(","))}
    rows, aims, speech_s, embedding_s = [], [], 0.0, 0.0
    with ExitStack() as stack:
        listener = Listener(stack, args.threads)
        for name, conversations in sets.items():
            heard = [Heard(each, listener) for each in conversations]
            more, aim = judge(name, heard, rules)
            rows += more
            aims.append(aim)
            speech_s += sum(s.end_s - s.start_s for each in heard for s in each.speech)
            embedding_s += sum(each.embedding_s for each in heard)
            print(*more, sep="\n", flush=True)
    columns = ["set", "recordings", "way", "DER %, no collar", f"DER %, collar {COLLAR_S} s"]
    columns += ["missed %", "false %", "confused %", "speakers counted right"]
    return Results(
        name="diarisation",
        title="Who speaks when",
        findings=[
            f"Embedding takes {1000 * embedding_s / speech_s:.0f} ms a second of speech; telling "
            f"apart the speakers of an hour takes {an_hour(rules):.1f} s more."
        ],
        tables=[
            Table("Who speaks when", columns, rows),
            Table("Aims", ["what", "measured", "aim", "met"], [aim.row for aim in aims]),
        ],
        notes=[
            f"Voices: {', '.join(people)}.",
            "The bare way: windows of 1.5 s, average linkage, the threshold that is named.",
        ],
        failed=not all(aim.met for aim in aims),
    )


if __name__ == "__main__":
    options = {
        "threads": value(2),
        "recordings": value(32, "of joined voices"),
        "voices": value("", "folder with a folder of clips for each further voice"),
        "labelled": value("", "folders of NAME.wav and NAME.rttm, with commas between"),
        "recorded_only": flag("leave out the voices that Piper and Kokoro speak"),
    }
    run(__doc__, bench, options)
