"""What can be set of XTTS."""

from __future__ import annotations

from dataclasses import dataclass

from models.tts.level import TARGET_LUFS


@dataclass(frozen=True, slots=True)
class Options:
    """Set how XTTS speaks. What is null is as the model's own config.json says."""

    languages: tuple[str, ...] = ()
    """Languages to speak, as ISO 639-1 codes. Empty: all of the model; Japanese and Chinese take
    libraries of the extra xtts."""
    speakers: tuple[str, ...] = ()
    """Speakers of speakers_xtts.pth to speak as, by their names. Empty: all of them."""
    temperature: float | None = None
    """Temperature of sampling, above 0. null: the model's."""
    top_k: int | None = None
    """Tokens that are sampled from, at least 1. null: the model's."""
    top_p: float | None = None
    """Probability that the sampled tokens share, above 0, at most 1. null: the model's."""
    repetition_penalty: float | None = None
    """Factor by which a token that came already gets less likely, above 0. null: the model's."""
    seed: int = 0
    """Seed of every text's sampling: a text sounds the same each time."""
    max_chars: int = 500
    """Most characters of one text, at least 1; a longer text is refused."""
    loudness_lufs: float | None = TARGET_LUFS
    """Loudness of every voice in LUFS (EBU R128); a new voice speaks once more, to be measured.
    null: each is as loud as it is."""
    min_reference_s: float = 1.0
    """Least seconds of a clip in whose voice it speaks, at least 0.5; a shorter one is refused."""
    max_reference_s: float = 30.0
    """Most seconds of such a clip; a longer one is refused. The model says how many it hears."""
    remembered_references: int = 64
    """Voices of clips that are kept, 130 KB each."""

    def __post_init__(self) -> None:
        above_0 = {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty,
        }
        for name, value in above_0.items():
            if value is not None and not value > 0:
                raise ValueError(f"{name}: above 0")
        if self.top_p is not None and self.top_p > 1:
            raise ValueError("top_p: at most 1")
        if self.max_chars < 1 or self.remembered_references < 0 or self.seed < 0:
            raise ValueError("max_chars: at least 1; remembered_references and seed: at least 0")
        if not 0.5 <= self.min_reference_s <= self.max_reference_s:
            raise ValueError("min_reference_s: from 0.5 to max_reference_s")
