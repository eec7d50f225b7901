"""Reads a folder as coqui publishes XTTS v2: network, tokenizer and speakers."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.devices.device import is_out_of_memory
from models.errors import WeightsError
from models.weights.source import WeightSource

CONFIG_FILE, MODEL_FILE = "config.json", "model.pth"
VOCAB_FILE, SPEAKERS_FILE = "vocab.json", "speakers_xtts.pth"
FILES = (CONFIG_FILE, MODEL_FILE, VOCAB_FILE, SPEAKERS_FILE)
MISSING_EXTRA = "XTTS runs on coqui-tts, which is not installed: pip install dragoman[xtts]"
# What coqui's tokenizer imports for a language, beside its own requirements.
LIBRARIES = {"ja": "cutlet", "zh": "pypinyin"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A published folder, its network on the CPU."""

    xtts: Any  # TTS.tts.models.xtts.Xtts
    sample_rate_hz: int
    languages: tuple[str, ...]  # ISO 639-1
    speakers: dict[str, tuple[Any, Any]]  # name -> latents [1, 32, d], embedding [1, e, 1]


def read(source: WeightSource, languages: Sequence[str], speakers: Sequence[str]) -> Checkpoint:
    """Load a folder; nothing is written to it.

    Args:
        source: where the files are.
        languages: to speak; none: all of the model.
        speakers: their names; none: all of the file.

    Raises:
        WeightsError: coqui-tts, a language's library or a file is missing, or a file is not what
            XTTS needs.
    """
    try:
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models.xtts import Xtts
    except ImportError as error:
        raise WeightsError(f"{MISSING_EXTRA} ({error})") from error
    folder = source.folder(FILES)
    try:
        config = XttsConfig()
        config.load_json(str(folder / CONFIG_FILE))
        spoken = _chosen(languages, {x.partition("-")[0]: x for x in config.languages}, "languages")
        _check_libraries(spoken)
        xtts = Xtts(config)
        tensors = _tensors(folder / MODEL_FILE)
        xtts._load_checkpoint = lambda path: dict(
            tensors["model"]
        )  # the library's own may write to the file
        xtts.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
    except WeightsError:
        raise
    except Exception as error:  # coqui, torch and tokenizers raise many classes
        if is_out_of_memory(error):
            raise
        message = f"{source.reference}: not a model of XTTS: {str(error)[:500]}"
        raise WeightsError(message) from error
    known = xtts.speaker_manager.speakers
    names = _chosen(speakers, known, "speakers")
    return Checkpoint(
        xtts=xtts,
        sample_rate_hz=int(config.audio.output_sample_rate),
        languages=tuple(spoken),
        speakers={name: tuple(known[name].values()) for name in names},
    )


def _chosen(asked: Sequence[str], known: Any, field: str) -> list[str]:
    """Return those that are asked for, or all. Raises WeightsError: one is not known."""
    for name in asked:
        if name not in known:
            raise WeightsError(f"options.{field}: no {name!r}; there are {', '.join(known)}")
    return list(asked or known)


def _check_libraries(languages: Sequence[str]) -> None:
    for language in languages:
        library = LIBRARIES.get(language)
        if library is not None and find_spec(library) is None:
            raise WeightsError(
                f"XTTS reads the language {language} with {library}, which is not installed: "
                "pip install dragoman[xtts], or name other languages under options.languages"
            )


def _tensors(path: Path) -> Any:
    """Read the network's tensors; the published file holds its configuration, too.

    Only the classes of that configuration are allowed beside tensors: nothing else runs.
    """
    import torch
    from TTS.tts.models.xtts import _legacy_safe_globals

    with _legacy_safe_globals():
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise WeightsError(f"{path}: has no 'model'")
    return content
