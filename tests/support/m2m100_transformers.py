"""M2M100 as transformers runs it in PyTorch: the reference of the engine on CTranslate2."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from models.devices.device import DeviceReport, choose_torch, free_torch_memory, report
from models.errors import WeightsError
from models.nmt.m2m100.convert import CONFIG_FILE, TENSOR_FILES, read_positions
from models.nmt.m2m100.rows import FILES, Row, Translator
from models.nmt.m2m100.tokenizer import LANGUAGES, M2m100Tokenizer
from models.nmt.search import BatchOptions, Search
from models.passes import passes as forward_passes
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.types import NmtItem, Translation
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Options(BatchOptions):
    """Set how M2M100 runs."""

    precision: Literal["auto", "float32", "float16"] = "auto"
    """Precision of weights and activations. auto: float16 on CUDA. On a CPU it is always
    float32."""


TRANSFORMERS = "tests.support.m2m100_transformers:M2m100TransformersNmt"


class M2m100TransformersNmt:
    """M2M100 (Fan et al. 2020, https://arxiv.org/abs/2010.11125; weights MIT).

    Loads folders and snapshots of the layout of ``facebook/m2m100_418M``. One batch may mix
    pairs, beams and bounds.
    """

    engine = Engine("nmt", Options, "torch", FILES, keeps=True)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._model: Any = None  # transformers.M2M100ForConditionalGeneration
        self._translator: Translator | None = None

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        """Load the weights onto the device.

        Raises:
            WeightsError: a file is missing, differs from its pin or is of another kind.
            DeviceError: the device was asked for by name and is not there.
        """
        import torch
        import transformers

        started_s = time.monotonic()
        settings = self._settings
        device = choose_torch(settings.device)
        precision = self._precision(device.actual)
        source = resolve(settings.weights, settings.sha256, settings.files)
        self._tokenizer = M2m100Tokenizer.load(source)
        positions = read_positions(source.file(CONFIG_FILE))
        folder = source.folder([CONFIG_FILE, source.first(TENSOR_FILES).name])
        try:
            self._model = transformers.M2M100ForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, dtype=getattr(torch, precision)
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise WeightsError(f"{settings.weights}: {error}") from error
        self._tokenizer.all_tokens(self._model.config.vocab_size)  # are as many as it has rows
        # The published one searches with five beams; here each item says how it is searched for.
        self._model.generation_config = transformers.GenerationConfig(
            pad_token_id=self._tokenizer.padding,
            eos_token_id=self._tokenizer.end,
            decoder_start_token_id=self._tokenizer.end,
        )
        self._model.eval().to(device.actual)
        self._translator = Translator(self._tokenizer, self._options, self._generate, positions)
        spec = RuntimeSpec(
            kind="nmt",
            engine="m2m100-transformers",
            weights=settings.weights,
            licence=licence(settings.weights),
            languages=LANGUAGES,
        )
        return spec, report(
            settings.device,
            device,
            library=f"transformers {transformers.__version__}, torch {torch.__version__}",
            precision=precision,
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
        """Whether the vocabulary, which all languages share, lacks a character of a text."""
        return self._tokenizer.lacks(text)

    def close(self) -> None:
        self._model = self._translator = None
        free_torch_memory()

    def _precision(self, device: Literal["cuda", "cpu"]) -> Literal["float32", "float16"]:
        if device == "cpu" or self._options.precision == "float32":
            return "float32"
        return "float16"

    def _generate(self, rows: Sequence[Row], search: Search) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for together in passes(rows, self._options.max_batch_tokens):
            for row, ids in zip(together, self._pass(together, search), strict=True):
                found[row.index] = ids
        return [found[row.index] for row in rows]

    def _pass(self, rows: Sequence[Row], search: Search) -> list[list[int]]:
        """Translate some rows, padded to the longest of them."""
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        assert self._model is not None, "load() first"
        padding, end = self._tokenizer.padding, self._tokenizer.end
        longest = max(len(row.source) for row in rows)
        sources = torch.tensor(
            [row.source + [padding] * (longest - len(row.source)) for row in rows],
            device=self._model.device,
        )
        with torch.inference_mode():
            found = self._model.generate(
                input_ids=sources,
                attention_mask=(sources != padding).long(),
                logits_processor=LogitsProcessorList([_TargetLanguages(rows, search.beam_size)]),
                generation_config=GenerationConfig(
                    num_beams=search.beam_size,
                    length_penalty=search.length_penalty if search.beam_size > 1 else None,
                    early_stopping=True if search.beam_size > 1 else None,  # as published
                    max_new_tokens=search.max_tokens + 1,  # with the target language
                    do_sample=False,
                ),
            )
        return [_until(ids, end) for ids in found[:, 2:].tolist()]  # behind start and language


class _TargetLanguages:
    """Makes the language of each row its first token, where ``forced_bos_token_id`` is one for all.

    A prefix of the decoder would do so too, but its tokens do not count for the length penalty;
    the published use, and CTranslate2, count the language.
    """

    def __init__(self, rows: Sequence[Row], beam_size: int) -> None:
        self._targets = [row.target for row in rows for _ in range(beam_size)]

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Of ``tokens`` [rows * beams, n] and ``scores`` [rows * beams, vocabulary]: scores."""
        if tokens.shape[1] > 1:
            return scores
        forced = scores.new_full(scores.shape, -math.inf)
        forced[range(len(self._targets)), self._targets] = 0.0
        return forced


def passes(rows: Sequence[Row], max_tokens: int) -> list[list[Row]]:
    """Cut rows into forward passes of at most ``max_tokens`` with padding, or of one row."""
    places = forward_passes(
        [len(row.source) for row in rows], lambda lengths: len(lengths) * lengths[0] <= max_tokens
    )
    return [[rows[place] for place in together] for together in places]


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids
