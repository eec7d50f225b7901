"""Options of the engine onnx-asr, and what is known of the models that its library names."""

from __future__ import annotations

from dataclasses import dataclass

# Of Parakeet TDT 0.6B v3 and of Canary 1B v2, as their model cards say.
EUROPEAN = (
    *("en", "bg", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "it"),
    *("lt", "lv", "mt", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "uk"),
)
# Names of models in onnx-asr, with their languages.
MODELS: dict[str, tuple[str, ...]] = {
    "nemo-parakeet-ctc-0.6b": ("en",),
    "nemo-parakeet-rnnt-0.6b": ("en",),
    "nemo-parakeet-tdt-0.6b-v2": ("en",),
    "nemo-parakeet-tdt-0.6b-v3": EUROPEAN,
    "nemo-canary-1b-v2": EUROPEAN,
    "nemo-fastconformer-ru-ctc": ("ru",),
    "nemo-fastconformer-ru-rnnt": ("ru",),
    "gigaam-v2-ctc": ("ru",),
    "gigaam-v2-rnnt": ("ru",),
    "gigaam-v3-ctc": ("ru",),
    "gigaam-v3-rnnt": ("ru",),
    "gigaam-v3-e2e-ctc": ("ru",),
    "gigaam-v3-e2e-rnnt": ("ru",),
}
# Its names of layouts, which say nothing of languages.
LAYOUTS = (
    *("nemo-conformer-ctc", "nemo-conformer-rnnt", "nemo-conformer-tdt", "nemo-conformer-aed"),
    *("kaldi-rnnt", "vosk", "gigaam-multilingual-ctc"),
)
LONGEST_S = 120.0  # an encoder's memory grows with the square of the length


@dataclass(frozen=True, slots=True)
class Options:
    """Set which model lies in the weights' folder, and what it hears.

    Parakeet v3 hears its languages without being told which one is spoken: a language that a
    request names is that of the answer, and changes no word of it.
    """

    model: str = "nemo-parakeet-tdt-0.6b-v3"
    """Model of onnx-asr, or its layout: nemo-conformer-ctc, -rnnt, -tdt, -aed (Canary), kaldi-rnnt
    or vosk (Zipformer), gigaam-multilingual-ctc."""
    languages: tuple[str, ...] = ()
    """Languages of the model, as ISO 639-1 codes. Empty: those that a named model is known for; a
    layout needs them."""
    quantization: str | None = None
    """Mark in the names of the files, as int8 in encoder-model.int8.onnx. null: files without."""
    longest_s: float = 30.0
    """Most seconds of one audio, above 0, at most 120."""
    silence_dbfs: float = -60.0
    """Level in dBFS below which the loudest 30 ms of an audio hold no speech."""
    licence: str | None = None
    """Licence of the weights, as an SPDX id. null: as its source says."""

    def __post_init__(self) -> None:
        if self.model not in MODELS and self.model not in LAYOUTS:
            raise ValueError(f"model: one of {', '.join([*MODELS, *LAYOUTS])}")
        if not self.spoken:
            raise ValueError(f"languages: {self.model} is a layout; name what the model hears")
        if not 0 < self.longest_s <= LONGEST_S:
            raise ValueError(f"longest_s: above 0, at most {LONGEST_S:g}")
        if self.quantization is not None and not self.quantization.isalnum():
            raise ValueError("quantization: letters and digits, such as int8")

    @property
    def spoken(self) -> tuple[str, ...]:
        """Return the languages that the model hears."""
        return self.languages or MODELS.get(self.model, ())
