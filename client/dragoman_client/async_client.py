"""The asynchronous client: the same methods as the synchronous one, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType

import httpx

from . import calls, errors, exchange
from .client import DEFAULT_URL, USER_AGENT
from .exchange import Call, Result, read_upload
from .transport import DEFAULT_RETRY, DEFAULT_TIMEOUT, AsyncRetryTransport, Retry, Timeout
from .types import (
    AudioFile,
    AudioFormat,
    AudioResult,
    Diagnosis,
    Embedding,
    InlineAudioFormat,
    Model,
    Readiness,
    SpeakerMatch,
    SpeechTranslation,
    SpokenFormat,
    SubtitleFormat,
    TextTranslation,
    TranscriptFormat,
    Transcription,
    TranslatedAudio,
    Voice,
)


class AsyncClient:
    """:class:`~dragoman_client.Client` for asyncio: the same arguments, results and errors.

    >>> async with AsyncClient() as client:
    ...     results = await asyncio.gather(
    ...         *(client.translate_speech(file, "pt") for file in ("a.wav", "b.wav", "c.wav"))
    ...     )
    >>> [result.timings.stages[2].batch_size for result in results]  # one batch of three
    [3.0, 3.0, 3.0]

    What each method does is said by its twin; ``stream_speech`` is for ``async for``.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        timeout: Timeout | float | None = DEFAULT_TIMEOUT,
        retry: Retry = DEFAULT_RETRY,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout = exchange.as_timeout(timeout)
        self._http = httpx.AsyncClient(
            base_url=exchange.checked_url(base_url),
            headers={"user-agent": USER_AGENT, **exchange.key_header(key), **(headers or {})},
            transport=AsyncRetryTransport(transport or httpx.AsyncHTTPTransport(), retry),
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _send(self, call: Call[Result]) -> Result:
        """The one way to the server."""
        request = exchange.request(self._http, call, self._timeout)
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error
        return exchange.result(call, response)

    async def _stream(self, call: Call[Result]) -> AsyncGenerator[bytes]:
        """The body of the answer, piece by piece."""
        request = exchange.request(self._http, call, self._timeout, streams=True)
        try:
            response = await self._http.send(request, stream=True)
            async with contextlib.aclosing(response):
                if not response.is_success:
                    await response.aread()
                    exchange.result(call, response)  # raises
                async for piece in response.aiter_bytes():
                    yield piece
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error

    # ---- speech -----------------------------------------------------------------------

    async def translate_speech(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        voice: str | None = None,
        speed: float | None = None,
        include_embedding: bool = False,
        audio_format: InlineAudioFormat = "wav",
    ) -> SpeechTranslation:
        return await self._send(
            calls.translate_speech(
                await asyncio.to_thread(read_upload, file),
                target_language,
                source_language=source_language,
                voice=voice,
                speed=speed,
                include_embedding=include_embedding,
                audio_format=audio_format,
            )
        )

    async def translate_speech_audio(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        voice: str | None = None,
        speed: float | None = None,
        response_format: AudioFormat = "wav",
    ) -> TranslatedAudio:
        return await self._send(
            calls.translate_speech_audio(
                await asyncio.to_thread(read_upload, file),
                target_language,
                source_language=source_language,
                voice=voice,
                speed=speed,
                response_format=response_format,
            )
        )

    async def subtitles(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        response_format: SubtitleFormat = "srt",
        bilingual: bool = False,
    ) -> str:
        return await self._send(
            calls.subtitles(
                await asyncio.to_thread(read_upload, file),
                target_language,
                source_language=source_language,
                response_format=response_format,
                bilingual=bilingual,
            )
        )

    async def transcribe(
        self,
        file: AudioFile,
        *,
        language: str | None = None,
        prompt: str | None = None,
        temperature: float | None = None,
        word_timestamps: bool = False,
        model: str | None = None,
    ) -> Transcription:
        return await self._send(
            calls.transcribe(
                await asyncio.to_thread(read_upload, file),
                language=language,
                prompt=prompt,
                temperature=temperature,
                word_timestamps=word_timestamps,
                model=model,
            )
        )

    async def transcribe_as(
        self,
        file: AudioFile,
        response_format: TranscriptFormat,
        *,
        language: str | None = None,
        prompt: str | None = None,
        temperature: float | None = None,
        word_timestamps: bool = False,
        model: str | None = None,
    ) -> str:
        return await self._send(
            calls.transcribe_as(
                await asyncio.to_thread(read_upload, file),
                response_format,
                language=language,
                prompt=prompt,
                temperature=temperature,
                word_timestamps=word_timestamps,
                model=model,
            )
        )

    # ---- text, voices, speakers -------------------------------------------------------

    async def translate_text(
        self,
        text: str | Sequence[str],
        source_language: str,
        target_language: str,
        *,
        beam_size: int | None = None,
    ) -> list[TextTranslation]:
        call = calls.translate_text(text, source_language, target_language, beam_size)
        return await self._send(call)

    async def speak(
        self,
        text: str,
        *,
        voice: str | None = None,
        language: str | None = None,
        response_format: SpokenFormat = "wav",
        speed: float | None = None,
    ) -> AudioResult:
        return await self._send(
            calls.speak(
                text, voice=voice, language=language, response_format=response_format, speed=speed
            )
        )

    def stream_speech(
        self,
        text: str,
        *,
        voice: str | None = None,
        language: str | None = None,
        response_format: SpokenFormat = "wav",
        speed: float | None = None,
    ) -> AsyncGenerator[bytes]:
        return self._stream(
            calls.speak(
                text,
                voice=voice,
                language=language,
                response_format=response_format,
                speed=speed,
                stream=True,
            )
        )

    async def embed(self, *files: AudioFile, model: str | None = None) -> list[Embedding]:
        uploads = [await asyncio.to_thread(read_upload, file) for file in files]
        return await self._send(calls.embed(uploads, model=model))

    async def compare_speakers(
        self,
        first: AudioFile,
        second: AudioFile,
        *,
        threshold: float | None = None,
        model: str | None = None,
    ) -> SpeakerMatch:
        return await self._send(
            calls.compare_speakers(
                await asyncio.to_thread(read_upload, first),
                await asyncio.to_thread(read_upload, second),
                threshold=threshold,
                model=model,
            )
        )

    async def search_speakers(
        self,
        query: AudioFile,
        clips: Sequence[AudioFile],
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        model: str | None = None,
    ) -> list[SpeakerMatch]:
        return await self._send(
            calls.search_speakers(
                await asyncio.to_thread(read_upload, query),
                [await asyncio.to_thread(read_upload, clip) for clip in clips],
                top_k=top_k,
                threshold=threshold,
                model=model,
            )
        )

    # ---- the server -------------------------------------------------------------------

    async def models(self) -> list[Model]:
        return await self._send(calls.models())

    async def model(self, model_id: str) -> Model:
        return await self._send(calls.model(model_id))

    async def voices(self) -> list[Voice]:
        return await self._send(calls.voices())

    async def doctor(self) -> Diagnosis:
        return await self._send(calls.doctor())

    async def ready(self) -> Readiness:
        return await self._send(calls.ready())

    async def wait_until_ready(self, timeout_s: float = 300.0, *, poll_s: float = 0.5) -> Readiness:
        wait = exchange.ReadinessWait(timeout_s)
        while (readiness := wait.settled(await self._probe())) is None:  # noqa: ASYNC110
            await asyncio.sleep(poll_s)
        return readiness

    async def _probe(self) -> Readiness | errors.DragomanError:
        try:
            return await self.ready()
        except errors.DragomanError as error:
            return error
