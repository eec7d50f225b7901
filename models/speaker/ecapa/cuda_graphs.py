"""ECAPA-TDNN as CUDA graphs: a pass is padded to the next shape that was captured.

A short pass costs its kernels' launches more than their work; a graph launches all of them at once.
A captured pass is masked to its clips' own lengths, so padding changes no embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.speaker.ecapa.graph_shapes import graph_shape
from models.speaker.ecapa.network import SpeakerEncoder, frame_counts

WARM_UPS = 2  # passes before a capture, in which libraries choose their kernels


@dataclass(frozen=True, slots=True, eq=False)
class _Captured:
    """One shape's graph. Its inputs and outputs keep their place; ``host_*`` are pinned."""

    graph: torch.cuda.CUDAGraph
    host_audio: Tensor  # float32 [rows, samples]
    host_frames: Tensor  # int64 [rows]
    audio: Tensor
    frames: Tensor
    embeddings: Tensor  # float32 [rows, 192]
    copied: torch.cuda.Event  # after it, the pinned memory may be written again


class GraphedEncoder:
    """The encoder on CUDA for passes of up to some rows and samples. One thread uses it."""

    def __init__(self, encoder: SpeakerEncoder, shapes: Sequence[tuple[int, int]]) -> None:
        """Capture each shape (rows, samples); the largest comes first, as the rest reuse its
        memory.
        """
        self._encoder = encoder
        self._pool = torch.cuda.graph_pool_handle()
        # PyTorch keeps memory by stream, even within a pool: on several streams each capture would
        # take memory of its own.
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._captured: dict[tuple[int, int], _Captured] = {}
        with torch.inference_mode():
            for shape in sorted(shapes, key=lambda shape: -shape[0] * shape[1]):
                self._captured[shape] = self._capture(*shape)
        torch.cuda.empty_cache()  # memory of the warm-ups

    def __call__(self, signals: Sequence[NDArray[np.float32]]) -> Tensor | None:
        """Return embeddings float32 [B, 192] on the device, without waiting for it.

        Args:
            signals: of a pass, [n] each, the longest first.

        Returns:
            None if no captured shape holds them.
        """
        shape = graph_shape(list(self._captured), len(signals), len(signals[0]))
        if shape is None:
            return None
        captured = self._captured[shape]
        captured.copied.synchronize()
        audio, frames = captured.host_audio.numpy(), captured.host_frames.numpy()
        for row, signal in zip(audio, signals, strict=False):
            row[: len(signal)] = signal
            row[len(signal) :] = 0.0
        # Rows without a clip keep their old audio: their embeddings are not used.
        frames[: len(signals)] = [frame_counts(len(signal)) for signal in signals]
        captured.audio.copy_(captured.host_audio, non_blocking=True)
        captured.frames.copy_(captured.host_frames, non_blocking=True)
        captured.copied.record()
        captured.graph.replay()
        return captured.embeddings[: len(signals)].clone()

    def _capture(self, rows: int, samples: int) -> _Captured:
        host_audio = torch.zeros(rows, samples, pin_memory=True)
        host_frames = torch.full((rows,), frame_counts(samples), pin_memory=True)
        audio = host_audio.to(self._encoder.device)
        frames = host_frames.to(self._encoder.device)
        graph = torch.cuda.CUDAGraph()
        side = self._stream
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                self._encoder.embed(audio, frames)
            # Threads of other models in this process may continue.
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            embeddings = self._encoder.embed(audio, frames)
            graph.capture_end()
        torch.cuda.current_stream().wait_stream(side)
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        return _Captured(graph, host_audio, host_frames, audio, frames, embeddings, copied)
