# Generated from async_client.py by `make generate`: change that file.
"""Client: every call of the API as a method."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Generator, Sequence
from typing import Any

import httpx

from . import parsing
from .connection import DEFAULT_URL as DEFAULT_URL
from .errors import DragomanError, TimeoutError
from .exchange import Call, Result, form_of, read_upload, what_is_missing
from .glossaries import Glossaries
from .glossary_types import Glossary
from .jobs import Jobs
from .live import Live
from .policy import Timeout
from .server_types import Diagnosis, Model, Readiness, Voice
from .speaking import speech_call
from .speech import Speech
from .streams import Streams
from .types import (
    AudioFile,
    AudioResult,
    Embedding,
    SpeakerMatch,
    SpokenFormat,
    TextDetection,
    TextTranslation,
)
from .voices import Voices

EMBEDDINGS = "/v1/audio/embeddings"

# A server answers a question about its readiness at once or not at all.
PROBE_TIMEOUT = Timeout(total_s=5.0, connect_s=2.0)


class Client(Speech, Streams, Jobs, Voices, Live, Glossaries):
    """A server's API as methods. One client serves many threads and keeps connections open.

    >>> with Client("http://127.0.0.1:8000", timeout=30) as client:
    ...     result = client.translate_speech("hello.wav", "pt")
    >>> result.translation.text
    'Olá.'

    ``timeout`` bounds a whole call, with its retries: see :class:`Timeout`. ``retry`` says what is
    tried again: see :class:`Retry`. ``key`` is for a server with keys. ``headers`` go with every
    call, such as a proxy's credentials. ``transport`` replaces the way to the server: a proxy, a
    Unix socket, a test's own server; retries and the timeout work the same on it.

    >>> Client(transport=httpx.HTTPTransport(proxy="http://proxy:3128"))

    Every method raises :class:`~dragoman_client.errors.DragomanError`, and OSError for a file
    that cannot be read. Files are read into memory, so that a call can be sent again.
    """

    # ---- text and speakers ------------------------------------------------------------

    def translate_text(
        self,
        text: str | Sequence[str],
        source_language: str | None,
        target_language: str,
        *,
        beam_size: int | None = None,
        glossary: Glossary | None = None,
    ) -> list[TextTranslation]:
        """Translate one text or many; the list has one translation a text, in their order.

        Without a ``source_language`` (None) that of each text is detected.
        A ``beam_size`` over 1 is slower and often better, where the model can do it (M2M100).
        ``glossary`` holds terms that must come out right: its id, or itself.

        >>> rows = client.translate_text(["Hello.", "Thank you."], "en", "pt")
        >>> [row.text for row in rows]
        ['Olá.', 'Obrigado.']
        """
        body: dict[str, Any] = {
            "text": text if isinstance(text, str) else list(text),
            "target_language": target_language,
        }
        if source_language is not None:
            body["source_language"] = source_language
        if beam_size is not None:
            body["beam_size"] = beam_size
        if glossary is not None:
            body["glossary"] = glossary
        path = "/v1/text/translations"
        return self._send(Call("POST", path, parsing.text_translations, json=body))

    def detect(self, text: str | Sequence[str]) -> list[TextDetection]:
        """Tell the languages of one text or many; the list has one answer a text, in their order.

        >>> (found,) = client.detect("Bom dia.")
        >>> found.language, found.probability
        ('pt', 0.93)
        """
        body = {"text": text if isinstance(text, str) else list(text)}
        return self._send(Call("POST", "/v1/text/detections", parsing.text_detections, json=body))

    def speak(
        self,
        text: str,
        *,
        voice: str | None = None,
        language: str | None = None,
        response_format: SpokenFormat = "wav",
        speed: float | None = None,
        glossary: Glossary | None = None,
    ) -> AudioResult:
        """Speak a text with a ``voice``, or with the first voice of a ``language``.

        >>> spoken = client.speak("Bom dia.", language="pt")
        >>> spoken.save("bom-dia.wav")
        """
        # "none": a stream's audio does not tell its length, which a file should.
        return self._send(
            speech_call(
                text, voice, language, response_format, speed, glossary, stream_format="none"
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
        glossary: Glossary | None = None,
    ) -> Generator[bytes]:
        """Do as :meth:`speak` does, and yield each sentence's audio once it is spoken.

        The pieces joined are one file, which does not tell its length. The first step of the loop
        raises what :meth:`speak` would raise, and a later one :class:`ConnectionFailed` if the
        server had to break off. Close the iterator to stop early.

        >>> for piece in client.stream_speech("Bom dia. Tudo bem?", language="pt"):
        ...     player.stdin.write(piece)  # of subprocess.Popen(["ffplay", "-"], stdin=PIPE)
        """
        return self._stream(speech_call(text, voice, language, response_format, speed, glossary))

    def embed(self, *files: AudioFile, model: str | None = None) -> list[Embedding]:
        """Return the speaker embeddings of one file or many, in their order.

        >>> a, b = client.embed("hello.wav", "goodbye.wav")
        >>> a.cosine(b)  # near 1: the same speaker
        0.87
        """
        if not files:
            raise ValueError("embed needs at least one file")
        uploads = [read_upload(file) for file in files]
        form = form_of(model=model)
        return self._send(Call("POST", EMBEDDINGS, parsing.embeddings, form=form, uploads=uploads))

    def compare_speakers(
        self,
        first: AudioFile,
        second: AudioFile,
        *,
        threshold: float | None = None,
        model: str | None = None,
    ) -> SpeakerMatch:
        """Tell whether two clips are of one voice.

        ``threshold`` is the lowest cosine of one voice; without it the model's own applies.

        >>> match = client.compare_speakers("call.flac", "enrolled.flac")
        >>> match.same_speaker
        True
        """
        return self._compare(
            first, [second], parsing.speaker_match, threshold=threshold, model=model
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
        """Search clips for the speaker of ``query``: all or the ``top_k`` nearest, nearest first.

        >>> best, *others = client.search_speakers("call.flac", ["ann.flac", "bob.flac"])
        >>> best.index, best.cosine  # bob's
        (1, 0.91)
        """
        if not clips:
            raise ValueError("search_speakers needs at least one clip to search")
        return self._compare(
            query, clips, parsing.speaker_matches, top_k=top_k, threshold=threshold, model=model
        )

    def _compare(
        self,
        query: AudioFile,
        clips: Sequence[AudioFile],
        parse: Callable[[httpx.Response], Result],
        **options: str | float | None,
    ) -> Result:
        uploads = [read_upload(query)]
        uploads += [read_upload(clip, "compare") for clip in clips]
        form = form_of(**options, include_embedding="false")
        return self._send(Call("POST", EMBEDDINGS, parse, form=form, uploads=uploads))

    # ---- the server -------------------------------------------------------------------

    def models(self) -> list[Model]:
        """Return the models: where each runs and why, and its counts.

        >>> [(model.id, model.device.actual) for model in client.models()]
        [('asr', 'cuda'), ('nmt', 'cuda'), ('tts', 'cpu')]
        """
        return self._send(Call("GET", "/v1/models", parsing.models))

    def model(self, model_id: str) -> Model:
        """Return one of :meth:`models`. Raise UnknownModel."""
        path = f"/v1/models/{urllib.parse.quote(model_id, safe='')}"
        return self._send(Call("GET", path, parsing.model))

    def voices(self) -> list[Voice]:
        """Return the voices that ``voice`` may name."""
        return self._send(Call("GET", "/v1/voices", parsing.voices))

    def doctor(self) -> Diagnosis:
        """Tell whether the models run on the GPU, and if not, why and what to do.

        The server inspects its own machine, which takes some seconds.

        >>> diagnosis = client.doctor()
        >>> diagnosis.verdict
        '5 of 6 models run on a GPU: asr, nmt, tts-en, tts-pt, speaker'
        """
        return self._send(Call("GET", "/v1/doctor", parsing.diagnosis))

    def ready(self) -> Readiness:
        """Tell whether the server takes requests now; asked once, without retries.

        Raise ConnectionFailed where there is no server to ask.
        """
        call = Call(
            "GET",
            "/health/ready",
            parsing.readiness,
            answers=frozenset({503}),
            retries=False,
            timeout=PROBE_TIMEOUT,
        )
        return self._send(call)

    def wait_until_ready(self, timeout_s: float = 300.0, *, poll_s: float = 0.5) -> Readiness:
        """Wait for a server that starts. Raise TimeoutError, which says what is missing.

        A failed question counts as "not yet": while a server starts, its port is closed at first,
        and then knows no path.

        >>> client.wait_until_ready(timeout_s=120)
        Readiness(ready=True, models={'asr': 'ready', 'nmt': 'ready', 'tts': 'ready'})
        """
        ends_at = time.monotonic() + timeout_s
        while True:
            try:
                readiness = self.ready()
                if readiness:
                    return readiness
                missing = what_is_missing(readiness)
            except DragomanError as error:
                missing = error.message
            if time.monotonic() >= ends_at:
                raise TimeoutError(f"not ready after {timeout_s:g} s: {missing}")
            time.sleep(poll_s)
