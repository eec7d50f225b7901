"""Parakeet, Canary, Zipformer and GigaAM on ONNX Runtime, through the library onnx-asr."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.asr.decoding import join_text
from models.asr.onnx_asr.answers import segments_of
from models.asr.onnx_asr.options import Options
from models.asr.row import refuse_bad
from models.audio.samples import loudness_dbfs, to_float32
from models.devices import device
from models.errors import DragomanError, InvalidRequest
from models.runtime import Engine, ItemError, RuntimeSettings, RuntimeSpec
from models.text.detection import LanguageDetector
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AsrItem, Transcript
from models.weights.source import licence, resolve

if TYPE_CHECKING:
    from models.asr.onnx_asr.library import Recogniser

# Of repositories as onnx-asr publishes them.
FILES = (
    *("*.onnx", "*.onnx.data", "*.onnx_data", "*.ort"),
    *("config.json", "vocab.txt", "*_vocab.txt", "*tokens.txt"),
)
LEAST_SAMPLES = SAMPLE_RATE_HZ // 2  # shorter audio is padded: encoders need some frames
WARM_UP_S = (2.0, 10.0)
Spoken: TypeAlias = tuple[str | None, str | None]  # language that is heard, and that is written


class OnnxAsr:
    """Recognises with any transducer, CTC model or Canary in a layout of onnx-asr (MIT).

    Features and the encoder take a batch at once, and so does Canary's decoder. The library decodes
    the rows of a transducer one after another.

    Decoding is greedy, without a prompt and without a prefix: an item that asks for more is
    refused. Parakeet v3 hears 25 languages but does not name them; where nobody else does, the
    letters of its text tell the language. Canary must be told the language, writes no times of
    words, and also translates to English.
    """

    engine = Engine("asr", Options, "onnxruntime", FILES)

    def __init__(self, settings: RuntimeSettings, options: Options) -> None:
        self._settings, self._options = settings, options
        self._recogniser: Recogniser | None = None
        self._detector: LanguageDetector | None = None

    def load(self) -> tuple[RuntimeSpec, device.DeviceReport]:
        import onnxruntime

        from models.asr.onnx_asr.library import Recogniser

        started_s = time.perf_counter()
        settings, options = self._settings, self._options
        source = resolve(settings.weights, settings.sha256, settings.files)
        folder = source.folder(source.names(settings.files or FILES))
        self._recogniser = Recogniser(folder, options, settings.device)
        if len(options.spoken) > 1 and not self._recogniser.is_canary:
            self._detector = LanguageDetector()
        spec = RuntimeSpec(
            kind="asr",
            engine="onnx-asr",
            weights=settings.weights,
            licence=options.licence or licence(settings.weights),
            languages=options.spoken,
            takes_prompt=False,
        )
        return spec, device.report(
            settings.device,
            self._recogniser.device,
            library=f"onnxruntime {onnxruntime.__version__}",
            precision=options.quantization or "float32",
            load_s=time.perf_counter() - started_s,
        )

    def warm_up(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, int(max(WARM_UP_S) * SAMPLE_RATE_HZ))
        for length_s in WARM_UP_S:
            samples = noise[: int(min(length_s, self._options.longest_s) * SAMPLE_RATE_HZ)]
            self.run([AsrItem(samples.astype(np.float32), self._options.spoken[0])])

    def run(self, batch: Sequence[AsrItem]) -> list[Transcript | ItemError]:
        """Transcribe each item. Near-silent audio gives an empty Transcript.

        Item errors:
            InvalidRequest: samples are no finite mono audio, or the item asks for what the model
                does not do: a prefix, a prompt, a beam, a temperature above 0, a translation, times
                of words, or to find the language.
            TooLarge: the audio is longer than ``longest_s``.
            UnknownLanguage: a language that the model does not hear.
        """
        results: dict[int, Transcript | ItemError] = {}
        groups: defaultdict[Spoken, dict[int, AsrItem]] = defaultdict(dict)
        for place, item in enumerate(batch):
            try:
                self._refuse(item)
            except DragomanError as error:
                results[place] = ItemError(error)
                continue
            known = self._without_hearing(item)
            if known is None:
                groups[self._spoken(item)][place] = item
            else:
                results[place] = known
        for spoken, items in groups.items():
            results |= zip(items, self._heard(list(items.values()), spoken), strict=True)
        return [results[place] for place in range(len(batch))]

    def close(self) -> None:
        self._recogniser = self._detector = None

    @property
    def _loaded(self) -> Recogniser:
        assert self._recogniser is not None, "load() first"
        return self._recogniser

    def _refuse(self, item: AsrItem) -> None:
        """Refuse what this model does not do. Raises InvalidRequest, TooLarge, UnknownLanguage."""
        refuse_bad(item, self._options.longest_s, self._options.spoken)
        is_canary, name = self._loaded.is_canary, self._options.model
        is_told = item.language is not None or item.task == "detect"
        refused = {
            "prefix": item.prefix is not None,
            "prompt": bool(item.prompt and item.prompt.strip()),
            "beam_size": (item.beam_size or 1) > 1,
            "temperature": (item.temperature or 0) > 0,
            "task": item.task == "translate" and not is_canary,
            "word_timestamps": item.word_timestamps and is_canary,
            "language": is_canary and not is_told and len(self._options.spoken) > 1,
        }
        why = {
            "task": "it does not translate",
            "word_timestamps": "it tells no times of words",
            "language": "it must be told the language",
            "temperature": "it takes none above 0",
            "beam_size": "it is greedy: 1",
        }
        for param, is_refused in refused.items():
            if is_refused:
                message = f"the model {name}: {why.get(param, f'it takes no {param}')}"
                raise InvalidRequest(message, param=param)

    def _language_of(self, item: AsrItem) -> str | None:
        """Return the language, where it is named or there is only one."""
        spoken = self._options.spoken
        return item.language or (spoken[0] if len(spoken) == 1 else None)

    def _without_hearing(self, item: AsrItem) -> Transcript | None:
        """Answer what needs no model: silence, and which language where that is known, or cannot
        be told.
        """
        language, is_detected = self._language_of(item), item.task == "detect"
        if loudness_dbfs(item.samples) < self._options.silence_dbfs:
            return Transcript("", language or UNDETERMINED, 1.0 if language else 0.0, ())
        if is_detected and language is not None:
            return Transcript("", language, 1.0, (), ((language, 1.0),))
        if is_detected and self._loaded.is_canary:
            return Transcript("", UNDETERMINED, 0.0, ())
        return None

    def _spoken(self, item: AsrItem) -> Spoken:
        """Return what the items of one pass have in common."""
        if not self._loaded.is_canary:
            return None, None
        language = self._language_of(item)
        return language, "en" if item.task == "translate" else language

    def _heard(self, items: Sequence[AsrItem], spoken: Spoken) -> list[Transcript]:
        said = self._loaded.recognise([_padded(item) for item in items], *spoken)
        transcripts = []
        for item, each in zip(items, said, strict=True):
            language = self._language_of(item)
            found = ((language, 1.0),) if language else self._languages(each.text, item.languages)
            language, probability = found[0] if found else (UNDETERMINED, 0.0)
            written = spoken[1] or language
            segments = segments_of(each, item, written)
            segments = tuple(replace(segment, language=language) for segment in segments)
            languages = () if item.language else found
            if item.task == "detect":
                transcripts.append(Transcript("", language, probability, (), languages))
                continue
            text = join_text(segments, written)
            transcripts.append(Transcript(text, language, probability, segments))
        return transcripts

    def _languages(self, text: str, among: Sequence[str]) -> tuple[tuple[str, float], ...]:
        """Tell the model's languages that a text may be in, the likeliest first."""
        assert self._detector is not None, "load() first"
        allowed = set(among) & set(self._options.spoken) or set(self._options.spoken)
        found = {
            each.code: each.probability
            for each in self._detector.languages(text)
            if each.code in allowed
        }
        whole = sum(found.values())
        return tuple((code, share / whole) for code, share in found.items()) if whole else ()


def _padded(item: AsrItem) -> NDArray[np.float32]:
    """Return samples [n] in float32, at least ``LEAST_SAMPLES``."""
    samples = to_float32(item.samples)
    return np.pad(samples, (0, max(0, LEAST_SAMPLES - len(samples))))
