"""Keywords told to the recogniser: how many names they save, and whether they are made up.

    python -m bench.keywords [--quick] [--threads 1]

Piper speaks sentences with rare names, and recorded prompts say none of them; Whisper base hears
both without keywords, and with some of them written in front in several ways.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from bench.bare import answers, loaded
from bench.command import flag, run, value
from bench.engine_inputs import PIPER, WHISPER
from bench.results import Cell, Results, Table
from models.audio.decode import resample
from models.types import SAMPLE_RATE_HZ, AsrItem, Samples, TtsItem
from tests.support.speech import SHORT_SPEECH, SPEECH, clips, normalise, wer

NAMES = (
    *("Dragoman", "Kestrelle", "Zephyrine", "Okonkwo", "Marchetti", "Szczecin", "Vandermeer"),
    *("Quillfeather", "Tamsin", "Bjornsson", "Eszterhazy", "Ploughman", "Niamh", "Saoirse"),
    *("Xylotek", "Medivance", "Ferrograph", "Lumivoxa", "Cartesia", "Novaquill", "Brightwyn"),
    *("Kubernetes", "PostgreSQL", "Grafana", "Terraform", "Ansible", "Redis", "Kafka"),
    *("Ibuprofen", "Metoprolol", "Atorvastatin", "Levothyroxine", "Omeprazole", "Warfarin"),
    *("Llanelli", "Worcester", "Leominster", "Reykjavik", "Ljubljana", "Tegucigalpa"),
)
SENTENCES = (
    "Please send the report to {} before noon.",
    "I spoke with {} about it yesterday.",
    "We moved all of our work to {} last year.",
    "The next meeting with {} is on Monday.",
    "She has never heard of {} before.",
    "Can you spell {} for me, please?",
)
KEYWORDS_A_CLIP = 8
WAYS: Mapping[str, Callable[[Sequence[str]], str | None]] = {
    "none": lambda words: None,
    "listed": lambda words: ", ".join(words),
    "glossary": lambda words: f"Glossary: {', '.join(words)}.",
}


@dataclass(frozen=True)
class Said:
    """A clip, its text, and the keywords that go with it."""

    samples: Samples
    text: str
    keywords: Sequence[str]
    language: str = "en"


@dataclass(frozen=True)
class Heard:
    """What was heard of some clips in one way."""

    clips: str
    way: str
    said: Sequence[Said]
    texts: Sequence[str]

    @property
    def keywords(self) -> list[tuple[bool, bool]]:
        """Tell of each clip's keywords whether it was said, and whether it was heard."""
        return [
            (_has(each.text, word), _has(text, word))
            for each, text in zip(self.said, self.texts, strict=True)
            for word in each.keywords
        ]

    @property
    def made_up(self) -> int:
        return sum(heard for said, heard in self.keywords if not said)

    @property
    def found(self) -> str:
        heard = [heard for said, heard in self.keywords if said]
        return f"{sum(heard)} of {len(heard)}"

    def row(self) -> list[Cell]:
        error = round(100 * wer([each.text for each in self.said], [*self.texts]), 1)
        return [self.clips, self.way, len(self.texts), self.found, self.made_up, error]


def _has(text: str, word: str) -> bool:
    return f" {normalise(word)} " in f" {normalise(text)} "


def bench(args: argparse.Namespace) -> Results:
    chance = random.Random(0)
    with ExitStack() as stack:
        voice = loaded(stack, "piper", PIPER, args.threads)
        whisper = loaded(stack, "whisper", WHISPER, args.threads)
        spoken = _spoken(voice, NAMES[:: 4 if args.quick else 1])
        recorded = [
            (clip.samples(), clip.text, clip.language)
            for folder in (SPEECH, SHORT_SPEECH)
            for clip in clips(folder=folder)
        ][:: 10 if args.quick else 2]
        sets = {
            "one keyword is said": [
                Said(samples, text, _among(name, chance)) for samples, text, name in spoken
            ],
            "none of them is said": [
                Said(samples, text, _without(name, chance)) for samples, text, name in spoken
            ],
            "prompts, none is said": [
                Said(samples, text, chance.sample(NAMES, KEYWORDS_A_CLIP), language)
                for samples, text, language in recorded
            ],
        }
        heard = []
        for title, said in sets.items():
            for way, prompt in WAYS.items():
                heard.append(Heard(title, way, said, [_text(whisper, s, prompt) for s in said]))
                print(*heard[-1].row(), flush=True)
    columns = ["clips", "keywords", "count", "said keywords heard", "made up", "WER %"]
    return Results(
        name="keywords",
        title="Keywords told to the recogniser",
        findings=[
            f"{each.clips}, {each.way}: {each.found} said are heard, {each.made_up} are made up."
            for each in heard
        ],
        tables=[Table("What is heard", columns, [each.row() for each in heard])],
        notes=[
            f"Each clip is heard with {KEYWORDS_A_CLIP} keywords; Whisper base, int8.",
            "The server hears a window in which it finds none of them once more without them.",
        ],
        raw={f"{each.clips}, {each.way}": [*each.texts] for each in heard},
    )


def _spoken(voice: Any, names: Sequence[str]) -> list[tuple[Samples, str, str]]:
    """Speak a sentence of each name."""
    found = []
    for name, sentence in zip(names, cycle(SENTENCES), strict=False):
        text = sentence.format(name)
        (speech,) = answers(voice, [TtsItem(text, "en_US-joe-medium")])
        found.append((resample(speech.audio, SAMPLE_RATE_HZ).samples, text, name))
    return found


def _among(name: str, chance: random.Random) -> list[str]:
    words = [name, *_without(name, chance)[1:]]
    chance.shuffle(words)
    return words


def _without(name: str, chance: random.Random) -> list[str]:
    return chance.sample([each for each in NAMES if each != name], KEYWORDS_A_CLIP)


def _text(whisper: Any, said: Said, prompt: Callable[[Sequence[str]], str | None]) -> str:
    item = AsrItem(said.samples, said.language, prompt=prompt(said.keywords))
    (transcript,) = answers(whisper, [item])
    return str(transcript.text)


if __name__ == "__main__":
    run(__doc__, bench, {"quick": flag("a sample of the clips"), "threads": value(1)})
