"""A small YourTTS of random values, in the files and the layout that coqui publishes.

It has the published one's traits: paths of the machine that trained it, a discriminator and a
speaker encoder inside the checkpoint, the old names of weight norm, and speakers of which some
have a line break in their name. What it says is noise; its lengths depend on text and voice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = {"en": 0, "fr-fr": 1, "pt-br": 2}
SPEAKERS = (
    "female-en-5",
    "female-en-5\n",
    "female-pt-4\n",
    "male-en-2",
    "male-en-2\n",
    "male-pt-3\n",
)
CLIPS_A_SPEAKER = 3
ELSEWHERE = "/raid/datasets/of/another/machine"
FRAMES_A_CHARACTER = 2.0  # about; blanks count as characters
LOUDNESS = 2.0  # of the last layer, over its random values: below full scale

PUNCTUATION = "!'(),-.:;? "
LETTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    "\u00af\u00b7\u00df\u00e0\u00e1\u00e2\u00e3\u00e4\u00e6\u00e7\u00e8\u00e9\u00ea\u00eb\u00ec"
    "\u00ed\u00ee\u00ef\u00f1\u00f2\u00f3\u00f4\u00f5\u00f6\u00f9\u00fa\u00fb\u00fc\u00ff\u0153"
)


@dataclass(frozen=True)
class Size:
    """The widths of a model: its d-vectors, its speaker encoder's mel bands, its ``VitsArgs``."""

    d_vector: int
    encoder_mels: int
    args: Mapping[str, Any]


SMALL = Size(
    d_vector=32,
    encoder_mels=16,
    args={
        "hidden_channels": 16,
        "hidden_channels_ffn_text_encoder": 32,
        "num_layers_text_encoder": 2,
        "num_layers_posterior_encoder": 1,
        "num_layers_flow": 1,
        "upsample_initial_channel_decoder": 32,
        "resblock_type_decoder": "2",
        "resblock_kernel_sizes_decoder": [3, 5],
        "resblock_dilation_sizes_decoder": [[1, 2], [2, 6]],
    },
)
# The recipe of the paper (coqui's recipes/vctk/yourtts/train_yourtts.py); the rest are defaults.
PUBLISHED = Size(
    d_vector=512,
    encoder_mels=64,
    args={"num_layers_text_encoder": 10, "resblock_type_decoder": "2"},
)


def build(folder: Path, size: Size = SMALL) -> None:
    """Write the folder's files, 14 MB of a small model; the values are the same in each call."""
    import torch

    folder.mkdir(exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        (folder / "language_ids.json").write_text(json.dumps(LANGUAGES))
        (folder / "config.json").write_text(json.dumps(config(size), indent=4))
        (folder / "config_se.json").write_text(json.dumps(_encoder_config(size), indent=4))
        (folder / "speakers.json").write_text(json.dumps(_speakers(size)))
        torch.save(_half(_checkpoint(folder, size)), folder / "model_file.pth")
        torch.save(_half(_encoder(size)), folder / "model_se.pth")


def config(size: Size = SMALL, **changes: Any) -> dict[str, Any]:
    """``config.json``; ``changes`` are ``model_args`` instead of those of the size."""
    paths = {
        "d_vector_file": [f"{ELSEWHERE}/speakers.json"],
        "speakers_file": f"{ELSEWHERE}/speakers.json",
        "language_ids_file": f"{ELSEWHERE}/language_ids.json",
    }
    args = {
        "d_vector_dim": size.d_vector,
        "use_d_vector_file": True,
        "use_language_embedding": True,
        "embedded_language_dim": 4,
        "use_sdp": True,
        "use_speaker_encoder_as_loss": True,
        "speaker_encoder_config_path": f"{ELSEWHERE}/config_se.json",
        "speaker_encoder_model_path": f"{ELSEWHERE}/model_se.pth.tar",
        "init_discriminator": True,
        "max_inference_len": None,
    }
    return {
        "model": "vits",
        "run_name": "vits",
        "output_path": f"{ELSEWHERE}/output",
        "model_args": {**size.args, **args, **paths, **changes},
        **paths,
        "use_d_vector_file": True,
        "d_vector_dim": size.d_vector,
        "use_phonemes": False,
        "text_cleaner": "multilingual_cleaners",
        "add_blank": True,
        "audio": {"sample_rate": 16000, "fft_size": 1024, "win_length": 1024, "hop_length": 256}
        | {"num_mels": 80, "mel_fmin": 0.0, "mel_fmax": None, "do_trim_silence": True},
        "characters": {
            "characters_class": "TTS.tts.models.vits.VitsCharacters",
            "pad": "_",
            "eos": "&",
            "bos": "*",
            "blank": None,
            "characters": LETTERS,
            "punctuations": PUNCTUATION,
            "phonemes": "",
            "is_unique": True,
            "is_sorted": True,
        },
    }


def _encoder_config(size: Size) -> dict[str, Any]:
    """``config_se.json``."""
    return {
        "model": "speaker_encoder",
        "run_name": "speaker_encoder",
        "loss": "softmaxproto",
        "model_params": {
            "model_name": "resnet",
            "input_dim": size.encoder_mels,
            "use_torch_spec": True,
            "log_input": True,
            "proj_dim": size.d_vector,
        },
        "audio": {"sample_rate": 16000, "fft_size": 512, "win_length": 400, "hop_length": 160}
        | {"num_mels": size.encoder_mels, "preemphasis": 0.97, "do_trim_silence": False},
    }


def _speakers(size: Size) -> dict[str, Any]:
    """``speakers.json``: clip -> name and d-vector."""
    import torch

    return {
        f"VCTK/wav48/{name.strip()}_{len(name)}_{clip}.wav": {
            "name": name,
            "embedding": (torch.randn(size.d_vector) / math.sqrt(size.d_vector)).tolist(),
        }
        for name in SPEAKERS
        for clip in range(CLIPS_A_SPEAKER)
    }


def _vits(folder: Path, size: Size) -> Any:
    """A ``Vits`` of random values, without what is of training alone."""
    from TTS.tts.models.vits import Vits, VitsConfig

    here = {
        "language_ids_file": str(folder / "language_ids.json"),
        "d_vector_file": None,
        "speakers_file": None,
        "speaker_encoder_config_path": "",
        "speaker_encoder_model_path": "",
        "use_speaker_encoder_as_loss": False,
        "init_discriminator": False,
    }
    loaded = VitsConfig()
    loaded.from_dict({**config(size, **here), "d_vector_file": None, "speakers_file": None})
    model = Vits(loaded)
    _enliven(model)
    return model.eval()


def _enliven(model: Any) -> None:
    """Give values to what begins at zero, so that durations and flows depend on what they see."""
    import torch

    with torch.no_grad():
        for flow in model.flow.flows:
            flow.post.weight.normal_(0, 0.05)
        model.waveform_decoder.conv_post.weight.mul_(LOUDNESS)
        durations = model.duration_predictor
        for flow in durations.flows[1:]:
            flow.proj.weight.normal_(0, 0.02)
        affine = durations.flows[0]  # runs last: frames = exp((z - translation) * exp(-log_scale))
        affine.log_scale.fill_(1.0)
        affine.translation.fill_(-math.log(FRAMES_A_CHARACTER) * math.e)


def _checkpoint(folder: Path, size: Size) -> dict[str, Any]:
    import torch

    tensors = _vits(folder, size).state_dict()
    state = {_old_name(name): tensor for name, tensor in tensors.items()}
    state["disc.nets.0.convs.0.weight_v"] = torch.randn(4, 1, 15)
    state["speaker_encoder.conv1.weight"] = torch.randn(4, 1, 3, 3)
    return {"config": config(size), "model": state, "optimizer": [{}, {}], "step": 1, "epoch": 0}


def _old_name(name: str) -> str:
    """The name of a tensor before torch's weight norm was a parametrisation."""
    return name.replace("parametrizations.weight.original0", "weight_g").replace(
        "parametrizations.weight.original1", "weight_v"
    )


def _encoder(size: Size) -> dict[str, Any]:
    from TTS.encoder.configs.speaker_encoder_config import SpeakerEncoderConfig
    from TTS.encoder.utils.generic_utils import setup_encoder_model

    loaded = SpeakerEncoderConfig()
    loaded.from_dict(_encoder_config(size))
    return {"model": setup_encoder_model(loaded).state_dict(), "step": 1, "loss": 0.1}


def _half(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Its tensors in float16, to keep the files small; loading makes float32 of them."""
    small = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in checkpoint["model"].items()
    }
    return {**checkpoint, "model": small}
