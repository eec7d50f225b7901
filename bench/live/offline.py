"""The same server's answers to whole files: what live sessions are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.live.audio import Prompt, Talk, recorded, talk, wav_of
from dragoman_client import Client, Segment
from models.audio.decode import decode
from models.audio.samples import to_int16
from models.types import SAMPLE_RATE_HZ

ANSWER_S = 1200.0
MAX_PROMPT_S = 60.0


@dataclass(frozen=True)
class Offline:
    """What the server says of a whole talk."""

    source: str
    target: str | None = None
    segments: Sequence[Segment] = ()


class Offlines:
    """Asks for each talk once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[tuple[Path, str | None], Offline] = {}

    def of(self, spoken: Talk, target: str | None) -> Offline:
        """Return the offline transcript, and the translation into ``target``."""
        key = (spoken.path, target)
        if key not in self._known:
            self._known[key] = self._ask(spoken, target)
        return self._known[key]

    def _ask(self, spoken: Talk, target: str | None) -> Offline:
        with Client(self._url, timeout=ANSWER_S) as client:
            if target is None:
                return Offline(client.transcribe(wav_of(spoken)).text)
            whole = client.translate_speech(
                wav_of(spoken), target, source_language=spoken.language, audio_format="none"
            )
        return Offline(whole.transcript.text, whole.translation.text, whole.segments)


def portuguese(url: str, path: Path, duration_s: float, seed: int) -> Talk:
    """Return a talk in Portuguese: the data has none, so the server translates and speaks it."""
    english = iter([prompt.text for prompt in recorded("en")])
    prompts: list[Prompt] = []
    with Client(url, timeout=ANSWER_S) as client:
        while sum(len(prompt.samples) for prompt in prompts) < duration_s * SAMPLE_RATE_HZ:
            (row,) = client.translate_text(next(english), "en", "pt")
            spoken = decode(
                client.speak(row.text, language="pt").audio, max_duration_s=MAX_PROMPT_S
            )
            prompts.append(Prompt(row.text, to_int16(spoken.samples)))
    return talk(path, "pt", duration_s, seed, prompts)
