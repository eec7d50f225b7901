"""The synchronous client."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType

import httpx

from . import calls, errors, exchange
from .exchange import Call, Result, read_upload
from .transport import DEFAULT_RETRY, DEFAULT_TIMEOUT, Retry, RetryTransport, Timeout
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
from .version import __version__

DEFAULT_URL = "http://127.0.0.1:8000"
USER_AGENT = f"dragoman-client/{__version__}"


class Client:
    """A server's API as methods. One client serves many threads and keeps connections open.

    >>> with Client("http://127.0.0.1:8000", timeout=30) as client:
    ...     result = client.translate_speech("hello.wav", "pt")
    >>> result.translation.text
    'Olá.'

    ``timeout`` bounds a whole call, retries and a slow answer included: see :class:`Timeout`.
    ``retry`` says what is tried again: see :class:`Retry`. ``key`` is what a server with keys asks
    for. ``headers`` go with every call, such as a proxy's credentials. ``transport`` replaces the
    way to the server: a proxy, a Unix socket, a test's own server; retries and the timeout work the
    same on it.

    >>> Client(transport=httpx.HTTPTransport(proxy="http://proxy:3128"))

    Every method raises :class:`~dragoman_client.errors.DragomanError`, and OSError for a file
    that cannot be read. Files are read into memory, so that a call can be sent again.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        timeout: Timeout | float | None = DEFAULT_TIMEOUT,
        retry: Retry = DEFAULT_RETRY,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._timeout = exchange.as_timeout(timeout)
        self._http = httpx.Client(
            base_url=exchange.checked_url(base_url),
            headers={"user-agent": USER_AGENT, **exchange.key_header(key), **(headers or {})},
            transport=RetryTransport(transport or httpx.HTTPTransport(), retry),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _send(self, call: Call[Result]) -> Result:
        """The one way to the server."""
        request = exchange.request(self._http, call, self._timeout)
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error
        return exchange.result(call, response)

    def _stream(self, call: Call[Result]) -> Generator[bytes]:
        """The body of the answer, piece by piece."""
        request = exchange.request(self._http, call, self._timeout, streams=True)
        try:
            response = self._http.send(request, stream=True)
            with contextlib.closing(response):
                if not response.is_success:
                    response.read()
                    exchange.result(call, response)  # raises
                yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error

    # ---- speech -----------------------------------------------------------------------

    def translate_speech(
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
        """Translates speech into speech, with all that is known about it.

        Languages are ISO 639-1 codes, or what else names one, such as ``pt-BR`` or ``Portuguese``;
        without ``source_language`` the server detects it.
        ``voice`` is one of :meth:`voices`, ``speed`` from 0.25 to 4. ``audio_format="none"``
        asks for the texts alone, ``include_embedding`` for the speaker's embedding as well.

        >>> result = client.translate_speech("hello.wav", "pt", speed=1.1)
        >>> result.transcript.text, result.translation.text
        ('Hello.', 'Olá.')
        >>> result.audio.save("ola.wav")
        >>> [(stage.stage, stage.wall_ms) for stage in result.timings.stages]
        [('decode', 4.1), ('vad', 9.8), ('asr', 182.0), ('nmt', 21.5), ('tts', 240.3)]
        """
        return self._send(
            calls.translate_speech(
                read_upload(file),
                target_language,
                source_language=source_language,
                voice=voice,
                speed=speed,
                include_embedding=include_embedding,
                audio_format=audio_format,
            )
        )

    def translate_speech_audio(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        voice: str | None = None,
        speed: float | None = None,
        response_format: AudioFormat = "wav",
    ) -> TranslatedAudio:
        """Translates speech into an audio file, without the base64 of JSON, which adds a third.

        >>> spoken = client.translate_speech_audio("hello.wav", "pt", response_format="opus")
        >>> spoken.save("ola.ogg")
        >>> spoken.translation
        'Olá.'
        """
        return self._send(
            calls.translate_speech_audio(
                read_upload(file),
                target_language,
                source_language=source_language,
                voice=voice,
                speed=speed,
                response_format=response_format,
            )
        )

    def subtitles(
        self,
        file: AudioFile,
        target_language: str,
        *,
        source_language: str | None = None,
        response_format: SubtitleFormat = "srt",
        bilingual: bool = False,
    ) -> str:
        """Translates speech into subtitles; ``bilingual`` puts what was said above them.

        >>> print(client.subtitles("hello.wav", "pt"))
        1
        00:00:00,120 --> 00:00:00,900
        Olá.
        """
        return self._send(
            calls.subtitles(
                read_upload(file),
                target_language,
                source_language=source_language,
                response_format=response_format,
                bilingual=bilingual,
            )
        )

    def transcribe(
        self,
        file: AudioFile,
        *,
        language: str | None = None,
        prompt: str | None = None,
        temperature: float | None = None,
        word_timestamps: bool = False,
        model: str | None = None,
    ) -> Transcription:
        """Writes down what was said, in its own language, with the times of its segments.

        ``prompt`` is text that might have come before: it sets names and style. ``model`` is one
        of :meth:`models`; without it the first that transcribes.

        >>> [(word.word, word.start_s) for word in
        ...     client.transcribe("hello.wav", word_timestamps=True).words]
        [('Hello.', 0.12)]
        """
        return self._send(
            calls.transcribe(
                read_upload(file),
                language=language,
                prompt=prompt,
                temperature=temperature,
                word_timestamps=word_timestamps,
                model=model,
            )
        )

    def transcribe_as(
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
        """Like :meth:`transcribe`; returns the document as the server writes it.

        >>> Path("hello.vtt").write_text(client.transcribe_as("hello.wav", "vtt"))
        """
        return self._send(
            calls.transcribe_as(
                read_upload(file),
                response_format,
                language=language,
                prompt=prompt,
                temperature=temperature,
                word_timestamps=word_timestamps,
                model=model,
            )
        )

    # ---- text, voices, speakers -------------------------------------------------------

    def translate_text(
        self,
        text: str | Sequence[str],
        source_language: str,
        target_language: str,
        *,
        beam_size: int | None = None,
    ) -> list[TextTranslation]:
        """Translates one text or many; the list has one translation a text, in their order.

        A ``beam_size`` over 1 is slower and often better, where the model can (M2M100).

        >>> [row.text for row in client.translate_text(["Hello.", "Thank you."], "en", "pt")]
        ['Olá.', 'Obrigado.']
        """
        return self._send(calls.translate_text(text, source_language, target_language, beam_size))

    def speak(
        self,
        text: str,
        *,
        voice: str | None = None,
        language: str | None = None,
        response_format: SpokenFormat = "wav",
        speed: float | None = None,
    ) -> AudioResult:
        """Speaks a text with a ``voice``, or with the first voice of a ``language``.

        >>> client.speak("Bom dia.", language="pt").save("bom-dia.wav")
        """
        return self._send(
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
    ) -> Generator[bytes]:
        """Like :meth:`speak`, in pieces that come while the rest is spoken, sentence by sentence.

        Joined, they are one file, which does not tell its length. What would be raised by
        :meth:`speak` is raised by the first step of the loop, and :class:`ConnectionFailed` where
        the server had to break off. Close the iterator to hear no more.

        >>> for piece in client.stream_speech("Bom dia. Tudo bem?", language="pt"):
        ...     player.stdin.write(piece)  # of subprocess.Popen(["ffplay", "-"], stdin=PIPE)
        """
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

    def embed(self, *files: AudioFile, model: str | None = None) -> list[Embedding]:
        """The speaker embeddings of one file or many, in their order.

        >>> a, b = client.embed("hello.wav", "goodbye.wav")
        >>> a.cosine(b)  # near 1: the same speaker
        0.87
        """
        return self._send(calls.embed([read_upload(file) for file in files], model=model))

    def compare_speakers(
        self,
        first: AudioFile,
        second: AudioFile,
        *,
        threshold: float | None = None,
        model: str | None = None,
    ) -> SpeakerMatch:
        """Verifies a speaker: whether two clips are of one voice.

        ``threshold`` is the cosine from which they are; without it the model's own counts.

        >>> client.compare_speakers("call.flac", "enrolled.flac").same_speaker
        True
        """
        return self._send(
            calls.compare_speakers(
                read_upload(first), read_upload(second), threshold=threshold, model=model
            )
        )

    def search_speakers(
        self,
        query: AudioFile,
        clips: Sequence[AudioFile],
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        model: str | None = None,
    ) -> list[SpeakerMatch]:
        """Searches clips for the speaker of ``query``: all or the ``top_k`` nearest, nearest first.

        >>> best, *others = client.search_speakers("call.flac", ["ann.flac", "bob.flac"])
        >>> best.index, best.cosine  # bob's
        (1, 0.91)
        """
        return self._send(
            calls.search_speakers(
                read_upload(query),
                [read_upload(clip) for clip in clips],
                top_k=top_k,
                threshold=threshold,
                model=model,
            )
        )

    # ---- the server -------------------------------------------------------------------

    def models(self) -> list[Model]:
        """The models, where each runs and why, and what it has done.

        >>> [(model.id, model.device.actual) for model in client.models()]
        [('asr', 'cuda'), ('nmt', 'cuda'), ('tts', 'cpu')]
        """
        return self._send(calls.models())

    def model(self, model_id: str) -> Model:
        """One of :meth:`models`. Raises UnknownModel."""
        return self._send(calls.model(model_id))

    def voices(self) -> list[Voice]:
        """The voices that ``voice`` may name."""
        return self._send(calls.voices())

    def doctor(self) -> Diagnosis:
        """Whether the models run on the GPU, and if not, why and what to do.

        The server looks at its own machine, which takes some seconds.

        >>> client.doctor().verdict
        '5 of 6 models run on a GPU: asr, nmt, tts-en, tts-pt, speaker'
        """
        return self._send(calls.doctor())

    def ready(self) -> Readiness:
        """Whether the server takes requests now; asked once, without retries.

        Raises ConnectionFailed where there is no server to ask.
        """
        return self._send(calls.ready())

    def wait_until_ready(self, timeout_s: float = 300.0, *, poll_s: float = 0.5) -> Readiness:
        """Waits for a server that starts. Raises TimeoutError, which says what is missing.

        >>> client.wait_until_ready(timeout_s=120)
        Readiness(ready=True, models={'asr': 'ready', 'nmt': 'ready', 'tts': 'ready'})
        """
        wait = exchange.ReadinessWait(timeout_s)
        while (readiness := wait.settled(self._probe())) is None:
            time.sleep(poll_s)
        return readiness

    def _probe(self) -> Readiness | errors.DragomanError:
        try:
            return self.ready()
        except errors.DragomanError as error:
            return error
