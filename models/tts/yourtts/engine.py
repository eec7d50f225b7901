"""Speech synthesis: YourTTS (VITS with d-vectors), which also speaks in the voice of a clip.

The runtime is coqui-tts (MPL-2.0, an optional extra). The published weights are CC BY-NC-ND 4.0:
not for commercial use.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_int16
from models.devices import device
from models.errors import DragomanError, Unprocessable
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec, Voice
from models.tts.level import CALIBRATION_TEXT, Gains
from models.tts.speech import speech
from models.tts.yourtts.items import ItemReader, SpokenItem, VoiceRow
from models.tts.yourtts.options import Options
from models.tts.yourtts.text import Alphabet
from models.types import SAMPLE_RATE_HZ, SOURCE_VOICE, Speech, TtsItem
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    from models.tts.yourtts.network import Limits, Network, Row
    from models.tts.yourtts.reference_voices import ReferenceVoices

PUBLISHED_LICENCE = "CC-BY-NC-ND-4.0 (as published)"
NOISY_LOGGERS = ("TTS", "trainer")  # of coqui: they log the texts that are spoken

CUDA_PASS_S = 120.0
WARM_UP_TEXT = "one, two, three, four, five, six, seven, eight, nine, ten."
WARM_UP_ROWS = (1, 2, 8)

# Of tensors in several formats the first that is there is read; all are taken.
FILES = (
    *("config.json", "config_se.json", "speakers.json", "language_ids.json"),
    *("model.safetensors", "model_file.pth", "best_model.pth"),
    *("model_se.safetensors", "model_se.pth", "model_se.pth.tar"),
)


class YourTts:
    """YourTTS (https://arxiv.org/abs/2112.02418) from a folder as coqui publishes it.

    Each speaker of the model speaks each of its languages: the voice ``female-en-5/pt`` is the
    speaker ``female-en-5`` in Portuguese. With a ``reference`` the voice is that of the clip. A
    batch mixes speakers, languages, clips and speeds; a text sounds the same in every batch.

    The model knows letters, not phonemes: numbers are written out first, and characters that it
    does not know are left out, as coqui does.
    """

    engine = Engine("tts", Options, "torch", FILES, licence=PUBLISHED_LICENCE)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._network: Network | None = None
        self._references: ReferenceVoices | None = None
        self._reader: ItemReader | None = None
        self._sample_rate_hz = SAMPLE_RATE_HZ
        self._noise = (0.0, 0.0)
        self._gains = Gains(options.loudness_lufs)

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import torch

        from models.tts.yourtts import checkpoint
        from models.tts.yourtts.network import Network
        from models.tts.yourtts.reference_voices import ReferenceVoices

        started_s = time.perf_counter()
        settings, options = self._settings, self._options
        for name in NOISY_LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        got = device.choose_torch(settings.device)
        on = torch.device(got.actual)
        read = checkpoint.read(resolve(settings.weights, settings.sha256, settings.files))
        self._sample_rate_hz = read.sample_rate_hz
        self._noise = (
            _either(options.noise_scale, read.vits.inference_noise_scale),
            _either(options.noise_w, read.vits.inference_noise_scale_dp),
        )
        self._reader = ItemReader(
            Alphabet(read.vits.tokenizer, read.languages),
            voices={
                f"{name}/{language}": VoiceRow(d_vector, language)
                for name, d_vector in read.speakers.items()
                for language in read.languages
            },
            language_rows={code: read.language_ids[n] for code, n in read.languages.items()},
            max_chars=options.max_chars,
        )
        self._network = Network(read.vits, on)
        self._references = ReferenceVoices(
            read.encoder,
            read.encoder_audio,
            on,
            min_s=options.min_reference_s,
            max_s=options.max_reference_s,
            remembered=options.remembered_references,
        )
        return self._spec(), device.report(
            settings.device,
            got,
            library=f"torch {torch.__version__}",
            precision="float32",
            load_s=time.perf_counter() - started_s,
        )

    @property
    def _loaded(self) -> ItemReader:
        assert self._reader is not None, "load() first"
        return self._reader

    def _spec(self) -> RuntimeSpec:
        return RuntimeSpec(
            kind="tts",
            engine="yourtts",
            weights=self._settings.weights,
            licence=licence(self._settings.weights, PUBLISHED_LICENCE),
            voices=tuple(
                Voice(name, voice.language, "yourtts", self._sample_rate_hz)
                for name, voice in self._loaded.voices.items()
            ),
            cloning_languages=tuple(self._loaded.language_rows),
        )

    def warm_up(self) -> None:
        assert self._references is not None, "load() first"
        seconds = np.arange(3 * SAMPLE_RATE_HZ, dtype=np.float32)
        hum = to_int16(np.sin(seconds * np.float32(0.05)) / 2)
        language = next(iter(self._loaded.language_rows))
        for rows in WARM_UP_ROWS:
            self.run([TtsItem(WARM_UP_TEXT, next(iter(self._loaded.voices)))] * rows)
        self.run([TtsItem(WARM_UP_TEXT, SOURCE_VOICE, language=language, reference=hum)])
        self._references.forget()

    def run(self, batch: Sequence[TtsItem]) -> list[Speech | ItemError]:
        """Speak each sentence; a text without a letter or digit becomes 0 samples.

        An item gets an ``ItemError`` with UnknownVoice, InvalidRequest (its speed, an empty
        text, a silent reference), TooLarge (over ``max_chars``, or a reference over
        ``max_reference_s``) or Unprocessable (a language or letters that the model does not
        know, a reference that is too short, a text that becomes more than ``max_speech_s``);
        ``param`` names the field.
        """
        from models.tts.yourtts.network import Row

        results: dict[int, Speech | ItemError] = {}
        requests: dict[int, SpokenItem] = {}
        for place, item in enumerate(batch):
            try:
                request = self._loaded.read(item)
            except DragomanError as error:
                results[place] = ItemError(error)
                continue
            if request is None:
                results[place] = speech([], self._sample_rate_hz, speed=1.0, gain=1.0)
            else:
                requests[place] = request
        rows: dict[int, Row] = {}
        for place, vector in self._d_vectors(requests).items():
            if isinstance(vector, DragomanError):
                results[place] = ItemError(vector)
            else:
                rows[place] = Row(requests[place].ids, requests[place].language, vector)
        speeds = {place: requests[place].speed for place in rows}
        results |= self._spoken(rows, speeds)
        return [results[place] for place in range(len(batch))]

    def close(self) -> None:
        self._network = self._references = self._reader = None
        device.free_torch_memory()

    def _d_vectors(
        self, requests: dict[int, SpokenItem]
    ) -> dict[int, NDArray[np.float32] | DragomanError]:
        assert self._references is not None, "load() first"
        cloned = [place for place, request in requests.items() if request.is_reference]
        heard = self._references.d_vectors([requests[place].voice for place in cloned])
        known: dict[int, NDArray[np.float32] | DragomanError] = {
            place: request.voice.astype(np.float32, copy=False)
            for place, request in requests.items()
            if not request.is_reference
        }
        return known | dict(zip(cloned, heard, strict=True))

    def _spoken(
        self, rows: Mapping[int, Row], speeds: Mapping[int, float]
    ) -> dict[int, Speech | ItemError]:
        """Synthesise the rows, and return the result for each place in the batch."""
        if not rows:
            return {}
        max_s, rate_hz = self._options.max_speech_s, self._sample_rate_hz
        too_long = Unprocessable(f"the text becomes more than {max_s:g} s of speech", param="text")
        gains = self._gains_of(rows)
        results: dict[int, Speech | ItemError] = {}
        for place, samples in zip(rows, self._synthesised(list(rows.values())), strict=True):
            speed = speeds[place]
            if samples is None or len(samples) > max_s * speed * rate_hz:
                results[place] = ItemError(too_long)
            else:
                results[place] = speech([samples], rate_hz, speed=speed, gain=gains[place])
        return results

    def _synthesised(self, rows: Sequence[Row]) -> list[NDArray[np.float32] | None]:
        assert self._network is not None, "load() first"
        noise_scale, noise_w = self._noise
        return self._network.synthesise(
            rows, noise_scale=noise_scale, noise_w=noise_w, limits=self._limits()
        )

    def _gains_of(self, rows: Mapping[int, Row]) -> dict[int, float]:
        """Return the gain of each row's voice; a new voice speaks once more, to be measured."""
        voices = {place: (row.language, row.d_vector.tobytes()) for place, row in rows.items()}
        row_of = {voices[place]: row for place, row in rows.items()}
        gains = self._gains.of(
            voices.values(),
            lambda new: self._calibration([row_of[voice] for voice in new]),
            self._sample_rate_hz,
        )
        return {place: gains[voice] for place, voice in voices.items()}

    def _calibration(self, rows: Sequence[Row]) -> list[NDArray[np.float32]]:
        """Speak ``CALIBRATION_TEXT`` in each row's voice and language, as far as it has the
        letters.
        """
        codes = {row: code for code, row in self._loaded.language_rows.items()}
        said: dict[int, Row] = {}
        for place, row in enumerate(rows):
            with suppress(Unprocessable):  # the model lacks the digits of the language
                ids = self._loaded.alphabet.ids(CALIBRATION_TEXT, codes[row.language])
                said[place] = replace(row, ids=ids)
        spoken = dict(
            zip(said, self._synthesised(list(said.values())) if said else [], strict=True)
        )
        nothing = np.zeros(0, np.float32)
        return [
            nothing if samples is None else samples
            for samples in (spoken.get(place) for place in range(len(rows)))
        ]

    def _limits(self) -> Limits:
        from models.tts.yourtts.network import Limits

        assert self._network is not None, "load() first"
        frames_per_s = self._sample_rate_hz / self._network.hop_samples
        pass_s = CUDA_PASS_S if self._network.device.type == "cuda" else 0.0
        if self._options.max_pass_s is not None:
            pass_s = self._options.max_pass_s
        return Limits(
            row_frames=int(self._options.max_speech_s * frames_per_s),
            pass_frames=int(pass_s * frames_per_s),
            max_padding=self._options.max_padding,
        )


def _either(configured: float | None, of_model: float) -> float:
    return of_model if configured is None else configured
