"""ECAPA-TDNN in the published layout with random values: against SpeechBrain, batches, refusals.

The published weights come from the hub; random ones show that the same is computed, not that
voices are told apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio.samples import to_float32
from models.devices.device import DeviceName, DeviceRequest
from models.errors import InvalidRequest, WeightsError
from models.registry import ENGINES
from models.runtime import ItemError, RuntimeSettings
from models.speaker.clips import normalise
from models.speaker.ecapa import engine as ecapa
from models.speaker.ecapa.constants import EMBEDDING_SIZE, Precision
from models.speaker.ecapa.engine import EcapaSpeaker, Options
from models.types import Samples, SpeakerItem, Voiceprint
from models.weights.source import resolve
from tests.support.published import ecapa as published
from tests.support.speech import BAD_CLIPS, clips

if TYPE_CHECKING:
    from models.speaker.ecapa.network import SpeakerEncoder

DEFAULTS = Options()
CLIPS = [one.samples() for one in clips()]
# From 0.1 s to all of it: what a batch of live clips may hold.
SIGNALS: list[Samples] = [
    CLIPS[0][8_000:9_600],
    CLIPS[1][8_000:16_000],
    CLIPS[2][:16_000],
    CLIPS[3][:17_000],
    *CLIPS[4:10],
]

# Float32 sums in another order, as kernels differ by the size of a batch: 4e-7 was seen.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ecapa")
    published.build(path)
    return path


def load(folder: Path, options: Options = DEFAULTS, device: DeviceName = "cpu") -> EcapaSpeaker:
    request = DeviceRequest(device, gpu_fraction=float(device == "cuda"))
    runtime = EcapaSpeaker(RuntimeSettings("speaker", f"path:{folder}", request), options)
    runtime.load()
    return runtime


@pytest.fixture(scope="module")
def speaker(folder: Path) -> Iterator[EcapaSpeaker]:
    runtime = load(folder)
    yield runtime
    runtime.close()


def embed(speaker: EcapaSpeaker, signals: list[Samples]) -> NDArray[np.float32]:
    """The embeddings [N, 192] of one batch."""
    results = speaker.run([SpeakerItem(samples) for samples in signals])
    assert all(isinstance(result, Voiceprint) for result in results)
    return np.stack([result.embedding for result in results if isinstance(result, Voiceprint)])


# ---- against SpeechBrain ---------------------------------------------------------------


def test_embeddings_are_those_of_speechbrain(speaker: EcapaSpeaker, folder: Path) -> None:
    import torch
    from speechbrain.inference.classifiers import EncoderClassifier

    reference = EncoderClassifier.from_hparams(
        source=str(folder), savedir=str(folder), overrides={"pretrained_path": str(folder)}
    )

    for samples, embedding in zip(SIGNALS, embed(speaker, SIGNALS), strict=True):
        with torch.inference_mode():
            expected = reference.encode_batch(torch.from_numpy(to_float32(samples))).numpy()[0, 0]
        np.testing.assert_allclose(
            embedding, expected / np.linalg.norm(expected), rtol=0, atol=TOLERANCE
        )


# ---- batches ---------------------------------------------------------------------------


def test_a_batch_of_all_lengths_equals_one_by_one(speaker: EcapaSpeaker) -> None:
    alone = np.concatenate([embed(speaker, [samples]) for samples in SIGNALS])

    np.testing.assert_allclose(embed(speaker, SIGNALS), alone, rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SpeakerEncoder:
    import torch

    from models.speaker.ecapa import network as ecapa_network

    return ecapa_network.load(
        folder / ecapa.HYPERPARAMS_FILE, folder / ecapa.CHECKPOINT_FILE, torch.device("cpu")
    )


def test_one_padded_pass_of_all_lengths_equals_one_by_one(
    speaker: EcapaSpeaker, encoder: SpeakerEncoder
) -> None:
    import torch

    lengths = torch.tensor([len(samples) for samples in SIGNALS])
    audio = torch.zeros(len(SIGNALS), int(lengths.max()))
    for row, samples in zip(audio, SIGNALS, strict=True):
        row[: len(samples)] = torch.from_numpy(normalise(samples))

    with torch.inference_mode():
        padded = encoder(audio, lengths).numpy()

    alone = np.concatenate([embed(speaker, [samples]) for samples in SIGNALS])
    np.testing.assert_allclose(padded, alone, rtol=0, atol=TOLERANCE)
    assert np.sum(padded * alone, axis=1).min() >= 0.999


@pytest.mark.parametrize("signal", [pytest.param(0, id="shortest"), pytest.param(-1, id="longest")])
def test_padding_of_all_rows_changes_nothing(
    speaker: EcapaSpeaker, encoder: SpeakerEncoder, signal: int
) -> None:
    """As in a captured pass, which may be longer than each of its clips."""
    import torch

    samples = normalise(SIGNALS[signal])
    audio = torch.zeros(2, len(samples) + 8_000)
    audio[:, : len(samples)] = torch.from_numpy(samples)

    with torch.inference_mode():
        padded = encoder(audio, torch.tensor([len(samples)] * 2)).numpy()

    alone = embed(speaker, [SIGNALS[signal]])
    np.testing.assert_allclose(padded, np.repeat(alone, 2, axis=0), rtol=0, atol=TOLERANCE)


def test_clips_are_told_apart_by_more_than_batches_differ(speaker: EcapaSpeaker) -> None:
    """Else equal embeddings would prove nothing."""
    embeddings = embed(speaker, SIGNALS)

    assert max(float(a @ b) for a, b in combinations(embeddings, 2)) < 0.9999


def test_cpu_and_cuda_agree(speaker: EcapaSpeaker, folder: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU: the CPU has nothing to be compared with")
    on_cuda = load(folder, device="cuda")

    cosines = np.sum(embed(on_cuda, SIGNALS) * embed(speaker, SIGNALS), axis=1)

    assert cosines.min() >= 0.9999


@pytest.mark.parametrize(
    ("precision", "least_cosine"),
    [pytest.param("float16", 0.9999, id="float16"), pytest.param("bfloat16", 0.999, id="bfloat16")],
)
def test_half_precision_keeps_the_voice(
    speaker: EcapaSpeaker, folder: Path, precision: str, least_cosine: float
) -> None:
    """The network alone, as it is on CUDA; on a CPU the runtime stays in float32."""
    import torch

    from models.speaker.ecapa import network as ecapa_network

    files = folder / ecapa.HYPERPARAMS_FILE, folder / ecapa.CHECKPOINT_FILE
    half = ecapa_network.load(*files, torch.device("cpu"), getattr(torch, precision))
    clip = torch.from_numpy(normalise(SIGNALS[-1]))[None]

    with torch.inference_mode():
        (found,) = half(clip, torch.tensor([clip.shape[1]])).numpy()

    (exact,) = embed(speaker, [SIGNALS[-1]])
    assert not np.array_equal(found, exact)
    assert float(found @ exact) >= least_cosine


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_captured_passes_equal_launched_ones(folder: Path, precision: Precision) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU: there is nothing to capture a graph on")
    launched = load(folder, Options(precision=precision, cuda_graphs=False), device="cuda")
    captured = load(folder, Options(precision=precision, cuda_graphs=True), device="cuda")
    captured.warm_up()

    cosines = np.sum(embed(captured, SIGNALS) * embed(launched, SIGNALS), axis=1)

    assert cosines.min() >= 0.99999


def test_options_of_cuda_change_nothing_on_a_cpu(folder: Path) -> None:
    settings = RuntimeSettings("speaker", f"path:{folder}", DeviceRequest("cpu"))
    runtime = EcapaSpeaker(settings, Options(precision="float16", cuda_graphs=True))

    _, report = runtime.load()
    runtime.warm_up()

    assert report.precision == "float32"


def test_nothing_is_computed_in_tf32(encoder: SpeakerEncoder) -> None:
    """SpeechBrain allows it when it is imported; on a GPU it would cost 13 bits of each value."""
    import torch

    seen = []

    def look(*_: object) -> None:
        seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))

    with (
        encoder.features.register_forward_pre_hook(look),
        encoder.network.register_forward_pre_hook(look),
    ):
        encoder(torch.ones(1, 16_000), torch.tensor([16_000]))

    assert seen == [(False, False)] * 2


def test_a_long_clip_is_the_mean_of_its_windows(speaker: EcapaSpeaker, folder: Path) -> None:
    samples = CLIPS[5][:48_000]
    halves = embed(speaker, [samples[:24_000], samples[24_000:]]).sum(axis=0)

    (found,) = embed(load(folder, Options(window_s=2.0)), [samples])

    np.testing.assert_allclose(found, halves / np.linalg.norm(halves), rtol=0, atol=TOLERANCE)


def test_embeddings_are_192_numbers_of_length_1(speaker: EcapaSpeaker) -> None:
    embeddings = embed(speaker, SIGNALS)

    assert embeddings.shape == (len(SIGNALS), EMBEDDING_SIZE)
    assert embeddings.dtype == np.dtype("float32")
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=0, atol=1e-6)


def test_the_volume_of_a_clip_does_not_matter(speaker: EcapaSpeaker) -> None:
    loud = to_float32(CLIPS[0])

    first, second = embed(speaker, [loud, loud / np.float32(1000)])

    np.testing.assert_allclose(first, second, rtol=0, atol=1e-4)


# ---- bad items -------------------------------------------------------------------------


def test_bad_clips_do_not_harm_their_neighbours(speaker: EcapaSpeaker) -> None:
    bad = [SpeakerItem(samples) for samples in BAD_CLIPS.values()]

    good = SpeakerItem(CLIPS[0][:16_000])  # as long as those that reach the network
    (alone,) = embed(speaker, [CLIPS[0][:16_000]])

    first, *errors, last = speaker.run([good, *bad, good])

    for error in errors:
        assert isinstance(error, ItemError)
        assert isinstance(error.error, InvalidRequest)
        assert error.error.param == "file"
    assert isinstance(first, Voiceprint)
    assert isinstance(last, Voiceprint)
    np.testing.assert_allclose(first.embedding, alone, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(last.embedding, alone, rtol=0, atol=TOLERANCE)


def test_a_clip_that_cannot_be_reflected_is_refused_whatever_the_options(folder: Path) -> None:
    lenient = load(folder, Options(min_clip_s=0.0))

    short, enough = lenient.run([SpeakerItem(CLIPS[0][8_000:8_639]), SpeakerItem(CLIPS[0][:640])])

    assert isinstance(short, ItemError)
    assert isinstance(enough, Voiceprint)


def test_an_empty_batch_has_no_answers(speaker: EcapaSpeaker) -> None:
    assert speaker.run([]) == []


# ---- loading ---------------------------------------------------------------------------


def test_the_table_of_engines_makes_it(folder: Path) -> None:
    settings = RuntimeSettings("speaker", f"path:{folder}", DeviceRequest("cpu"))
    runtime = ENGINES["ecapa"].create(settings)

    spec, report = runtime.load()
    runtime.warm_up()

    assert (spec.kind, spec.embedding_size, spec.licence) == ("speaker", 192, "Apache-2.0")
    assert (report.actual, report.precision) == ("cpu", "float32")
    runtime.close()


WRONG = {
    "other features": ("n_mels: 80", "n_mels: 40", "features"),
    "other size": ("lin_neurons: 192", "lin_neurons: 256", "192"),
    "other channels": ("channels: [64", "channels: [32", "checkpoint"),
    "no network": ("embedding_model: !new", "another_model: !new", "hyperparameters"),
    "python objects": ("n_mels: 80", "n_mels: !!python/name:os.system", "hyperparameters"),
}


@pytest.mark.parametrize(("old", "new", "says"), WRONG.values(), ids=WRONG)
def test_files_of_another_model_are_refused(
    folder: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    hyperparams = tmp_path / "hyperparams.yaml"
    hyperparams.write_text(hyperparams.read_text().replace(old, new, 1))

    with pytest.raises(WeightsError, match=says):
        load(tmp_path)


def test_hyperparameters_are_read_not_run(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    witness = tmp_path / "ran"
    with (tmp_path / "hyperparams.yaml").open("a") as file:
        file.write(f"evil: !apply:pathlib.Path.touch [!new:pathlib.Path ['{witness}']]\n")

    load(tmp_path)

    assert not witness.exists()


def test_a_checkpoint_that_differs_from_its_pin_is_refused(folder: Path) -> None:
    source = resolve(f"path:{folder}", {"embedding_model.ckpt": "0" * 64})
    settings = RuntimeSettings(
        "speaker", source.reference, DeviceRequest("cpu"), sha256=dict(source.pins)
    )

    with pytest.raises(WeightsError, match="pinned"):
        EcapaSpeaker(settings, Options()).load()
