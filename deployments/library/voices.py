"""Keep voices that callers made of their own. All methods block: run them in a thread."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.library.shelf import Record, Shelf
from models.errors import NotFound

KIND, PREFIX = "voices", "voice"
ID = re.compile(rf"{PREFIX}_[0-9a-f]{{24}}")
SAMPLE = "sample"  # the file as it was uploaded
REFERENCE = "reference"  # the clip of it to speak in: int16 little-endian at 16 kHz


@dataclass(frozen=True, slots=True)
class KeptVoice:
    """A voice that a caller keeps. ``consent``: the id of the consent that it was made with."""

    id: str
    name: str
    consent: str
    created_at: float
    expires_at: float | None


class KeptVoices:
    """The voices that one caller keeps. ``lasts_s``: None: until they are deleted.

    Methods that take an id raise NotFound where there is none.
    """

    def __init__(self, shelf: Shelf, lasts_s: float | None) -> None:
        self._shelf, self._lasts_s = shelf, lasts_s

    def add(
        self, name: str, consent: str, sample: bytes, reference: NDArray[np.int16]
    ) -> KeptVoice:
        """Keep a voice. Raises StorageFull."""
        files = {SAMPLE: [sample], REFERENCE: [reference.astype("<i2", copy=False).tobytes()]}
        says = {"name": name, "consent": consent}
        return _voice(self._shelf.add(PREFIX, says, files, self._lasts_s))

    def all(self) -> list[KeptVoice]:
        """List all, the newest first."""
        return [_voice(record) for record in reversed(self._shelf.all())]

    def sample(self, id: str) -> bytes:
        """Return the file as it was uploaded."""
        return b"".join(self._shelf.read(id, SAMPLE))

    def reference(self, id: str) -> NDArray[np.int16]:
        """Return the clip to speak in: [n] at 16 kHz."""
        return np.frombuffer(b"".join(self._shelf.read(id, REFERENCE)), "<i2").astype(np.int16)

    def delete(self, id: str) -> None:
        """Delete a voice and its files for good."""
        self._shelf.delete(id)

    def delete_made_with(self, consent: str) -> None:
        """Delete the voices that were made with a consent."""
        for voice in self.all():
            if voice.consent == consent:
                with suppress(NotFound):  # somebody else deletes it, too
                    self._shelf.delete(voice.id)


def _voice(record: Record) -> KeptVoice:
    says = record.says
    return KeptVoice(record.id, says["name"], says["consent"], record.created_at, record.expires_at)
