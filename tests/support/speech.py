"""Real speech with its text, and the scores that tests and benches judge by."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.types import Samples

SPEECH = Path(__file__).parents[1] / "data" / "speech"
SHORT_SPEECH = SPEECH.with_name("speech-short")

# What no speaker encoder takes, by what is wrong with it; 1,600 samples are enough.
BAD_CLIPS: dict[str, Samples] = {
    "empty": np.empty(0, np.int16),
    "too-short": np.ones(1_599, np.int16),
    "all-zero": np.zeros(16_000, np.int16),
    "not-a-number": np.full(16_000, np.nan, np.float32),
    "infinite": np.full(16_000, np.inf, np.float32),
    "out-of-range": np.full(16_000, 1e30, np.float32),
}


@dataclass(frozen=True)
class Clip:
    """One recorded prompt, 16 kHz mono."""

    name: str
    language: str
    speaker: str
    duration_s: float
    text: str
    folder: Path = SPEECH

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def samples(self) -> NDArray[np.int16]:
        """int16 [n] at 16 kHz."""
        import soundfile

        samples: NDArray[np.int16]
        samples, rate_hz = soundfile.read(self.path, dtype="int16")
        assert rate_hz == 16_000
        return samples


def clips(language: str | None = None, folder: Path = SPEECH) -> list[Clip]:
    """The clips of one language, or all of them."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    found = [
        Clip(r["file"], r["language"], r["speaker"], r["duration_s"], r["text"], folder)
        for r in map(json.loads, lines)
    ]
    return [clip for clip in found if language in (None, clip.language)]


def clip(stem: str) -> Clip:
    """The clip whose file name starts with ``stem``."""
    (found,) = [c for c in clips() if c.name == f"{stem}.flac"]
    return found


def normalise(text: str) -> str:
    """Lower case, no punctuation, single spaces: what word error rates are counted on."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return " ".join(re.sub(r"[^\w\s']", " ", text).split())


def wer(references: list[str], hypotheses: list[str]) -> float:
    """Word error rate over all pairs together, as a fraction."""
    import jiwer

    return float(jiwer.wer([normalise(r) for r in references], [normalise(h) for h in hypotheses]))


def alike(one: str, other: str) -> float:
    """The share of their words that two texts have in common, in this order; 1.0 for the same.

    Also for what a real model says of one clip: a comma, or a word that sounds as another does,
    depends on how the processor rounds.
    """
    words = (normalise(one).split(), normalise(other).split())
    return difflib.SequenceMatcher(None, *words, autojunk=False).ratio()


def chrf(references: list[str], hypotheses: list[str]) -> float:
    """chrF of sacrebleu, 0 to 100."""
    import sacrebleu

    return float(sacrebleu.corpus_chrf(hypotheses, [references]).score)
