"""All models at their published sizes on a GPU, and the graph of them; one script, no network.

    python -m bench.gpu [--budget-s 470] [--only PART ...] [--skip PART ...] [--name gpu-l4]

Each part has a share of the budget; what does not fit is skipped and named, and so is a part that
fails, with its reason (its traceback is in the JSON). Without a GPU the same parts run on the CPU,
reduced. What each part needs beside PyTorch: ECAPA speechbrain; YourTTS coqui-tts; Piper piper-tts
and a voice; M2M100 and Whisper transformers; Silero silero-vad; CTranslate2 its own package; the
graph all of these; the server Ray, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.gpu.measure import Found, OutOfTimeError, Setup, bounded
from bench.results import FOLDER, write


@dataclass(frozen=True)
class Part:
    """A function ``(setup, found)`` in a module of this package, imported when it runs."""

    module: str
    function: str
    limit_s: float  # of a budget of BUDGET_S
    alone: bool = False  # in a process of its own, which its libraries may take down
    needs: tuple[str, ...] = ()  # packages without which it is skipped


LIVE_NEEDS = ("ray", "httptools", "uvloop", "websockets", "jiwer", "soundfile")
PARTS: dict[str, Part] = {
    "ceilings": Part("ceilings", "measure_ceilings", 30),
    "ecapa": Part("speaker", "ecapa", 110),
    "m2m100": Part("nmt", "m2m100_transformers", 100),
    "yourtts": Part("tts", "yourtts", 50),
    "graph": Part("graph", "graph", 130),
    "piper": Part("tts", "piper", 40, needs=("onnxruntime", "piper")),
    "whisper": Part("asr", "whisper", 50),
    "ge2e": Part("speaker", "ge2e_encoder", 25),
    "silero": Part("vad", "silero", 30),
    "bergamot": Part("nmt", "bergamot", 25),
    "m2m100-ctranslate2": Part("nmt", "m2m100_ctranslate2", 80, alone=True),
    "served": Part("served", "served", 170, alone=True, needs=("ray", "httptools", "uvloop")),
    "live": Part("live", "live", 240, alone=True, needs=LIVE_NEEDS),
}
BUDGET_S = 470.0  # with the start of Python, 8 minutes
LEAST_S = 5.0  # less is left of the budget: the part is skipped
TO_END_S = 20.0  # what a part in a process of its own has, once its time is up, to end what it runs


@dataclass
class Run:
    """Hold what has been found so far."""

    setup: Setup
    until_s: float  # on time.monotonic
    scale: float  # of the parts' limits
    found: dict[str, Found]
    skipped: dict[str, str]
    took_s: dict[str, float]
    ceilings: Any = None

    def run(self, name: str, part: Part) -> None:
        limit_s = min(part.limit_s * self.scale, self.until_s - time.monotonic())
        if limit_s < LEAST_S:
            self.skipped[name] = "skipped: the budget was spent"
            return
        missing = [package for package in part.needs if find_spec(package) is None]
        if missing:
            self.skipped[name] = f"skipped: {', '.join(missing)} not installed"
            print(f"{name}: {self.skipped[name]}", flush=True)
            return
        print(f"{name} (at most {limit_s:.0f} s)", flush=True)
        found = self.found[name] = Found()
        started_s = time.monotonic()
        forget_peak(self.setup)
        try:
            with bounded(limit_s):
                if part.alone:
                    in_own_process(name, self.setup, found, limit_s)
                else:
                    result = function(part)(self.setup, found)
                    self.ceilings = result if name == "ceilings" else self.ceilings
        except OutOfTimeError as error:
            self.skipped[name] = f"cut short: {error}"
        except Exception as error:  # whatever it is, the other parts must run
            found.raw["traceback"] = traceback.format_exc()
            reason = (str(error).strip() or repr(error)).splitlines()[-1]
            self.skipped[name] = f"failed: {type(error).__name__}: {reason[:200]}"
            print(found.raw["traceback"], flush=True)
        self.took_s[name] = time.monotonic() - started_s
        found.peak_bytes = peak_bytes(self.setup)
        free(self.setup)


def function(part: Part) -> Callable[[Setup, Found], Any]:
    found: Callable[[Setup, Found], Any] = getattr(
        import_module(f"bench.gpu.{part.module}"), part.function
    )
    return found


def in_own_process(name: str, setup: Setup, found: Found, limit_s: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw.json"
        command = [sys.executable, "-m", "bench.gpu", "--only", name, "--raw", str(path)]
        command += ["--folder", str(setup.folder), "--threads", str(setup.threads)]
        command += ["--budget-s", str(max(LEAST_S, limit_s - TO_END_S))]
        done = subprocess.run(
            command, timeout=limit_s, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        print(done.stdout[-12_000:], flush=True)
        if path.exists():
            found.take(json.loads(path.read_text()))
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stdout[-2000:]}")


def free(setup: Setup) -> None:
    """Give back what a part has left on the device."""
    import gc

    import torch

    gc.collect()
    if setup.on_gpu:
        torch.cuda.empty_cache()


def forget_peak(setup: Setup) -> None:
    import torch

    if setup.on_gpu:
        torch.cuda.reset_peak_memory_stats()


def peak_bytes(setup: Setup) -> int | None:
    """Return PyTorch's most memory on the device since ``forget_peak``."""
    import torch

    return int(torch.cuda.max_memory_allocated()) if setup.on_gpu else None


def gpu_name() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--budget-s", type=float, default=BUDGET_S)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--skip", nargs="+", choices=PARTS, default=[])
    parser.add_argument("--threads", type=int, default=4, help="of the CPU")
    parser.add_argument("--folder", type=Path, help="where weights are written and kept")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--name", help="of the files: a second card beside the first")
    parser.add_argument("--raw", type=Path, help="write what one part found to this file alone")
    return parser.parse_args(argv)


def run_all(args: argparse.Namespace, folder: Path, gpu: str | None) -> None:
    from bench.gpu.ceilings import Ceilings
    from bench.gpu.report import results

    folder.mkdir(parents=True, exist_ok=True)
    setup = Setup(gpu is not None, folder, args.threads)
    if args.raw:  # of the parent, which bounds it
        (name,) = args.only
        found = Found()
        try:
            with bounded(args.budget_s):
                function(PARTS[name])(setup, found)
        finally:  # what was found until then
            args.raw.write_text(json.dumps(found.as_raw()))
        return
    print(f"on {gpu or 'the CPU: NOT YET RUN ON A GPU'}", flush=True)
    run = Run(setup, time.monotonic() + args.budget_s, args.budget_s / BUDGET_S, {}, {}, {})
    for name, part in PARTS.items():
        if name in args.only and name not in args.skip:
            run.run(name, part)
    ceilings = run.ceilings or Ceilings()
    said = results(run.found, run.skipped, run.took_s, ceilings, gpu)
    failed = any(why.startswith("failed") for why in run.skipped.values())
    write(replace(said, name=args.name or said.name, failed=failed), args.out)
    if failed:
        sys.exit(1)


def main() -> None:
    args = arguments()
    gpu = gpu_name()
    if args.folder:
        run_all(args, args.folder, gpu)
        return
    with tempfile.TemporaryDirectory() as folder:
        run_all(args, Path(folder), gpu)


if __name__ == "__main__":
    main()
