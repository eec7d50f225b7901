"""What both protocols know of the live session behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from deployments.catalogue.voices import NamedVoice, name_of
from deployments.http.glossary_fields import GlossaryFields
from deployments.live.options import LiveOptions
from deployments.live.session import Session
from models.text.glossary import Glossary

FindGlossary = Callable[[str | GlossaryFields | None], Awaitable[Glossary | None]]
# What a client says that leaves the choice to the server.
ANY_MODEL = frozenset({"transcription", "translation"})


def named_model(name: str | None) -> str | None:
    """Return the recogniser that a client names; None: it names none."""
    return None if name in ANY_MODEL else name


VoiceOf = Callable[[str, str | None], Awaitable[NamedVoice]]  # what a key means by a voice


async def with_own_voice(options: LiveOptions, owner: str, voice_of: VoiceOf) -> LiveOptions:
    """Return the options with the voice that the owner keeps under the name that they have.

    Raises:
        UnknownVoice, NothingKept: the owner keeps none of that id.
    """
    voice = await voice_of(owner, name_of(options.voice))
    return options if voice == options.voice else replace(options, voice=voice)


@dataclass(frozen=True, slots=True)
class Opened:
    """A live session, with what its server knows of it.

    Attributes:
        expires_at: seconds since the epoch.
        check_model: raises for a name that is no recogniser's; None is the first one.
        find_glossary: returns the one that a client asks for. Raises NotFound, NothingKept.
        claim_name: gives the session a name, whoever may have been quicker. Raises NameTaken:
            another one has it.
        voice_of: finds voices of the session's owner.
    """

    session: Session
    expires_at: int
    check_model: Callable[[str | None], None]
    claim_name: Callable[[Session, str], Awaitable[None]]
    voice_of: VoiceOf
    find_glossary: FindGlossary

    async def update(self, options: LiveOptions, name: str | None) -> None:
        """Name the session, and change it. Raises DragomanError: it stays as it was."""
        options = await with_own_voice(options, self.session.owner, self.voice_of)
        before = self.session.name
        if name is not None and name != before:
            await self.claim_name(self.session, name)
        if options == self.session.options:
            return
        try:
            self.session.update(options)
        except Exception:
            self.session.name = before
            raise
