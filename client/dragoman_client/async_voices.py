"""AsyncVoices: the calls that keep voices of one's own at the server."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from . import parsing
from .async_connection import AsyncConnection
from .exchange import Call, form_of, read_upload_async
from .types import AudioFile
from .voice_types import OwnVoice, VoiceConsent

VOICES, CONSENTS = "/v1/audio/voices", "/v1/audio/voice_consents"
PAGE = 100


class AsyncVoices(AsyncConnection):
    """The part of :class:`AsyncClient` that keeps voices.

    A voice needs a consent: a recording of the same speaker who reads the server's text aloud.

    >>> texts = await client.consent_texts()
    >>> print(texts["en"])
    I am the owner of this voice. ...
    >>> consent = await client.add_consent("consent.wav", "en", "Ann")
    >>> voice = await client.add_voice("sample.wav", consent.id, "Ann")
    >>> spoken = await client.speak("Good morning.", voice=voice.id, language="en")
    """

    async def consent_texts(self) -> Mapping[str, str]:
        """Return what must be read aloud, by language."""
        return await self._send(Call("GET", "/v1/audio/consent_texts", parsing.consent_texts))

    async def add_consent(self, recording: AudioFile, language: str, name: str) -> VoiceConsent:
        """Keep a consent. Raise Unprocessable, which says what is wrong with the recording."""
        upload = await read_upload_async(recording, "recording")
        form = form_of(language=language, name=name)
        return await self._send(
            Call("POST", CONSENTS, parsing.consent, form=form, uploads=[upload])
        )

    async def consents(self) -> list[VoiceConsent]:
        """Return the consents that you keep, the newest first."""
        found: list[VoiceConsent] = []
        while True:
            after = f"&after={quote(found[-1].id, safe='')}" if found else ""
            path = f"{CONSENTS}?limit={PAGE}{after}"
            page = await self._send(Call("GET", path, parsing.consents))
            found += page
            if len(page) < PAGE:
                return found

    async def delete_consent(self, consent_id: str) -> None:
        """Delete a consent, and the voices that were made with it. Raise NotFound."""
        path = f"{CONSENTS}/{quote(consent_id, safe='')}"
        await self._send(Call("DELETE", path, parsing.nothing))

    async def add_voice(self, sample: AudioFile, consent_id: str, name: str) -> OwnVoice:
        """Keep a voice. Raise Unprocessable, which says what is wrong with the sample."""
        upload = await read_upload_async(sample, "audio_sample")
        form = form_of(consent=consent_id, name=name)
        return await self._send(
            Call("POST", VOICES, parsing.own_voice, form=form, uploads=[upload])
        )

    async def own_voices(self) -> list[OwnVoice]:
        """Return the voices that you keep, the newest first."""
        return await self._send(Call("GET", VOICES, parsing.own_voices))

    async def voice_sample(self, voice_id: str) -> bytes:
        """Return the file that a voice was made from. Raise UnknownVoice."""
        path = f"{VOICES}/{quote(voice_id, safe='')}/sample"
        return await self._send(Call("GET", path, parsing.content))

    async def delete_voice(self, voice_id: str) -> None:
        """Delete a voice for good. Raise UnknownVoice."""
        path = f"{VOICES}/{quote(voice_id, safe='')}"
        await self._send(Call("DELETE", path, parsing.nothing))
