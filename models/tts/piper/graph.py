"""Edits Piper's ONNX graph so that each row of a batch knows its length.

Piper exports VITS (Kim et al. 2021, https://arxiv.org/abs/2106.06103) with these inputs and output:

    input          int64   [batch, ids]      phoneme ids, padded
    input_lengths  int64   [batch]
    scales         float32 [3]               noise, length, noise of durations: of the whole batch
    sid            int64   [batch]           the speaker; only in a voice of several
    output         float32 [batch, 1, 1, n]  padded to the longest row; no lengths

Inside, each phoneme lasts ``ceil(exp(log_duration) * mask * scales[1])`` frames. The edit gives
those frames out:

    durations      float32 [batch, 1, ids]   frames of each phoneme id; 0 where it is padding
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import WeightsError

if TYPE_CHECKING:
    import onnx

DURATIONS = "durations"


def batchable(path: Path) -> bytes:
    """Edit the model of a ``.onnx`` file, and return it serialised; the file is not changed.

    Raises:
        WeightsError: ``onnx`` is not installed, or the graph is not one that Piper exports.
    """
    try:
        import onnx
    except ImportError as error:
        raise WeightsError("Piper voices need onnx: pip install dragoman[piper]") from error

    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path))
        _edit(model.graph)
    except (DecodeError, ValueError) as error:
        raise WeightsError(f"{path}: not a graph that Piper exports: {error}") from error
    serialised: bytes = model.SerializeToString()
    return serialised


def _edit(graph: onnx.GraphProto) -> None:
    """Add the output.

    Raises:
        ValueError: the graph lacks the nodes described above.
    """
    from onnx import TensorProto, helper

    ceilings = [node for node in graph.node if node.op_type == "Ceil"]
    if len(ceilings) != 1:
        raise ValueError(f"it has {len(ceilings)} Ceil nodes, not 1")
    graph.node.append(helper.make_node("Identity", [ceilings[0].output[0]], [DURATIONS]))
    one_an_id = ["batch_size", 1, "phonemes"]
    graph.output.append(helper.make_tensor_value_info(DURATIONS, TensorProto.FLOAT, one_an_id))
