"""Part ``repetitions``: what is said several times on purpose, and has to be heard as often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice

from bench.bare import answers, loaded
from bench.engine_inputs import PIPER
from bench.results import Aim, Cell, Table
from bench.said import telling
from bench.said.hearing import Ears, Run
from bench.said.judging import kept_repetition
from bench.said.recordings import (
    LANGUAGES,
    Clip,
    Recording,
    as_recording,
    generator,
    joined,
    of_language,
)
from bench.said.telling import Told, examples
from models.audio.decode import resample
from models.audio.samples import to_int16
from models.types import SAMPLE_RATE_HZ, TtsItem

VOICE = "en_US-joe-medium"
PAUSES_S = (0.1, 0.3, 0.5, 0.7, 1.0)
MARGIN_S = 0.2
SHORT_S, SHORTEST_S = 2.5, 1.9  # a clip that stands twice or three times in less than 10 s
TWICE, THRICE, REFRAINS = 12, 7, 7
WORDS = (  # with how often each is said
    ("No.", 2),
    ("No.", 3),
    ("Yes.", 2),
    ("Stop!", 3),
    ("Hello?", 2),
    ("Wait.", 2),
    ("Thank you.", 2),
    ("Okay.", 2),
    ("Goodbye.", 2),
)
NUMBERS = (
    "four seven one two",
    "nine zero five",
    "two three eight six",
    "sixty one",
    "five oh one",
)
QUICK_EVERY = 4


@dataclass(frozen=True, eq=False)
class Repetition:
    """A recording with the clips in the order in which they are said."""

    kind: str
    said: tuple[Clip, ...]
    recording: Recording

    def times(self) -> Counter[Clip]:
        return Counter(self.said)


@dataclass(frozen=True)
class Found:
    """Hold what each run heard of the repetitions, and of every clip of theirs alone."""

    repetitions: Sequence[Repetition]
    reference: Run
    json: Run
    verbose: Run
    alone: Sequence[Run]

    def kept(self, repetition: Repetition, run: Run) -> bool:
        """Tell whether each clip stands in the text as often as it was said."""
        text = run.heard[repetition.recording.name].text
        return all(
            kept_repetition(text, times, clip.text, *self._heard_alone(clip))
            for clip, times in repetition.times().items()
        )

    def _heard_alone(self, clip: Clip) -> list[str]:
        return [run.heard[clip.name].text for run in self.alone]


def repetitions() -> list[Repetition]:
    """Make forty; nearly all of them fit into one short window."""
    by_text = spoken([*dict.fromkeys(text for text, _ in WORDS), *NUMBERS])
    return [
        *_clips("a clip twice", TWICE, (0, 0), SHORT_S),
        *_clips("a clip three times", THRICE, (0, 0, 0), SHORTEST_S),
        *_clips("a refrain", REFRAINS, (0, 1, 0), SHORT_S),
        *(
            _repetition("a word", [by_text[text]] * times, n)
            for n, (text, times) in enumerate(WORDS)
        ),
        *(_repetition("a number twice", [by_text[text]] * 2, n) for n, text in enumerate(NUMBERS)),
    ]


def _clips(kind: str, count: int, order: Sequence[int], longest_s: float) -> Iterator[Repetition]:
    """Make so many recordings, the languages in turn; ``order`` is of the clips drawn for each."""
    draw = generator("repetitions", kind)
    short = {
        language: [clip for clip in of_language(language) if clip.duration_s <= longest_s]
        for language in LANGUAGES
    }
    for number, language in enumerate(islice(cycle(LANGUAGES), count)):
        drawn = [short[language].pop(draw.randrange(len(short[language]))) for _ in set(order)]
        yield _repetition(kind, [drawn[place] for place in order], number)


def _repetition(kind: str, said: Sequence[Clip], number: int) -> Repetition:
    pauses_s = [PAUSES_S[(number + step) % len(PAUSES_S)] for step in range(len(said) - 1)]
    name = f"{kind} {number + 1}: {said[0].text}"
    return Repetition(kind, tuple(said), joined(name, said, pauses_s, MARGIN_S))


def spoken(texts: Sequence[str]) -> dict[str, Clip]:
    """Speak words that no prompt has, in the English voice that ships with the project.

    The voice never says a text twice in the same way, so these alone differ from run to run.
    """
    found = {}
    with ExitStack() as stack:
        runtime = loaded(stack, "piper", PIPER, 1)
        for text in texts:
            (speech,) = answers(runtime, [TtsItem(text, VOICE)])
            samples = to_int16(resample(speech.audio, SAMPLE_RATE_HZ).samples)
            found[text] = Clip(f"voice/{text}", "en", text, samples)
    return found


def measure(ears: Ears, quick: bool) -> Told:
    some = repetitions()[:: QUICK_EVERY if quick else 1]
    recordings = [each.recording for each in some]
    alone = [as_recording(clip) for clip in dict.fromkeys(clip for r in some for clip in r.said)]
    return report(
        Found(
            some,
            ears.reference(recordings),
            ears.served(recordings, "json"),
            ears.served(recordings, "verbose_json"),
            [ears.reference(alone), ears.served(alone, "json")],
        )
    )


def report(found: Found) -> Told:
    runs = (found.reference, found.json, found.verbose)
    rows: list[list[Cell]] = []
    for kind in [*dict.fromkeys(each.kind for each in found.repetitions), None]:
        some = [each for each in found.repetitions if kind in (None, each.kind)]
        kept = [sum(found.kept(each, run) for each in some) for run in runs]
        rows.append([kind or "all", len(some), *kept])
    columns = ["what is said", "recordings", *(f"kept by {run.way}" for run in runs)]
    count, theirs, *ours = (int(str(cell)) for cell in rows[-1][1:])
    not_kept = [
        [each.recording.name, run.way, run.heard[each.recording.name].text]
        for each in found.repetitions
        for run in runs
        if not found.kept(each, run)
    ]
    names = ["recording", "who", "heard"]
    return Told(
        tables=[
            Table("Repetitions that are meant", columns, rows),
            *examples("Repetitions not kept", names, not_kept, len(not_kept)),
        ],
        aims=[
            Aim.at_least(
                f"repetitions kept of {count}, {run.way}, as by faster-whisper", kept, theirs
            )
            for run, kept in zip(runs[1:], ours, strict=True)
        ],
        raw=telling.raw([each.recording for each in found.repetitions], runs),
        notes=[
            "Repetitions: kept is a text that has each clip exactly as often as it was said, as "
            "the script has it or as it was heard alone. Words and numbers are spoken by Piper, "
            "which never says a text in the same way again."
        ],
    )
