"""YourTTS at its published size with random values: sentences alone and batched, and cloning.

    python -m bench.yourtts [--device auto|cpu|cuda] [--threads 2] [--rounds 3]
                            [--batch-sizes 1 4 8] [--json FILE]

The speed is real, the sound is noise. Durations are drawn so that a character lasts about as
long as in speech. Coqui's own ``Vits.inference``, one sentence at a time, stands beside it.
Each figure is the median of the rounds, with the least and the most.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from models.devices.device import DeviceReport, DeviceRequest
from models.runtime import RuntimeSettings
from models.tts.yourtts import checkpoint
from models.tts.yourtts.engine import Options, YourTts
from models.types import SAMPLE_RATE_HZ, SOURCE_VOICE, Speech, TtsItem
from models.weights import source
from tests.support.published import yourtts as published

SENTENCES = (
    "The next train leaves from the other platform.",
    "O próximo comboio parte da outra plataforma.",
    "Could you tell me where the station is, please?",
    "Poderia dizer-me onde fica a estação, por favor?",
    "We have been waiting here for quite a long time.",
    "Estamos à espera aqui há bastante tempo.",
    "Le prochain train part de l'autre quai.",
    "Nous attendons ici depuis assez longtemps.",
)
VOICES = ("male-en-2/en", "female-pt-4/pt") * 3 + ("male-en-2/fr", "female-pt-4/fr")
REFERENCE_S = 6


@dataclass(frozen=True)
class Line:
    """One line of the table; ``*_ms`` are of one sentence."""

    what: str
    batch_size: int
    median_ms: float
    least_ms: float
    most_ms: float
    audio_s: float  # of one sentence

    @property
    def real_time_factor(self) -> float:
        return self.median_ms / 1000 / self.audio_s

    def row(self) -> str:
        spread = f"{self.median_ms:.0f} ({self.least_ms:.0f} to {self.most_ms:.0f})"
        return f"| {self.what} | {self.batch_size} | {spread} | {self.real_time_factor:.3f} |"


def items() -> list[TtsItem]:
    """Sorted by length, as the batcher does."""
    pairs = zip(SENTENCES, VOICES, strict=True)
    return sorted((TtsItem(text, voice) for text, voice in pairs), key=lambda i: i.length)


def in_batches(runtime: YourTts, sentences: Sequence[TtsItem], batch_size: int) -> float:
    """Speak them all; the seconds of audio that they became."""
    audio_s = 0.0
    for first in range(0, len(sentences), batch_size):
        for result in runtime.run(sentences[first : first + batch_size]):
            if not isinstance(result, Speech):
                raise result.error
            audio_s += result.audio.duration_s
    return audio_s


def one_by_one_in_coqui(vits: Any, sentences: Sequence[TtsItem], device: str) -> float:
    """``Vits.inference`` with a d-vector, as coqui's ``synthesize`` calls it; its audio's s."""
    import torch

    vector = torch.ones(1, published.PUBLISHED.d_vector, device=device)
    samples = 0
    for item in sentences:
        ids = torch.tensor([vits.tokenizer.text_to_ids(item.text, "en")], device=device)
        aux = {"d_vectors": vector, "language_ids": torch.tensor([0], device=device)}
        samples += len(vits.inference(ids, aux)["model_outputs"][0].squeeze().cpu().numpy())
    return samples / SAMPLE_RATE_HZ


def measure(what: str, batch_size: int, rounds: int, speak: Callable[[], float]) -> Line:
    """``speak`` runs all the sentences and returns their audio's seconds; once to warm up."""
    audio_s = speak() / len(SENTENCES)
    times_ms = []
    for _ in range(rounds):
        started_s = time.perf_counter()
        speak()
        times_ms.append((time.perf_counter() - started_s) * 1000 / len(SENTENCES))
    median_ms = statistics.median(times_ms)
    line = Line(what, batch_size, median_ms, min(times_ms), max(times_ms), audio_s)
    print(line.row(), flush=True)
    return line


def cloned(sentences: Sequence[TtsItem], seed: int) -> list[TtsItem]:
    """The sentences, each in the voice of a clip of its own that was never heard."""
    noise = np.random.default_rng(seed)
    return [
        TtsItem(
            item.text,
            SOURCE_VOICE,
            language=item.voice.partition("/")[2],
            reference=noise.integers(-9_000, 9_000, REFERENCE_S * SAMPLE_RATE_HZ, np.int16),
        )
        for item in sentences
    ]


def measure_all(
    runtime: YourTts, vits: Any, device: str, batch_sizes: Sequence[int], rounds: int
) -> list[Line]:
    sentences = items()
    coqui = measure("coqui", 1, rounds, lambda: one_by_one_in_coqui(vits, sentences, device))
    lines = [coqui]
    for size in batch_sizes:
        speak = lambda size=size: in_batches(runtime, sentences, size)  # noqa: E731
        lines.append(measure("dragoman", size, rounds, speak))
    seeds = iter(range(1_000))
    unheard = lambda: in_batches(  # noqa: E731
        runtime, cloned(sentences, next(seeds)), max(batch_sizes)
    )
    what = f"dragoman, each a new voice of {REFERENCE_S} s"
    return [*lines, measure(what, max(batch_sizes), rounds, unheard)]


def open_models(folder: Path, request: DeviceRequest) -> tuple[YourTts, Any, DeviceReport]:
    """Ours, and coqui's own network of the same folder on the same device."""
    runtime = YourTts(RuntimeSettings("tts", f"path:{folder}", request), Options())
    _, report = runtime.load()
    vits = checkpoint.read(source.resolve(f"path:{folder}")).vits
    return runtime, vits.to(report.actual), report


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=["auto", "cuda", "cpu"], default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    request = DeviceRequest(args.device, gpu_fraction=1.0, threads=args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        published.build(Path(temporary), published.PUBLISHED)
        runtime, vits, report = open_models(Path(temporary), request)
        runtime.warm_up()
        described = f"{machine.describe()}; {args.threads} threads"
        print(f"machine: {described}; on {report.gpu_name or report.actual}, {report.library}")
        print(f"YourTTS at its published size, random values; {len(SENTENCES)} sentences\n")
        print("| what | batch | ms a sentence | real-time factor |")
        print("|---|---|---|---|")
        lines = measure_all(runtime, vits, report.actual, args.batch_sizes, args.rounds)
    if args.json:
        figures = [asdict(line) | {"real_time_factor": line.real_time_factor} for line in lines]
        content = {"machine": described, "device": asdict(report), "lines": figures}
        args.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
