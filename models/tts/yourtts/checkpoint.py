"""Reads a published YourTTS folder: networks, voices and languages."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.types import SAMPLE_RATE_HZ
from models.weights.checkpoints import fill, read_tensors
from models.weights.source import WeightSource

# Of each, the first file that is there is read.
MODEL_FILES = ("model.safetensors", "model_file.pth", "best_model.pth")
ENCODER_FILES = ("model_se.safetensors", "model_se.pth", "model_se.pth.tar")
CONFIG_FILE, ENCODER_CONFIG_FILE = "config.json", "config_se.json"
SPEAKERS_FILE, LANGUAGES_FILE = "speakers.json", "language_ids.json"
NEEDED_FIELDS = ("model_args", "audio", "characters", "model_params")  # of both configurations
# Parts of a published checkpoint for training alone: the discriminator, and the consistency loss's
# speaker encoder with its resampler.
TRAINING_PREFIXES = ("disc.", "speaker_encoder.", "audio_transform.", "audio_resampler.")
MISSING_EXTRA = "YourTTS runs on coqui-tts, which is not installed: pip install dragoman[yourtts]"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a published folder, its networks on the CPU."""

    vits: Any  # TTS.tts.models.vits.Vits
    encoder: Any  # TTS.encoder.models.resnet.ResNetSpeakerEncoder
    encoder_audio: Any  # TTS.utils.audio.AudioProcessor
    sample_rate_hz: int
    languages: Mapping[str, str]  # ISO 639-1 -> the model's name of it, e.g. pt -> pt-br
    language_ids: Mapping[str, int]  # the model's name -> row of its embedding
    speakers: Mapping[str, NDArray[np.float32]]  # name -> d-vector [d], not made of length 1


def read(source: WeightSource) -> Checkpoint:
    """Load a folder of the layout in which coqui publishes YourTTS.

    The paths in its ``config.json`` are those of the machine that trained it. They are not used;
    the files beside it are.

    Raises:
        WeightsError: coqui-tts or a file is missing, or a file is not what YourTTS needs.
    """
    try:
        from TTS.encoder.configs.speaker_encoder_config import SpeakerEncoderConfig
        from TTS.tts.models.vits import Vits, VitsConfig
    except ImportError as error:
        raise WeightsError(f"{MISSING_EXTRA} ({error})") from error
    language_ids = _language_ids(source)
    d_vectors = speakers(_json(source, SPEAKERS_FILE), str(source.file(SPEAKERS_FILE)))
    config = _config(VitsConfig(), _localised(_json(source, CONFIG_FILE), source), source)
    encoder_config = _config(
        SpeakerEncoderConfig(), _json(source, ENCODER_CONFIG_FILE), source, ENCODER_CONFIG_FILE
    )
    _check(config, encoder_config, d_vectors, source.reference)
    vits = Vits(config)
    _load(vits, source.first(MODEL_FILES))
    encoder, encoder_audio = _encoder(encoder_config, source.first(ENCODER_FILES))
    return Checkpoint(
        vits=vits.eval(),
        encoder=encoder,
        encoder_audio=encoder_audio,
        sample_rate_hz=int(config.audio.sample_rate),
        languages={name.split("-")[0].lower(): name for name in language_ids},
        language_ids=language_ids,
        speakers=d_vectors,
    )


def speakers(clips: Any, where: str = SPEAKERS_FILE) -> dict[str, NDArray[np.float32]]:
    r"""Return the speakers of a ``speakers.json``: name -> mean of the d-vectors [d] of its clips.

    Names lose the white space around them, which the published file has: there ``female-en-5`` and
    ``female-en-5\n`` are two speakers, here the second is ``female-en-5-2``.

    Args:
        clips: clip name -> ``{"name": ..., "embedding": [...]}``.
        where: named in errors.

    Raises:
        WeightsError: there is no speaker, or the file has another form.
    """
    by_name: dict[str, list[NDArray[np.float64]]] = {}
    try:
        for clip in clips.values():
            by_name.setdefault(clip["name"], []).append(np.asarray(clip["embedding"], np.float64))
        means = {name: np.stack(of_name).mean(axis=0) for name, of_name in by_name.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{where}: not the d-vectors of clips: {error!r}") from None
    sizes = {mean.shape for mean in means.values()}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1:
        raise WeightsError(f"{where}: there are d-vectors of the shapes {sorted(sizes)}")
    found: dict[str, NDArray[np.float32]] = {}
    for name in sorted(means):  # coqui's order: the plain name comes before its variant
        plain = unique = name.strip()
        number = 2
        while unique in found or (unique != name and unique in means):
            unique, number = f"{plain}-{number}", number + 1
        found[unique] = means[name].astype(np.float32)
    return found


def _localised(config: dict[str, Any], source: WeightSource) -> dict[str, Any]:
    """Return the configuration without training's parts, and with this machine's paths."""
    elsewhere = {"d_vector_file": None, "speakers_file": None}  # read here, not by coqui
    args = {
        **config.get("model_args", {}),
        **elsewhere,
        "language_ids_file": str(source.file(LANGUAGES_FILE)),
        "speaker_encoder_model_path": "",
        "speaker_encoder_config_path": "",
        "use_speaker_encoder_as_loss": False,
        "init_discriminator": False,
    }
    return {**config, **elsewhere, "model_args": args}


def _check(config: Any, encoder_config: Any, d_vectors: Mapping[str, Any], where: str) -> None:
    args, params = config.model_args, encoder_config.model_params
    size = len(next(iter(d_vectors.values())))
    needs = {
        "d-vectors (use_d_vector_file)": args.use_d_vector_file,
        "a language embedding": args.use_language_embedding,
        "characters instead of phonemes": not config.use_phonemes,
        "no resampling inside (encoder_sample_rate)": not args.encoder_sample_rate,
        "a resnet speaker encoder on waveforms": params.get("model_name", "").lower() == "resnet"
        and params.get("use_torch_spec"),
        f"a speaker encoder at {SAMPLE_RATE_HZ} Hz": encoder_config.audio.sample_rate
        == SAMPLE_RATE_HZ,
        f"hops of {math.prod(args.upsample_rates_decoder)} samples": config.audio.hop_length
        == math.prod(args.upsample_rates_decoder),
        f"d-vectors of one size ({args.d_vector_dim}, {params.get('proj_dim')}, {size})": size
        == args.d_vector_dim
        == params.get("proj_dim"),
    }
    missing = [what for what, has in needs.items() if not has]
    if missing:
        raise WeightsError(f"{where}: not a YourTTS model, it lacks {'; '.join(missing)}")


def _encoder(config: Any, path: Path) -> tuple[Any, Any]:
    from TTS.encoder.utils.generic_utils import setup_encoder_model
    from TTS.utils.audio import AudioProcessor

    encoder = setup_encoder_model(config)
    _load(encoder, path)
    return encoder.eval(), AudioProcessor(config.audio)


def _load(network: Any, path: Path) -> None:
    """Load a network's tensors.

    Raises:
        WeightsError: the file has other tensors than the network.
    """
    tensors = read_tensors(path, "model")
    wanted = {name: t for name, t in tensors.items() if not name.startswith(TRAINING_PREFIXES)}
    fill(network, wanted, path)


def _language_ids(source: WeightSource) -> dict[str, int]:
    ids = _json(source, LANGUAGES_FILE)
    if not ids or not all(isinstance(row, int) for row in ids.values()):
        raise WeightsError(f"{source.reference}: {LANGUAGES_FILE} maps no language to a number")
    return ids


def _config(
    config: Any, values: dict[str, Any], source: WeightSource, name: str = CONFIG_FILE
) -> Any:
    """Set these values in ``config``; those that it does not know are of training, and left out."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            config.from_dict(values)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            message = f"{source.reference}: {name} is no configuration of YourTTS: {error!r}"
            raise WeightsError(message) from error
    for warning in map(str, (w.message for w in said)):  # coqui replaced a bad field by its default
        if any(f"field: {field} " in warning for field in NEEDED_FIELDS):
            raise WeightsError(f"{source.reference}: {name}: {warning}")
    return config


def _json(source: WeightSource, name: str) -> dict[str, Any]:
    path = source.file(name)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path}: not a JSON object")
    return values
