"""Opens ONNX Runtime sessions with their threads, which do not spin, and their providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.devices.device import is_out_of_memory
from models.errors import WeightsError

if TYPE_CHECKING:
    import onnxruntime


def open_session(
    path: Path,
    threads: int,
    providers: list[tuple[str, dict[str, int]]],
    *,
    lengths_vary: bool,
    edited: bytes | None = None,
) -> onnxruntime.InferenceSession:
    """Open a session whose idle threads sleep: spinning ones take the cores of other models.

    Args:
        path: of the model.
        threads: CPU threads within an operator.
        providers: as ``models.devices.device.choose_onnxruntime`` returns them.
        lengths_vary: the inputs have another length in every call.
        edited: the model to open in place of the file's, serialised.

    Raises:
        WeightsError: it is no model that ONNX Runtime can run.
    """
    import onnxruntime

    options = session_options(threads, lengths_vary=lengths_vary)
    try:
        return onnxruntime.InferenceSession(
            edited or str(path), options, providers=tuned(providers)
        )
    except Exception as error:  # its error classes share no base
        if is_out_of_memory(error):
            raise
        raise WeightsError(f"{path}: ONNX Runtime cannot open it: {error}") from error


def session_options(threads: int, *, lengths_vary: bool) -> onnxruntime.SessionOptions:
    """Return the options of a session with so many threads, which sleep when they are idle."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory patterns are kept for each shape, which is wasted if shapes do not recur.
    options.enable_mem_pattern = not lengths_vary
    return options


def tuned(providers: Sequence[tuple[str, Mapping[str, int]]]) -> list[tuple[str, dict[str, Any]]]:
    """Return the providers with what sessions of this house set for each."""
    return [(name, _tuned(name, given)) for name, given in providers]


def _tuned(provider: str, given: Mapping[str, int]) -> dict[str, Any]:
    """Let cuDNN choose by heuristic; its default, an exhaustive search, runs for each length."""
    if provider != "CUDAExecutionProvider":
        return dict(given)
    return {**given, "cudnn_conv_algo_search": "HEURISTIC"}
