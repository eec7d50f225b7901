"""Decodes a recording of any length from an open file, piece by piece.

``models.audio.decode`` holds a whole file and all of its samples; here there are a few seconds of
them. What shows damage at the end of a file in memory is not looked for, and of several files that
are joined the first one alone is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.audio import formats, mpeg, wav
from models.audio.damage import Damage
from models.audio.ffmpeg import TAKEN, Decoder, Outcome, Undecodable, stated_s
from models.audio.formats import Kind
from models.audio.resample import SAMPLE_BYTES, Resampler
from models.errors import InvalidRequest, NotAudio
from models.types import SAMPLE_RATE_HZ, AnswerWarning

HEAD_BYTES = 1 << 18  # that a file is recognised by: a long tag and the search behind it
Pieces: TypeAlias = Generator[NDArray[np.int16], None, tuple[AnswerWarning, ...]]


class LongFile:
    """A recording in a file that is open for reading and can be searched.

    Raises:
        InvalidRequest: it is empty.
        NotAudio: it is of no known kind.
    """

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._size_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._head = _read(file, HEAD_BYTES)
        if not self._head:
            raise InvalidRequest("The file is empty.", param="file")
        recognised = formats.recognise(self._head)
        if recognised is None:
            raise NotAudio(f"The file is no audio in a known format. {TAKEN}", param="file")
        self._kind, self._start = recognised

    def stated_s(self) -> float | None:
        """Return the length that the file states; None: it states none."""
        self._file.seek(0)
        return stated_s(self._file, self._kind.demuxer)

    def pieces(self, piece_samples: int, max_duration_s: float, *, skipped: int = 0) -> Pieces:
        """Yield the recording as mono int16 at 16 kHz, in pieces that are equally long.

        The last one may be shorter. The return value says what could not be decoded.

        Args:
            piece_samples: of each piece.
            max_duration_s: most of the recording.
            skipped: samples at its start that are left out.

        Raises:
            InvalidRequest, NotAudio: see ``models.audio.decode.decode``.
            TooLarge: longer than ``max_duration_s``; what came before it has been yielded.
        """
        self._file.seek(0)
        resampled = Resampler(SAMPLE_RATE_HZ, max_duration_s)
        states_length = _states_length(self._kind, self._head, self._start)
        steps = Decoder(resampled).decode(
            self._file, self._kind.demuxer, states_length=states_length
        )
        outcome: Outcome | None = None
        while outcome is None:
            try:
                next(steps)
            except StopIteration as end:
                outcome = end.value
            except Undecodable as error:
                raise self._damaged() from error
            if skipped:
                skipped -= len(resampled.take(skipped))
            while resampled.gathered_bytes >= piece_samples * SAMPLE_BYTES:
                yield resampled.take(piece_samples)
        if not outcome.decoded_s:
            empty = InvalidRequest("The file holds no samples.", param="file")
            raise self._damaged() if outcome.failed else empty
        if resampled.gathered_bytes:
            yield resampled.take(piece_samples)
        return self._judged(outcome)

    def _judged(self, outcome: Outcome) -> tuple[AnswerWarning, ...]:
        damage = Damage(self._kind.name, 1)
        if stray_bytes := mpeg.stray_bytes(self._head, self._start):
            damage.begins_late(stray_bytes)
        outcome.stated_s = max(outcome.stated_s, outcome.decoded_s / self._share())
        damage.judge(1, outcome, "whole")
        return damage.warnings()

    def _share(self) -> float:
        """Return the part of the stated samples that is there, where a WAV file tells it."""
        if self._kind.name != "WAV":
            return 1.0
        wave = wav.read(self._head, self._start, self._size_bytes)
        if wave is None or not wave.stated_bytes or wave.end <= wave.start:
            return 1.0
        return (wave.end - wave.start) / wave.stated_bytes

    def _damaged(self) -> InvalidRequest:
        message = f"The {self._kind.name} file is damaged: it holds no samples that can be decoded."
        return InvalidRequest(message, param="file")


def _states_length(kind: Kind, head: bytes, start: int) -> bool:
    if kind.is_stream:
        return mpeg.has_count(head, mpeg.behind_tags(head, start))
    return kind.states_length and kind.name != "WAV"  # whose header may state anything


def _read(file: io.RawIOBase, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return bytes(data)
