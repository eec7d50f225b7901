"""NVIDIA's perf_analyzer against a running server: fetches it, feeds it real speech, runs it.

    python -m bench.perf_analyzer -m asr -u 127.0.0.1:8000 --concurrency-range 1:4

All arguments are perf_analyzer's own. Where none is an --input-data, real inputs for the model are
written and named: speech of tests/data/speech, sentences, languages. The build on PyPI wants glibc
2.38 and the C++ library of GCC 13; on an older Linux those of Debian 13 are unpacked beside it, and
nothing is installed. All of it lies in Dragoman's cache, pinned by SHA-256.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.audio.samples import to_float32
from models.types import SAMPLE_RATE_HZ
from models.weights.cached_files import cache_folder, cached
from tests.support.speech import Clip, clips

VERSION = "2.60.0"
WHEEL_SHA256 = "23ef56b107ae9233e5cf09fbdf508dd9b936a52f1bae2f63f53c8117087b3f25"
WHEEL_PLATFORM = "manylinux_2_38_x86_64"
GLIBC = (2, 38)

# The mirrors hold a version until the next one; the snapshot holds it for good.
DEBIAN = (
    "https://deb.debian.org/debian",
    "https://snapshot.debian.org/archive/debian/20261124T000000Z",
)
DEBIAN_13 = {  # path below a mirror: SHA-256
    "pool/main/g/glibc/libc6_2.41-12+deb13u5_amd64.deb": (
        "b59b0625cd1a791375d40dab23a4d5d3d0641e3d0a773501becdc3725b7f99cf"
    ),
    "pool/main/g/gcc-14/libstdc++6_14.2.0-19_amd64.deb": (
        "ab1fa05837aa7a92aae748fd07a18a35f7d18bb4a71c4724fe2bbf0e32089de0"
    ),
}
LIBRARIES = "usr/lib/x86_64-linux-gnu"

LONGEST_CLIP_S = 3.6  # with the silence that Whisper needs, the smallest window holds it
SENTENCES = {
    "en": ("Good morning.", "Please try your call again later.", "The conference is closed now."),
    "pt": ("Bom dia.", "Por favor, tente mais tarde.", "A conferência está fechada."),
}


class NotToBeHad(Exception):
    """perf_analyzer cannot run here; the message says why."""


# ---- the program -----------------------------------------------------------------------


def command() -> list[str]:
    """Return what starts perf_analyzer here; fetch it first where it is not in the cache.

    Raises:
        NotToBeHad: another processor, no network, or a file that is not the pinned one.
    """
    if platform.machine() != "x86_64":
        raise NotToBeHad(f"there is no build of perf_analyzer {VERSION} for {platform.machine()}")
    folder = cache_folder() / "perf_analyzer"
    program = cached(folder / VERSION, _fetch_program)
    if _glibc() >= GLIBC:
        return [str(program)]
    libraries = cached(folder / "debian-13", _fetch_libraries) / LIBRARIES
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(program)]


def _glibc() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.libc_ver()[1].split("."))


def _fetch_program(path: Path) -> None:
    """Take the one file of the wheel that is not Python."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(f"perf-analyzer=={VERSION} --hash=sha256:{WHEEL_SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        only = ["--only-binary", ":all:", "--platform", WHEEL_PLATFORM, "--requirement"]
        done = subprocess.run([*pip, *only, str(wanted)], capture_output=True, text=True)
        if done.returncode:
            raise NotToBeHad(f"pip cannot download perf-analyzer: {done.stderr.strip()}")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            path.write_bytes(files.read("perf_analyzer/bin/perf_analyzer"))
    path.chmod(0o755)


def _fetch_libraries(folder: Path) -> None:
    """Debian 13's C and C++ libraries, unpacked into ``folder``."""
    for name, pin in DEBIAN_13.items():
        with tempfile.NamedTemporaryFile(suffix=".deb") as package:
            package.write(download(name, pin))
            package.flush()
            try:
                subprocess.run(["dpkg-deb", "--extract", package.name, str(folder)], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise NotToBeHad(f"{name} cannot be unpacked: {error}") from error


def download(name: str, pin: str) -> bytes:
    """Fetch a file of Debian's from the first place that has it."""
    failures = []
    for base in DEBIAN:
        try:
            with urllib.request.urlopen(f"{base}/{name}", timeout=60) as answer:
                content: bytes = answer.read()
        except OSError as error:
            failures.append(f"{base}: {error}")
            continue
        if hashlib.sha256(content).hexdigest() == pin:
            return content
        failures.append(f"{base}: not the pinned file")
    raise NotToBeHad(f"{name} of Debian 13 cannot be had: {'; '.join(failures)}")


# ---- what it sends ---------------------------------------------------------------------


def write_inputs(model: str, folder: Path) -> Path:
    """Write the --input-data file of a shipped model; each step is one request.

    Raises:
        KeyError: of another model.
    """
    path = folder / f"{model}.json"
    path.write_text(json.dumps({"data": INPUTS[model]()}))
    return path


def _speech(language: str | None = None, **texts: str) -> list[dict[str, Any]]:
    """Make a step of each short clip, with ``texts`` beside it.

    All are padded to the longest, because -b puts several into one request; AUDIO_LENGTH tells
    how long each is.
    """
    some = [clip for clip in clips(language) if clip.duration_s <= LONGEST_CLIP_S]
    longest = max(len(clip.samples()) for clip in some)
    return [{**_audio(clip, longest), **_texts(**texts)} for clip in some]


def _audio(clip: Clip, length: int) -> dict[str, Any]:
    samples = to_float32(clip.samples())
    padded = np.pad(samples, (0, length - len(samples))).astype("<f4")
    return {
        "AUDIO": {"b64": base64.b64encode(padded.tobytes()).decode(), "shape": [length]},
        "AUDIO_LENGTH": [len(samples)],
        "SAMPLE_RATE": [SAMPLE_RATE_HZ],  # with --shared-memory no input may be left out
    }


def _sentences(language: str, **texts: str) -> list[dict[str, Any]]:
    return [_texts(TEXT=sentence, **texts) for sentence in SENTENCES[language]]


def _texts(**texts: str) -> dict[str, Any]:
    return {name: [text] for name, text in texts.items()}


INPUTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "vad": _speech,
    "asr": _speech,
    "speaker": _speech,
    "nmt": lambda: _sentences("en", SOURCE_LANGUAGE="en", TARGET_LANGUAGE="pt"),
    "tts": lambda: _sentences("en", LANGUAGE="en"),
    "tts-en": lambda: _sentences("en", LANGUAGE="en"),
    "tts-pt": lambda: _sentences("pt", LANGUAGE="pt"),
    "speech_translation": lambda: _speech("en", TARGET_LANGUAGE="pt"),
}


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--model-name", dest="model")
    parser.add_argument("--input-data")
    known, _ = parser.parse_known_args()
    arguments = sys.argv[1:]
    try:
        program = command()
    except NotToBeHad as error:
        sys.exit(f"perf_analyzer: {error}")
    if known.model in INPUTS and known.input_data is None:
        inputs = write_inputs(known.model, cache_folder() / "perf_analyzer")
        arguments += ["--input-data", str(inputs)]
    os.execv(program[0], [*program, *arguments])


if __name__ == "__main__":
    main()
