"""The registry of engines: finds a runtime class by a name, or by ``package.module:Class``."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from models.errors import ConfigError
from models.nmt.keeping import KeepingNmt
from models.runtime import Engine, Runtime, RuntimeSettings

REFERENCE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")
METHODS = ("load", "warm_up", "run", "close")


@dataclass(frozen=True, slots=True)
class RuntimeClass:
    """Name a runtime class as ``package.module:Class``, and import it when it is needed."""

    reference: str

    @property
    def engine(self) -> Engine:
        """Return what the class declares of itself. Raises ConfigError: it is no runtime class."""
        engine: Engine = _import(self.reference).engine
        return engine

    def create(self, settings: RuntimeSettings) -> Runtime[Any, Any]:
        """Make a runtime that is not loaded yet. Raises ConfigError: it is no runtime class."""
        options = self.engine.options(**settings.options)
        runtime: Any = _import(self.reference)(settings, options)
        return KeepingNmt(runtime) if self.engine.keeps else runtime


ENGINES: dict[str, RuntimeClass] = {
    "silero": RuntimeClass("models.vad.silero:SileroVad"),
    "whisper": RuntimeClass("models.asr.whisper:WhisperAsr"),
    "onnx-asr": RuntimeClass("models.asr.onnx_asr.engine:OnnxAsr"),
    "bergamot": RuntimeClass("models.nmt.bergamot.engine:BergamotNmt"),
    "m2m100": RuntimeClass("models.nmt.m2m100.engine:M2m100Nmt"),
    "ctranslate2-translator": RuntimeClass("models.nmt.ctranslate2.engine:CTranslate2Translator"),
    "openai-chat": RuntimeClass("models.nmt.openai_chat.engine:OpenAiChat"),
    "piper": RuntimeClass("models.tts.piper.engine:PiperTts"),
    "kokoro": RuntimeClass("models.tts.kokoro:KokoroTts"),
    "yourtts": RuntimeClass("models.tts.yourtts.engine:YourTts"),
    "xtts": RuntimeClass("models.tts.xtts.engine:Xtts"),
    "ge2e": RuntimeClass("models.speaker.ge2e.engine:Ge2eSpeaker"),
    "ecapa": RuntimeClass("models.speaker.ecapa.engine:EcapaSpeaker"),
    "onnx": RuntimeClass("models.tensors.onnx:OnnxTensors"),
    "torchscript": RuntimeClass("models.tensors.torchscript:TorchScriptTensors"),
}


def is_reference(engine: str) -> bool:
    """Tell whether an engine is named by its class, so that finding it imports its module."""
    return ":" in engine


@cache
def find_engine(engine: str) -> RuntimeClass:
    """Find an engine by its name here, or by ``package.module:Class``, and import its class.

    Raises:
        ConfigError: there is none of that name, or the class cannot be imported or used.
    """
    if is_reference(engine):
        found = RuntimeClass(engine)
    elif engine in ENGINES:
        found = ENGINES[engine]
    else:
        known = ", ".join(ENGINES)
        raise ConfigError(
            f"unknown engine {engine!r}; there are {known}, and any package.module:Class"
        )
    _import(found.reference)
    return found


@cache
def _import(reference: str) -> type[Any]:
    """Import a runtime class and check that it is one. Raises ConfigError."""
    parts = REFERENCE.fullmatch(reference)
    if parts is None:
        raise ConfigError(f"{reference!r} is not of the form package.module:Class")
    module_name, class_name = parts.groups()
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever somebody's module does when it is imported
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, ModuleNotFoundError):
            what += "; is its folder on PYTHONPATH?"
        raise ConfigError(f"{reference}: importing {module_name} failed: {what}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise ConfigError(f"{reference}: {module_name} has no class {class_name}")
    if lacking := _lacking(found):
        raise ConfigError(f"{reference} is no engine: {lacking}")
    return found


def _lacking(found: type[Any]) -> str:
    """Say what a class lacks of a runtime's; nothing: it is one."""
    engine = getattr(found, "engine", None)
    if not isinstance(engine, Engine):
        return "it lacks the attribute `engine = Engine(kind=...)`, see models.runtime"
    methods = [*METHODS, "lacks"] if engine.keeps else METHODS
    missing = [name for name in methods if not callable(getattr(found, name, None))]
    if missing:
        return f"it lacks the method {missing[0]}"
    if inspect.isabstract(found):
        return f"it is abstract: {', '.join(sorted(found.__abstractmethods__))}"
    try:
        inspect.signature(found).bind("settings", "options")
    except TypeError:
        return "its __init__ must take (settings, options)"
    return ""
