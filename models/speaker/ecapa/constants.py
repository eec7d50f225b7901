"""Sizes of ECAPA-TDNN, fixed by ``speechbrain/spkrec-ecapa-voxceleb``, and of its passes."""

from __future__ import annotations

from typing import Literal, TypeAlias

Precision: TypeAlias = Literal["float32", "float16", "bfloat16"]

# Fixed by the published ``hyperparams.yaml``.
EMBEDDING_SIZE = 192
MEL_CHANNELS = 80
HOP_SAMPLES = 160  # 10 ms at 16 kHz

# The widest convolutions reflect 4 frames (kernel 3, dilation 4): a clip must have one more.
MIN_SAMPLES = 4 * HOP_SAMPLES  # 5 frames, since windows are centred

# Audio in one pass on a CPU: more falls out of its caches, so clips of over 6 s go alone.
CPU_PASS_S = 12.0
# Share of a row that may be padding. On a CPU more would cost what the batch saves. On CUDA a
# short pass costs its kernels' launches, not their work.
CPU_MAX_PADDING = 0.1
CUDA_MAX_PADDING = 0.5
CUDA_PRECISION: Precision = "float16"  # of "auto" on CUDA
CUDA_PASS_BYTES_A_S = 17e6  # GPU memory that a pass takes for each second of its audio
MAX_CUDA_PASS_S = 320.0  # audio in one pass on CUDA, padding included

# Rows and seconds of the passes that are captured on CUDA; longer ones gain nothing by it.
GRAPH_ROWS = (1, 2, 4, 8, 16, 32, 64)
GRAPH_DURATIONS_S = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
MAX_GRAPH_PASS_S = 64.0
