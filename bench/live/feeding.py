"""Run the feeder in its own environment, and read what it wrote down."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.live.audio import Talk
from bench.overhead.environments import foreign, made, own
from bench.serving import BenchFailed

FEEDER = Path(__file__).parent / "feeder.py"
OPENAI = ("openai[realtime]==3.57.0",)
SESSIONS_A_PROCESS = 32
START_S, END_S = 3.0, 300.0  # until every process is there; beyond the audio, for the last answers
STAGGER_S = 0.37  # between two sessions' beginnings, so that their sentences do not end together
FRAME_S = 0.2


@dataclass(frozen=True)
class Ask:
    """What one session asks for; without a target it is transcribed."""

    talk: Talk
    target: str | None = "pt"
    delay: str = "medium"
    text_only: bool = True
    source_language: str | None = None

    def spec(self, number: int, base_url: str) -> dict[str, Any]:
        query, given = {"delay": self.delay}, {"delay": self.delay}
        if self.source_language is not None:
            query["language"] = given["language"] = self.source_language
        if self.target is None:
            query["intent"] = "transcription"
            update = {"type": "transcription", "audio": {"input": {"transcription": given}}}
        else:
            query |= {"model": "translation", "to": self.target}
            query |= {"text_only": "true"} if self.text_only else {}
            output = {"language": self.target, "text_only": self.text_only}
            update = {"audio": {"input": {**given, "transcription": {}}, "output": output}}
        return {
            "id": number,
            "base_url": base_url,
            "key": "none",
            "transcribes": self.target is None,
            "query": query,
            "update": update,
            "pcm": str(self.talk.path.resolve()),
            "delay_s": number * STAGGER_S,
        }


@dataclass(frozen=True)
class Word:
    """A piece of text that came."""

    at: float  # on time.monotonic
    text: str
    place_s: float | None  # in the source, up to which it goes


@dataclass(frozen=True)
class Outcome:
    """What one session sent and got."""

    ask: Ask
    sent: Sequence[float]  # when each frame of 200 ms went
    source: Sequence[Word] = ()
    target: Sequence[Word] = ()
    audio: Sequence[Word] = ()  # texts are empty
    notices: Sequence[str] = ()
    is_whole: bool = False  # all that was sent was answered
    status: int | None = None  # of a refused handshake
    error: str | None = None

    @property
    def source_text(self) -> str:
        return "".join(word.text for word in self.source).strip()

    @property
    def target_text(self) -> str:
        return "".join(word.text for word in self.target).strip()

    def sent_at(self, place_s: float) -> float:
        """Return when the frame went that has this place in the source."""
        number = max(0, min(len(self.sent), round(place_s / FRAME_S + 0.4999)) - 1)
        return self.sent[number]


def feed(base_url: str, asks: Sequence[Ask], library: str = "openai") -> list[Outcome]:
    """Run all sessions at once, to their ends. Raises BenchFailed: a feeder failed."""
    python = made("openai-realtime", OPENAI) if library == "openai" else own()
    longest_s = max(ask.talk.duration_s for ask in asks) + STAGGER_S * len(asks)
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        begins_at = time.monotonic() + START_S
        for first in range(0, len(asks), SESSIONS_A_PROCESS):
            part = list(enumerate(asks))[first : first + SESSIONS_A_PROCESS]
            spec = {
                "library": library,
                "begins_at": begins_at,
                "out": f"{folder}/{first}.out.json",
                "sessions": [ask.spec(number, base_url) for number, ask in part],
            }
            path = Path(folder) / f"{first}.json"
            path.write_text(json.dumps(spec))
            processes.append(subprocess.Popen([str(python), str(FEEDER), str(path)], env=foreign()))
        try:
            for process in processes:
                if process.wait(START_S + longest_s + END_S):
                    raise BenchFailed(f"a feeder ended with {process.returncode}")
        except subprocess.TimeoutExpired as error:
            raise BenchFailed("a feeder did not end") from error
        finally:
            for process in processes:
                process.kill()
        found = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.out.json"))]
    sessions = {each["id"]: each for part in found for each in part["sessions"]}
    return [outcome(ask, sessions[number]) for number, ask in enumerate(asks)]


KINDS = {
    "session.input_transcript.delta": "source",
    "conversation.item.input_audio_transcription.delta": "source",
    "session.output_transcript.delta": "target",
    "session.output_audio.delta": "audio",
}


def outcome(ask: Ask, found: Mapping[str, Any]) -> Outcome:
    """Read what the feeder kept of one session."""
    words: dict[str, list[Word]] = {"source": [], "target": [], "audio": []}
    notices, error = [], found.get("error")
    for at, kind, fields in found["events"]:
        if kind in KINDS:
            place_ms = fields.get("elapsed_ms")
            place_s = None if place_ms is None else place_ms / 1000
            words[KINDS[kind]].append(Word(at, fields.get("delta", ""), place_s))
        elif kind == "dragoman.notice":
            notices.append(fields.get("code", ""))
        elif kind == "error":
            error = error or str(fields.get("error", {}).get("message"))
    is_whole = "error" not in found
    status = found.get("status")
    return Outcome(
        ask, found["sent"], **words, notices=notices, is_whole=is_whole, status=status, error=error
    )
