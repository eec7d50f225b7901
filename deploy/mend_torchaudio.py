"""Lets torchaudio import beside a CPU build of PyTorch; run by ``make install``.

PyPI's torchaudio wheel is linked against CUDA: beside a CPU build of PyTorch its optional native
libraries fail to load, and so does ``import torchaudio``. Without them torchaudio does what the
engines here need (resampling, mel spectra) in PyTorch alone, so they are removed. Beside a CUDA
build nothing is touched.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch


def main() -> None:
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.origin is None or torch.version.cuda is not None:
        return
    for library in sorted((Path(spec.origin).parent / "lib").glob("*.so")):
        library.unlink()
        sys.stdout.write(f"dragoman: removed {library.name}: it needs CUDA, torch here has none\n")


if __name__ == "__main__":
    main()
