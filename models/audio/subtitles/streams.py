"""Writes cues as packets of FFmpeg's muxers: in files of their own, and beside a film's sound."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from html import escape
from typing import Any, Literal, TypeAlias

import av
from av.container import OutputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream

from models.audio.subtitles.types import Cue

Codec: TypeAlias = Literal["ass", "ttml", "mov_text", "subrip", "webvtt"]
MILLISECONDS = Fraction(1, 1000)
# FFmpeg's own defaults: white letters in the middle below, of a 16th of the picture's height.
_STYLE = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, \
Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, \
Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_WORD_JOINER = "\u2060"  # has no width
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def file_of(cues: Sequence[Cue], codec: Literal["ass", "ttml"], language: str) -> str:
    """Return a file of cues. ``language``: of the text, by BCP 47."""
    file = io.BytesIO()
    with av.open(file, "w", format=codec, options={"fflags": "bitexact"}) as container:
        stream = add_stream(container, codec, language)
        for packet in packets(cues, codec, stream):
            container.mux(packet)
        container.start_encoding()  # writes the head of a file without cues
    return file.getvalue().decode()


def add_stream(container: OutputContainer, codec: Codec, language: str) -> SubtitleStream:
    """Add a stream of subtitles to a container."""
    stream = container.add_stream(codec)
    stream.codec_context.subtitle_header = _STYLE
    stream.codec_context.time_base = stream.time_base = MILLISECONDS
    stream.metadata["language"] = language
    return stream


def packets(cues: Sequence[Cue], codec: Codec, stream: SubtitleStream) -> Iterator[Packet[Any]]:
    """Yield a packet of each cue, in order."""
    grid_ms = 10 if codec == "ass" else 1
    for number, cue in enumerate(cues):
        text = _PAYLOADS[codec](number, [" ".join(line.split()) for line in cue.lines])
        packet: Packet[Any] = Packet(text)
        packet.stream, packet.time_base = stream, MILLISECONDS
        start_ms = grid_ms * round(cue.start_s * 1000 / grid_ms)
        end_ms = grid_ms * round(cue.end_s * 1000 / grid_ms)
        packet.pts = packet.dts = start_ms
        packet.duration = max(grid_ms, end_ms - start_ms)
        yield packet


def _ass(number: int, lines: Sequence[str]) -> bytes:
    """Return an event, in whose text no backslash and no brace begins a command."""
    safe = [line.replace("\\", "\\" + _WORD_JOINER).replace("{", "\\{") for line in lines]
    text = "\\N".join(safe)
    return f"{number},0,Default,,0,0,0,,{text}".encode()


def _ttml(number: int, lines: Sequence[str]) -> bytes:
    text = "<br/>".join(escape(_NOT_XML.sub("", line), quote=False) for line in lines)
    return f'<span region="Default">{text}</span>'.encode()


def _mov_text(number: int, lines: Sequence[str]) -> bytes:
    text = "\n".join(lines).encode()
    return struct.pack(">H", len(text)) + text


def _subrip(number: int, lines: Sequence[str]) -> bytes:
    return "\n".join(lines).encode()


def _webvtt(number: int, lines: Sequence[str]) -> bytes:
    return escape("\n".join(lines), quote=False).encode()


_PAYLOADS: Mapping[Codec, Callable[[int, Sequence[str]], bytes]] = {
    "ass": _ass,
    "ttml": _ttml,
    "mov_text": _mov_text,
    "subrip": _subrip,
    "webvtt": _webvtt,
}
