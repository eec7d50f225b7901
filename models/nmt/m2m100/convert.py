"""Finds M2M100 in CTranslate2's format, or converts it once and keeps it in the cache."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import WeightsError
from models.nmt.m2m100.rows import POSITIONS
from models.nmt.m2m100.tokenizer import SPM_FILE, VOCABULARY_FILE, M2m100Tokenizer
from models.weights.cached_files import cache_folder, cached
from models.weights.cached_files import digest as sha256_of
from models.weights.checkpoints import read_tensors
from models.weights.ctranslate_file import MODEL_FILE
from models.weights.source import WeightSource

CONFIG_FILE = "config.json"
TENSOR_FILES = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read
_VOCABULARY_FILES = ("shared_vocabulary.json", "shared_vocabulary.txt")  # the latter is older
_FORMAT = "m2m100-2"  # counts up when conversions change
_logger = logging.getLogger("dragoman")


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A model that CTranslate2 can open, for any compute type.

    ``folder`` takes the compute type, and converts if it must. ``positions`` is the most tokens of
    a sentence.
    """

    folder: Callable[[str], Path]
    positions: int


def find_model(source: WeightSource, tokenizer: M2m100Tokenizer) -> ConvertedModel:
    """Find the model of a source, in CTranslate2's layout or in the published one.

    Raises:
        WeightsError: a file is missing, differs from its pin or is of another kind. What is wrong
            with a checkpoint's tensors shows when ``folder`` is called.
    """
    tensors = source.first((MODEL_FILE, *TENSOR_FILES))
    if tensors.name == MODEL_FILE:
        vocabulary = source.first(_VOCABULARY_FILES).name
        ready = source.folder([MODEL_FILE, CONFIG_FILE, vocabulary])
        return ConvertedModel(lambda _: ready, POSITIONS)
    positions = read_positions(source.file(CONFIG_FILE))

    def convert(compute_type: str) -> Path:
        return _converted(source, tensors, tokenizer, compute_type)

    return ConvertedModel(convert, positions)


def read_positions(path: Path) -> int:
    """Read from ``config.json`` how many tokens a sentence may have.

    Raises:
        WeightsError: the file is none of M2M100, or of a network that differs from the published
            in a way that CTranslate2 would not see.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        expected = {
            "model_type": "m2m_100",
            "decoder_attention_heads": config["encoder_attention_heads"],
        }
        for key, value in expected.items():
            if config[key] != value:
                raise WeightsError(f"{path}: {key} is {config[key]!r}, not {value!r}")
        return int(config.get("max_position_embeddings", POSITIONS))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not a configuration of M2M100 ({error!r})") from error


def _converted(
    source: WeightSource,
    tensors: Path,
    tokenizer: M2m100Tokenizer,
    quantization: str,
) -> Path:
    """Return the folder of the converted model; safe when several replicas start together."""
    files = [tensors, *(source.file(name) for name in (CONFIG_FILE, VOCABULARY_FILE, SPM_FILE))]
    target = cache_folder() / "ctranslate2" / _key(files, quantization)

    def write(folder: Path) -> None:
        _logger.info("%s: converting to CTranslate2, %s", source.reference, quantization)
        try:
            from models.nmt.m2m100.checkpoint import CheckpointConverter
        except ImportError as error:
            needs = "converting M2M100 needs transformers: pip install dragoman[m2m100]"
            raise WeightsError(f"{source.reference}: {needs} ({error})") from error
        converter = CheckpointConverter(source.file(CONFIG_FILE), read_tensors(tensors), tokenizer)
        try:
            converter.convert(str(folder), quantization=quantization)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise WeightsError(f"{source.reference}: not a model of M2M100: {error}") from error

    return cached(target, write)


def _key(files: Sequence[Path], quantization: str) -> str:
    """Name a conversion by the content of its files and its precision."""
    digest = hashlib.sha256(f"{_FORMAT} {quantization}".encode())
    for path in files:
        digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()[:16]
