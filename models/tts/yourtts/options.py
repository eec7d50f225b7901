"""What can be set of YourTTS."""

from __future__ import annotations

from dataclasses import dataclass

from models.tts.level import TARGET_LUFS


@dataclass(frozen=True, slots=True)
class Options:
    """Set how YourTTS speaks."""

    noise_scale: float | None = None
    """Variation of the sound. null: as the model says."""
    noise_w: float | None = None
    """Variation of the rhythm. null: as the model says."""
    max_chars: int = 500
    """Most characters of one text, at least 1; a longer text is refused."""
    loudness_lufs: float | None = TARGET_LUFS
    """Loudness of every voice in LUFS (EBU R128). null: each is as loud as it is."""
    max_speech_s: float = 120.0
    """Most seconds of speech that one text may become."""
    max_pass_s: float | None = None
    """Most seconds of audio in one pass through the decoder, padding included. null: 120 on a GPU,
    and one sentence at a time on a CPU."""
    max_padding: float = 0.25
    """Largest share of a pass that may be padding, from 0 to below 1; a batch takes several
    passes."""
    min_reference_s: float = 1.0
    """Least seconds of a clip in whose voice it speaks; a shorter one is refused."""
    max_reference_s: float = 30.0
    """Most seconds of such a clip; a longer one is refused."""
    remembered_references: int = 256
    """Voices of clips that are kept, 2 KB each."""

    def __post_init__(self) -> None:
        if self.max_chars < 1 or self.remembered_references < 0:
            raise ValueError("max_chars: at least 1; remembered_references: at least 0")
        if not 0 <= self.max_padding < 1:
            raise ValueError("max_padding: from 0 to below 1")
        if not 0 <= self.min_reference_s <= self.max_reference_s:
            raise ValueError("min_reference_s: from 0 to max_reference_s")
