"""ECAPA-TDNN in each precision, launched and captured, and GE2E."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from bench.bare import answers
from bench.engine_inputs import speech
from bench.gpu.measure import Found, Precision, Setup, point
from models.devices.device import DeviceRequest
from models.registry import ENGINES
from models.runtime import Runtime, RuntimeSettings
from models.speaker.ecapa.engine import CHECKPOINT_FILE
from models.speaker.ge2e import engine as ge2e
from models.speaker.ge2e.constants import PARTIAL_FRAMES
from models.types import SAMPLE_RATE_HZ, SpeakerItem, Voiceprint
from tests.support.published.ecapa import SMALL_CHANNELS, SMALL_SPEAKERS, write_ecapa

BATCH_SIZES, DURATIONS_S = (1, 8, 16, 32, 128), (1, 5, 10)
REDUCED_BATCH_SIZES, REDUCED_DURATIONS_S = (1, 8), (1,)
GE2E_FLOP_A_FRAME = 2 * 4 * 256 * (40 + 256 + 2 * (256 + 256))  # of its LSTM; no counter has it


@dataclass(frozen=True)
class Variant:
    precision: Precision
    captured: bool

    @property
    def name(self) -> str:
        return f"{self.precision}, {'captured' if self.captured else 'launched'}"

    @property
    def options(self) -> dict[str, Any]:
        return {"precision": self.precision, "cuda_graphs": self.captured}


REFERENCE = Variant("float32", captured=False)
VARIANTS = (
    REFERENCE,
    Variant("float32", captured=True),
    Variant("float16", captured=False),
    Variant("float16", captured=True),
)
ONLY_COSINE = (Variant("bfloat16", captured=False),)


def opened(
    engine: str, folder: Any, request: DeviceRequest, options: dict[str, Any]
) -> Runtime[Any, Any]:
    """Open a runtime, warm."""
    runtime = ENGINES[engine].create(RuntimeSettings(engine, f"path:{folder}", request, options))
    runtime.load()
    runtime.warm_up()
    return runtime


def ecapa(setup: Setup, found: Found) -> None:
    folder = ecapa_folder(setup)
    gflop: dict[tuple[int, int], float | None] = {}
    reference = embeddings(opened("ecapa", folder, setup.cpu, {}))
    cosines: dict[str, float] = {}
    for variant in (*VARIANTS, *ONLY_COSINE) if setup.on_gpu else (REFERENCE,):
        runtime = opened("ecapa", folder, setup.request, variant.options)
        cosines[variant.name] = float((embeddings(runtime) * reference).sum(axis=1).min())
        found.raw["least_cosine_to_float32_on_the_cpu"] = cosines
        print(f"  {variant.name}: least cosine {cosines[variant.name]:.7f}", flush=True)
        if variant not in ONLY_COSINE:
            _points(setup, found, runtime, variant, gflop)
        runtime.close()
    between = reference @ reference.T
    found.raw["cosine_between_clips"] = [
        float(c) for c in np.quantile(between[np.triu_indices(len(between), 1)], (0, 0.5, 1))
    ]


def ecapa_folder(setup: Setup) -> Path:
    folder = setup.weights("ecapa")
    if not (folder / CHECKPOINT_FILE).exists():
        write_ecapa(folder, *(() if setup.on_gpu else (SMALL_CHANNELS, SMALL_SPEAKERS)))
    return folder


def _points(
    setup: Setup,
    found: Found,
    runtime: Runtime[Any, Any],
    variant: Variant,
    gflop: dict[tuple[int, int], float | None],
) -> None:
    for duration_s in DURATIONS_S if setup.on_gpu else REDUCED_DURATIONS_S:
        for batch_size in BATCH_SIZES if setup.on_gpu else REDUCED_BATCH_SIZES:
            items, at = speech(batch_size, duration_s), (batch_size, duration_s)
            timing = point(
                found,
                partial(answers, runtime, items),
                ("ECAPA-TDNN", variant.name, batch_size, f"{duration_s} s"),
                on=setup.device,
                precision=variant.precision if setup.on_gpu else "float32",
                gflop=gflop.get(at),
                count=not variant.captured,
                audio_s=float(batch_size * duration_s),
            )
            gflop.setdefault(at, timing.gflop)


def embeddings(runtime: Runtime[Any, Any]) -> Any:
    """Embed clips of 0.5 to 6 s [n, 192], in one batch."""
    durations_s = np.linspace(0.5, 6, 12)
    items = [
        SpeakerItem(item.samples[: int(duration_s * SAMPLE_RATE_HZ)])
        for item, duration_s in zip(speech(12, 6), durations_s, strict=True)
    ]
    return np.stack([cast(Voiceprint, one).embedding for one in answers(runtime, items)])


def ge2e_encoder(setup: Setup, found: Found) -> None:
    import torch

    from models.speaker.ge2e.network import SpeakerEncoder

    folder = setup.weights("ge2e")
    torch.save({"model_state": SpeakerEncoder().state_dict()}, folder / "pretrained.pt")
    variants: tuple[Precision, ...] = ("float32", "float16") if setup.on_gpu else ("float32",)
    for precision in variants:
        runtime = opened("ge2e", folder, setup.request, {"precision": precision})
        for batch_size in (1, 8, 32, 128) if setup.on_gpu else (1, 8):
            items = speech(batch_size, 5)
            partials = sum(len(ge2e.partials(item.samples.astype(np.float32))) for item in items)
            point(
                found,
                partial(answers, runtime, items),
                ("GE2E", precision, batch_size, "5 s"),
                on=setup.device,
                precision=precision,
                gflop=partials * PARTIAL_FRAMES * GE2E_FLOP_A_FRAME / 1e9,
                audio_s=5.0 * batch_size,
            )
        runtime.close()
