"""Find the voices and consents that callers keep, for whichever endpoint needs them."""

from __future__ import annotations

import asyncio

from starlette.types import Scope

from deployments.catalogue.voices import NamedVoice, OwnVoice
from deployments.http.kept import NOTHING_KEPT, shelf_of
from deployments.http.realtime.queries import owner
from deployments.library import consents, voices
from deployments.library.consents import Consents
from deployments.library.store import Store
from deployments.library.voices import KeptVoices
from models.errors import NotFound, NothingKept, UnknownVoice

DAY_S = 86_400.0


class OwnVoices:
    """The voices of all callers. ``days``: how long one is kept; None: until it is deleted."""

    def __init__(self, store: Store | None, days: int | None) -> None:
        self._store = store
        self._lasts_s = None if days is None else days * DAY_S

    @property
    def are_kept(self) -> bool:
        return self._store is not None

    def voices_of(self, scope: Scope) -> KeptVoices:
        """Return what the caller of a request keeps. Raises NothingKept."""
        return KeptVoices(shelf_of(scope, self._store, voices.KIND), self._lasts_s)

    def consents_of(self, scope: Scope) -> Consents:
        """Return what the caller of a request keeps. Raises NothingKept."""
        return Consents(shelf_of(scope, self._store, consents.KIND), self._lasts_s)

    async def named(self, scope: Scope, voice: str | None) -> NamedVoice:
        """Return what the caller of a request means by a voice; see ``of``."""
        return await self.of(owner(scope), voice)

    async def of(self, owner: str, voice: str | None) -> NamedVoice:
        """Return what a key means by a voice: one that it keeps, or else the name as it is.

        Raises:
            UnknownVoice: the key keeps none of that id.
            NothingKept: the server keeps nothing.
        """
        if voice is None or not voices.ID.fullmatch(voice):
            return voice
        if self._store is None:
            raise NothingKept(NOTHING_KEPT, param="voice")
        kept = KeptVoices(self._store.shelf(owner, voices.KIND), self._lasts_s)
        try:
            return OwnVoice(voice, await asyncio.to_thread(kept.reference, voice))
        except NotFound as error:
            raise unknown_voice(voice) from error


def unknown_voice(id: str) -> UnknownVoice:
    """Return the refusal of a voice that the caller does not keep."""
    return UnknownVoice(f"you keep no voice {id[:80]!r} here", param="voice")
