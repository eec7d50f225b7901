"""Small recognisers of random values in the layouts that onnx-asr reads.

Each frame is seen alone, and so the padding of a batch changes none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SYLLABLES = (
    *(f"▁{a}{b}" for a in "bdklmst" for b in "aeiou"),
    *("na", "ri", "to", "▁.", "ne,"),
)
SIZE = 24  # of every vector within
FLOAT, LONG, INT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32
DURATIONS = 5  # of TDT: 0 to 4 frames
Shape = Sequence[str | int]
CANARY_TOKENS = (
    *("▁", "<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>", "<|en|>", "<|de|>"),
    *("<|pnc|>", "<|nopnc|>", "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>", "<|endoftext|>"),
)


class _Graph:
    """One ONNX graph that is being written."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[Any] = []
        self._values: list[Any] = []

    def weights(self, *shape: int, scale: float = 1.0) -> str:
        return self.constant(self._random.normal(0, scale, shape).astype(np.float32))

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self._values)}"
        self._values.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, name: str = "", **given: Any) -> str:
        name = name or f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **given))
        return name

    def write(
        self,
        path: Path,
        inputs: Mapping[str, tuple[int, Shape]],
        outputs: Mapping[str, tuple[int, Shape]],
    ) -> None:
        infos = [
            [helper.make_tensor_value_info(name, kind, list(shape)) for name, (kind, shape) in of]
            for of in (inputs.items(), outputs.items())
        ]
        graph = helper.make_graph(self._nodes, "small", *infos, self._values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)


def _vocab(path: Path, tokens: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f"{token} {number}\n" for number, token in enumerate(tokens))
    path.write_text("".join(lines), encoding="utf-8")


def _config(folder: Path, **values: Any) -> None:
    (folder / "config.json").write_text(json.dumps(values))


def _strided(graph: _Graph, features: str, size: int, stride: int, name: str = "") -> str:
    """Cut [b, 80, t] into frames of ``stride``, each seen alone: [b, size, t / stride]."""
    weights = graph.weights(size, 80, stride, scale=0.3)
    return graph.add(
        "Conv",
        features,
        weights,
        name=name,
        strides=[stride],
        pads=[0, stride - 1],
        kernel_shape=[stride],
    )


def _counted(graph: _Graph, lengths: str, stride: int, name: str = "") -> str:
    more = graph.add("Add", lengths, graph.constant(np.array([stride - 1])))
    return graph.add("Div", more, graph.constant(np.array([stride])), name=name)


AUDIO: dict[str, tuple[int, Shape]] = {
    "audio_signal": (FLOAT, ["b", 80, "t"]),
    "length": (LONG, ["b"]),
}


def nemo_ctc(folder: Path, seed: int = 0) -> None:
    tokens = (*SYLLABLES, "<blk>")
    _vocab(folder / "vocab.txt", tokens)
    _config(folder, model_type="nemo-conformer-ctc", features_size=80, subsampling_factor=8)
    graph = _Graph(seed)
    frames = graph.add("Transpose", _strided(graph, "audio_signal", len(tokens), 8), perm=[0, 2, 1])
    graph.add("LogSoftmax", frames, name="logprobs", axis=-1)
    graph.write(folder / "model.onnx", AUDIO, {"logprobs": (FLOAT, ["b", "f", len(tokens)])})


def nemo_tdt(folder: Path, seed: int = 1) -> None:
    tokens = (*SYLLABLES, "<blk>")
    _vocab(folder / "vocab.txt", tokens)
    _config(folder, model_type="nemo-conformer-tdt", features_size=80, subsampling_factor=8)
    graph = _Graph(seed)
    _strided(graph, "audio_signal", SIZE, 8, name="outputs")
    _counted(graph, "length", 8, name="encoded_lengths")
    outputs: dict[str, tuple[int, Shape]] = {
        "outputs": (FLOAT, ["b", SIZE, "f"]),
        "encoded_lengths": (LONG, ["b"]),
    }
    graph.write(folder / "encoder-model.onnx", AUDIO, outputs)
    _nemo_joint(folder / "decoder_joint-model.onnx", len(tokens), seed)


def _nemo_joint(path: Path, tokens: int, seed: int) -> None:
    graph = _Graph(seed + 100)
    said = graph.add("Gather", graph.weights(tokens, SIZE, scale=1.5), "targets")  # [1, 1, SIZE]
    half = graph.add("Mul", "input_states_1", graph.constant(np.array([0.5], np.float32)))
    state = graph.add("Tanh", graph.add("Add", said, half), name="output_states_1")
    graph.add("Identity", "input_states_2", name="output_states_2")
    graph.add("Identity", "target_length", name="prednet_lengths")
    heard = graph.add("Transpose", "encoder_outputs", perm=[0, 2, 1])  # [1, 1, SIZE]
    both = graph.add("Add", heard, state)
    scores = graph.add("MatMul", both, graph.weights(SIZE, tokens + DURATIONS))
    shape = graph.constant(np.array([1, 1, 1, tokens + DURATIONS]))
    graph.add("Reshape", scores, shape, name="outputs")
    state_shape: Shape = [1, "b", SIZE]
    graph.write(
        path,
        {
            "encoder_outputs": (FLOAT, ["b", SIZE, "f"]),
            "targets": (INT, ["b", "u"]),
            "target_length": (INT, ["b"]),
            "input_states_1": (FLOAT, state_shape),
            "input_states_2": (FLOAT, state_shape),
        },
        {
            "outputs": (FLOAT, ["b", "f", "u", tokens + DURATIONS]),
            "prednet_lengths": (INT, ["b"]),
            "output_states_1": (FLOAT, state_shape),
            "output_states_2": (FLOAT, state_shape),
        },
    )


def canary(folder: Path, seed: int = 2) -> None:
    tokens = (*CANARY_TOKENS, *SYLLABLES)
    _vocab(folder / "vocab.txt", tokens)
    _config(folder, model_type="nemo-conformer-aed", features_size=80, max_sequence_length=60)
    graph = _Graph(seed)
    frames = _strided(graph, "audio_signal", SIZE, 8)
    graph.add("Transpose", frames, name="encoder_embeddings", perm=[0, 2, 1])
    count = graph.add("Shape", frames, start=2, end=3)
    zero, one = graph.constant(np.array(0)), graph.constant(np.array(1))
    places = graph.add("Range", zero, graph.add("Squeeze", count), one)
    ends = graph.add("Unsqueeze", _counted(graph, "length", 8), graph.constant(np.array([1])))
    graph.add("Cast", graph.add("Less", places, ends), name="encoder_mask", to=LONG)
    embeddings: tuple[int, Shape] = (FLOAT, ["b", "f", SIZE])
    mask: tuple[int, Shape] = (LONG, ["b", "f"])
    outputs = {"encoder_embeddings": embeddings, "encoder_mask": mask}
    graph.write(folder / "encoder-model.onnx", AUDIO, outputs)
    _canary_decoder(folder / "decoder-model.onnx", tokens, embeddings, mask, seed)


def _canary_decoder(
    path: Path,
    tokens: Sequence[str],
    embeddings: tuple[int, Shape],
    mask: tuple[int, Shape],
    seed: int,
) -> None:
    """Write a decoder whose end gets likelier with every token."""
    graph = _Graph(seed + 100)
    said = graph.add("Gather", graph.weights(len(tokens), SIZE), "input_ids")  # [b, l, SIZE]
    memory = graph.add("Unsqueeze", said, graph.constant(np.array([0])))
    memory = graph.add("Concat", "decoder_mems", memory, name="decoder_hidden_states", axis=2)
    before = graph.add("ReduceMean", memory, axes=[0, 2], keepdims=0)  # [b, SIZE]
    is_heard = graph.add("Unsqueeze", "encoder_mask", graph.constant(np.array([2])))
    is_heard = graph.add("Cast", is_heard, to=FLOAT)
    heard = graph.add("Mul", "encoder_embeddings", is_heard)
    ones = graph.constant(np.array([1]))
    heard = graph.add("ReduceSum", heard, ones, keepdims=0)
    heard = graph.add("Div", heard, graph.add("ReduceSum", is_heard, ones, keepdims=0))
    context = graph.add("Unsqueeze", graph.add("Add", heard, before), ones)
    scores = graph.add("MatMul", graph.add("Add", said, context), graph.weights(SIZE, len(tokens)))
    is_end = np.array([token == "<|endoftext|>" for token in tokens], np.float32)
    never = np.array([-100.0 * token.startswith("<|") for token in tokens], np.float32) * (
        1 - is_end
    )
    count = graph.add("Cast", graph.add("Shape", memory, start=2, end=3), to=FLOAT)
    later = graph.add("Sub", count, graph.constant(np.array([len(CANARY_TOKENS) + 20], np.float32)))
    end = graph.add("Mul", later, graph.constant(is_end))
    end = graph.add("Add", end, graph.constant(never))
    graph.add("Add", scores, end, name="logits")
    memories: Shape = [1, "b", "m", SIZE]
    graph.write(
        path,
        {
            "input_ids": (LONG, ["b", "l"]),
            "encoder_embeddings": embeddings,
            "encoder_mask": mask,
            "decoder_mems": (FLOAT, memories),
        },
        {"logits": (FLOAT, ["b", "l", len(tokens)]), "decoder_hidden_states": (FLOAT, memories)},
    )


def kaldi(folder: Path, seed: int = 3) -> None:
    tokens = ("<blk>", *SYLLABLES)
    _vocab(folder / "lang" / "tokens.txt", tokens)
    _config(folder, model_type="kaldi-rnnt")
    encoder, decoder, joiner = (_Graph(seed + n) for n in (0, 100, 200))
    features = encoder.add("Transpose", "x", perm=[0, 2, 1])
    encoder.add(
        "Transpose", _strided(encoder, features, SIZE, 4), name="encoder_out", perm=[0, 2, 1]
    )
    _counted(encoder, "x_lens", 4, name="encoder_out_lens")
    said = decoder.add("Gather", decoder.weights(len(tokens), SIZE), "y")
    decoder.add("ReduceMean", said, name="decoder_out", axes=[1], keepdims=0)
    both = joiner.add("Tanh", joiner.add("Add", "encoder_out", "decoder_out"))
    joiner.add("MatMul", both, joiner.weights(SIZE, len(tokens)), name="logit")
    one: Shape = ["n", SIZE]
    folder = folder / "am-onnx"
    encoder.write(
        folder / "encoder.onnx",
        {"x": (FLOAT, ["b", "t", 80]), "x_lens": (LONG, ["b"])},
        {"encoder_out": (FLOAT, ["b", "f", SIZE]), "encoder_out_lens": (LONG, ["b"])},
    )
    decoder.write(folder / "decoder.onnx", {"y": (LONG, ["n", 2])}, {"decoder_out": (FLOAT, one)})
    joiner.write(
        folder / "joiner.onnx",
        {"encoder_out": (FLOAT, one), "decoder_out": (FLOAT, one)},
        {"logit": (FLOAT, ["n", len(tokens)])},
    )
