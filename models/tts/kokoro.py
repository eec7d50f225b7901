"""Speech synthesis: Kokoro-82M on ONNX Runtime, for languages that espeak-ng has phonemes for."""

from __future__ import annotations

import hashlib
import json
import time
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.devices import device
from models.devices.onnx_session import open_session
from models.errors import DragomanError, WeightsError
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec, Voice
from models.tts.level import CALIBRATION_TEXT, TARGET_LUFS, Gains
from models.tts.phonemes import PHONEMES_LICENCE, Phonemizer, is_speakable, pieces
from models.tts.speech import checked_text, joined, speech
from models.types import Speech, TtsItem
from models.weights.source import WeightSource, licence, resolve

if TYPE_CHECKING:
    import onnxruntime

SAMPLE_RATE_HZ = 24_000
MAX_TOKENS = 510  # of 512 positions two hold the blanks at the ends
STYLE_SIZE = 256
PART_FILE = "part.bin"  # of a model that was cut into packages

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
    """Set which Kokoro voices speak, and in which language."""

    voices: tuple[str, ...] = ("jm_kumo",)
    """Voices to speak with, by their names in voices_file."""
    language: str = "pt"
    """Language that the voices speak, as its ISO 639-1 code."""
    espeak_language: str = "pt-br"
    """Voice of espeak-ng that the phonemes come from."""
    model_file: str = "kokoro-v1.0.int8.onnx"
    """The model, inside its weights."""
    voices_file: str = "data/voices_ja.npz"
    """The voices, inside its weights: an array float32 [510, 1, 256] for each."""
    vocab_file: str = "data/vocab.json"
    """The tokens of phonemes, inside its weights."""
    loudness_lufs: float | None = TARGET_LUFS
    """Loudness of every voice in LUFS (EBU R128). null: each is as loud as it is."""


class KokoroTts:
    """Kokoro-82M (https://huggingface.co/hexgrad/Kokoro-82M, Apache-2.0), one text at a time.

    A voice is a table of style vectors, one for each number of tokens. It can speak the phonemes of
    any language: the default, trained on Japanese, speaks Portuguese with an accent.

    The int8 graph is made for the CPU: much of it has no CUDA kernel. For a GPU name a float one in
    ``model_file``.
    """

    engine = Engine("tts", Options, "onnxruntime")

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._session: onnxruntime.InferenceSession | None = None
        self._phonemize: Phonemizer  # from load() on
        self._vocab: dict[str, int] = {}
        self._styles: dict[str, NDArray[np.float32]] = {}  # voice -> [510, 256]
        self._gains = Gains(options.loudness_lufs)

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import onnxruntime

        started_s = time.perf_counter()
        settings, options = self._settings, self._options
        self._phonemize = Phonemizer(options.espeak_language)
        got, providers = device.choose_onnxruntime(settings.device)
        source = resolve(settings.weights, settings.sha256)
        self._vocab = read_vocab(source.file(options.vocab_file))
        self._styles = read_styles(source.file(options.voices_file), options.voices)
        model = model_path(source, options.model_file)
        self._session = open_session(model, settings.device.threads, providers, lengths_vary=True)
        got = device.confirm_onnxruntime(settings.device, got, self._session.get_providers())
        spec = RuntimeSpec(
            kind="tts",
            engine="kokoro",
            weights=settings.weights,
            licence=f"{licence(settings.weights)}; {PHONEMES_LICENCE}",
            voices=tuple(
                Voice(name, options.language, "kokoro", SAMPLE_RATE_HZ) for name in self._styles
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

    def warm_up(self) -> None:
        self._gains.of(self._styles, self._calibration, SAMPLE_RATE_HZ)

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
        text = checked_text(item, dict.fromkeys(self._styles, self._options.language))
        gains = self._gains.of([item.voice], self._calibration, SAMPLE_RATE_HZ)
        return speech(
            self._spoken(text, item.voice, item.sounds),
            SAMPLE_RATE_HZ,
            speed=item.speed,
            gain=gains[item.voice],
        )

    def _spoken(
        self, text: str, voice: str, sounds: Sequence[str] = ()
    ) -> list[NDArray[np.float32]]:
        """Return the pieces of a text; none if there is nothing to speak.

        Raises:
            TooLarge: there are too many phonemes.
        """
        phonemes = self._phonemize(text, sounds) if sounds or is_speakable(text) else []
        known = known_phonemes(phonemes, self._vocab)
        return [self._synthesise(piece, voice) for piece in pieces(known, MAX_TOKENS)]

    def _calibration(self, voices: Sequence[str]) -> list[NDArray[np.float32]]:
        """Speak the calibration text in these voices, to measure how loud they are."""
        return [joined(self._spoken(CALIBRATION_TEXT, voice)) for voice in voices]

    def _synthesise(self, phonemes: Sequence[str], voice: str) -> NDArray[np.float32]:
        """Synthesise 1 to ``MAX_TOKENS`` phonemes: float32 [n] at 24 kHz."""
        assert self._session is not None, "load() comes first"
        feed = {
            "tokens": np.array([[0, *(self._vocab[p] for p in phonemes), 0]], np.int64),
            "style": self._styles[voice][len(phonemes) - 1][np.newaxis],
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


def model_path(source: WeightSource, name: str) -> Path:
    """Find the graph: a file of that name, or the joined parts of the packages, in their order.

    The pin of a joined graph is called ``FIRST_PACKAGE/NAME``, as if it lay there, or ``NAME``.
    """
    parts = [
        f"{label}/{PART_FILE}" for label, folder in source.folders if (folder / PART_FILE).is_file()
    ]
    if not parts:
        return source.file(name)
    path = source.join(parts, name)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    first_label = source.folders[0][0]
    pin = source.pins.get(f"{first_label}/{name}") or source.pins.get(name)
    if pin and digest != pin.lower():  # without one the pins of the parts count
        raise WeightsError(f"{path} has SHA-256 {digest}, but {pin} is pinned: delete it")
    return path


def precision(model_file: str) -> str:
    """Return the precision that the published files carry in their names (``v1.0.int8.onnx``)."""
    marks = {"int8": "int8", "fp16": "float16"}
    return next((p for mark, p in marks.items() if mark in model_file), "float32")


def read_vocab(path: Path) -> dict[str, int]:
    """Read the table of phoneme -> token.

    Raises:
        WeightsError: the file holds no such table.
    """
    try:
        return {
            str(p): int(token) for p, token in json.loads(path.read_text("utf-8"))["vocab"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not a vocabulary of Kokoro: {error!r}") from error


def read_styles(path: Path, voices: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Read the styles of the named voices: voice -> float32 [510, 256], a row a number of tokens.

    Raises:
        WeightsError: the file does not hold a voice; the message lists those it holds.
    """
    try:
        with path.open("rb") as file, np.load(file) as tables:  # numpy refuses pickles
            known = list(tables.files)
            styles = {voice: tables[voice] for voice in voices if voice in known}
    except (ValueError, OSError, EOFError, AttributeError, BadZipFile, zlib.error) as error:
        raise WeightsError(f"{path}: no table of voices: {error}") from error
    missing = sorted(set(voices) - set(styles))
    if missing or not voices:
        there = ", ".join(known)
        raise WeightsError(f"{path}: no voice {', '.join(missing)!r}; there are {there}")
    return {voice: _style(path, voice, style) for voice, style in styles.items()}


def _style(path: Path, voice: str, style: NDArray[Any]) -> NDArray[np.float32]:
    if style.size != MAX_TOKENS * STYLE_SIZE or style.dtype.kind != "f":
        raise WeightsError(
            f"{path}: voice {voice!r} is {style.dtype} {list(style.shape)}, not float32 of "
            f"{MAX_TOKENS} rows of {STYLE_SIZE}"
        )
    return style.astype(np.float32).reshape(MAX_TOKENS, STYLE_SIZE)
