"""GE2E with its real weights: against Resemblyzer, batched against one by one, voices apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.devices.device import DeviceRequest
from models.errors import InvalidRequest
from models.runtime import ItemError, RuntimeSettings
from models.speaker.ge2e.constants import EMBEDDING_SIZE
from models.speaker.ge2e.engine import Ge2eSpeaker, Options, partials
from models.types import Samples, SpeakerItem, Voiceprint
from models.weights import source
from tests.support.speech import BAD_CLIPS, clip, clips

WEIGHTS = "package:resemblyzer"
REFERENCES = Path(__file__).parents[1] / "data" / "speaker" / "resemblyzer.npz"
CLIPS = clips()
MEL_CLIP = "en-agent-alreadyon"
FULL_SCALE = np.float32(32_768)

# Float32 sums in another order: librosa's spectrum against torch's, and kernels that differ by
# the size of a batch. 2e-7 was seen in single values of an embedding.
EMBEDDING_TOLERANCE = 2e-6


def load(options: Options) -> Ge2eSpeaker:
    runtime = Ge2eSpeaker(RuntimeSettings("speaker", WEIGHTS, DeviceRequest("cpu")), options)
    runtime.load()
    return runtime


@pytest.fixture(scope="module")
def speaker() -> Iterator[Ge2eSpeaker]:
    runtime = load(Options())
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def embeddings(speaker: Ge2eSpeaker) -> list[NDArray[np.float32]]:
    """Of all clips, as one batch, whose lengths differ."""
    return embed(speaker, [one.samples() for one in CLIPS])


@pytest.fixture(scope="module")
def references() -> dict[str, NDArray[np.float32]]:
    with np.load(REFERENCES) as stored:
        return dict(stored)


def embed(speaker: Ge2eSpeaker, signals: list[Samples]) -> list[NDArray[np.float32]]:
    results = speaker.run([SpeakerItem(samples) for samples in signals])
    assert all(isinstance(result, Voiceprint) for result in results)
    return [result.embedding for result in results if isinstance(result, Voiceprint)]


# ---- against Resemblyzer ---------------------------------------------------------------


def test_embeddings_are_those_of_resemblyzer(
    embeddings: list[NDArray[np.float32]], references: dict[str, NDArray[np.float32]]
) -> None:
    for one, embedding in zip(CLIPS, embeddings, strict=True):
        expected = references[f"embedding/{Path(one.name).stem}"]
        np.testing.assert_allclose(embedding, expected, rtol=0, atol=EMBEDDING_TOLERANCE)


@pytest.mark.parametrize("duration_s", ["0.1", "0.35", "1", "1.59", "1.6", "1.61", "2.5"])
def test_short_clips_are_those_of_resemblyzer(
    speaker: Ge2eSpeaker, references: dict[str, NDArray[np.float32]], duration_s: str
) -> None:
    samples = clip(MEL_CLIP).samples()[: round(float(duration_s) * 16_000)]

    (embedding,) = embed(speaker, [samples])

    expected = references[f"embedding/{MEL_CLIP}@{duration_s}"]
    np.testing.assert_allclose(embedding, expected, rtol=0, atol=EMBEDDING_TOLERANCE)


def test_mel_spectrogram_is_that_of_librosa(references: dict[str, NDArray[np.float32]]) -> None:
    import torch

    from models.speaker.ge2e.network import SpeakerEncoder

    audio = clip(MEL_CLIP).samples().astype(np.float32) / FULL_SCALE
    centred = torch.from_numpy(np.pad(audio, 200))[None]

    mel = SpeakerEncoder().mel(centred)[0].numpy()

    # Float32 powers up to 30: one part in a million of the largest, one in a thousand of each.
    np.testing.assert_allclose(mel, references[f"mel/{MEL_CLIP}"], rtol=1e-3, atol=3e-5)


# ---- batches ---------------------------------------------------------------------------


def test_a_batch_of_all_lengths_equals_one_by_one(
    speaker: Ge2eSpeaker, embeddings: list[NDArray[np.float32]]
) -> None:
    for one, embedding in zip(CLIPS, embeddings, strict=True):
        (alone,) = embed(speaker, [one.samples()])
        np.testing.assert_allclose(embedding, alone, rtol=0, atol=EMBEDDING_TOLERANCE)


def test_many_small_passes_equal_one(embeddings: list[NDArray[np.float32]]) -> None:
    small = load(Options(partials_per_pass=3))

    found = embed(small, [one.samples() for one in CLIPS])

    np.testing.assert_allclose(found, embeddings, rtol=0, atol=EMBEDDING_TOLERANCE)


def test_embeddings_have_length_1(embeddings: list[NDArray[np.float32]]) -> None:
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=0, atol=1e-6)


def test_embeddings_have_the_size_of_the_spec(embeddings: list[NDArray[np.float32]]) -> None:
    assert {(e.shape, e.dtype) for e in embeddings} == {((EMBEDDING_SIZE,), np.dtype("float32"))}


def test_int16_and_float32_are_one_signal(speaker: Ge2eSpeaker) -> None:
    samples = CLIPS[0].samples()

    first, second = embed(speaker, [samples, samples.astype(np.float32) / FULL_SCALE])

    np.testing.assert_allclose(first, second, rtol=0, atol=EMBEDDING_TOLERANCE)


def test_volume_of_a_quiet_clip_does_not_matter(speaker: Ge2eSpeaker) -> None:
    quiet = CLIPS[0].samples().astype(np.float32) / FULL_SCALE / np.float32(100)

    first, second = embed(speaker, [quiet, quiet / np.float32(10)])

    np.testing.assert_allclose(first, second, rtol=0, atol=EMBEDDING_TOLERANCE)


def test_half_precision_keeps_the_voice(embeddings: list[NDArray[np.float32]]) -> None:
    import torch

    from models.speaker.ge2e import network

    path = source.resolve(WEIGHTS).file(Options().file)
    encoder = network.load(path, torch.device("cpu"), torch.float16)
    audio = partials(CLIPS[0].samples().astype(np.float32) / FULL_SCALE)

    with torch.inference_mode():
        mean = encoder(torch.from_numpy(audio.copy())).numpy().mean(axis=0)

    # 11 bits of mantissa through 160 steps; two clips of one voice reach about 0.88.
    assert mean @ embeddings[0] / np.linalg.norm(mean) > 0.999


# ---- voices ----------------------------------------------------------------------------


def test_every_voice_is_nearer_to_itself_than_to_any_other(
    embeddings: list[NDArray[np.float32]],
) -> None:
    pairs: dict[bool, dict[tuple[str, str], list[float]]] = {True: {}, False: {}}
    for (one, a), (other, b) in combinations(zip(CLIPS, embeddings, strict=True), 2):
        first, second = sorted((one.speaker, other.speaker))
        pairs[first == second].setdefault((first, second), []).append(float(a @ b))
    same, different = (
        {names: np.mean(cosines) for names, cosines in pairs[key].items()} for key in (True, False)
    )

    assert len(same) == 5
    assert min(same.values()) > max(different.values())


# ---- bad items -------------------------------------------------------------------------


@pytest.mark.parametrize("samples", BAD_CLIPS.values(), ids=BAD_CLIPS)
def test_a_bad_clip_is_refused(speaker: Ge2eSpeaker, samples: Samples) -> None:
    (result,) = speaker.run([SpeakerItem(samples)])

    assert isinstance(result, ItemError)
    assert isinstance(result.error, InvalidRequest)
    assert result.error.param == "file"


def test_bad_clips_do_not_harm_their_neighbours(speaker: Ge2eSpeaker) -> None:
    good = SpeakerItem(CLIPS[0].samples())
    bad = [SpeakerItem(samples) for samples in BAD_CLIPS.values()]

    first, *errors, last = speaker.run([good, *bad, good])

    assert all(isinstance(error, ItemError) for error in errors)
    assert isinstance(first, Voiceprint)
    assert isinstance(last, Voiceprint)
    np.testing.assert_allclose(first.embedding, last.embedding, rtol=0, atol=EMBEDDING_TOLERANCE)


def test_the_least_duration_is_an_option() -> None:
    strict = load(Options(min_clip_s=2.0))

    (result,) = strict.run([SpeakerItem(np.ones(16_000, np.int16))])

    assert isinstance(result, ItemError)
