"""Recognise speech, translate it to English, tell its language: Whisper on CTranslate2, batched."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.asr.decoding import (
    FRAMES_PER_S,
    Attempt,
    Query,
    Stretch,
    Thresholds,
    add_words,
    decode,
    join_text,
    segments_of,
    smallest_window_s,
    split,
    window_capacities_s,
)
from models.asr.model import (
    LoadedWhisper,
    Search,
    model_folder,
    open_whisper,
)
from models.asr.repeats import is_said_twice, repeats_the_end
from models.asr.spoken_languages import Languages, is_clear, to_try
from models.audio.samples import loudness_dbfs
from models.devices import device
from models.devices.ctranslate import ComputeType
from models.errors import DragomanError, InvalidRequest, TooLarge, UnknownLanguage
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AsrItem, Segment, Transcript
from models.weights import source as weights

if TYPE_CHECKING:
    import ctranslate2
    from faster_whisper.tokenizer import Tokenizer

LONGEST_WINDOW_S = 30.0  # Whisper's encoder has positions for no more
FRAME_SAMPLES = SAMPLE_RATE_HZ // FRAMES_PER_S  # 160
LEAST_REST_S = 0.5  # of audio behind what was said: in less Whisper invents words
# Of speech behind a text that Whisper took for the end; its times and the VAD's differ by less.
LEAST_SPEECH_S = 1.0
REPEAT_SHARE = 0.6  # of a text's time: what is said again takes about as long as the first time


FILES = (
    *("config.json", "tokenizer.json", "preprocessor_config.json"),
    *("model.bin", "vocabulary.*"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """Set how Whisper decodes. Defaults are faster-whisper's.

    A row is padded to the smallest window that holds its audio and ``margin_s``. Without a
    margin, and in windows of 5 s with any margin, Whisper repeats itself past the end of
    speech (`bench.asr_windows` and `bench.said` show it). A text that is said twice in one
    window is decoded once more in the next larger one.
    """

    compute_type: ComputeType = "auto"
    """Type of weights and activations. auto: int8 on a CPU; on CUDA float16, or float32 where the
    GPU has no fast float16."""
    windows_s: tuple[float, ...] = (10.0, 20.0, 30.0)
    """Lengths of the windows in seconds, ascending, above margin_s, at most 30."""
    margin_s: float = 1.5
    """Seconds of silence after speech, in every window but the largest."""
    beam_size: int = 5
    """Hypotheses of a beam at temperature 0, at least 1."""
    best_of: int = 5
    """Samples of which the likeliest is taken, at temperatures above 0; at least 1."""
    patience: float = 1.0
    """Factor of beam_size that says how many hypotheses end before a beam does."""
    length_penalty: float = 1.0
    """Exponent of the length that a hypothesis's score is divided by."""
    repetition_penalty: float = 1.0
    """Factor by which a token that came already gets less likely. 1: none."""
    no_repeat_ngram_size: int = 0
    """Tokens of a sequence that may not come twice. 0: any may."""
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Temperatures that are tried in this order until a text passes the thresholds; none below
    0."""
    compression_ratio_threshold: float = 2.4
    """Compression ratio above which a text repeats itself and is decoded again."""
    log_prob_threshold: float = -1.0
    """Mean log probability, in nats a token, below which a text is decoded again."""
    no_speech_threshold: float = 0.6
    """Probability of no speech above which an unlikely text is dropped."""
    max_initial_timestamp_s: float = 1.0
    """Most seconds before the first timestamp of a window."""
    prompt_reset_temperature: float = 0.5
    """Temperature above which a text is no prompt for what follows it."""
    silence_dbfs: float = -60.0
    """Level in dBFS below which the loudest 30 ms of an audio hold no speech."""

    def __post_init__(self) -> None:
        windows_s = self.windows_s
        if not windows_s or list(windows_s) != sorted(set(windows_s)):
            raise ValueError("windows_s: expected window lengths in ascending order")
        if windows_s[0] <= self.margin_s or windows_s[-1] > LONGEST_WINDOW_S:
            raise ValueError("windows_s: expected lengths above margin_s, up to 30 s")
        if not self.temperatures or min(self.temperatures) < 0:
            raise ValueError("temperatures: expected at least one, none below 0")
        if min(self.beam_size, self.best_of) < 1:
            raise ValueError("beam_size, best_of: expected at least 1")

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(
            compression_ratio=self.compression_ratio_threshold,
            log_prob=self.log_prob_threshold,
            no_speech=self.no_speech_threshold,
        )

    @property
    def search(self) -> Search:
        return Search(
            beam_size=self.beam_size,
            best_of=self.best_of,
            patience=self.patience,
            length_penalty=self.length_penalty,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            max_initial_timestamp_s=self.max_initial_timestamp_s,
        )


@dataclass(slots=True)
class _Row:
    """One item on its way through ``run``."""

    index: int  # in the batch
    item: AsrItem
    features: NDArray[np.float32]  # [mels, frames] of its audio, without padding
    language: str | None
    timestamps: bool  # Whisper writes the times between its words
    probability: float = 1.0  # of the language
    languages: Languages = ()  # what detection found, where only that is asked for
    least_window_s: float = 0.0  # for what Whisper said twice in a smaller one
    frame: int = 0  # up to here it is decoded
    history: list[int] = field(default_factory=list)  # tokens of the prompt and of what was said
    segments: list[Segment] = field(default_factory=list)

    @property
    def frames_left(self) -> int:
        return int(self.features.shape[1]) - self.frame

    def transcript(self) -> Transcript:
        language = self.language or UNDETERMINED
        written_in = "en" if self.item.task == "translate" else language
        return Transcript(
            text=join_text(self.segments, written_in),
            language=language,
            language_probability=self.probability if self.language else 0.0,
            segments=tuple(self.segments),
            languages=self.languages,
        )

    @property
    def has_speech_left(self) -> bool:
        """Whether something may be said behind what is decoded."""
        if self.frame == 0:
            return self.frames_left > 0
        if self.item.speech:
            return self.speech_left_s(self.frame) >= LEAST_REST_S
        return self.frames_left >= LEAST_REST_S * FRAMES_PER_S

    def speech_left_s(self, frame: int) -> float:
        """Count the speech behind a frame, as the VAD heard it."""
        at_s = frame / FRAMES_PER_S
        return sum(max(0.0, span.end_s - max(at_s, span.start_s)) for span in self.item.speech)


class WhisperAsr:
    """Whisper (Radford et al. 2022, https://arxiv.org/abs/2212.04356; weights MIT).

    Loads folders, snapshots and packages of faster-whisper's layout, with 80 or 128 mels,
    multilingual or English only. One batch may mix languages, tasks, prompts and
    temperatures. At temperature 0 an item's text does not depend on its neighbours, since each
    is heard in the window that it needs; above 0 it is sampled.
    """

    engine = Engine("asr", Options, "ctranslate2", FILES)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._thresholds, self._search = options.thresholds, options.search
        self._model: LoadedWhisper | None = None

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import ctranslate2

        started_s = time.perf_counter()
        settings, options = self._settings, self._options
        folder = model_folder(weights.resolve(settings.weights, settings.sha256, settings.files))
        self._model, got = open_whisper(folder, options.compute_type, settings.device)
        spec = RuntimeSpec(
            kind="asr",
            engine="whisper",
            weights=settings.weights,
            licence=weights.licence(settings.weights),
            languages=self._model.languages,
            length_buckets=window_capacities_s(options.windows_s, options.margin_s),
        )
        report = device.report(
            settings.device,
            got,
            library=f"ctranslate2 {ctranslate2.__version__}",
            precision=self._model.precision,
            load_s=time.perf_counter() - started_s,
        )
        return spec, report

    def warm_up(self) -> None:
        """Run each window once, on noise: what it says is thrown away."""
        noise = np.random.default_rng(0).normal(0, 0.1, int(LONGEST_WINDOW_S * SAMPLE_RATE_HZ))
        for capacity_s in window_capacities_s(self._options.windows_s, self._options.margin_s):
            samples = noise[: int(capacity_s * SAMPLE_RATE_HZ)].astype(np.float32)
            self.run([AsrItem(samples, language="en", temperature=0.0)])

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
        self._model = None

    def run(self, batch: Sequence[AsrItem]) -> list[Transcript | ItemError]:
        """Transcribe (or translate to English) each item.

        Near-silent audio gives an empty Transcript, of language "und" where none was named.

        Item errors:
            InvalidRequest: samples are no finite mono audio, or a temperature is below 0.
            TooLarge: the audio is longer than the longest window.
            UnknownLanguage: a language that these weights do not know.
        """
        results: dict[int, Transcript | ItemError] = {}
        rows: list[_Row] = []
        for index, item in enumerate(batch):
            try:
                rows.append(self._row(index, item))
            except DragomanError as error:
                results[index] = ItemError(error)
        self._detect([row for row in rows if row.item.task == "detect" and row.language is None])
        active = [row for row in rows if row.item.task != "detect"]
        while active := [row for row in active if self._has_speech_left(row)]:
            for window_s, alike in self._by_window(active).items():
                self._decode_windows(alike, window_s)
        results |= {row.index: row.transcript() for row in rows}
        return [results[index] for index in range(len(batch))]

    @property
    def _loaded(self) -> LoadedWhisper:
        if self._model is None:
            raise RuntimeError("load() was not called, or close() was")
        return self._model

    def _tokenizer(self, row: _Row) -> Tokenizer:
        return self._loaded.tokenizer(row.language or "en", row.item.task)

    def _row(self, index: int, item: AsrItem) -> _Row:
        model, longest_s = self._loaded, self._options.windows_s[-1]
        if item.samples.ndim != 1 or not np.isfinite(item.samples).all():
            raise InvalidRequest("audio must be mono, of finite samples", param="samples")
        if item.length > longest_s:
            message = f"audio of {item.length:.1f} s is longer than a window of {longest_s:g} s"
            raise TooLarge(message, param="samples")
        if item.language is not None and item.language not in model.languages:
            raise UnknownLanguage(f"unknown language {item.language!r}", param="language")
        if item.temperature is not None and not item.temperature >= 0:
            raise InvalidRequest("temperature must be 0 or more", param="temperature")
        language = item.language if model.is_multilingual else "en"
        # What stops too early in a long window can go on only from a time.
        timed = item.timestamps or item.word_timestamps or item.length > self._capacities_s[0]
        row = _Row(index, item, model.features(item.samples), language, timed)
        if item.prompt and item.prompt.strip():
            row.history += model.text_tokenizer.encode(" " + item.prompt.strip())
        return row

    @property
    def _capacities_s(self) -> tuple[float, ...]:
        return window_capacities_s(self._options.windows_s, self._options.margin_s)

    def _has_speech_left(self, row: _Row) -> bool:
        if not row.has_speech_left:
            return False
        rest = row.item.samples[row.frame * FRAME_SAMPLES :]
        return loudness_dbfs(rest) >= self._options.silence_dbfs

    def _by_window(self, rows: Sequence[_Row]) -> dict[float, list[_Row]]:
        """Group rows by the window that each needs: none is heard in its neighbour's."""
        groups: defaultdict[float, list[_Row]] = defaultdict(list)
        for row in rows:
            left_s = row.frames_left / FRAMES_PER_S
            own_s = smallest_window_s(self._options.windows_s, self._options.margin_s, left_s)
            groups[max(own_s, row.least_window_s)].append(row)
        return groups

    def _detect(self, rows: Sequence[_Row]) -> None:
        """Find the languages of rows that ask for nothing else."""
        for window_s, alike in self._by_window(list(filter(self._has_speech_left, rows))).items():
            encoded = self._loaded.encode(_padded(alike, round(window_s * FRAMES_PER_S)))
            self._detect_languages(alike, encoded)

    def _decode_windows(self, rows: list[_Row], window_s: float) -> None:
        """Decode the next window of each row, and move each row on behind what was said."""
        encoded = self._loaded.encode(_padded(rows, round(window_s * FRAMES_PER_S)))
        self._detect_languages(rows, encoded)
        attempts = self._decode(rows, encoded)
        stretches: dict[int, Stretch] = {}  # position in rows -> what was said there
        for position, (row, attempt) in enumerate(zip(rows, attempts, strict=True)):
            if self._thresholds.is_silence(attempt):
                row.frame += row.frames_left
            elif attempt.is_cut and not row.timestamps:
                row.timestamps = True  # once more: without times there is no place to go on from
            elif self._goes_round(row, attempt, window_s):
                row.least_window_s = next(w for w in self._options.windows_s if w > window_s)
            else:
                stretches[position] = self._stretch(row, attempt)
        self._align(rows, stretches, encoded)
        for position, stretch in stretches.items():
            self._append(rows[position], attempts[position], stretch)

    def _goes_round(self, row: _Row, attempt: Attempt, window_s: float) -> bool:
        """Tell whether to hear a text that is said twice once more, in a larger window.

        What is said twice there, too, is what somebody said.
        """
        if row.least_window_s or window_s >= self._options.windows_s[-1]:
            return False
        text = self._tokenizer(row).decode(list(attempt.tokens))
        return is_said_twice(text) or (bool(row.segments) and self._repeats(row, text))

    def _stretch(self, row: _Row, attempt: Attempt) -> Stretch:
        return split(
            self._loaded.whisper,
            self._tokenizer(row),
            attempt.tokens,
            frame=row.frame,
            frames=row.frames_left,
        )

    def _detect_languages(self, rows: list[_Row], encoded: ctranslate2.StorageView) -> None:
        """Tell the language of rows that name none; what is not clear is tried in several."""
        unknown = [position for position, row in enumerate(rows) if row.language is None]
        if not unknown:
            return
        found = self._loaded.detect_languages(encoded, unknown)
        doubtful = []
        for position, languages in zip(unknown, found, strict=True):
            row = rows[position]
            row.languages = languages
            row.language, row.probability = languages[0]
            if not is_clear(languages):
                doubtful.append(position)
        if doubtful:
            self._try_languages(rows, doubtful, encoded)

    def _try_languages(
        self, rows: list[_Row], doubtful: list[int], encoded: ctranslate2.StorageView
    ) -> None:
        """Take the language in which each row's text is likeliest, of those that it may be in."""
        model = self._loaded
        tried = [
            (position, language)
            for position in doubtful
            for language in to_try(
                rows[position].languages,
                known=rows[position].item.languages,
                allowed=rows[position].item.languages,
            )
        ]
        prompts = [
            model.whisper.get_prompt(
                model.tokenizer(language, "transcribe"), [], without_timestamps=True
            )
            for _, language in tried
        ]
        positions = [position for position, _ in tried]
        attempts = model.generate(encoded, positions, prompts, self._search, temperature=0.0)
        best: dict[int, float] = {}
        for (position, language), attempt in zip(tried, attempts, strict=True):
            if attempt.avg_logprob > best.get(position, -math.inf):
                best[position] = attempt.avg_logprob
                row = rows[position]
                row.language = language
                row.probability = dict(row.languages).get(language, 0.0)

    def _decode(self, rows: list[_Row], encoded: ctranslate2.StorageView) -> list[Attempt]:
        model = self._loaded
        queries = []
        for row in rows:
            own = row.item.temperature
            prompt = model.whisper.get_prompt(
                self._tokenizer(row), row.history, without_timestamps=not row.timestamps
            )
            queries.append(
                Query(
                    prompt=tuple(prompt),
                    temperatures=self._options.temperatures if own is None else (own,),
                    timestamps=row.timestamps,
                )
            )

        def generate(positions: list[int], temperature: float) -> list[Attempt]:
            prompts = [queries[position].prompt for position in positions]
            return model.generate(encoded, positions, prompts, self._search, temperature)

        return decode(queries, generate, self._thresholds)

    def _align(
        self, rows: list[_Row], stretches: dict[int, Stretch], encoded: ctranslate2.StorageView
    ) -> None:
        """Put words into the stretches of rows that ask for them, a language and task at a time."""
        groups: defaultdict[tuple[str | None, str], list[int]] = defaultdict(list)
        for position in stretches:
            if rows[position].item.word_timestamps:
                groups[rows[position].language, rows[position].item.task].append(position)
        for positions in groups.values():
            tokenizer = self._tokenizer(rows[positions[0]])
            said = [stretches[position].text_tokens(tokenizer.eot) for position in positions]
            frames = [rows[position].frames_left for position in positions]
            alignments = self._loaded.align(encoded, positions, tokenizer, said, frames)
            for position, alignment in zip(positions, alignments, strict=True):
                before = rows[position].segments
                last_speech_s = before[-1].end_s if before else 0.0
                add_words(stretches[position], tokenizer, alignment, last_speech_s)

    def _append(self, row: _Row, attempt: Attempt, stretch: Stretch) -> None:
        language = row.language or UNDETERMINED
        said = segments_of(
            stretch,
            attempt,
            self._tokenizer(row),
            row.item.length,
            language=language,
            word_timestamps=row.item.word_timestamps,
        )
        is_first = not row.segments
        if not is_first and self._repeats(row, join_text(said, language)):
            row.frame += row.frames_left
            return
        row.segments += said
        if attempt.temperature > self._options.prompt_reset_temperature:
            row.history.clear()
        else:
            row.history += [token for segment in said for token in segment.tokens]
        row.frame = self._behind(row, stretch, said)

    def _behind(self, row: _Row, stretch: Stretch, said: Sequence[Segment]) -> int:
        """Tell the frame to go on from; where the VAD heard more than was said, behind the text."""
        if said and row.timestamps:
            end = round(said[-1].end_s * FRAMES_PER_S)
            goes_on = row.speech_left_s(end) >= LEAST_SPEECH_S
            if goes_on and row.frame + LEAST_REST_S * FRAMES_PER_S <= end < stretch.next_frame:
                return end
        return stretch.next_frame

    def _repeats(self, row: _Row, text: str) -> bool:
        """Tell whether a text is only the end of what was said before, heard once more.

        Who says it twice takes about as long for it the second time.
        """
        before = join_text(row.segments, row.language or UNDETERMINED)
        if not repeats_the_end(before, text):
            return False
        last = row.segments[-1]
        left_s = row.speech_left_s(row.frame) or row.frames_left / FRAMES_PER_S
        share = min(1.0, len(text) / max(1, len(last.text)))
        return left_s < REPEAT_SHARE * share * (last.end_s - last.start_s)


def _padded(rows: Sequence[_Row], frames: int) -> NDArray[np.float32]:
    """The features that are left of all rows, padded with 0 as faster-whisper does."""
    batch = np.zeros((len(rows), rows[0].features.shape[0], frames), np.float32)
    for padded, row in zip(batch, rows, strict=True):
        padded[:, : row.frames_left] = row.features[:, row.frame :]
    return batch
