"""Runs a sound through FFmpeg's filters, by PyAV: no program is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from numpy.typing import NDArray

FORMAT = "flt"  # float32, full scale 1.0


@dataclass(frozen=True, slots=True)
class Filtered:
    """The filters' output: ``samples`` float32 [n], and the metadata of the last frame."""

    samples: NDArray[np.float32]
    metadata: Mapping[str, str]


def filtered(
    samples: NDArray[np.float32], rate_hz: int, filters: Sequence[tuple[str, str]]
) -> Filtered:
    """Send mono ``samples`` [n], n at least 1, through filters, each a name and its arguments."""
    graph = Graph()
    source = graph.add_abuffer(
        format=FORMAT, sample_rate=rate_hz, layout="mono", time_base=Fraction(1, rate_hz)
    )
    last = source
    for name, arguments in filters:
        following = graph.add(name, arguments)
        last.link_to(following)
        last = following
    sink = graph.add("abuffersink")
    last.link_to(sink)
    graph.configure()
    frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(samples, np.float32)[np.newaxis], format=FORMAT, layout="mono"
    )
    frame.sample_rate, frame.pts = rate_hz, 0
    source.push(frame)
    source.push(None)
    return _pulled(sink)


def _pulled(sink: object) -> Filtered:
    pieces: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
    metadata: dict[str, str] = {}
    while True:
        try:
            frame = sink.pull()  # type: ignore[attr-defined]
        except (BlockingIOError, EOFError):
            return Filtered(np.concatenate(pieces), metadata)
        pieces.append(frame.to_ndarray().reshape(-1))
        metadata |= frame.metadata
