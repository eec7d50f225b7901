"""Media types in headers: the type of a body, and the answer that its sender prefers (RFC 9110)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from python_multipart.multipart import parse_options_header

from models.audio.resample import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from models.errors import InvalidRequest

PCM = "audio/pcm"
# What else a sender may say of its samples, in any case; anything else would be misheard.
PCM_ONLY = {"bits": ("16",), "endianness": ("little-endian", "little", "le"), "charset": None}


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """The layout of raw samples in a body: int16 little-endian, channels interleaved."""

    rate_hz: int
    channels: int


def is_pcm(content_type: str) -> bool:
    """Return whether it is raw samples; ``audio/pcma`` and ``audio/pcmu`` are others."""
    return content_type.partition(";")[0].strip().lower() == PCM


@lru_cache(maxsize=64)
def pcm_format(content_type: str) -> PcmFormat:
    """Read the format that ``audio/pcm; rate=16000; channels=2`` names.

    Raises:
        InvalidRequest: no rate, a number out of range, or a parameter that is not taken.
    """
    _, parameters = _parsed(content_type)
    for name, value in parameters.items():
        if name in ("rate", "channels"):
            continue
        taken = PCM_ONLY.get(name, ())
        if taken is not None and value.lower() not in taken:
            raise _refusal(f"{name}={value} is not taken")
    if "rate" not in parameters:
        raise _refusal("content-type must name the sample rate")
    rate_hz = _number("rate", parameters["rate"], MIN_RATE_HZ, MAX_RATE_HZ)
    return PcmFormat(rate_hz, _number("channels", parameters.get("channels", "1"), 1, MAX_CHANNELS))


def preferred(accept: str | None, offers: Sequence[str]) -> str:
    """Return the offer that ``Accept`` rates highest; the first one where it rates none.

    Of two that are rated equally, the one that is named more exactly, then earlier, then the
    first one offered.
    """
    return offers[0] if accept is None else _preferred(accept, tuple(offers))


@lru_cache(maxsize=64)
def _preferred(accept: str, offers: tuple[str, ...]) -> str:
    ranges = [_parsed(part) for part in accept.split(",")]

    def rated(offer: str) -> tuple[float, int, int]:
        patterns = (offer, offer.partition("/")[0] + "/*", "*/*")
        found = [
            (-patterns.index(name), -place, q_value(parameters.get("q", "1")))
            for place, (name, parameters) in enumerate(ranges)
            if name in patterns
        ]
        exactness, place, quality = max(found, default=(-len(patterns), 0, 0.0))
        return quality, exactness, place

    best = max(offers, key=rated)  # the first of equals
    return best if rated(best)[0] > 0 else offers[0]


def q_value(text: str) -> float:
    """Return a q-value; whatever is no number from 0 to 1 counts as 0."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """Return a media type and its parameters, names in lower case."""
    name, parameters = parse_options_header(text.strip())
    return name.decode("latin-1").lower(), {
        key.decode("latin-1").lower(): value.decode("latin-1") for key, value in parameters.items()
    }


def _number(name: str, text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and lowest <= int(text[:9]) <= highest):
        raise _refusal(f"{name} must be a number from {lowest} to {highest}")
    return int(text[:9])


def _refusal(why: str) -> InvalidRequest:
    message = f"{why}: 16-bit little-endian samples, as in {PCM}; rate=16000; channels=1"
    return InvalidRequest(message, param="content-type")
