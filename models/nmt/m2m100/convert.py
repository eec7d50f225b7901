"""M2M100 in CTranslate2's format: found as it is, or converted once and kept in the cache."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.nmt.m2m100.checkpoint import (
    CONFIG_FILE,
    TENSOR_FILES,
    Architecture,
    build_spec,
)
from models.nmt.m2m100.rows import POSITIONS
from models.nmt.m2m100.tokenizer import SPM_FILE, VOCABULARY_FILE, M2m100Tokenizer
from models.weights.cached_files import cache_folder, cached
from models.weights.cached_files import digest as sha256_of
from models.weights.checkpoints import read_tensors
from models.weights.ctranslate_file import MODEL_FILE
from models.weights.source import WeightSource

_VOCABULARY_FILES = ("shared_vocabulary.json", "shared_vocabulary.txt")  # the latter is older
_FORMAT = "m2m100-1"  # counts up where what a conversion writes changes
_logger = logging.getLogger("dragoman")


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """Where CTranslate2 finds a model, by the compute type that it will run with.

    ``folder`` converts where it must; ``positions`` is how many tokens a sentence may have.
    """

    folder: Callable[[str], Path]
    positions: int


def find_model(source: WeightSource, tokenizer: M2m100Tokenizer) -> ConvertedModel:
    """The model of a source, which holds it in CTranslate2's layout or in the published one.

    Raises:
        WeightsError: a file is missing, differs from its pin or is of another kind. What is
            wrong with a checkpoint's tensors shows when ``folder`` is called.
    """
    tensors = source.first((MODEL_FILE, *TENSOR_FILES))
    if tensors.name == MODEL_FILE:
        vocabulary = source.first(_VOCABULARY_FILES).name
        ready = source.folder([MODEL_FILE, CONFIG_FILE, vocabulary])
        return ConvertedModel(lambda _: ready, POSITIONS)
    architecture = Architecture.read(source.file(CONFIG_FILE))

    def convert(compute_type: str) -> Path:
        return _converted(source, tensors, architecture, tokenizer, compute_type)

    return ConvertedModel(convert, architecture.positions)


def _converted(
    source: WeightSource,
    tensors: Path,
    architecture: Architecture,
    tokenizer: M2m100Tokenizer,
    quantization: str,
) -> Path:
    """The folder of the converted model; safe when several replicas start together."""
    files = [tensors, *(source.file(name) for name in (CONFIG_FILE, VOCABULARY_FILE, SPM_FILE))]
    target = cache_folder() / "ctranslate2" / _key(files, quantization)

    def write(folder: Path) -> None:
        _logger.info("%s: converting to CTranslate2, %s", source.reference, quantization)
        spec = build_spec(read_tensors(tensors), architecture, tokenizer)
        spec.validate()
        spec.optimize(quantization)
        folder.mkdir()
        spec.save(str(folder))

    return cached(target, write)


def _key(files: Sequence[Path], quantization: str) -> str:
    """The name of a conversion: by what it is made from, wherever that lies."""
    digest = hashlib.sha256(f"{_FORMAT} {quantization}".encode())
    for path in files:
        digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()[:16]
