"""Makes torchaudio import beside a PyTorch without CUDA; run by ``make install``.

PyPI has one build of each torchaudio, linked against CUDA. Beside a PyTorch of another version of
CUDA, or of none, its optional native libraries fail to load, and so does ``import torchaudio``. No
version on PyPI does without them, so no pin helps. The engines here need only what torchaudio does
in PyTorch alone (resampling, mel spectra), so the libraries are removed. Where torchaudio imports,
nothing is changed.
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
    """Return the last line of the error; None: it imports.

    A process of its own imports it, as that may crash.
    """
    command = [sys.executable, "-c", "import torchaudio"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"import torchaudio ended with {done.returncode}"


if __name__ == "__main__":
    main()
