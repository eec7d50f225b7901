"""One Piper voice file: its configuration, its phonemes and its batched synthesis."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.devices.onnx_session import open_session
from models.errors import WeightsError
from models.tts.phonemes import Phonemizer
from models.tts.piper.graph import DURATIONS, batchable

if TYPE_CHECKING:
    import onnxruntime

DEFAULT_HOP_SAMPLES = 256  # audio samples of one frame, in every voice that Piper publishes
# Phoneme types that need espeak-ng at most. The others (pinyin, Hebrew, Japanese, Thai), and
# Arabic, whose vowels must be marked first, need models of their own.
PHONEME_TYPES = ("espeak", "text")
ARABIC = "ar"


@dataclass(frozen=True, slots=True)
class VoiceConfig:
    """The configuration of a voice, from its ``.onnx.json`` file."""

    language: str  # ISO 639-1
    sample_rate_hz: int
    hop_samples: int
    phoneme_type: str
    espeak_voice: str
    phoneme_ids: Mapping[str, Sequence[int]]
    vowel_clusters: tuple[tuple[str, ...], ...]
    speakers: Mapping[str, int]  # name -> row of the speaker embedding; empty: one speaker
    noise_scale: float
    length_scale: float
    noise_w: float

    @classmethod
    def read(cls, path: Path) -> VoiceConfig:
        """Read a configuration.

        Raises:
            WeightsError: the file is no voice configuration, or of no known kind.
        """
        try:
            config = cls._parse(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(
                f"{path}: not the configuration of a Piper voice: {error!r}"
            ) from None
        if config.phoneme_type not in PHONEME_TYPES or config.espeak_voice == ARABIC:
            kind = f"{config.phoneme_type} phonemes of {config.espeak_voice!r}"
            raise WeightsError(f"{path}: {kind} are not supported")
        return config

    @property
    def takes_sounds(self) -> bool:
        """Tell whether the voice speaks phonemes, and no letters."""
        return self.phoneme_type == "espeak"

    @classmethod
    def _parse(cls, said: Mapping[str, Any]) -> VoiceConfig:
        espeak_voice = said["espeak"]["voice"]
        inference = said.get("inference", {})
        speakers = dict(said.get("speaker_id_map", {}))
        if said["num_speakers"] > 1 and not speakers:
            speakers = {str(row): row for row in range(said["num_speakers"])}
        return cls(
            language=said.get("language", {}).get("family") or espeak_voice.split("-")[0],
            sample_rate_hz=int(said["audio"]["sample_rate"]),
            hop_samples=int(said.get("hop_length", DEFAULT_HOP_SAMPLES)),
            phoneme_type=said.get("phoneme_type", "espeak"),
            espeak_voice=espeak_voice,
            phoneme_ids=said["phoneme_id_map"],
            vowel_clusters=tuple(tuple(cluster) for cluster in said.get("vowel_clusters", ())),
            speakers=speakers if said["num_speakers"] > 1 else {},
            noise_scale=float(inference.get("noise_scale", 0.667)),
            length_scale=float(inference.get("length_scale", 1.0)),
            noise_w=float(inference.get("noise_w", 0.8)),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One sentence of a batch, ready for the network."""

    ids: Sequence[int]
    speaker: int


class PiperVoice:
    """A loaded voice file: one or several speakers on one network."""

    def __init__(
        self,
        onnx_path: Path,
        config: VoiceConfig,
        threads: int,
        providers: list[tuple[str, dict[str, int]]],
    ) -> None:
        """Open a voice.

        Raises:
            WeightsError: a library is missing or the file is no Piper voice.
        """
        self.config = config
        self._phonemize: Callable[[str, Sequence[str]], list[str]] = (
            Phonemizer(config.espeak_voice, config.vowel_clusters)
            if config.takes_sounds
            else lambda text, _: list(unicodedata.normalize("NFD", text))
        )
        self._session: onnxruntime.InferenceSession = open_session(
            onnx_path, threads, providers, lengths_vary=True, edited=batchable(onnx_path)
        )
        self._audio = self._session.get_outputs()[0].name

    @property
    def providers(self) -> list[str]:
        """Return the providers that the session got, the preferred one first."""
        providers: list[str] = self._session.get_providers()
        return providers

    def phonemes(self, text: str, sounds: Sequence[str] = ()) -> list[str]:
        """Return the phonemes that this voice knows; empty if there is nothing to speak."""
        return [p for p in self._phonemize(text, sounds) if p in self.config.phoneme_ids]

    def ids(self, phonemes: Sequence[str]) -> list[int]:
        """Return Piper's sequence: begin, each phoneme, a blank after each of these, then end."""
        table = self.config.phoneme_ids
        ids = [*table["^"], *table["_"]]
        for phoneme in phonemes:
            ids += [*table[phoneme], *table["_"]]
        return [*ids, *table["$"]]

    def synthesise(
        self, rows: Sequence[Row], *, noise_scale: float, noise_w: float
    ) -> list[NDArray[np.float32]]:
        """Speak a padded batch of rows, at the voice's own speed.

        Args:
            rows: at least one.
            noise_scale: standard deviation of the noise of the sound; 0: always the same sound.
            noise_w: standard deviation of the noise of the durations; 0: always the same rhythm.

        Returns:
            For each row float32 [n] at ``config.sample_rate_hz``, cut to its own length: the sum
            of its phonemes' frames. Behind it the network hums at -30 dB.
        """
        lengths = np.array([len(row.ids) for row in rows], np.int64)
        ids = np.zeros((len(rows), lengths.max()), np.int64)
        for padded, row in zip(ids, rows, strict=True):
            padded[: len(row.ids)] = row.ids
        feed = {
            "input": ids,
            "input_lengths": lengths,
            "scales": np.array([noise_scale, self.config.length_scale, noise_w], np.float32),
        }
        if self.config.speakers:
            feed["sid"] = np.array([row.speaker for row in rows], np.int64)
        audio, durations = self._session.run([self._audio, DURATIONS], feed)
        samples = durations.sum(axis=(1, 2)).astype(np.int64) * self.config.hop_samples
        audio = audio.reshape(len(rows), -1)
        return [row[:end].copy() for row, end in zip(audio, samples, strict=True)]
