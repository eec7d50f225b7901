"""Every ``audio.*`` call of the stock ``openai`` package against a running server, a row each.

    python tests/clients/openai_audio.py [--base-url http://127.0.0.1:8000/v1] [--key KEY] [FILE]

It needs ``openai`` alone, so that it runs in an environment of its own. FILE is English speech.
The exit status is 1 where a call failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "en-demo-abouttotry.flac"
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
DOCUMENTS = {"text": "", "srt": "1\n00:00:", "vtt": "WEBVTT"}  # how each begins
TEXT = "Good morning. The train leaves at noon."
Call = Callable[[], str]


class Wrong(Exception):
    """An answer is not what it must be."""


def check(is_right: object, got: object) -> None:
    """Raise Wrong, with what was got, unless it is right."""
    if not is_right:
        raise Wrong(str(got))


class Calls:
    """The calls; each returns what is shown of its answer."""

    def __init__(self, base_url: str, key: str, file: Path) -> None:
        options: dict[str, Any] = {"base_url": base_url, "api_key": key, "max_retries": 0}
        self.client = openai.OpenAI(**options)
        self.options, self.file = options, file

    def all(self) -> dict[str, Call]:
        """Return the calls by their names."""
        made: dict[str, Call] = {
            "transcriptions.create": self.transcript,
            "transcriptions.create(verbose_json, words)": self.words,
            "transcriptions.create(include=[logprobs])": self.logprobs,
            "transcriptions.create(keywords, languages)": self.likely,
            "transcriptions.create(chunking_strategy)": self.chunked,
            "transcriptions.create(diarized_json)": self.diarized,
            "transcriptions.create(stream)": self.streamed,
            "transcriptions.create(stream), async": self.streamed_async,
            "transcriptions.with_streaming_response": self.streamed_lines,
            "transcriptions.with_raw_response": self.raw,
            "translations.create": self.translated,
            "translations.create(target_language)": self.translated_into,
            "translations.create(verbose_json)": self.translated_verbosely,
            "speech.with_streaming_response(sse)": self.spoken_events,
            "speech.create(instructions)": self.instructed,
            "voices.create, refused in words": self.no_voice,
            "voice_consents.list": self.consents,
            "transcriptions.create of no audio": self.no_audio,
            "models.list, models.retrieve": self.models,
        }
        for name, begins in DOCUMENTS.items():
            made[f"transcriptions.create({name})"] = self.document("transcriptions", name, begins)
            made[f"translations.create({name})"] = self.document("translations", name, begins)
        for name in FORMATS:
            made[f"speech.create({name})"] = self.spoken(name)
        return made

    def _create(self, endpoint: str = "transcriptions", **fields: Any) -> Any:
        fields = {"model": "gpt-transcribe", **fields}
        return getattr(self.client.audio, endpoint).create(file=self.file, **fields)

    # ---- transcriptions ----------------------------------------------------------------

    def transcript(self) -> str:
        heard = self._create()
        check(heard.text and heard.usage.type == "duration", heard)
        check(isinstance(heard.usage.seconds, float), heard.usage)
        check([language.code for language in heard.languages] == ["en"], heard.languages)
        return str(heard.text)

    def words(self) -> str:
        granularities = ["word", "segment"]
        heard = self._create(
            response_format="verbose_json", timestamp_granularities=granularities, model="whisper-1"
        )
        check(isinstance(heard.duration, float), heard.duration)
        check(heard.segments and heard.words, heard)
        times = [time_s for word in heard.words for time_s in (word.start, word.end)]
        check(times == sorted(times), times)
        return f"{len(heard.words)} words, {len(heard.segments)} segments"

    def logprobs(self) -> str:
        heard = self._create(include=["logprobs"])
        check(heard.logprobs and all(row.logprob <= 0 for row in heard.logprobs), heard.logprobs)
        return f"{len(heard.logprobs)} words"

    def likely(self) -> str:
        heard = self._create(keywords=["Asterisk", "Digium"], languages=["en", "pt"])
        check(heard.languages[0].code == "en", heard.languages)
        return str(heard.text)

    def chunked(self) -> str:
        rules = {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 400}
        heard = self._create(chunking_strategy=rules)
        check(heard.text, heard)
        return str(heard.text)

    def diarized(self) -> str:
        heard = self._create(
            response_format="diarized_json",
            chunking_strategy="auto",
            model="gpt-4o-transcribe-diarize",
        )
        check(heard.segments and all(row.speaker for row in heard.segments), heard)
        return f"{len(heard.segments)} segments"

    def streamed(self) -> str:
        events = list(self._create(stream=True))
        return _streamed(events)

    def streamed_async(self) -> str:
        async def ask() -> list[Any]:
            async with openai.AsyncOpenAI(**self.options) as client:
                stream = await client.audio.transcriptions.create(
                    file=self.file, model="gpt-4o-transcribe", stream=True
                )
                return [event async for event in stream]

        return _streamed(asyncio.run(ask()))

    def streamed_lines(self) -> str:
        streaming = self.client.audio.transcriptions.with_streaming_response
        with streaming.create(file=self.file, model="whisper-1", stream=True) as answer:
            lines = [line for line in answer.iter_lines() if line]
        check(lines[-1] == "data: [DONE]", lines[-1])
        return f"{len(lines)} events"

    def raw(self) -> str:
        answer = self.client.audio.transcriptions.with_raw_response.create(
            file=self.file, model="whisper-1"
        )
        check(answer.headers.get("x-request-id"), dict(answer.headers))
        return str(answer.parse().text)

    def document(self, endpoint: str, name: str, begins: str) -> Call:
        def ask() -> str:
            text = self._create(endpoint, response_format=name, model="whisper-1")
            check(isinstance(text, str) and text.startswith(begins), text)
            check(not text.startswith(('"', "{")), text)
            return str(text)

        return ask

    # ---- translations ------------------------------------------------------------------

    def translated(self) -> str:
        heard = self._create("translations", model="whisper-1")
        check(heard.text, heard)
        return str(heard.text)

    def translated_into(self) -> str:
        heard = self._create("translations", extra_body={"target_language": "pt"})
        check(heard.text and heard.translated_by, heard)
        return f"by {', '.join(heard.translated_by)}: {heard.text}"

    def translated_verbosely(self) -> str:
        heard = self._create("translations", response_format="verbose_json")
        check(heard.segments and isinstance(heard.duration, float), heard)
        check("".join(row.text for row in heard.segments).split() == heard.text.split(), heard)
        return f"{len(heard.segments)} segments"

    # ---- speech ------------------------------------------------------------------------

    def spoken(self, name: Any) -> Call:
        def ask() -> str:
            answer = self.client.audio.speech.create(
                model="tts-1", voice="alloy", input=TEXT, response_format=name
            )
            check(len(answer.content) > 1000, len(answer.content))
            return f"{len(answer.content)} bytes"

        return ask

    def spoken_events(self) -> str:
        streaming = self.client.audio.speech.with_streaming_response
        with streaming.create(
            model="gpt-4o-mini-tts", voice="marin", input=TEXT, stream_format="sse"
        ) as answer:
            events = [json.loads(line[6:]) for line in answer.iter_lines() if line]
        kinds = [event["type"] for event in events]
        check(kinds[0] == "speech.audio.delta" and kinds[-1] == "speech.audio.done", kinds)
        return f"{len(events)} events"

    def instructed(self) -> str:
        answer = self.client.audio.speech.with_raw_response.create(
            model="gpt-4o-mini-tts", voice="cedar", input=TEXT, instructions="Whisper."
        )
        ignored = answer.headers.get("x-ignored-fields")
        check(ignored == "instructions", ignored)
        return f"x-ignored-fields: {ignored}"

    # ---- what is refused, and what there is --------------------------------------------

    def no_voice(self) -> str:
        voices = self.client.audio.voices
        return _refused(lambda: voices.create(type="prompt", name="me", prompt="a calm voice"))

    def consents(self) -> str:
        return f"{len(list(self.client.audio.voice_consents.list()))} kept"

    def no_audio(self) -> str:
        return _refused(
            lambda: self.client.audio.transcriptions.create(
                file=("a.wav", b"This is no audio at all. " * 100), model="whisper-1"
            )
        )

    def models(self) -> str:
        names = {model.id for model in self.client.models.list()}
        wanted = {"whisper-1", "gpt-transcribe", "gpt-4o-transcribe-diarize", "tts-1"}
        check(wanted <= names, names)
        return str(self.client.models.retrieve("gpt-live-transcribe").id)


def _streamed(events: list[Any]) -> str:
    *deltas, done = events
    check(done.type == "transcript.text.done" and done.text, done)
    check({event.type for event in deltas} == {"transcript.text.delta"}, deltas)
    check("".join(event.delta for event in deltas) == done.text, events)
    check(done.usage.seconds > 0, done.usage)
    return f"{len(deltas)} deltas: {done.text}"


def _refused(ask: Callable[[], object]) -> str:
    try:
        answer = ask()
    except openai.APIStatusError as error:
        check(isinstance(error.body, dict) and error.body.get("message"), error.body)
        return str(error)
    raise Wrong(f"it was not refused: {answer}")


def main() -> None:
    """Make every call, print a row of each, and exit with 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--key", default="none")
    parser.add_argument("file", nargs="?", type=Path, default=SPEECH)
    args = parser.parse_args()
    failed = 0
    print(f"openai {openai.__version__}, {args.base_url}")
    for name, call in Calls(args.base_url, args.key, args.file).all().items():
        started_s = time.monotonic()
        try:
            state, shown = "ok", call()
        except Exception as error:  # whatever goes wrong is a row
            state, shown = "FAILED", f"{type(error).__name__}: {error}"
            failed += 1
        took_s = time.monotonic() - started_s
        print(f"{state:6} {took_s:6.2f} s  {name:48} {' '.join(shown.split())[:100]}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
