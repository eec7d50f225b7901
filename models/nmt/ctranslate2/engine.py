"""Translation with NLLB-200, Opus-MT and MADLAD-400 in CTranslate2's format, batched."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from models.devices.ctranslate import ComputeType, open_model
from models.devices.device import DeviceReport, report
from models.errors import WeightsError
from models.nmt.ctranslate2.family import Family, FamilyName
from models.nmt.ctranslate2.files import FILES, find_model, licence_in, read_readme
from models.nmt.ctranslate2.reading import Folder, read_family
from models.nmt.ctranslate2.rows import Row, Translator
from models.nmt.search import BatchOptions, Search
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.text.languages import language_code
from models.types import NmtItem, Translation
from models.weights.ctranslate_file import MODEL_FILE, check_model_file
from models.weights.source import resolve

if TYPE_CHECKING:
    import ctranslate2


@dataclass(frozen=True, slots=True)
class Options(BatchOptions):
    """Set what a folder is read as, and how it runs. Tokens beyond the model's positions (1024 of
    NLLB-200, 512 of the others) are not taken, whatever max_source_tokens says."""

    family: FamilyName | None = None
    """What the model is: nllb, opus-mt or madlad. null: as its files tell."""
    source_languages: tuple[str, ...] = ()
    """Languages that it translates from (ISO 639-1, else 639-3). Empty: all of the model; of
    Opus-MT those that its folder tells."""
    target_languages: tuple[str, ...] = ()
    """Languages that it translates to. Empty: all of the model, or those that its folder tells."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """The model's own code of a language, where it has several: zh: zho_Hant translates to
    traditional Chinese. A source text tells its script by its letters."""
    licence: str | None = None
    """Licence of the weights. null: as the README in their folder says, else that of the published
    ones."""
    repetition_penalty: float = 1.0
    """Factor by which a token that came already gets less likely, at least 1. 1: none."""
    no_repeat_ngram_size: int = 0
    """Tokens of a sequence that may not come twice. 0: any may."""
    compute_type: ComputeType = "auto"
    """Type of weights and activations. auto: int8 on a CPU; on CUDA float16, or float32 where the
    GPU has no fast float16. int8_float16 halves the memory of float16."""

    def __post_init__(self) -> None:
        BatchOptions.__post_init__(self)
        for name in ("source_languages", "target_languages", "codes"):
            for language in getattr(self, name):
                if language_code(language) != language:
                    raise ValueError(f"{name}: {language!r} is no ISO 639-1 code, such as en")
        if self.repetition_penalty < 1:
            raise ValueError("repetition_penalty: at least 1")
        if self.no_repeat_ngram_size < 0:
            raise ValueError("no_repeat_ngram_size: at least 0")


class CTranslate2Translator:
    """A model of one of three families in the layout of CTranslate2's converters.

    The folder has ``model.bin``, ``config.json``, the vocabulary and the tokenizer's files as they
    are published: ``sentencepiece.bpe.model`` of NLLB-200, ``source.spm`` and ``target.spm`` of
    Opus-MT, ``spiece.model`` of MADLAD-400, or ``tokenizer.json``. One batch may mix pairs, beams
    and bounds.
    """

    engine = Engine("nmt", Options, "ctranslate2", FILES, keeps=True)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._model: ctranslate2.Translator | None = None
        self._family: Family | None = None
        self._translator: Translator | None = None

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        """Load the model onto the device.

        Raises:
            WeightsError: a file is missing, differs from its pin or is of another kind.
            DeviceError: the device was asked for by name and is not there.
            ConfigError: the device cannot compute with the compute type, or the model does not
                know a language of the options.
        """
        import ctranslate2

        started_s = time.monotonic()
        settings, options = self._settings, self._options
        source = resolve(settings.weights, settings.sha256, settings.files)
        folder = Folder(source, find_model(source), read_readme(source))
        family = read_family(folder, options)
        model, got = open_model(
            settings.device,
            options.compute_type,
            lambda on, compute_type: self._open(folder.files.folder, on, compute_type),
        )
        self._model, self._family = model, family
        self._translator = Translator(family, options, self._generate)
        spec = RuntimeSpec(
            kind="nmt",
            engine="ctranslate2-translator",
            weights=settings.weights,
            licence=options.licence or licence_in(folder.readme) or family.licence,
            languages=tuple(family.sources) if family.is_among else (),
            pairs=() if family.is_among else family.pairs,
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
        assert self._family is not None, "load() first"
        return self._family.lacks(text)

    def close(self) -> None:
        if self._model is not None:
            self._model.unload_model()
        self._model = self._family = self._translator = None

    def _open(
        self, folder: Path, on: Literal["cuda", "cpu"], compute_type: str
    ) -> ctranslate2.Translator:
        import ctranslate2

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
            model.translate_batch([["</s>"]], beam_size=1, max_decoding_length=1)
        return model

    def _generate(self, rows: Sequence[Row], search: Search) -> list[list[str]]:
        assert self._model is not None, "load() first"
        prefix = len(rows[0].prefix)  # of all rows of a family
        found = self._model.translate_batch(
            [row.source for row in rows],
            target_prefix=[row.prefix for row in rows] if prefix else None,
            max_batch_size=self._options.max_batch_tokens,
            batch_type="tokens",
            beam_size=search.beam_size,
            length_penalty=search.length_penalty,
            repetition_penalty=self._options.repetition_penalty,
            no_repeat_ngram_size=self._options.no_repeat_ngram_size,
            max_decoding_length=search.max_tokens + prefix,  # it counts the prefix
            max_input_length=0,  # 0: cut nothing; longer texts were refused
        )
        return [result.hypotheses[0][prefix:] for result in found]
