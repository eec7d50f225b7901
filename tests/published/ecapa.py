"""``speechbrain/spkrec-ecapa-voxceleb`` with random values and few channels."""

from __future__ import annotations

from pathlib import Path

from bench.published import write_ecapa

CHANNELS = (64, 64, 64, 64, 192)  # a sixteenth of the published
SPEAKERS = 20


def build(folder: Path) -> None:
    """Write every file of the published repository into ``folder``, which exists."""
    write_ecapa(folder, CHANNELS, SPEAKERS)
