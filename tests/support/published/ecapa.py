"""ECAPA-TDNN of any size with random values, laid out as `speechbrain/spkrec-ecapa-voxceleb` is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SMALL_CHANNELS = (64, 64, 64, 64, 192)  # a sixteenth of the published
SMALL_SPEAKERS = 20
ECAPA_CHANNELS = (1024, 1024, 1024, 1024, 3072)  # speechbrain/spkrec-ecapa-voxceleb
ECAPA_SPEAKERS = 7205  # of VoxCeleb 1 and 2, which its classifier was trained to tell apart

# As published, line for line of what is loaded; only sizes may be smaller.
_ECAPA_HYPERPARAMS = """\
# Feature parameters
n_mels: 80

# Pretrain folder (HuggingFace)
pretrained_path: {folder}

# Output parameters
out_n_neurons: {speakers}

# Model params
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>

mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False

embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    channels: {channels}
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 128
    lin_neurons: 192

classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 192
    out_neurons: !ref <out_n_neurons>

mean_var_norm_emb: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
    std_norm: False

modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    mean_var_norm_emb: !ref <mean_var_norm_emb>
    classifier: !ref <classifier>

label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder

pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
        mean_var_norm_emb: !ref <mean_var_norm_emb>
        classifier: !ref <classifier>
        label_encoder: !ref <label_encoder>
    paths:
        embedding_model: !ref <pretrained_path>/embedding_model.ckpt
        mean_var_norm_emb: !ref <pretrained_path>/mean_var_norm_emb.ckpt
        classifier: !ref <pretrained_path>/classifier.ckpt
        label_encoder: !ref <pretrained_path>/label_encoder.txt
"""


def write_ecapa(
    folder: Path, channels: Sequence[int] = ECAPA_CHANNELS, speakers: int = ECAPA_SPEAKERS
) -> None:
    """The files of ``speechbrain/spkrec-ecapa-voxceleb`` with random values, the same each time.

    The batch normalisations have the statistics of noise, without which all embeddings of a
    random network point the same way.
    """
    import torch
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN, Classifier

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ECAPA_TDNN(
            80,
            channels=list(channels),
            kernel_sizes=[5, 3, 3, 3, 1],
            dilations=[1, 2, 3, 4, 1],
            attention_channels=128,
            lin_neurons=192,
        )
        classifier = Classifier(192, out_neurons=speakers)
        _settle(network)
    (folder / "hyperparams.yaml").write_text(
        _ECAPA_HYPERPARAMS.format(folder=folder, speakers=speakers, channels=list(channels))
    )
    torch.save(network.state_dict(), folder / "embedding_model.ckpt")
    torch.save(classifier.state_dict(), folder / "classifier.ckpt")
    statistics = {"count": 1, "glob_mean": torch.zeros(192), "glob_std": torch.ones(192)}
    torch.save(statistics, folder / "mean_var_norm_emb.ckpt")
    labels = [f"'id{10_001 + index}' => {index}" for index in range(speakers)]
    (folder / "label_encoder.txt").write_text(
        "\n".join([*labels, "================", "'starting_index' => 0", ""])
    )


def _settle(network: torch.nn.Module) -> None:
    """Gives the batch normalisations the statistics of 4 clips of noise, 0.5 s each."""
    import torch

    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = None  # the mean over all batches
    network.train()
    with torch.no_grad():
        colours = 10 * torch.randn(4, 1, 80) + 10 * torch.randn(4, 50, 80)  # decibels
        network(colours)
    network.eval()


def build(folder: Path) -> None:
    """Write every file of the published repository, of a small model, into ``folder``."""
    folder.mkdir(exist_ok=True)
    write_ecapa(folder, SMALL_CHANNELS, SMALL_SPEAKERS)
