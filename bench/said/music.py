"""Music on hold as Debian ships it, fetched once into the cache."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from bench.said.recordings import Clip
from models.types import SAMPLE_RATE_HZ
from models.weights.cached_files import cache_folder

PACKAGE = "asterisk-moh-opsound-g722"
PLACE = Path("usr/share/asterisk/moh")
PIECE_S = 8.0
PIECES_A_TUNE = 2
LIMITS = (-32768, 32767)
LEVEL = 3000.0  # RMS in int16, about that of the prompts


class NoMusicError(Exception):
    """The package cannot be had; the message says why."""


def music() -> list[Clip]:
    """Cut pieces of several tunes, without a text.

    Raises:
        NoMusicError: there is no network, or no apt here.
    """
    folder = cache_folder() / "bench" / PACKAGE
    if not any((folder / PLACE).glob("*.g722")):
        _fetch(folder)
    found = []
    for path in sorted((folder / PLACE).glob("*.g722")):
        samples = _decoded(path)
        for number in range(PIECES_A_TUNE):
            begin = (number + 1) * len(samples) // (PIECES_A_TUNE + 1)
            piece = samples[begin : begin + round(PIECE_S * SAMPLE_RATE_HZ)]
            found.append(Clip(f"{path.stem} {number + 1}", "", "", _levelled(piece)))
    return found


def _fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _run("apt-get", "download", PACKAGE, cwd=folder)
        (package,) = folder.glob("*.deb")
        _run("dpkg-deb", "-x", package.name, ".", cwd=folder)
        package.unlink()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or str(error)
        raise NoMusicError(f"{PACKAGE} cannot be had: {output.strip().splitlines()[-1]}") from error


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=120)


def _decoded(path: Path) -> NDArray[np.int16]:
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    samples: NDArray[np.int16] = np.concatenate(frames).astype(np.int16)
    return samples


def _levelled(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    loudness = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
    scaled: NDArray[np.int16] = (
        (samples * (LEVEL / max(loudness, 1.0))).clip(*LIMITS).astype(np.int16)
    )
    return scaled
