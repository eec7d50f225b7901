"""The table of engines: which class runs which kind, and the options it takes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeAlias

from models.nmt.keeping import KeepingNmt
from models.runtime import Runtime, RuntimeSettings
from models.types import Kind

Library: TypeAlias = Literal["torch", "onnxruntime", "ctranslate2"]


@dataclass(frozen=True, slots=True)
class Engine:
    """``runtime`` and ``options`` are names in ``module``, which is light to import.

    ``files`` are patterns of what the engine reads of a repository on the hub, which may hold
    the same weights for other libraries, too; none: all of it. ``small``: one CPU thread is best.
    ``keeps``: the runtime translates, and what is no prose is kept around it.
    """

    kind: Kind
    module: str
    runtime: str
    library: Library | None = None  # that computes, on the CPU or on CUDA; None: none does
    options: str = "Options"
    files: tuple[str, ...] = ()
    small: bool = False
    keeps: bool = False

    def options_class(self) -> type[Any]:
        """The frozen dataclass of what the configuration may say under ``options``."""
        cls: type[Any] = getattr(import_module(self.module), self.options)
        return cls

    def create(self, settings: RuntimeSettings) -> Runtime[Any, Any]:
        module = import_module(self.module)
        options = getattr(module, self.options)(**settings.options)
        runtime: Any = getattr(module, self.runtime)(settings, options)
        return KeepingNmt(runtime) if self.keeps else runtime


_WHISPER_FILES = (
    *("config.json", "tokenizer.json", "preprocessor_config.json"),
    *("model.bin", "vocabulary.*"),
)
# Of tensors in several formats the first that is there is read; all are taken.
_M2M100_FILES = (
    *("config.json", "vocab.json", "sentencepiece.bpe.model"),
    *("model.safetensors", "pytorch_model.bin"),
)
_CONVERTED_FILES = ("model.bin", "shared_vocabulary.*")  # by CTranslate2
_YOURTTS_FILES = (
    *("config.json", "config_se.json", "speakers.json", "language_ids.json"),
    *("model.safetensors", "model_file.pth", "best_model.pth"),
    *("model_se.safetensors", "model_se.pth", "model_se.pth.tar"),
)
_ECAPA_FILES = ("hyperparams.yaml", "embedding_model.ckpt")

ENGINES: dict[str, Engine] = {
    "silero": Engine("vad", "models.vad.silero", "SileroVad", "onnxruntime", small=True),
    "whisper": Engine(
        "asr", "models.asr.whisper", "WhisperAsr", "ctranslate2", files=_WHISPER_FILES
    ),
    "bergamot": Engine(
        "nmt", "models.nmt.bergamot.engine", "BergamotNmt", "torch", small=True, keeps=True
    ),
    "m2m100": Engine(
        "nmt",
        "models.nmt.m2m100.engine",
        "M2m100Nmt",
        "ctranslate2",
        files=_M2M100_FILES + _CONVERTED_FILES,
        keeps=True,
    ),
    "piper": Engine("tts", "models.tts.piper.engine", "PiperTts", "onnxruntime", small=True),
    "kokoro": Engine("tts", "models.tts.kokoro", "KokoroTts", "onnxruntime"),
    "yourtts": Engine("tts", "models.tts.yourtts.engine", "YourTts", "torch", files=_YOURTTS_FILES),
    "ge2e": Engine("speaker", "models.speaker.ge2e.engine", "Ge2eSpeaker", "torch", small=True),
    "ecapa": Engine(
        "speaker", "models.speaker.ecapa.engine", "EcapaSpeaker", "torch", files=_ECAPA_FILES
    ),
    # Fakes: for tests and benches of what is around a model.
    "sleep": Engine("speaker", "models.fakes", "SleepSpeaker", options="SleepOptions"),
    "fake-vad": Engine("vad", "models.fakes", "FakeVad"),
    "fake-asr": Engine("asr", "models.fakes", "FakeAsr"),
    "fake-nmt": Engine("nmt", "models.fakes", "FakeNmt"),
    "fake-tts": Engine("tts", "models.fakes", "FakeTts"),
}
