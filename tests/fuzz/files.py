"""What is read from disk: recordings, weights, the configuration."""

from __future__ import annotations

import io
import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from hypothesis import strategies as st
from safetensors.torch import save as safetensors_of

from deployments.config.files import load
from models.audio import decode as audio
from models.devices.onnx_session import open_session
from models.errors import CallerError, DragomanError, StartupError
from models.nmt.bergamot.marian import read_model, read_shortlist
from models.nmt.m2m100.convert import read_positions
from models.nmt.m2m100.tokenizer import M2m100Tokenizer
from models.nmt.vocabulary import read_pieces
from models.tts.kokoro_files import MAX_TOKENS, STYLE_SIZE, read_styles, read_vocab
from models.tts.piper.graph import batchable
from models.tts.piper.voice import VoiceConfig
from models.weights.checkpoints import read_tensors
from models.weights.ctranslate_file import check_model_file
from tests.fuzz.mutations import rearranged, spoilt
from tests.support import damaged_files
from tests.support.bad_input import speech_file
from tests.unit.models.nmt import test_marian

ROOT = Path(__file__).parents[2]
MOST_AUDIO_S = 60.0
CONFIGURATIONS = ("serve_config.yaml", "deploy/serve_config.gpu.yaml")
TENSORS = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


@st.composite
def recordings(draw: st.DrawFn) -> bytes:
    """A file of any kind that is taken, or real speech; what follows it may be another's."""
    name = draw(st.sampled_from(("speech", *damaged_files.FILES)))
    good = speech_file() if name == "speech" else damaged_files.file(name)
    return draw(spoilt([good, good, speech_file()]))


def check(holds: bool, otherwise: str) -> None:
    """Raises AssertionError."""
    assert holds, otherwise


def decode(data: bytes) -> bool:
    """Whether a recording was taken."""
    try:
        heard = audio.decode(data, max_duration_s=MOST_AUDIO_S)
    except DragomanError as error:
        check(isinstance(error, CallerError), error.message)
        return False
    assert len(heard.samples)
    assert heard.duration_s <= MOST_AUDIO_S
    return True


# ---- weights -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """A reader of files of one format, and a good file; ``name`` is what the reader goes by."""

    name: str
    good: Callable[[], bytes]
    read: Callable[[Path], Any]


def _written(save: Callable[[Any, Any], Any], content: Any) -> bytes:
    file = io.BytesIO()
    save(content, file)
    return file.getvalue()


def _older(content: Any, file: Any) -> None:
    torch.save(content, file, _use_new_zipfile_serialization=False)


def _onnx() -> bytes:
    """A graph of one addition."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in "xy")
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    graph = helper.make_graph([helper.make_node("Add", ["x", "one"], ["y"])], "g", [x], [y], [one])
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    serialised: bytes = model.SerializeToString()
    return serialised


def _pieces() -> bytes:
    """A vocabulary of SentencePiece."""
    import sentencepiece

    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(["the quick brown fox", "jumps over the lazy dog"] * 20),
        model_writer=file,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return file.getvalue()


def _styles() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, jm=np.zeros((MAX_TOKENS, 1, STYLE_SIZE), np.float32))
    return file.getvalue()


def _ctranslate2() -> bytes:
    """A model of CTranslate2's format with one tensor, and another name for it."""

    def text(of: str) -> bytes:
        return struct.pack("<H", len(of) + 1) + of.encode() + b"\0"

    tensor = text("weight") + struct.pack("<B2IBI6f", 2, 2, 3, 0, 24, *range(6))
    aliases = struct.pack("<I", 1) + text("tied") + text("weight")
    return struct.pack("<I", 6) + text("Spec") + struct.pack("<2I", 7, 1) + tensor + aliases


def _vocabulary_of_m2m100(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pieces = Path(folder, "spm.model")
        pieces.write_bytes(_good("spm"))
        M2m100Tokenizer(pieces, path)


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


M2M100 = {
    **{"model_type": "m2m_100", "activation_function": "relu", "d_model": 16},
    **{"encoder_attention_heads": 2, "decoder_attention_heads": 2},
    **{"encoder_layers": 1, "decoder_layers": 1},
}
PIPER = {
    "audio": {"sample_rate": 22_050},
    "espeak": {"voice": "en-us"},
    "num_speakers": 1,
    "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [3]},
    "inference": {"noise_scale": 0.6, "length_scale": 1, "noise_w": 0.8},
}
MARIAN = (test_marian.CONFIG, test_marian.BIAS, test_marian.MATRIX, test_marian.EMBEDDING)

WEIGHTS: tuple[Weights, ...] = (
    Weights("safetensors", lambda: safetensors_of(TENSORS), read_tensors),
    Weights("pt", lambda: _written(torch.save, TENSORS), read_tensors),
    Weights("pth", lambda: _written(_older, TENSORS), read_tensors),
    Weights("onnx", _onnx, lambda path: open_session(path, 1, [], lengths_vary=True)),
    Weights("ctranslate2.bin", _ctranslate2, check_model_file),
    Weights("piper.onnx", _onnx, batchable),
    Weights("npz", _styles, lambda path: read_styles(path, ["jm"])),
    Weights("kokoro.json", lambda: _json({"vocab": {"a": 1, "b": 2}}), read_vocab),
    Weights("piper.json", lambda: _json(PIPER), VoiceConfig.read),
    Weights("m2m100.json", lambda: _json(M2M100), read_positions),
    Weights(
        "vocab.json",
        lambda: _json({t: i for i, t in enumerate(["<s>", "<pad>", "</s>", "<unk>", "a"])}),
        _vocabulary_of_m2m100,
    ),
    Weights("spm", _pieces, read_pieces),
    Weights("marian", lambda: test_marian.model_bytes(*MARIAN), read_model),
    Weights(
        "shortlist",
        lambda: test_marian.shortlist_bytes([0, 1, 1], [0]),
        lambda path: read_shortlist(path, 2),
    ),
)
BY_NAME = {weights.name: weights for weights in WEIGHTS}


@cache
def _good(name: str) -> bytes:
    return BY_NAME[name].good()


@st.composite
def weights_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """The name of a format, and a file of it that may be damaged."""
    name = draw(st.sampled_from(sorted(BY_NAME)))
    return name, draw(spoilt([_good(name)]))


def read_weights(example: tuple[str, bytes]) -> bool:
    """Whether a file was taken; a damaged one stops the start with its name."""
    name, data = example
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"file.{name}")
        path.write_bytes(data)
        try:
            BY_NAME[name].read(path)
        except StartupError as error:
            check(str(path) in str(error), f"it names no file: {error}")
            return False
    return True


# ---- the configuration -------------------------------------------------------------------


@cache
def _configurations() -> tuple[bytes, ...]:
    return tuple((ROOT / name).read_bytes() for name in CONFIGURATIONS)


def configurations() -> st.SearchStrategy[bytes]:
    documents = [yaml.safe_load(text) for text in _configurations()]
    written = rearranged(documents).map(lambda document: yaml.dump(document).encode())
    return st.one_of(spoilt(_configurations()), written)


def read_configuration(data: bytes) -> bool:
    """Whether it was taken; a wrong one stops the start, with its name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "serve_config.yaml")
        path.write_bytes(data)
        try:
            args = load(path).applications[0].args
        except StartupError as error:
            check(str(path) in str(error), f"it names no file: {error}")
            return False
    for name, model in args.models.items():
        model.settings(name)
    return True
