"""Opening an ONNX Runtime session: its threads, which do not spin, and its providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnxruntime


def open_session(
    model: str | bytes,
    threads: int,
    providers: list[tuple[str, dict[str, int]]],
    *,
    lengths_vary: bool,
) -> onnxruntime.InferenceSession:
    """A session whose idle threads sleep: those that spin take the cores of other models.

    Args:
        model: a path, or a serialised model.
        threads: CPU threads within an operator.
        providers: as ``models.device.choose_onnxruntime`` gives them.
        lengths_vary: the inputs have another length in every call.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Patterns of memory are kept for each shape: where none comes again, they only cost.
    options.enable_mem_pattern = not lengths_vary
    return onnxruntime.InferenceSession(
        model, options, providers=[(name, _tuned(name, given)) for name, given in providers]
    )


def _tuned(provider: str, given: Mapping[str, int]) -> dict[str, Any]:
    """cuDNN's default, an exhaustive search, would run again for each new length."""
    if provider != "CUDAExecutionProvider":
        return dict(given)
    return {**given, "cudnn_conv_algo_search": "HEURISTIC"}
