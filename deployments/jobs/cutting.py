"""Cut a recording at its silences into parts of some minutes, while it is read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from deployments.graph.listening import VAD_PIECE_SAMPLES, WINDOW_VAD
from models.audio.samples import levelled
from models.types import SAMPLE_RATE_HZ, Audio, VadItem, VadResult
from models.vad.silero import FRAME_SAMPLES

PIECE_SAMPLES = VAD_PIECE_SAMPLES  # a VAD hears so much at once, and what it heard goes on
MOST_SAMPLES = 18 * PIECE_SAMPLES  # of a part: 5 minutes
CUT_FROM = 2 / 3  # a part ends in what is behind this share of it
SILENT = 0.35  # the probability of speech under which speech has ended

Read: TypeAlias = Callable[[], Awaitable[NDArray[np.int16] | None]]
Vad: TypeAlias = Callable[[VadItem], Awaitable[VadResult]]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of a recording: where it begins, in samples, and its samples [n] at 16 kHz."""

    start: int
    samples: NDArray[np.int16]

    @property
    def end(self) -> int:
        return self.start + len(self.samples)

    @property
    def audio(self) -> Audio:
        return Audio(self.samples, SAMPLE_RATE_HZ)


async def parts(read: Read, vad: Vad, start: int) -> AsyncGenerator[Part]:
    """Yield the parts of a recording.

    Args:
        read: returns its next piece, of ``PIECE_SAMPLES``; the last may be shorter. None: its end.
        vad: tells where there is speech.
        start: where its first piece begins, in samples.
    """
    pieces: list[NDArray[np.int16]] = []
    heard: list[NDArray[np.float32]] = []
    state: NDArray[np.float32] | None = None
    while (piece := await read()) is not None:
        result = await vad(VadItem(levelled(piece), WINDOW_VAD, state))
        state = result.state
        pieces.append(piece)
        heard.append(result.probabilities)
        if sum(map(len, pieces)) >= MOST_SAMPLES:
            samples, probabilities = np.concatenate(pieces), np.concatenate(heard)
            frame = quietest(probabilities)
            yield Part(start, samples[: frame * FRAME_SAMPLES])
            start += frame * FRAME_SAMPLES
            pieces = [samples[frame * FRAME_SAMPLES :].copy()]
            heard = [probabilities[frame:].copy()]
            del samples  # the part is not kept until the next one
    if pieces:
        yield Part(start, np.concatenate(pieces))


def quietest(probabilities: NDArray[np.float32]) -> int:
    """Return the frame to cut at: in the middle of the longest silence of the last third.

    Without any silence, it is the frame that is least like speech.
    """
    first = max(1, round(len(probabilities) * CUT_FROM))
    last = probabilities[first:]
    silent = np.concatenate(([False], last < SILENT, [False]))
    edges = np.flatnonzero(np.diff(silent))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return first + int(np.argmin(last))
    longest = int(np.argmax(ends - begins))
    return first + int(begins[longest] + ends[longest]) // 2
