"""Speech synthesis: Kokoro-82M on ONNX Runtime, in the languages of its training and in others."""

from __future__ import annotations

import logging
import time
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.devices import device
from models.devices.onnx_session import open_session
from models.errors import DragomanError
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec, Voice
from models.tts.kokoro_files import MAX_TOKENS, model_path, read_vocab, styles_of
from models.tts.kokoro_languages import (
    MISAKI_LICENCE,
    MisakiPhonemizer,
    VoiceName,
    voice_name,
)
from models.tts.level import CALIBRATION_TEXT, TARGET_LUFS, Gains
from models.tts.phonemes import PHONEMES_LICENCE, Phonemizer, is_speakable, pieces
from models.tts.speech import checked_text, joined, speech
from models.types import Speech, TtsItem
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    import onnxruntime

SAMPLE_RATE_HZ = 24_000
TOKENS_INPUTS = ("tokens", "input_ids")  # of the graph, by who exported it
MOST_TOLD = 256  # phonemes that are said once to be left out

_logger = logging.getLogger("dragoman")

# Kokoro writes one letter for two of espeak-ng's (misaki's `EspeakG2P`).
LIGATURES = {
    "tʃ": "ʧ",
    "dʒ": "ʤ",
    "aɪ": "I",
    "aʊ": "W",
    "eɪ": "A",
    "oʊ": "O",
    "əʊ": "Q",
    "ɔɪ": "Y",
    "g": "ɡ",
}

# Kokoro begins and ends a sentence with up to half a second of near silence. Samples under this
# share of full scale (-40 dB) are cut there, but for a margin that soft consonants need.
SILENCE_LEVEL = 0.01
KEPT_BEFORE_S, KEPT_AFTER_S = 0.05, 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """Set which Kokoro voices speak, and in which language.

    Without ``language`` each voice speaks the one that its name begins with: American or British
    English, Spanish, French, Hindi, Italian, Japanese, Brazilian Portuguese, or Mandarin Chinese.
    """

    voices: tuple[str, ...] = ("jm_kumo",)
    """Voices to speak with, by their names in voices_file. Without language a name may end with
    another one than its own: af_heart/es."""
    language: str | None = "pt"
    """Language that the voices speak, as its ISO 639-1 code. null: that of each voice's name, with
    the phonemes that Kokoro was trained on; it takes the extra kokoro-languages."""
    espeak_language: str = "pt-br"
    """Voice of espeak-ng that the phonemes of language come from."""
    model_file: str = "kokoro-v1.0.int8.onnx"
    """The model, inside its weights."""
    voices_file: str = "data/voices_ja.npz"
    """The voices, inside its weights: an array float32 [510, 1, 256] for each in one .npz file; or
    with {voice} a file for each, as voices/{voice}.bin."""
    vocab_file: str = "data/vocab.json"
    """The tokens of phonemes, inside its weights."""
    loudness_lufs: float | None = TARGET_LUFS
    """Loudness of every voice in LUFS (EBU R128). null: each is as loud as it is."""

    def __post_init__(self) -> None:
        if self.language is None and not self.names:
            raise ValueError("voices: name at least one")

    @property
    def names(self) -> tuple[VoiceName, ...]:
        """Return the voices. Raises ValueError: a name tells no language, where it must."""
        if self.language is None:
            return tuple(map(voice_name, self.voices))
        return tuple(VoiceName(name, name, self.language) for name in self.voices)


class KokoroTts:
    """Kokoro-82M (https://huggingface.co/hexgrad/Kokoro-82M, Apache-2.0), one text at a time.

    A voice is a table of style vectors, one for each number of tokens. It can speak the phonemes of
    any language: the default, trained on Japanese, speaks Portuguese with an accent.

    A phoneme that the model has no token for is left out, as Kokoro's own library does, and the log
    names it once.

    The int8 graph is made for the CPU: much of it has no CUDA kernel. For a GPU name a float one in
    ``model_file``.
    """

    engine = Engine("tts", Options, "onnxruntime")

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._session: onnxruntime.InferenceSession | None = None
        self._voices = {voice.id: voice for voice in options.names}
        self._phonemizers: Mapping[str, Phonemizer] = {}  # by dialect
        self._vocab: dict[str, int] = {}
        self._styles: dict[str, NDArray[np.float32]] = {}  # style -> [510, 256]
        self._told: set[str] = set()  # phonemes that were left out
        self._gains = Gains(options.loudness_lufs)

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import onnxruntime

        started_s = time.perf_counter()
        settings, options = self._settings, self._options
        self._phonemizers = self._open_phonemizers()
        got, providers = device.choose_onnxruntime(settings.device)
        source = resolve(settings.weights, settings.sha256)
        self._vocab = read_vocab(source.file(options.vocab_file))
        styles = list(dict.fromkeys(voice.style for voice in self._voices.values()))
        self._styles = styles_of(source, options.voices_file, styles)
        model = model_path(source, options.model_file)
        self._session = open_session(model, settings.device.threads, providers, lengths_vary=True)
        got = device.confirm_onnxruntime(settings.device, got, self._session.get_providers())
        spec = RuntimeSpec(
            kind="tts",
            engine="kokoro",
            weights=settings.weights,
            licence=f"{licence(settings.weights)}; {self._phonemes_licence}",
            voices=tuple(
                Voice(voice.id, voice.language, "kokoro", SAMPLE_RATE_HZ)
                for voice in self._voices.values()
            ),
            takes_sounds=True,
            max_batch_size=1,  # the graph has no batch axis
        )
        return spec, device.report(
            settings.device,
            got,
            library=f"onnxruntime {onnxruntime.__version__}",
            precision=precision(model.name),
            load_s=time.perf_counter() - started_s,
        )

    @property
    def _phonemes_licence(self) -> str:
        return MISAKI_LICENCE if self._options.language is None else PHONEMES_LICENCE

    def _open_phonemizers(self) -> dict[str, Phonemizer]:
        if self._options.language is not None:
            return {self._options.language: Phonemizer(self._options.espeak_language)}
        dialects = dict.fromkeys(voice.dialect for voice in self._voices.values())
        return {dialect: MisakiPhonemizer(dialect) for dialect in dialects}

    def warm_up(self) -> None:
        self._gains.of(self._voices, self._calibration, SAMPLE_RATE_HZ)

    def run(self, batch: Sequence[TtsItem]) -> list[Speech | ItemError]:
        """Speak each sentence; a text without a letter or digit becomes 0 samples.

        A sentence of more than ``MAX_TOKENS`` phonemes is spoken in pieces. An item gets an
        ``ItemError`` with UnknownVoice, InvalidRequest (its speed, an empty text) or TooLarge
        (over 20 times that many phonemes); ``param`` names the field.
        """
        results: list[Speech | ItemError] = []
        for item in batch:
            try:
                results.append(self._speak(item))
            except DragomanError as error:
                results.append(ItemError(error))
        return results

    def _speak(self, item: TtsItem) -> Speech:
        """Speak an item.

        Raises:
            DragomanError: the item is at fault.
        """
        text = checked_text(item, {name: each.language for name, each in self._voices.items()})
        gains = self._gains.of([item.voice], self._calibration, SAMPLE_RATE_HZ)
        return speech(
            self._spoken(text, self._voices[item.voice], item.sounds),
            SAMPLE_RATE_HZ,
            speed=item.speed,
            gain=gains[item.voice],
        )

    def _spoken(
        self, text: str, voice: VoiceName, sounds: Sequence[str] = ()
    ) -> list[NDArray[np.float32]]:
        """Return the pieces of a text; none if there is nothing to speak.

        Raises:
            TooLarge: there are too many phonemes.
        """
        phonemize = self._phonemizers[voice.dialect]
        phonemes = phonemize(text, sounds) if sounds or is_speakable(text) else []
        known = known_phonemes(phonemes, self._vocab)
        self._tell_left_out(phonemes, voice.dialect)
        return [self._synthesise(piece, voice.style) for piece in pieces(known, MAX_TOKENS)]

    def _tell_left_out(self, phonemes: Iterable[str], dialect: str) -> None:
        """Log phonemes that the model does not have, each once."""
        unknown = {p for p in set(phonemes) if not known_phonemes(p, self._vocab)} - self._told
        for phoneme in sorted(unknown)[: MOST_TOLD - len(self._told)]:
            self._told.add(phoneme)
            _logger.warning("kokoro has no phoneme %r of %s: it is left out", phoneme, dialect)

    def _calibration(self, voices: Sequence[str]) -> list[NDArray[np.float32]]:
        """Speak the calibration text in these voices, to measure how loud they are."""
        return [joined(self._spoken(CALIBRATION_TEXT, self._voices[voice])) for voice in voices]

    def _synthesise(self, phonemes: Sequence[str], style: str) -> NDArray[np.float32]:
        """Synthesise 1 to ``MAX_TOKENS`` phonemes: float32 [n] at 24 kHz."""
        assert self._session is not None, "load() comes first"
        names = {given.name for given in self._session.get_inputs()}
        feed = {
            next(filter(names.__contains__, TOKENS_INPUTS), TOKENS_INPUTS[0]): np.array(
                [[0, *(self._vocab[p] for p in phonemes), 0]], np.int64
            ),
            "style": self._styles[style][len(phonemes) - 1][np.newaxis],
            "speed": np.ones(1, np.float32),  # see `tempo`
        }
        (audio,) = self._session.run(None, feed)
        return trim(audio.ravel())

    def close(self) -> None:
        self._session = None
        self._styles = {}


def known_phonemes(phonemes: Iterable[str], vocab: Collection[str]) -> list[str]:
    """Write espeak-ng's phonemes as Kokoro does; leave out those that it was not trained on.

    A letter with a mark is one token if the vocabulary has it so (ç), else two (ɐ and ̃).
    """
    text = unicodedata.normalize("NFC", "".join(phonemes))
    for letters, ligature in LIGATURES.items():
        text = text.replace(letters, ligature)
    parts = (p if p in vocab else unicodedata.normalize("NFD", p) for p in text)
    return [p for part in parts for p in part if p in vocab]


def trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the silence around float32 [n] at 24 kHz, but for a moment on either side."""
    (loud,) = np.nonzero(np.abs(samples) > SILENCE_LEVEL)
    if not len(loud):
        return samples
    start = max(0, loud[0] - round(KEPT_BEFORE_S * SAMPLE_RATE_HZ))
    return samples[start : loud[-1] + 1 + round(KEPT_AFTER_S * SAMPLE_RATE_HZ)]


def precision(model_file: str) -> str:
    """Return the precision that the published files carry in their names (``v1.0.int8.onnx``)."""
    marks = {"int8": "int8", "fp16": "float16"}
    return next((p for mark, p in marks.items() if mark in model_file), "float32")
