"""Lets torchaudio import beside another build of PyTorch; run by ``make install``.

PyPI's torchaudio wheel is linked against one version of CUDA: beside a PyTorch of another, or of
none, its optional native libraries fail to load, and so does ``import torchaudio``. Without them
torchaudio does what the engines here need (resampling, mel spectra) in PyTorch alone, so they are
removed. Where torchaudio imports, nothing is touched.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path


def main() -> None:
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.origin is None:
        return
    why = why_not_imported()
    if why is None:
        return
    for library in sorted((Path(spec.origin).parent / "lib").glob("*.so")):
        library.unlink()
        sys.stdout.write(f"dragoman: removed torchaudio's {library.name}: {why}\n")


def why_not_imported() -> str | None:
    """The last line of the error; None: it imports. In a process of its own, which may crash."""
    command = [sys.executable, "-c", "import torchaudio"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"import torchaudio ended with {done.returncode}"


if __name__ == "__main__":
    main()
