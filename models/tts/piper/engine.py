"""Speech synthesis: Piper voices (VITS) on ONNX Runtime; a batch mixes speakers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from models.devices import device
from models.errors import ConfigError, DeviceError, DragomanError, WeightsError
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec, Voice
from models.tts.level import CALIBRATION_TEXT, TARGET_LUFS, Gains
from models.tts.phonemes import PHONEMES_LICENCE, is_speakable, pieces
from models.tts.speech import checked_text, joined, speech
from models.types import Speech, TtsItem
from models.weights.source import WeightSource, licence, resolve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.tts.piper.voice import PiperVoice, Row

USE_GPU = "PIPER_USE_GPU"  # as Piper servers read it: true or false
TRUE, FALSE = ("true", "1"), ("false", "0")

MODEL_CARD = "MODEL_CARD"  # lies beside a published voice and names the licence of its data set
LICENCE = re.compile(r"^\W*licen[cs]e:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Options:
    """Set which Piper voices speak, and how."""

    voices: tuple[str, ...] = ()
    """Voice files to load, without .onnx. Empty: all that there are."""
    noise_scale: float | None = None
    """Variation of the sound. null: as the voice says."""
    noise_w: float | None = None
    """Variation of the rhythm. null: as the voice says."""
    loudness_lufs: float | None = TARGET_LUFS
    """Loudness of every voice in LUFS (EBU R128). null: each is as loud as it is."""
    max_phonemes: int = 400
    """Most phonemes of one row, at least 1; a longer sentence takes several. 400 are 20 s of speech
    at speed 1, and a second takes 20 MB while it is made."""
    cpu_batch_size: int = 1
    """Rows of one call on a CPU, where more rows save no time and cost their padding."""

    def __post_init__(self) -> None:
        if self.max_phonemes < 1:
            raise ValueError("max_phonemes: at least 1")


@dataclass(frozen=True, slots=True)
class _Speaker:
    voice: PiperVoice
    row: int  # of the speaker embedding


class PiperTts:
    """Piper (https://github.com/OHF-Voice/piper1-gpl): a voice is ``STEM.onnx`` + ``.onnx.json``.

    The voice of ``en_US-joe-medium.onnx`` is called ``en_US-joe-medium``. A file of several
    speakers holds a voice for each, called ``STEM#NAME``. Sentences of one file share a batch,
    whatever their speaker and speed.

    With ``device: auto`` the environment variable ``PIPER_USE_GPU`` decides: ``false`` is ``device:
    cpu``, ``true`` is ``device: cuda``, which does not start without a GPU and a share of it. It
    must be in the environment that Ray's processes start with.
    """

    engine = Engine("tts", Options, "onnxruntime", small=True)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._speakers: dict[str, _Speaker] = {}  # voice id ->
        self._languages: dict[str, str] = {}  # voice id ->
        self._gains = Gains(options.loudness_lufs)

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        """Load every voice.

        Raises:
            ConfigError: PIPER_USE_GPU is neither true nor false.
        """
        import onnxruntime

        from models.tts.piper.voice import PiperVoice, VoiceConfig

        started_s = time.perf_counter()
        settings = self._settings
        request = device_request(settings.device, os.environ)
        source = resolve(settings.weights, settings.sha256)
        files = voice_files(source, self._options.voices)
        try:
            got, providers = device.choose_onnxruntime(request, sessions=len(files))
        except (ConfigError, DeviceError) as error:
            if request == settings.device:
                raise
            raise type(error)(f"{error} ({USE_GPU}={os.environ[USE_GPU]})") from error
        licences = []
        for stem, name in files.items():
            path, config = source.file(name), VoiceConfig.read(source.file(f"{name}.json"))
            voice = PiperVoice(path, config, request.threads, providers)
            got = device.confirm_onnxruntime(request, got, voice.providers)
            licences.append(licence(settings.weights) + data_licence(path))
            if config.speakers:
                self._speakers |= {
                    f"{stem}#{speaker}": _Speaker(voice, row)
                    for speaker, row in config.speakers.items()
                }
            else:
                self._speakers[stem] = _Speaker(voice, 0)
        self._languages = {name: of.voice.config.language for name, of in self._speakers.items()}
        if request != settings.device:
            got = replace(got, reason=f"{got.reason} ({USE_GPU}={os.environ[USE_GPU]})")
        return self._spec(licences, on_cpu=got.actual == "cpu"), device.report(
            settings.device,
            got,
            library=f"onnxruntime {onnxruntime.__version__}",
            precision="float32",
            load_s=time.perf_counter() - started_s,
        )

    def _spec(self, licences: Sequence[str], *, on_cpu: bool) -> RuntimeSpec:
        return RuntimeSpec(
            kind="tts",
            engine="piper",
            weights=self._settings.weights,
            licence="; ".join([*sorted(set(licences)), PHONEMES_LICENCE]),
            voices=tuple(
                Voice(name, config.language, "piper", config.sample_rate_hz)
                for name, speaker in self._speakers.items()
                for config in [speaker.voice.config]
            ),
            takes_sounds=all(each.voice.config.takes_sounds for each in self._speakers.values()),
            max_batch_size=self._options.cpu_batch_size if on_cpu else None,
        )

    def warm_up(self) -> None:
        of_each_file = {speaker.voice: name for name, speaker in self._speakers.items()}
        for name in of_each_file.values():
            for batch_size in (1, 2):
                self.run([TtsItem(CALIBRATION_TEXT, name)] * batch_size)

    def run(self, batch: Sequence[TtsItem]) -> list[Speech | ItemError]:
        """Speak each sentence; a text without a letter or digit becomes 0 samples.

        A sentence of more than ``max_phonemes`` is spoken in pieces, each a row. An item gets an
        ``ItemError`` with UnknownVoice, InvalidRequest (its speed, an empty text) or TooLarge
        (over 20 times that many phonemes); ``param`` names the field.
        """
        results: dict[int, Speech | ItemError] = {}
        rows: dict[PiperVoice, dict[int, list[Row]]] = {}  # of a voice file: place in batch ->
        for place, item in enumerate(batch):
            try:
                voice, of_item = self._rows(item)
            except DragomanError as error:
                results[place] = ItemError(error)
                continue
            rows.setdefault(voice, {})[place] = of_item
        for voice, of_places in rows.items():
            audio = iter(self._synthesise(voice, list(chain(*of_places.values())), len(batch)))
            gains = self._gains_of(voice, [batch[place].voice for place in of_places])
            for place, of_item in of_places.items():
                item, own = batch[place], list(islice(audio, len(of_item)))
                results[place] = speech(
                    own,
                    voice.config.sample_rate_hz,
                    speed=item.speed,
                    gain=gains[item.voice],
                )
        return [results[place] for place in range(len(batch))]

    def _rows(self, item: TtsItem) -> tuple[PiperVoice, list[Row]]:
        """Return the rows of an item; none if there is nothing to speak.

        Raises:
            DragomanError: the item is at fault.
        """
        text = checked_text(item, self._languages)
        speaker = self._speakers[item.voice]
        return speaker.voice, self._rows_of(text, speaker, item.sounds)

    def _rows_of(self, text: str, speaker: _Speaker, sounds: Sequence[str] = ()) -> list[Row]:
        from models.tts.piper.voice import Row

        voice = speaker.voice
        phonemes = voice.phonemes(text, sounds) if sounds or is_speakable(text) else []
        return [
            Row(voice.ids(piece), speaker.row)
            for piece in pieces(phonemes, self._options.max_phonemes)
        ]

    def _gains_of(self, voice: PiperVoice, names: Sequence[str]) -> Mapping[str, float]:
        return self._gains.of(names, partial(self._calibration, voice), voice.config.sample_rate_hz)

    def _calibration(self, voice: PiperVoice, names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Speak the calibration text as these speakers, without the noise that varies its level."""
        rows = [self._rows_of(CALIBRATION_TEXT, self._speakers[name]) for name in names]
        return [
            joined([voice.synthesise([row], noise_scale=0, noise_w=0)[0] for row in of])
            for of in rows
        ]

    def _synthesise(
        self, voice: PiperVoice, rows: Sequence[Row], most_rows: int
    ) -> list[NDArray[np.float32]]:
        """Speak the rows, at most ``most_rows`` at once, so that long sentences take no more
        memory.
        """
        config, options = voice.config, self._options
        return [
            samples
            for first in range(0, len(rows), most_rows)
            for samples in voice.synthesise(
                rows[first : first + most_rows],
                noise_scale=_either(options.noise_scale, config.noise_scale),
                noise_w=_either(options.noise_w, config.noise_w),
            )
        ]

    def close(self) -> None:
        self._speakers.clear()


def _either(configured: float | None, of_voice: float) -> float:
    return of_voice if configured is None else configured


def device_request(
    request: device.DeviceRequest, environment: Mapping[str, str]
) -> device.DeviceRequest:
    """Apply PIPER_USE_GPU to a request for a device; it counts for ``auto`` alone.

    Raises:
        ConfigError: the variable is neither true nor false.
    """
    said = environment.get(USE_GPU, "").strip().lower()
    if request.device != "auto" or not said:
        return request
    if said in FALSE:
        return replace(request, device="cpu")
    if said in TRUE:
        return replace(request, device="cuda")
    raise ConfigError(f"{USE_GPU} must be true or false, not {said!r}")


def voice_files(source: WeightSource, wanted: Sequence[str]) -> dict[str, str]:
    """Find the voices of a source: stem -> file name, for each ``.onnx`` with a ``.onnx.json``.

    Args:
        source: where to look, folders below included.
        wanted: the stems to take; empty: all there are.

    Raises:
        WeightsError: a wanted voice is not there, two have one name, or there is none.
    """
    found: dict[str, str] = {}
    for _, folder in source.folders:
        for path in sorted(folder.rglob("*.onnx")):
            name = path.relative_to(folder).as_posix()
            if not path.with_name(f"{path.name}.json").is_file() or (
                wanted and path.stem not in wanted
            ):
                continue
            if path.stem in found:
                raise WeightsError(f"{source.reference}: two voices are called {path.stem!r}")
            found[path.stem] = name
    missing = sorted(set(wanted) - set(found))
    if missing or not found:
        what = ", ".join(missing) or "any .onnx file with its .onnx.json"
        raise WeightsError(f"{source.reference}: there is no voice: looked for {what}")
    return found


def data_licence(voice: Path) -> str:
    """Return the end of a voice's licence, as ``, data CC0``, from the model card beside it."""
    card = voice.with_name(MODEL_CARD)
    named = LICENCE.search(card.read_text(encoding="utf-8")) if card.is_file() else None
    return f", data {named[1]}" if named else ""
