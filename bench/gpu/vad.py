"""Silero VAD on the providers that ONNX Runtime has here."""

from __future__ import annotations

from functools import partial

from bench.bare import answers
from bench.engine_inputs import speech
from bench.gpu.measure import Found, Setup, point
from models.devices.device import DeviceReport, DeviceRequest
from models.registry import ENGINES
from models.runtime import RuntimeSettings
from models.types import VadItem

UTTERANCE_S = 5


def silero(setup: Setup, found: Found) -> None:
    """Run on the CUDA provider, where there is one, and on one thread of the CPU."""
    request = DeviceRequest("auto", 0.1 if setup.on_gpu else 0.0, threads=1)
    report = _rows(found, request)
    found.notes.append(f"Silero VAD, with its own weights, ran on {report.actual}: {report.reason}")
    if report.actual == "cuda":
        _rows(found, DeviceRequest("cpu", threads=1))


def _rows(found: Found, request: DeviceRequest) -> DeviceReport:
    runtime = ENGINES["silero"].create(RuntimeSettings("vad", "package:silero_vad", request))
    _, report = runtime.load()
    runtime.warm_up()
    for batch_size in (1, 8, 32):
        batch = [VadItem(item.samples) for item in speech(batch_size, UTTERANCE_S)]
        point(
            found,
            partial(answers, runtime, batch),
            ("Silero VAD", f"{report.library} on {report.actual}", batch_size, f"{UTTERANCE_S} s"),
            on=report.actual,
            count=False,
            audio_s=float(UTTERANCE_S * batch_size),
        )
    runtime.close()
    return report
