"""Translation among a hundred languages: M2M100 on CTranslate2, batched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from models.devices.ctranslate import ComputeType, open_model
from models.devices.device import DeviceReport, report
from models.errors import WeightsError
from models.nmt.m2m100.convert import ConvertedModel, find_model
from models.nmt.m2m100.rows import FILES, Row, Translator
from models.nmt.m2m100.tokenizer import LANGUAGES, M2m100Tokenizer
from models.nmt.search import BatchOptions, Search
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.types import NmtItem, Translation
from models.weights.ctranslate_file import MODEL_FILE, check_model_file
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    import ctranslate2


CONVERTED_FILES = ("model.bin", "shared_vocabulary.*")  # by CTranslate2


@dataclass(frozen=True, slots=True)
class Options(BatchOptions):
    """Set how M2M100 runs."""

    compute_type: ComputeType = "auto"
    """Type of weights and activations. auto: int8 on a CPU; on CUDA float16, or float32 where the
    GPU has no fast float16. int8_float16 halves the memory of float16."""


class M2m100Nmt:
    """M2M100 (Fan et al. 2020, https://arxiv.org/abs/2010.11125; weights MIT).

    Loads folders and snapshots of the layout of ``facebook/m2m100_418M``, whose weights it
    converts once for each compute type and keeps in the cache, and folders with CTranslate2's
    ``model.bin`` beside the tokenizer's two files. One batch may mix pairs, beams and bounds.
    """

    engine = Engine("nmt", Options, "ctranslate2", FILES + CONVERTED_FILES, keeps=True)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._model: ctranslate2.Translator | None = None
        self._translator: Translator | None = None

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        """Convert the weights unless that was done before, and load them onto the device.

        Raises:
            WeightsError: a file is missing, differs from its pin or is of another kind.
            DeviceError: the device was asked for by name and is not there.
            ConfigError: the device cannot compute with the compute type.
        """
        import ctranslate2

        started_s = time.monotonic()
        settings = self._settings
        source = resolve(settings.weights, settings.sha256, settings.files)
        self._tokenizer = M2m100Tokenizer.load(source)
        found = find_model(source, self._tokenizer)
        model, got = open_model(
            settings.device,
            self._options.compute_type,
            lambda on, compute_type: self._open(found, on, compute_type),
        )
        self._model = model
        self._translator = Translator(
            self._tokenizer, self._options, self._generate, found.positions
        )
        spec = RuntimeSpec(
            kind="nmt",
            engine="m2m100",
            weights=settings.weights,
            licence=licence(settings.weights),
            languages=LANGUAGES,
        )
        return spec, report(
            settings.device,
            got,
            library=f"ctranslate2 {ctranslate2.__version__}",
            precision=model.compute_type,
            load_s=time.monotonic() - started_s,
        )

    def warm_up(self) -> None:
        assert self._translator is not None, "load() first"
        self._translator.warm_up()

    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        """Translate each item; ``Translator`` says which errors stand in its place."""
        assert self._translator is not None, "load() first"
        return self._translator(batch)

    def lacks(self, text: str, source_language: str, target_language: str) -> bool:
        """Tell whether the vocabulary, which all languages share, lacks a character of a text."""
        return self._tokenizer.lacks(text)

    def close(self) -> None:
        if self._model is not None:
            self._model.unload_model()
        self._model = self._translator = None

    def _open(
        self, found: ConvertedModel, on: Literal["cuda", "cpu"], compute_type: str
    ) -> ctranslate2.Translator:
        import ctranslate2

        folder = found.folder(compute_type)
        check_model_file(folder / MODEL_FILE)
        try:
            model = ctranslate2.Translator(
                str(folder),
                device=on,
                compute_type=compute_type,
                inter_threads=1,
                intra_threads=self._settings.device.threads,
            )
        except (RuntimeError, ValueError) as error:
            if on == "cuda":
                raise
            raise WeightsError(f"{folder}: {error}") from error
        if on == "cuda":
            end = self._tokenizer.tokens([self._tokenizer.end])
            model.translate_batch([end], beam_size=1, max_decoding_length=1)
        return model

    def _generate(self, rows: Sequence[Row], search: Search) -> list[list[int]]:
        assert self._model is not None, "load() first"
        tokens, ids = self._tokenizer.tokens, self._tokenizer.ids
        found = self._model.translate_batch(
            [tokens(row.source) for row in rows],
            target_prefix=[tokens([row.target]) for row in rows],
            max_batch_size=self._options.max_batch_tokens,
            batch_type="tokens",
            beam_size=search.beam_size,
            length_penalty=search.length_penalty,
            max_decoding_length=search.max_tokens + 1,  # it counts the target language
            max_input_length=0,  # 0: cut nothing; longer texts were refused
        )
        return [ids(result.hypotheses[0][1:]) for result in found]  # behind the target language
