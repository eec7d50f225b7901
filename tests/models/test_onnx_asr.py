"""The engine onnx-asr on small models of random values, beside the library one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.asr.onnx_asr.engine import OnnxAsr
from models.asr.onnx_asr.options import Options
from models.audio.samples import to_float32
from models.contract.checks import check_engine
from models.devices.device import DeviceRequest
from models.errors import WeightsError
from models.registry import find_engine
from models.runtime import ItemError, RuntimeSettings
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AsrItem, Transcript
from tests.support.published import onnx_asr as published
from tests.support.speech import clips

Build = Callable[[Path], None]
LAYOUTS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "nemo-conformer-ctc": (published.nemo_ctc, ("en",)),
    "nemo-conformer-tdt": (published.nemo_tdt, ("en", "de", "pt")),
    "nemo-conformer-aed": (published.canary, ("en", "de")),
    "kaldi-rnnt": (published.kaldi, ("en",)),
}


@dataclass(frozen=True)
class Opened:
    layout: str
    folder: Path
    settings: RuntimeSettings
    runtime: OnnxAsr

    def item(self, samples: NDArray[Any], **given: Any) -> AsrItem:
        """Ask for the words, and name the language."""
        asked = {"word_timestamps": self.layout != "nemo-conformer-aed", **given}
        return AsrItem(samples, LAYOUTS[self.layout][1][0], **asked)


def opened(layout: str, folder: Path) -> Opened:
    build, languages = LAYOUTS[layout]
    build(folder)
    options: dict[str, Any] = {"model": layout, "languages": languages}
    settings = RuntimeSettings("asr", f"path:{folder}", DeviceRequest("cpu", threads=1), options)
    runtime = OnnxAsr(settings, Options(**options))
    runtime.load()
    return Opened(layout, folder, settings, runtime)


@pytest.fixture(scope="module", params=LAYOUTS)
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def tdt(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened("nemo-conformer-tdt", tmp_path_factory.mktemp("tdt"))


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened("nemo-conformer-aed", tmp_path_factory.mktemp("canary"))


@pytest.fixture(scope="module")
def speech() -> list[NDArray[np.int16]]:
    """Five clips of 1 to 5 s."""
    lengths = (5.0, 1.0, 3.3, 2.0, 4.1)
    pairs = zip(clips(), lengths, strict=False)
    return [clip.samples()[: int(length * SAMPLE_RATE_HZ)] for clip, length in pairs]


def transcripts(results: list[Transcript | ItemError]) -> list[Transcript]:
    assert all(isinstance(result, Transcript) for result in results), results
    return [result for result in results if isinstance(result, Transcript)]


def test_it_keeps_the_contract(each: Opened) -> None:
    checks = check_engine(find_engine("onnx-asr"), each.settings)

    assert [check for check in checks if check.status == "failed"] == []


def test_texts_and_times_are_those_of_the_library(
    each: Opened, speech: list[NDArray[np.int16]]
) -> None:
    import onnx_asr

    library = onnx_asr.load_model(each.layout, each.folder).with_timestamps()
    language: Any = {"language": "en"} if each.layout == "nemo-conformer-aed" else {}

    ours = transcripts(each.runtime.run([each.item(samples) for samples in speech]))

    for samples, transcript in zip(speech, ours, strict=True):
        theirs = library.recognize(to_float32(samples), **language)
        assert transcript.text.split() == theirs.text.split()
        starts = [w.start_s for s in transcript.segments for w in s.words or ()]
        assert set(starts) <= set(theirs.timestamps or [])
        assert bool(starts) == (theirs.timestamps is not None)


def test_an_item_in_a_batch_is_as_alone(each: Opened, speech: list[NDArray[np.int16]]) -> None:
    items = [each.item(samples) for samples in speech]

    together = transcripts(each.runtime.run(items))

    alone = [transcripts(each.runtime.run([item]))[0] for item in items]
    assert [t.text for t in together] == [t.text for t in alone]
    assert len({t.text for t in alone}) == len(items)


def test_words_lie_in_order_within_the_audio(tdt: Opened, speech: list[NDArray[np.int16]]) -> None:
    (transcript,) = transcripts(tdt.runtime.run([tdt.item(speech[0])]))

    words = [word for segment in transcript.segments for word in segment.words or ()]
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= len(speech[0]) / SAMPLE_RATE_HZ
    assert "".join(word.text for word in words).split() == transcript.text.split()


def test_the_letters_tell_the_language_that_nobody_names(
    tdt: Opened, speech: list[NDArray[np.int16]]
) -> None:
    item = replace(tdt.item(speech[0]), language=None)

    heard, told = transcripts(tdt.runtime.run([item, replace(item, task="detect")]))

    assert heard.language == told.language == told.languages[0][0]
    assert told.text == ""
    assert {code for code, _ in told.languages} <= {"en", "de", "pt"}


def test_canary_translates_to_english(canary: Opened, speech: list[NDArray[np.int16]]) -> None:
    import onnx_asr

    library = onnx_asr.load_model(canary.layout, canary.folder)
    samples = speech[0]
    item = AsrItem(samples, "de", task="translate")

    (ours,) = transcripts(canary.runtime.run([item]))

    theirs = library.recognize(to_float32(samples), language="de", target_language="en")
    assert (ours.text.split(), ours.language) == (theirs.split(), "de")


def test_canary_cannot_tell_a_language(canary: Opened, speech: list[NDArray[np.int16]]) -> None:
    (told,) = transcripts(canary.runtime.run([AsrItem(speech[0], task="detect")]))

    assert (told.language, told.languages) == (UNDETERMINED, ())


def test_silence_has_no_text(each: Opened) -> None:
    silence = np.zeros(SAMPLE_RATE_HZ, np.int16)

    (transcript,) = transcripts(each.runtime.run([each.item(silence)]))

    assert (transcript.text, transcript.segments) == ("", ())


def test_short_audio_is_heard(each: Opened, speech: list[NDArray[np.int16]]) -> None:
    transcripts(each.runtime.run([each.item(speech[0][n : n + 200]) for n in (0, 40_000)]))


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "prefix": ("nemo-conformer-tdt", {"prefix": " Good"}, "prefix"),
    "prompt": ("nemo-conformer-tdt", {"prompt": "Dragoman"}, "prompt"),
    "beam": ("nemo-conformer-tdt", {"beam_size": 5}, "beam_size"),
    "temperature": ("nemo-conformer-tdt", {"temperature": 0.4}, "temperature"),
    "translate": ("nemo-conformer-tdt", {"task": "translate"}, "task"),
    "language": ("nemo-conformer-tdt", {"language": "ja"}, "language"),
    "canary-words": ("nemo-conformer-aed", {"word_timestamps": True}, "word_timestamps"),
    "canary-no-language": ("nemo-conformer-aed", {"language": None}, "language"),
}


@pytest.mark.parametrize(("layout", "given", "param"), REFUSED.values(), ids=REFUSED)
def test_what_a_model_does_not_do_is_refused(
    tdt: Opened,
    canary: Opened,
    speech: list[NDArray[np.int16]],
    layout: str,
    given: dict[str, Any],
    param: str,
) -> None:
    on = canary if layout == canary.layout else tdt
    good = on.item(speech[1])

    refused, answered = on.runtime.run([replace(good, **given), good])

    assert isinstance(refused, ItemError)
    assert refused.error.param == param
    assert isinstance(answered, Transcript)


@pytest.fixture
def incomplete(tmp_path: Path) -> Path:
    published.nemo_tdt(tmp_path)
    (tmp_path / "decoder_joint-model.onnx").unlink()
    return tmp_path


def test_a_missing_file_is_named(incomplete: Path) -> None:
    options = Options("nemo-conformer-tdt", ("en",))
    settings = RuntimeSettings("asr", f"path:{incomplete}", DeviceRequest("cpu"))

    with pytest.raises(WeightsError, match="decoder_joint-model"):
        OnnxAsr(settings, options).load()
