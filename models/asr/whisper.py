"""Whisper on CTranslate2, batched: transcription, translation to English, language detection."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.asr.decoding import (
    FRAMES_PER_S,
    MAX_NEW_TOKENS,
    Attempt,
    Query,
    Stretch,
    add_words,
    decode,
    join_text,
    segments_of,
    smallest_window_s,
    split,
    window_capacities_s,
)
from models.asr.language_detection import detect_languages
from models.asr.model import LoadedWhisper, model_folder, open_whisper
from models.asr.options import LONGEST_WINDOW_S, Options
from models.asr.repeats import is_said_twice
from models.asr.row import FRAME_SAMPLES, Row, padded, refuse_bad
from models.audio.samples import loudness_dbfs
from models.devices import device
from models.errors import DragomanError, TooLarge
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AsrItem, Transcript
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    import ctranslate2
    from faster_whisper.tokenizer import Tokenizer


MOST_FORCED_TOKENS = MAX_NEW_TOKENS // 2  # room for as many new ones

FILES = (
    *("config.json", "tokenizer.json", "preprocessor_config.json"),
    *("model.bin", "vocabulary.*"),
)


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
        folder = model_folder(resolve(settings.weights, settings.sha256, settings.files))
        self._model, got = open_whisper(folder, options.compute_type, settings.device)
        spec = RuntimeSpec(
            kind="asr",
            engine="whisper",
            weights=settings.weights,
            licence=licence(settings.weights),
            languages=self._model.languages,
            length_buckets=window_capacities_s(options.windows_s, options.margin_s),
            takes_prefix=True,
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
        """Run each window once on noise, and discard the results."""
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
        rows: list[Row] = []
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

    def _tokenizer(self, row: Row) -> Tokenizer:
        return self._loaded.tokenizer(row.language or "en", row.item.task)

    def _row(self, index: int, item: AsrItem) -> Row:
        model, longest_s = self._loaded, self._options.windows_s[-1]
        refuse_bad(item, longest_s, model.languages)
        language = item.language if model.is_multilingual else "en"
        # Text that stops too early in a long window can be continued only from a time.
        timed = item.timestamps or item.word_timestamps or item.length > self._capacities_s[0]
        row = Row(index, item, model.features(item.samples), language, timed)
        if item.prefix is not None:
            row.timestamps, row.forced = False, self._forced(item.prefix)
        if item.prompt and item.prompt.strip():
            row.history += model.tokens(" " + item.prompt.strip())
        return row

    def _forced(self, prefix: str) -> tuple[int, ...]:
        tokens = self._loaded.tokens(prefix) if prefix.strip() else []
        if len(tokens) > MOST_FORCED_TOKENS:
            message = f"{len(tokens)} tokens; at most {MOST_FORCED_TOKENS} are taken"
            raise TooLarge(message, param="prefix")
        return tuple(tokens)

    @property
    def _capacities_s(self) -> tuple[float, ...]:
        return window_capacities_s(self._options.windows_s, self._options.margin_s)

    def _has_speech_left(self, row: Row) -> bool:
        if not row.has_speech_left:
            return False
        rest = row.item.samples[row.frame * FRAME_SAMPLES :]
        return loudness_dbfs(rest) >= self._options.silence_dbfs

    def _by_window(self, rows: Sequence[Row]) -> dict[float, list[Row]]:
        """Group rows by the window that each needs by itself."""
        groups: defaultdict[float, list[Row]] = defaultdict(list)
        for row in rows:
            left_s = row.frames_left / FRAMES_PER_S
            own_s = smallest_window_s(self._options.windows_s, self._options.margin_s, left_s)
            groups[max(own_s, row.least_window_s)].append(row)
        return groups

    def _detect(self, rows: Sequence[Row]) -> None:
        """Set the languages of rows whose task is detection."""
        for window_s, alike in self._by_window(list(filter(self._has_speech_left, rows))).items():
            encoded = self._loaded.encode(padded(alike, round(window_s * FRAMES_PER_S)))
            detect_languages(self._loaded, self._search, alike, encoded)

    def _decode_windows(self, rows: list[Row], window_s: float) -> None:
        """Decode the next window of each row, and move each row past the decoded part."""
        encoded = self._loaded.encode(padded(rows, round(window_s * FRAMES_PER_S)))
        detect_languages(self._loaded, self._search, rows, encoded)
        attempts = self._decode(rows, encoded)
        stretches: dict[int, Stretch] = {}  # by position in rows
        for position, (row, attempt) in enumerate(zip(rows, attempts, strict=True)):
            if self._thresholds.is_silence(attempt):
                row.frame += row.frames_left
            elif attempt.is_cut and not row.timestamps and not row.is_once:
                row.timestamps = True  # decode again: only times tell where to go on
            elif self._goes_round(row, attempt, window_s):
                row.least_window_s = next(w for w in self._options.windows_s if w > window_s)
            else:
                stretches[position] = self._stretch(row, attempt)
        self._align(rows, stretches, encoded)
        for position, stretch in stretches.items():
            self._append(rows[position], attempts[position], stretch)

    def _goes_round(self, row: Row, attempt: Attempt, window_s: float) -> bool:
        """Tell whether a text is written twice and must be decoded in a larger window.

        A text that is written twice there, too, was said twice.
        """
        if row.is_once or row.least_window_s or window_s >= self._options.windows_s[-1]:
            return False
        text = self._tokenizer(row).decode(list(attempt.tokens))
        return is_said_twice(text) or (bool(row.segments) and row.repeats(text))

    def _stretch(self, row: Row, attempt: Attempt) -> Stretch:
        return split(
            self._loaded.whisper,
            self._tokenizer(row),
            [*row.forced, *attempt.tokens],
            frame=row.frame,
            frames=row.frames_left,
        )

    def _decode(self, rows: list[Row], encoded: ctranslate2.StorageView) -> list[Attempt]:
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
                    forced=row.forced,
                    beam_size=row.item.beam_size,
                    may_be_empty=row.is_once,
                )
            )

        def generate(positions: list[int], temperature: float) -> list[Attempt]:
            asked = [queries[position] for position in positions]
            return model.generate(
                encoded,
                positions,
                [query.prompt for query in asked],
                self._search.with_beam(asked[0].beam_size),
                temperature,
                [query.forced for query in asked],
                may_be_empty=asked[0].may_be_empty,
            )

        return decode(queries, generate, self._thresholds)

    def _align(
        self, rows: list[Row], stretches: dict[int, Stretch], encoded: ctranslate2.StorageView
    ) -> None:
        """Put words into the stretches that need them, one language and task at a time."""
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

    def _append(self, row: Row, attempt: Attempt, stretch: Stretch) -> None:
        language = row.language or UNDETERMINED
        said = segments_of(
            stretch,
            attempt,
            self._tokenizer(row),
            row.item.length,
            language=language,
            word_timestamps=row.item.word_timestamps,
        )
        if row.is_once:
            text = self._tokenizer(row).decode(list(attempt.tokens))
            row.segments = [replace(segment, text=text) for segment in said]
            row.frame += row.frames_left
            return
        is_first = not row.segments
        if not is_first and row.repeats(join_text(said, row.written_in)):
            row.frame += row.frames_left
            return
        row.segments += said
        if attempt.temperature > self._options.prompt_reset_temperature:
            row.history.clear()
        else:
            row.history += [token for segment in said for token in segment.tokens]
        row.frame = row.frame_to_go_on_from(stretch, said)
