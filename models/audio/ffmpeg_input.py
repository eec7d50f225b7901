"""Prepares the files of one upload for FFmpeg: without tags, and with a fitting header."""

from __future__ import annotations

import io
from dataclasses import dataclass

from models.audio import formats, mpeg, wav
from models.audio.formats import Ending, Kind, Part


@dataclass(frozen=True, slots=True)
class Source:
    """A file to decode. ``share``: the part of its stated samples that is there."""

    file: io.RawIOBase
    ending: Ending
    states_length: bool
    share: float = 1.0


def source(data: bytes, kind: Kind, part: Part) -> Source | None:
    """Return the file of one part; None: it has no format or no place for samples."""
    if kind.name == "WAV":
        return _wave(data, part)
    if kind.is_stream:
        return _stream(data, part)
    ending = formats.ending(data, kind, part)
    states_length, end = kind.states_length, part.end
    if ending == "cut":
        states_length = kind.states_length_in_header
    if ending == "cut" and kind.name == "MP4":
        end = formats.whole_fragments_end(data, part)
        states_length = b"moof" not in formats.box_names(
            data, part
        )  # fragments state their own lengths
    end = mpeg.before_tags(data, part.start, end)
    return Source(Pieces(b"", data, part.start, end), ending, states_length)


def why_undecodable(data: bytes, kind: Kind, part: Part) -> str:
    """Tell why FFmpeg cannot open a file, as the end of a sentence."""
    if kind.name == "MP4" and b"moov" not in formats.box_names(data, part):
        return "its index (the box moov) is missing, without which nothing can be decoded"
    return "it holds no samples that can be decoded"


def _stream(data: bytes, part: Part) -> Source:
    start = mpeg.behind_tags(data, part.start)
    before_tags = mpeg.before_tags(data, start, part.end)
    end = mpeg.frames_end(data, start, before_tags)
    ending: Ending = "cut" if end > before_tags else "whole"
    file = Pieces(b"", data, start, min(end, before_tags))
    return Source(file, ending, mpeg.has_count(data, start))


def _wave(data: bytes, part: Part) -> Source | None:
    wave = wav.read(data, part.start, part.end)
    if wave is None:
        return None
    taken = wave.end - wave.start
    share = taken / wave.stated_bytes if wave.stated_bytes and taken else 1.0
    file = Pieces(wave.header, data, wave.start, wave.end)
    return Source(file, "misstated" if wave.is_misstated else "whole", False, share)


class Pieces(io.RawIOBase):
    """A file of ``header`` and ``data[start:end]``, without a copy of either."""

    def __init__(self, header: bytes, data: bytes, start: int, end: int) -> None:
        super().__init__()
        self._header = header
        self._body = memoryview(data)[start:end]
        self._length = len(header) + len(self._body)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes; fewer at the end of the header and of the file."""
        left = max(0, self._length - self._position)
        size = left if size < 0 else min(size, left)
        behind_header = self._position - len(self._header)
        if behind_header < 0:
            piece = self._header[self._position : self._position + size]
        else:
            piece = bytes(self._body[behind_header : behind_header + size])
        self._position += len(piece)
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, and return it; behind the end there is nothing to read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position
