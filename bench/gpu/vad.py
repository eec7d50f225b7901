"""Silero VAD on whichever provider ONNX Runtime has here."""

from __future__ import annotations

from functools import partial

from bench.gpu.measure import Found, Row, Setup, measure
from bench.gpu.speaker import answers
from bench.speaker import speech
from models.device import DeviceRequest
from models.engines import ENGINES
from models.runtime import RuntimeSettings
from models.types import VadItem

UTTERANCE_S = 5


def silero(setup: Setup, found: Found) -> None:
    request = DeviceRequest("auto", 1.0 if setup.on_gpu else 0.0, threads=1)
    runtime = ENGINES["silero"].create(RuntimeSettings("vad", "package:silero_vad", request))
    _, report = runtime.load()
    runtime.warm_up()
    for batch_size in (1, 8, 32):
        batch = [VadItem(item.samples) for item in speech(batch_size, UTTERANCE_S)]
        timing = measure(report.actual == "cuda", partial(answers, runtime, batch), count=False)
        found.add(
            Row(
                "Silero VAD",
                f"{report.library} on {report.actual}",
                batch_size,
                f"{UTTERANCE_S} s",
                "float32",
                timing.wall_ms,
                timing.kernels_ms,
                audio_s=float(UTTERANCE_S * batch_size),
                on=report.actual,
            )
        )
    runtime.close()
    found.notes.append(f"Silero VAD, with its own weights, ran on {report.actual}: {report.reason}")
