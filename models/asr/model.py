"""A Whisper model opened by faster-whisper, and the batched calls that decoding makes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.asr.decoding import (
    FRAMES_PER_S,
    Attempt,
    compression_ratio,
    max_length,
    max_new_tokens,
)
from models.audio.samples import to_float32
from models.devices import device
from models.devices.ctranslate import ComputeType, open_model
from models.errors import WeightsError
from models.types import Samples
from models.weights.ctranslate_file import MODEL_FILE, check_model_file
from models.weights.source import WeightSource

if TYPE_CHECKING:
    import ctranslate2
    from faster_whisper.tokenizer import Tokenizer

WITHIN_SPECIAL = re.compile(r"(?<=<)(?=\|)")  # all of Whisper's begin with these two characters
TIMESTAMP_STEP_S = 0.02  # between two timestamp tokens
PACKAGE_FOLDER = "data/"  # of packages; folders and snapshots have the files at the top


@dataclass(frozen=True, slots=True)
class Search:
    """Parameters of the search for a window's text, with faster-whisper's names and defaults."""

    beam_size: int = 5  # at temperature 0
    best_of: int = 5  # samples at temperatures above 0; the likeliest is taken
    patience: float = 1.0
    length_penalty: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    max_initial_timestamp_s: float = 1.0

    def with_beam(self, size: int | None) -> Search:
        """Return this search with a beam of that size; None: with its own."""
        return self if size is None else replace(self, beam_size=size)

    def arguments(self, temperature: float) -> dict[str, Any]:
        """Return the arguments of ``ctranslate2.models.Whisper.generate``."""
        common: dict[str, Any] = {
            "length_penalty": self.length_penalty,
            "repetition_penalty": self.repetition_penalty,
            "no_repeat_ngram_size": self.no_repeat_ngram_size,
            "max_initial_timestamp_index": round(self.max_initial_timestamp_s / TIMESTAMP_STEP_S),
        }
        if temperature == 0:
            return common | {"beam_size": self.beam_size, "patience": self.patience}
        return common | {
            "beam_size": 1,
            "num_hypotheses": self.best_of,
            "sampling_topk": 0,  # from all tokens
            "sampling_temperature": temperature,
        }


class LoadedWhisper:
    """One opened model. ``whisper`` is faster-whisper's, which keeps no state between calls."""

    def __init__(self, folder: Path, on: Literal["cuda", "cpu"], compute: str, threads: int):
        from faster_whisper import WhisperModel
        from faster_whisper.feature_extractor import FeatureExtractor

        self.whisper = WhisperModel(
            str(folder), device=on, compute_type=compute, cpu_threads=threads
        )
        self._model = self.whisper.model
        # The weights state their number of mels: 80, or 128 since large-v3.
        self._extractor = FeatureExtractor(feature_size=self._model.n_mels)

    @property
    def precision(self) -> str:
        return str(self._model.compute_type)

    @property
    def is_multilingual(self) -> bool:
        return bool(self._model.is_multilingual)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that these weights have a token for."""
        codes = self.whisper.supported_languages
        if not self.is_multilingual:
            return tuple(codes)
        has_token = self.whisper.hf_tokenizer.token_to_id
        return tuple(code for code in codes if has_token(f"<|{code}|>") is not None)

    def tokenizer(self, language: str, task: str) -> Tokenizer:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(
            self.whisper.hf_tokenizer, self.is_multilingual, task=task, language=language
        )

    @cached_property
    def text_tokenizer(self) -> Tokenizer:
        """Return a tokenizer for text, whose tokens are those of every language and task."""
        return self.tokenizer("en", "transcribe")

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text; one that spells a special token, as ``<|en|>``, has none."""
        parts = WITHIN_SPECIAL.split(text)
        return [token for part in parts for token in self.text_tokenizer.encode(part)]

    @cached_property
    def _suppressed(self) -> list[int]:
        from faster_whisper.transcribe import get_suppressed_tokens

        return list(get_suppressed_tokens(self.text_tokenizer, [-1]))

    def features(self, samples: Samples) -> NDArray[np.float32]:
        """Return log-mel features [mels, frames] of audio at 16 kHz: one frame a full 10 ms."""
        features: NDArray[np.float32] = self._extractor(to_float32(samples))
        return features[:, : len(samples) // self._extractor.hop_length]

    def encode(self, features: NDArray[np.float32]) -> ctranslate2.StorageView:
        """Encode features [rows, mels, frames] to [rows, frames / 2, model]."""
        return self.whisper.encode(features)

    def detect_languages(
        self, encoded: ctranslate2.StorageView, rows: list[int]
    ) -> list[tuple[tuple[str, float], ...]]:
        """Tell each row's languages with their probabilities, the likeliest first."""
        return [
            tuple(
                (token.removeprefix("<|").removesuffix("|>"), float(probability))
                for token, probability in row
            )
            for row in self._model.detect_language(take_rows(encoded, rows))
        ]

    def generate(
        self,
        encoded: ctranslate2.StorageView,
        rows: list[int],
        prompts: Sequence[Sequence[int]],
        search: Search,
        temperature: float,
        forced: Sequence[Sequence[int]] | None = None,
        may_be_empty: bool = False,
    ) -> list[Attempt]:
        """Decode these rows of the encoder's output; their prompts are of one shape (``Query``).

        Args:
            forced: the first tokens of each row's text, which its attempt leaves out.
            may_be_empty: whether a text may end before it begins.
        """
        forced = [()] * len(rows) if forced is None else forced
        window_s = 2 * encoded.shape[1] / FRAMES_PER_S
        longest = max_length(window_s, len(prompts[0]))
        most_tokens = max_new_tokens(longest, len(prompts[0]))
        found = self._model.generate(
            take_rows(encoded, rows),
            [[*prompt, *first] for prompt, first in zip(prompts, forced, strict=True)],
            max_length=longest,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=not may_be_empty,
            suppress_tokens=self._suppressed,
            **search.arguments(temperature),
        )
        attempts = []
        for result, first in zip(found, forced, strict=True):
            sequence = result.sequences_ids[0]
            tokens = sequence[len(first) :]
            # The score, without that of what is forced, is divided by length ** penalty. The
            # average counts the end token too.
            logprob = result.scores[0] * len(sequence) ** search.length_penalty
            attempts.append(
                Attempt(
                    tokens=tuple(tokens),
                    temperature=temperature,
                    avg_logprob=logprob / (len(tokens) + 1),
                    compression_ratio=compression_ratio(self.text_tokenizer.decode(tokens).strip()),
                    no_speech_prob=result.no_speech_prob,
                    is_cut=len(sequence) >= most_tokens,
                )
            )
        return attempts

    def align(
        self,
        encoded: ctranslate2.StorageView,
        rows: list[int],
        tokenizer: Tokenizer,
        said: list[list[int]],
        frames: list[int],
    ) -> list[list[dict[str, Any]]]:
        """Return the word timings of these rows, all of one language and task.

        Args:
            said: each row's text tokens.
            frames: how many mel frames of each row are audio.
        """
        found: list[list[dict[str, Any]]] = self.whisper.find_alignment(
            tokenizer, said, take_rows(encoded, rows), frames
        )
        return found

    def close(self) -> None:
        self._model.unload_model()


def open_whisper(
    folder: Path, compute: ComputeType, request: device.DeviceRequest
) -> tuple[LoadedWhisper, device.Device]:
    """Open a model on the requested device; CUDA counts once the model has run on it.

    Raises:
        DeviceError: ``cuda`` was asked for by name and cannot be had.
        ConfigError: the device cannot compute with ``compute``.
        WeightsError: the files are damaged, or of another kind.
    """
    check_model_file(folder / MODEL_FILE)

    def open_on(name: Literal["cuda", "cpu"], compute_type: str) -> LoadedWhisper:
        try:
            model = LoadedWhisper(folder, name, compute_type, request.threads)
        except Exception as error:  # CTranslate2 and the tokenizer raise many classes
            if name == "cuda" or device.is_out_of_memory(error):
                raise
            raise WeightsError(f"{folder}: not a Whisper model: {error}") from error
        if name == "cuda":
            model.encode(model.features(np.zeros(FRAMES_PER_S * 160, np.float32))[np.newaxis])
        return model

    return open_model(request, compute, open_on)


def model_folder(source: WeightSource) -> Path:
    """Return the folder with the files that CTranslate2 and the tokenizer read.

    Raises:
        WeightsError: one of them is missing, or differs from its pin.
    """

    def has(name: str) -> bool:
        return any((folder / name).is_file() for _, folder in source.folders)

    top = "" if has("config.json") else PACKAGE_FOLDER
    vocabulary = "vocabulary.txt" if has(f"{top}vocabulary.txt") else "vocabulary.json"
    names = ["model.bin", "config.json", "tokenizer.json", vocabulary]
    return source.folder([top + name for name in names]) / top


def take_rows(encoded: ctranslate2.StorageView, rows: list[int]) -> ctranslate2.StorageView:
    """Return some rows of the encoder's output; all rows are passed on without a copy."""
    import ctranslate2

    if rows == list(range(encoded.shape[0])):
        return encoded
    on_cpu = np.asarray(encoded.to_device(ctranslate2.Device.cpu))
    return ctranslate2.StorageView.from_array(on_cpu[rows])
