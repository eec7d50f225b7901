"""Speech synthesis: XTTS v2, which speaks 17 languages, also in the voice of a clip.

The runtime is coqui-tts (MPL-2.0, an optional extra). The published weights have the Coqui Public
Model License: not for commercial use.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_int16
from models.devices import device
from models.devices.precision import full_precision
from models.errors import DragomanError, InvalidRequest, TooLarge, Unprocessable
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec, Voice
from models.text.sentences import split
from models.tts.level import CALIBRATION_TEXT, Gains
from models.tts.phonemes import is_speakable
from models.tts.speech import checked_text, joined, speech
from models.tts.xtts.options import Options
from models.types import SAMPLE_RATE_HZ, SOURCE_VOICE, Speech, TtsItem
from models.weights.source import UNKNOWN_LICENCE, licence, resolve

if TYPE_CHECKING:
    from models.tts.xtts import voices
    from models.tts.xtts.checkpoint import Checkpoint

PUBLISHED_LICENCE = "CPML"  # Coqui Public Model License 1.0
NOISY_LOGGERS = ("TTS", "trainer")  # of coqui: they log the texts that are spoken
FILES = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
WARM_UP_TEXT = "one, two, three, four, five."


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """An item that can be spoken."""

    pieces: tuple[str, ...]  # of its text, none over the model's limit
    language: str
    voice: voices.Voice


class Xtts:
    """XTTS v2 (https://arxiv.org/abs/2406.04904) from a folder as coqui publishes it.

    Each speaker of the model speaks each of its languages: the voice ``Claribel Dervla/pt`` is that
    speaker in Portuguese. With a ``reference`` the voice is that of the clip.

    Texts are spoken one after another: their tokens are sampled, each text from a seed of its own,
    so a text sounds the same in every batch. A text over the model's limit of a language is spoken
    sentence by sentence.
    """

    engine = Engine("tts", Options, "torch", FILES, licence=PUBLISHED_LICENCE)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._model: Checkpoint | None = None
        self._clips: voices.ClipVoices | None = None
        self._speakers: dict[str, tuple[str, voices.Voice]] = {}  # id -> language, voice
        self._gains = Gains(options.loudness_lufs)

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import torch

        from models.tts.xtts import checkpoint, voices

        started_s = time.perf_counter()
        settings, options = self._settings, self._options
        for name in NOISY_LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        got = device.choose_torch(settings.device)
        source = resolve(settings.weights, settings.sha256, settings.files)
        self._model = model = checkpoint.read(source, options.languages, options.speakers)
        model.xtts.to(torch.device(got.actual))
        self._speakers = {
            f"{name}/{language}": (language, voices.Voice(name, *heard))
            for name, heard in model.speakers.items()
            for language in model.languages
        }
        self._clips = voices.ClipVoices(
            model.xtts,
            min_s=options.min_reference_s,
            max_s=options.max_reference_s,
            remembered=options.remembered_references,
        )
        return self._spec(model), device.report(
            settings.device,
            got,
            library=f"torch {torch.__version__}",
            precision="float32",
            load_s=time.perf_counter() - started_s,
        )

    def _spec(self, model: Checkpoint) -> RuntimeSpec:
        known = licence(self._settings.weights)
        return RuntimeSpec(
            kind="tts",
            engine="xtts",
            weights=self._settings.weights,
            licence=PUBLISHED_LICENCE if known == UNKNOWN_LICENCE else known,
            voices=tuple(
                Voice(name, language, "xtts", model.sample_rate_hz)
                for name, (language, _) in self._speakers.items()
            ),
            cloning_languages=model.languages,
            max_batch_size=1,
        )

    @property
    def _loaded(self) -> Checkpoint:
        assert self._model is not None, "load() first"
        return self._model

    def warm_up(self) -> None:
        assert self._clips is not None, "load() first"
        seconds = np.arange(3 * SAMPLE_RATE_HZ, dtype=np.float32)
        hum = to_int16(np.sin(seconds * np.float32(0.05)) / 2)
        language = self._loaded.languages[0]
        self.run([TtsItem(WARM_UP_TEXT, SOURCE_VOICE, language=language, reference=hum)])
        self._clips.forget()

    def run(self, batch: Sequence[TtsItem]) -> list[Speech | ItemError]:
        """Speak each sentence; a text without a letter or digit becomes 0 samples.

        An item gets an ``ItemError`` with UnknownVoice, InvalidRequest (its speed, an empty text, a
        silent reference), TooLarge (over ``max_chars``, or a reference over ``max_reference_s``) or
        Unprocessable (a language that the model does not speak, a reference that is too short, a
        text that the model finds nothing to say for); ``param`` names the field.
        """
        results: list[Speech | ItemError] = []
        for item in batch:
            try:
                results.append(self._speech(item))
            except DragomanError as error:
                results.append(ItemError(error))
        return results

    def close(self) -> None:
        self._model = self._clips = None
        self._speakers = {}
        device.free_torch_memory()

    def _speech(self, item: TtsItem) -> Speech:
        rate_hz = self._loaded.sample_rate_hz
        asked = self._read(item)
        if asked is None:
            return speech([], rate_hz, speed=1.0, gain=1.0)
        key = (asked.language, asked.voice.key)
        gain = self._gains.of([key], lambda _: [self._calibration(asked)], rate_hz)[key]
        return speech(self._spoken(asked), rate_hz, speed=item.speed, gain=gain)

    def _read(self, item: TtsItem) -> _Asked | None:
        """Check an item, and return what to speak; None: there is nothing."""
        languages = {name: language for name, (language, _) in self._speakers.items()}
        text = checked_text(item, {**languages, SOURCE_VOICE: item.language or ""})
        if len(text) > self._options.max_chars:
            message = f"the text has {len(text)} characters, over {self._options.max_chars}"
            raise TooLarge(message, param="text")
        language, voice = self._voice(item)
        if not is_speakable(text):
            return None
        return _Asked(self._pieces(text, language), language, voice)

    def _voice(self, item: TtsItem) -> tuple[str, voices.Voice]:
        if (item.reference is not None) != (item.voice == SOURCE_VOICE):
            message = f"the voice {SOURCE_VOICE!r}, and it alone, takes a reference"
            raise InvalidRequest(message, param="voice")
        if item.reference is not None:
            assert self._clips is not None, "load() first"
            if item.language not in self._loaded.languages:
                known = ", ".join(self._loaded.languages)
                message = f"the model speaks {known}, not {item.language}"
                raise Unprocessable(message, param="language")
            return item.language, self._clips.of(item.reference)
        language, voice = self._speakers[item.voice]
        if item.language not in (None, language):
            message = f"voice {item.voice!r} speaks {language}, not {item.language}"
            raise Unprocessable(message, param="voice")
        return language, voice

    def _pieces(self, text: str, language: str) -> tuple[str, ...]:
        """Cut a text where it is over the limit of its language, or of tokens."""
        xtts = self._loaded.xtts
        limit = xtts.tokenizer.char_limits.get(language, 250)
        pieces = (text,) if len(text) <= limit else split(text, language, limit).sentences
        try:
            counts = [len(xtts.tokenizer.encode(p.strip().lower(), language)) for p in pieces]
        except Exception as error:  # num2words and others raise for what they did not expect
            message = f"this text cannot be read in {language}"
            raise Unprocessable(message, param="text") from error
        if max(counts) >= xtts.args.gpt_max_text_tokens:
            message = f"a sentence has {max(counts)} tokens; the model takes fewer"
            raise TooLarge(message, param="text")
        return pieces

    @full_precision()
    def _spoken(self, asked: _Asked) -> list[NDArray[np.float32]]:
        """Speak the pieces of a text: float32 [n] each."""
        import torch

        options, xtts = self._options, self._loaded.xtts
        own: dict[str, Any] = {
            name: getattr(options, name) or getattr(xtts.config, name)
            for name in ("temperature", "top_k", "top_p", "repetition_penalty")
        }
        is_on_gpu = xtts.device.type == "cuda"
        with torch.random.fork_rng([torch.cuda.current_device()] if is_on_gpu else []):
            torch.manual_seed(options.seed)
            return [
                xtts.inference(
                    piece,
                    asked.language,
                    asked.voice.latents,
                    asked.voice.embedding,
                    length_penalty=xtts.config.length_penalty,
                    **own,
                )["wav"]
                for piece in asked.pieces
            ]

    def _calibration(self, asked: _Asked) -> NDArray[np.float32]:
        """Speak ``CALIBRATION_TEXT`` as an item is spoken, to measure how loud its voice is."""
        pieces = self._pieces(CALIBRATION_TEXT, asked.language)
        return joined(self._spoken(_Asked(pieces, asked.language, asked.voice)))
