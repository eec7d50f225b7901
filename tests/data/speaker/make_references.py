"""Makes resemblyzer.npz: what Resemblyzer itself says of the clips in tests/data/speech.

Run once, in an environment of its own, from the root of the checkout:

    python -m venv /tmp/references && . /tmp/references/bin/activate
    pip install librosa==0.11.0 scipy soundfile torch
    pip install --no-deps Resemblyzer==0.1.4
    python tests/data/speaker/make_references.py

Resemblyzer's voice detector (webrtcvad, a C build) is not installed and not run: clips go
through its volume normalisation, mel spectrogram, slices and network, but are not trimmed.

The file holds, for each clip and each cut of one (``stem`` or ``stem@seconds``):
``embedding/NAME`` float32 [256]; for one clip ``mel/NAME`` float32 [frames, 40]; and
``slices`` int64 [n, 2]: a number of samples and how many partials it is cut into.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soundfile

HERE = Path(__file__).parent
SPEECH = HERE.parent / "speech"
CUTS_S = (0.1, 0.35, 1.0, 1.59, 1.6, 1.61, 2.5)  # below, at and above one partial of 1.6 s
CUT_CLIP = "en-agent-alreadyon"
# All lengths, and those where a last partial is covered enough: 12,320 k + 75 % of 25,600.
SLICE_LENGTHS = sorted(
    {1, 160, 1600, *range(12_320, 200_000, 1_540)}
    | {12_320 * k + 19_200 + off for k in range(1, 6) for off in (-1, 0, 1)}
)


def import_resemblyzer() -> tuple[Any, Any]:
    """Its ``audio`` and ``VoiceEncoder``, with stand-ins for what only trimming needs."""
    webrtcvad, morphology = ModuleType("webrtcvad"), ModuleType("scipy.ndimage.morphology")
    morphology.binary_dilation = None  # type: ignore[attr-defined]
    sys.modules["webrtcvad"] = webrtcvad
    sys.modules["scipy.ndimage.morphology"] = morphology  # gone from newer versions of scipy
    from resemblyzer import VoiceEncoder, audio

    return audio, VoiceEncoder


def main() -> None:
    audio, encoder_class = import_resemblyzer()
    encoder = encoder_class("cpu", verbose=False)
    arrays: dict[str, Any] = {}
    for path in sorted(SPEECH.glob("*.flac")):
        samples, _ = soundfile.read(path, dtype="float32")
        pieces = {path.stem: samples}
        if path.stem == CUT_CLIP:
            pieces |= {f"{path.stem}@{s:g}": samples[: round(s * 16_000)] for s in CUTS_S}
            arrays[f"mel/{path.stem}"] = audio.wav_to_mel_spectrogram(samples)
        for name, piece in pieces.items():
            loud = audio.normalize_volume(piece, target_dBFS=-30, increase_only=True)
            arrays[f"embedding/{name}"] = encoder.embed_utterance(loud)
    arrays["slices"] = np.array(
        [(n, len(encoder.compute_partial_slices(n, 1.3, 0.75)[0])) for n in SLICE_LENGTHS]
    )
    np.savez_compressed(HERE / "resemblyzer.npz", **arrays)


if __name__ == "__main__":
    main()
