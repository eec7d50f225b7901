"""Keep recordings of consent to a copy of a voice. All methods block: run them in a thread."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.library.shelf import Record, Shelf

KIND, PREFIX = "consents", "cons"
RECORDING = "recording"  # the file as it was uploaded


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent that was checked. ``language``: the tag that its speaker named, such as en-US."""

    id: str
    name: str
    language: str
    created_at: float
    expires_at: float | None


class Consents:
    """The consents that one caller keeps. ``lasts_s``: None: until they are deleted.

    Methods that take an id raise NotFound where there is none.
    """

    def __init__(self, shelf: Shelf, lasts_s: float | None) -> None:
        self._shelf, self._lasts_s = shelf, lasts_s

    def add(self, name: str, language: str, recording: bytes) -> Consent:
        """Keep a consent. Raises StorageFull."""
        says = {"name": name, "language": language}
        return _consent(self._shelf.add(PREFIX, says, {RECORDING: [recording]}, self._lasts_s))

    def get(self, id: str) -> Consent:
        return _consent(self._shelf.get(id))

    def all(self) -> list[Consent]:
        """List all, the newest first."""
        return [_consent(record) for record in reversed(self._shelf.all())]

    def recording(self, id: str) -> bytes:
        """Return the file as it was uploaded."""
        return b"".join(self._shelf.read(id, RECORDING))

    def rename(self, id: str, name: str) -> Consent:
        """Give a consent another name."""
        says = {**self._shelf.get(id).says, "name": name}
        return _consent(self._shelf.update(id, says))

    def prolong(self, id: str) -> None:
        """Let a consent last as long as a voice that is made with it now."""
        self._shelf.update(id, self._shelf.get(id).says, self._lasts_s)

    def delete(self, id: str) -> None:
        """Delete a consent and its recording for good."""
        self._shelf.delete(id)


def _consent(record: Record) -> Consent:
    says = record.says
    return Consent(record.id, says["name"], says["language"], record.created_at, record.expires_at)
