"""What M2M100 costs on CTranslate2 and on transformers, by batch size, side by side.

    python -m bench.nmt_engines [--folder FOLDER] [--batch-sizes 1 8 32] [--tiny]

The model has the size of the published 418M one and random values, as its weights are not in a
package: the figures are of speed, not of translations. It is built once, in ``--folder`` (2 GB;
its conversion to int8, in the cache, is 0.5 GB more). What ends a sentence is zero in it, so that
none ends by itself: both engines make exactly ``--tokens`` for each translation.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import machine
from models.devices.device import DeviceRequest
from models.nmt.m2m100.engine import M2m100Nmt, Options
from models.runtime import ItemError, Runtime, RuntimeSettings
from models.types import NmtItem, Translation
from models.weights.cached_files import cache_folder
from tests.support.m2m100_transformers import M2m100TransformersNmt
from tests.support.m2m100_transformers import Options as TransformersOptions
from tests.support.published.m2m100 import (
    PUBLISHED,
    PUBLISHED_VOCABULARY,
    TINY,
    write_model,
    write_tokenizer,
)

# About 15 tokens each, as sentences of speech have.
SENTENCES = (
    "Please wait a moment, I will ask my colleague about the new contract.",
    "What time does the pharmacy near the station close on Sundays?",
    "We will call you back tomorrow morning, between nine and eleven.",
    "The next train to the airport leaves from the second platform.",
)
TARGETS = ("pt", "es", "fr", "de", "zh", "hi", "ru", "he")  # a batch mixes pairs
CTRANSLATE2, TRANSFORMERS = "m2m100", "m2m100-transformers"


@dataclass(frozen=True)
class Line:
    """One line of the table: an engine at one batch size. Times are of the best round."""

    engine: str
    precision: str
    batch_size: int
    s_a_batch: float
    slowest_s_a_batch: float

    @property
    def sentences_a_s(self) -> float:
        return self.batch_size / self.s_a_batch


def build(folder: Path, tiny: bool) -> None:
    """Write the model, whole or not at all."""
    if folder.exists():
        return
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # The tokenizer knows the words of SENTENCES; the rest of its vocabulary stands for others.
    tokens = write_tokenizer(partial, SENTENCES, None if tiny else PUBLISHED_VOCABULARY)
    write_model(partial, tokens, **(TINY if tiny else PUBLISHED) | {"end_scale": 0.0})
    partial.rename(folder)


def items(batch_size: int, max_tokens: int) -> list[NmtItem]:
    return [
        NmtItem(
            SENTENCES[i % len(SENTENCES)], "en", TARGETS[i % len(TARGETS)], max_tokens=max_tokens
        )
        for i in range(batch_size)
    ]


def measure(
    name: str,
    engine: Runtime[NmtItem, Translation],
    batch_sizes: Sequence[int],
    max_tokens: int,
    rounds: int,
) -> list[Line]:
    """The lines of one engine; the first round of each batch size warms it up."""
    _, report = engine.load()
    lines = []
    for batch_size in batch_sizes:
        batch, times_s = items(batch_size, max_tokens), []
        for _ in range(1 + rounds):
            started_s = time.perf_counter()
            results = engine.run(batch)
            times_s.append(time.perf_counter() - started_s)
            for result in results:
                if isinstance(result, ItemError):
                    raise result.error
        measured_s = times_s[1:]
        lines.append(Line(name, report.precision, batch_size, min(measured_s), max(measured_s)))
    engine.close()
    return lines


def row(ours: Line, reference: Line) -> str:
    return (
        f"| {ours.batch_size} | {ours.sentences_a_s:.2f} | {ours.s_a_batch:.2f}-"
        f"{ours.slowest_s_a_batch:.2f} | {reference.sentences_a_s:.2f} | "
        f"{reference.s_a_batch:.2f}-{reference.slowest_s_a_batch:.2f} | "
        f"{ours.sentences_a_s / reference.sentences_a_s:.1f} |"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, help="where the model is built; default: the cache")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=20, help="of each translation")
    parser.add_argument("--rounds", type=int, default=3, help="of each batch size")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="cpu")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try the bench")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    folder = args.folder or cache_folder() / "bench" / ("m2m100-tiny" if args.tiny else "m2m100")
    build(folder, args.tiny)
    device = DeviceRequest(
        args.device, gpu_fraction=float(args.device != "cpu"), threads=args.threads
    )
    settings = RuntimeSettings("nmt", f"path:{folder.absolute()}", device)
    engines: dict[str, Runtime[NmtItem, Translation]] = {
        CTRANSLATE2: M2m100Nmt(settings, Options()),
        TRANSFORMERS: M2m100TransformersNmt(settings, TransformersOptions()),
    }
    found = {
        name: measure(name, engine, args.batch_sizes, args.tokens, args.rounds)
        for name, engine in engines.items()
    }
    described = f"{machine.describe()}; {args.threads} threads"
    precisions = [lines[0].precision for lines in found.values()]
    print(f"machine: {described}")
    print(f"random values; {args.tokens} tokens a translation; best of {args.rounds} rounds\n")
    print(
        f"| batch | CTranslate2 {precisions[0]} sentences/s | s a batch "
        f"| transformers {precisions[1]} sentences/s | s a batch | ratio |"
    )
    print("|---|---|---|---|---|---|")
    for ours, reference in zip(found[CTRANSLATE2], found[TRANSFORMERS], strict=True):
        print(row(ours, reference))
    if args.json:
        lines = [asdict(line) for lines in found.values() for line in lines]
        args.json.write_text(json.dumps({"machine": described, "lines": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
