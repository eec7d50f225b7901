"""YourTTS, and Piper's network: the same VITS at the size of a medium voice."""

from __future__ import annotations

from functools import partial
from itertools import cycle, islice
from typing import Any

from bench.gpu.measure import Found, Row, Setup, measure
from bench.gpu.speaker import answers, opened
from bench.yourtts import items
from models.types import TtsItem
from tests.published import yourtts as published

BATCH_SIZES, REDUCED_BATCH_SIZES = (1, 8, 32), (1, 4)
# A medium voice (piper's src/python/piper_train, quality "medium") in coqui's words. The graph of
# Piper has no speaker: the vector here is as short as it may be.
PIPER_MEDIUM = published.Size(
    d_vector=16,
    encoder_mels=64,
    args={
        "num_layers_text_encoder": 6,
        "resblock_type_decoder": "2",
        "resblock_kernel_sizes_decoder": [3, 5, 7],
        "resblock_dilation_sizes_decoder": [[1, 2], [2, 6], [3, 12]],
        "upsample_rates_decoder": [8, 8, 4],
        "upsample_kernel_sizes_decoder": [16, 16, 8],
        "upsample_initial_channel_decoder": 256,
    },
)
PIPER_RATE_HZ, RATE_HZ = 22_050, 16_000  # of a medium voice, and of what runs it here


def yourtts(setup: Setup, found: Found) -> None:
    _vits(setup, found, "YourTTS", yourtts_folder(setup), 1.0)


def piper(setup: Setup, found: Found) -> None:
    folder = setup.weights("piper")
    published.build(folder, PIPER_MEDIUM if setup.on_gpu else published.SMALL)
    _vits(setup, found, "Piper medium", folder, RATE_HZ / PIPER_RATE_HZ)
    found.notes.append(
        "Piper runs on ONNX Runtime; its rows here are its network (VITS at the size of a medium "
        "voice) in the PyTorch engine of YourTTS, with a speaker's and a language's vector that a "
        "Piper voice of one speaker has not. Characters stand for phonemes."
    )


def yourtts_folder(setup: Setup) -> Any:
    folder = setup.weights("yourtts")
    if not (folder / "model_file.pth").exists():
        published.build(folder, published.PUBLISHED if setup.on_gpu else published.SMALL)
    return folder


def sentences(count: int) -> list[TtsItem]:
    return sorted(islice(cycle(items()), count), key=lambda item: item.length)


def _vits(setup: Setup, found: Found, model: str, folder: Any, audio_scale: float) -> None:
    runtime = opened("yourtts", folder, setup.request, {})
    for batch_size in BATCH_SIZES if setup.on_gpu else REDUCED_BATCH_SIZES:
        batch = sentences(batch_size)
        timing = measure(setup.on_gpu, partial(answers, runtime, batch))
        audio_s = sum(result.audio.duration_s for result in answers(runtime, batch))
        found.add(
            Row(
                model if setup.on_gpu else f"{model} (small)",
                "torch, float32",
                batch_size,
                "a sentence",
                "float32",
                timing.wall_ms,
                timing.kernels_ms,
                timing.gflop,
                audio_s=audio_s * audio_scale,
                on="cuda" if setup.on_gpu else "cpu",
            )
        )
    runtime.close()
