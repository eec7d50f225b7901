"""ECAPA-TDNN from SpeechBrain's modules: a padded batch gives what its clips give alone.

Desplanques et al., "ECAPA-TDNN: Emphasized Channel Attention, Propagation and Aggregation in
TDNN Based Speaker Verification", 2020 (https://arxiv.org/abs/2005.07143), as published in
https://huggingface.co/speechbrain/spkrec-ecapa-voxceleb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
import yaml
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.lobes.models.ECAPA_TDNN import Conv1d as PaddedConv1d
from speechbrain.processing.features import InputNormalization
from torch import Tensor, nn

from models.devices.precision import full_precision
from models.errors import WeightsError
from models.speaker.ecapa.constants import EMBEDDING_SIZE, HOP_SAMPLES, MEL_CHANNELS
from models.weights.checkpoints import fill, read_tensors

# The encoder's front end; a checkpoint with another is refused.
FRONT_END: dict[str, dict[str, Any]] = {
    "compute_features": {"n_mels": MEL_CHANNELS},
    "mean_var_norm": {"norm_type": "sentence", "std_norm": False},
}


class SpeakerEncoder(nn.Module):
    """Embeds clips, all in one pass.

    The convolutions of ECAPA-TDNN reflect a clip at its ends. In a padded batch SpeechBrain
    reflects all rows where the longest ends, so the embeddings of shorter ones depend on their
    neighbours. Here each row is reflected at its own end, and no clip depends on its neighbours.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        """Set up the encoder around a network.

        Features, normalisations and statistics over time stay in float32: powers span more than a
        half holds, and long sums lose its bits.

        Args:
            network: ECAPA-TDNN.
            dtype: of the network's convolutions.
        """
        super().__init__()
        self.features = Fbank(n_mels=MEL_CHANNELS)
        self.normalise = InputNormalization(**FRONT_END["mean_var_norm"])
        self.network = network
        self.dtype = dtype
        for module in network.modules():
            if isinstance(module, nn.Conv1d):
                module.to(dtype)
        self._wide = [  # convolutions over several frames
            module.conv
            for module in network.modules()
            if isinstance(module, PaddedConv1d) and module.kernel_size > 1
        ]

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def forward(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings float32 [B, 192] of length 1.

        Args:
            audio: float32 [B, n], each row with zeros after its clip.
            lengths: int64 [B] on the CPU, the samples of each clip; at most n.
        """
        frames = frame_counts(lengths)
        # Known without waiting for the device.
        padded = bool((frames != frame_counts(audio.shape[1])).any())
        return self.embed(audio, frames.to(audio.device), padded=padded)

    def embed(self, audio: Tensor, frames: Tensor, *, padded: bool = True) -> Tensor:
        """Do what ``forward`` does with all on one device, without waiting for it.

        Args:
            audio: float32 [B, n], each row with zeros after its clip.
            frames: int64 [B], ``frame_counts`` of the clips.
            padded: whether a clip may have fewer frames than n samples have.
        """
        with full_precision(), self._reflecting(frames) if padded else nullcontext():
            mel = self.features(audio)  # [B, T, 80] in decibels
            # SpeechBrain's modules take lengths relative to the longest, and multiply by T
            # again. Half a frame less: rounding never lets a frame of padding in.
            relative = (frames - 0.5) / mel.shape[1]
            mel = self.normalise(mel, relative)
            with self._half() if self.dtype != torch.float32 else nullcontext():
                embeddings = self.network(mel, relative)[:, 0]
        return nn.functional.normalize(embeddings.float(), dim=1)

    def _half(self) -> torch.autocast:
        """Compute convolutions in ``dtype``, sums and softmax in float32.

        The weights are in ``dtype`` already, so no cache is needed; a CUDA graph would not know of
        it.
        """
        return torch.autocast(self.device.type, self.dtype, cache_enabled=False)

    @contextmanager
    def _reflecting(self, frames: Tensor) -> Iterator[None]:
        """Reflect each row at its own end, after ``frames`` [B]."""
        hook = _reflect_at(frames)
        handles = [conv.register_forward_pre_hook(hook) for conv in self._wide]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def frame_counts(samples: Any) -> Any:
    """Return the frames of so many samples, a number or a tensor: windows are centred."""
    return samples // HOP_SAMPLES + 1


def _reflect_at(frames: Tensor) -> Callable[[nn.Module, tuple[Tensor]], tuple[Tensor]]:
    """Return a hook that reflects each row of a convolution's padded input at its own end.

    The input is [B, C, p + T + p]; its padding reflects at the end of the longest row.
    """
    rows = torch.arange(len(frames), device=frames.device)[:, None]

    def hook(conv: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        (padded,) = inputs
        assert isinstance(conv, nn.Conv1d)
        width = conv.dilation[0] * (conv.kernel_size[0] - 1) // 2  # p
        beyond = torch.arange(width, device=frames.device)[None]  # 0: the first frame after a clip
        last = width + frames[:, None] - 1  # [B, 1]
        padded[rows, :, last + 1 + beyond] = padded[rows, :, last - 1 - beyond]
        return (padded,)

    return hook


def load(
    hyperparams: Path,
    checkpoint: Path,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> SpeakerEncoder:
    """Return the encoder with the weights of a SpeechBrain checkpoint, its convolutions in
    ``dtype``.

    HyperPyYAML builds whatever Python object its file names; here the file is only read.

    Raises:
        WeightsError: the files are no ECAPA-TDNN of 80 mel channels and 192 numbers.
    """
    network = ECAPA_TDNN(**_network_options(hyperparams))
    fill(network, read_tensors(checkpoint), checkpoint)
    encoder = SpeakerEncoder(network, dtype).to(device).eval().requires_grad_(False)
    _move(encoder.features, device)
    return encoder


def _move(features: Fbank, device: torch.device) -> None:
    """Move window and filters to the device: SpeechBrain would copy them in every call."""
    features.compute_STFT.window = features.compute_STFT.window.to(device)
    filters = features.compute_fbanks
    filters.device_inp = device
    for name in ("f_central", "band", "all_freqs_mat"):
        setattr(filters, name, getattr(filters, name).to(device))


def _network_options(path: Path) -> dict[str, Any]:
    """Read the network's options from ``hyperparams.yaml``, and check its front end."""
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), _Reader)
        options: dict[str, Any] = dict(settings["embedding_model"])
        front_end = {name: _resolved(settings[name], settings) for name in FRONT_END}
        options = _resolved(options, settings)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: no hyperparameters of an ECAPA-TDNN: {error}") from error
    if front_end != FRONT_END:
        raise WeightsError(f"{path}: its features are {front_end}, not {FRONT_END}")
    sizes = options.get("input_size"), options.get("lin_neurons")
    if sizes != (MEL_CHANNELS, EMBEDDING_SIZE):
        raise WeightsError(
            f"{path}: the network takes {sizes[0]} channels and gives {sizes[1]} numbers, "
            f"not {MEL_CHANNELS} and {EMBEDDING_SIZE}"
        )
    return options


class _Reader(yaml.SafeLoader):
    """Reads HyperPyYAML as plain values: ``!new:module.Class`` is the mapping under it."""


def _plain(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Reader.add_multi_constructor("!", _plain)


def _resolved(options: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Replace ``!ref <name>`` by the file's value of ``name``."""
    return {
        key: settings[value[1:-1]]
        if isinstance(value, str) and value.startswith("<") and value.endswith(">")
        else value
        for key, value in options.items()
    }
