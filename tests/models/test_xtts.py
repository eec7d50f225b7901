"""XTTS on a small checkpoint of random values in the published layout, beside coqui's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio.samples import to_float32
from models.contract.checks import check_engine
from models.devices.device import DeviceRequest
from models.errors import WeightsError
from models.registry import find_engine
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.tts.level import CALIBRATION_TEXT, loudness_lufs
from models.tts.xtts.engine import Xtts
from models.tts.xtts.options import Options
from models.types import SAMPLE_RATE_HZ, SOURCE_VOICE, Samples, Speech, TtsItem
from tests.support.published import xtts as published
from tests.support.speech import clips

# librosa, which coqui imports, uses old modules of Python.
pytestmark = pytest.mark.filterwarnings(
    "ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning"
)
INT16_STEP = 1 / 32_768
SENTENCES = (
    ("Good morning.", "Claribel Dervla/en"),
    ("¿Dónde está la estación?", "Luis Moray/es"),
    ("The meeting begins at nine in the large room.", "Luis Moray/en"),
    ("Tenho 25 anos.", "Claribel Dervla/pt"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("xtts")
    published.build(path)
    return path


def open_runtime(folder: Path, **options: Any) -> tuple[Xtts, RuntimeSpec]:
    """At the voices' own level, unless ``options`` say another."""
    options = {"loudness_lufs": None, **options}
    settings = RuntimeSettings("tts", f"path:{folder}", DeviceRequest("cpu", threads=1))
    runtime = Xtts(settings, Options(**options))
    spec, _ = runtime.load()
    return runtime, spec


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Iterator[tuple[Xtts, RuntimeSpec]]:
    runtime, spec = open_runtime(folder)
    yield runtime, spec
    runtime.close()


@pytest.fixture(scope="module")
def runtime(loaded: tuple[Xtts, RuntimeSpec]) -> Xtts:
    return loaded[0]


@pytest.fixture(scope="module")
def coqui(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """coqui's own model, on a copy: loading may write to it."""
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts as CoquiXtts

    here = tmp_path_factory.mktemp("coqui")
    shutil.copytree(folder, here, dirs_exist_ok=True)
    config = XttsConfig()
    config.load_json(str(here / "config.json"))
    model = CoquiXtts(config)
    model.load_checkpoint(config, checkpoint_dir=str(here), eval=True)
    return model


@pytest.fixture(scope="module")
def clip() -> NDArray[np.int16]:
    return clips()[0].samples()[: 4 * SAMPLE_RATE_HZ]


def samples_of(results: Sequence[Speech | ItemError]) -> list[Samples]:
    assert all(isinstance(result, Speech) for result in results), results
    return [result.audio.samples for result in results if isinstance(result, Speech)]


def cloned(clip: Samples | None, language: str | None = "pt", text: str = "Quem fala?") -> TtsItem:
    return TtsItem(text, SOURCE_VOICE, language=language, reference=clip)


def test_it_keeps_the_contract(folder: Path) -> None:
    options = {"loudness_lufs": None}
    settings = RuntimeSettings("tts", f"path:{folder}", DeviceRequest("cpu", threads=1), options)

    checks = check_engine(find_engine("xtts"), settings)

    assert [check for check in checks if check.status == "failed"] == []


@pytest.mark.parametrize(("text", "voice"), SENTENCES, ids=["short", "es", "long", "number"])
def test_a_sentence_sounds_as_coqui_speaks_it(
    runtime: Xtts, coqui: Any, text: str, voice: str
) -> None:
    import torch

    speaker, language = voice.split("/")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        theirs = coqui.synthesize(text, speaker=speaker, language=language)["wav"]

    ours = to_float32(samples_of(runtime.run([TtsItem(text, voice)]))[0])

    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours, theirs.clip(-1, 1), atol=2 * INT16_STEP)


def test_a_clip_s_voice_is_coqui_s(
    runtime: Xtts, coqui: Any, clip: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the file: reading one takes FFmpeg's libraries."""
    import torch
    import torchaudio
    from TTS.tts.models import xtts as of_coqui

    def load(path: str, rate_hz: int) -> torch.Tensor:
        heard = torch.from_numpy(to_float32(clip))[None]
        resampled: torch.Tensor = torchaudio.functional.resample(heard, SAMPLE_RATE_HZ, rate_hz)
        return resampled.clip(-1, 1)

    monkeypatch.setattr(of_coqui, "load_audio", load)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        theirs = coqui.synthesize("Quem fala?", speaker_wav="clip.wav", language="pt")["wav"]

    ours = to_float32(samples_of(runtime.run([cloned(clip)]))[0])

    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours, theirs.clip(-1, 1), atol=2 * INT16_STEP)


def test_a_text_in_a_batch_sounds_as_alone(runtime: Xtts, clip: NDArray[np.int16]) -> None:
    batch = [*(TtsItem(text, voice) for text, voice in SENTENCES), cloned(clip)]

    together = samples_of(runtime.run(batch))

    alone = [samples_of(runtime.run([item]))[0] for item in batch]
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))
    assert len({samples.tobytes() for samples in alone}) == len(batch)


def test_a_seed_makes_another_sound(folder: Path, runtime: Xtts) -> None:
    item = TtsItem(*SENTENCES[2])
    other, _ = open_runtime(folder, seed=1)

    assert not np.array_equal(samples_of(runtime.run([item]))[0], samples_of(other.run([item]))[0])


def test_callers_random_numbers_are_left_alone(runtime: Xtts) -> None:
    import torch

    torch.manual_seed(7)
    before = torch.rand(1)
    torch.manual_seed(7)
    runtime.run([TtsItem(*SENTENCES[0])])

    assert torch.equal(torch.rand(1), before)


def test_a_long_text_is_spoken_in_pieces(runtime: Xtts) -> None:
    sentence = "The meeting begins at nine in the large room on the second floor. "

    short, long = samples_of(
        runtime.run([TtsItem(text, "Luis Moray/en") for text in (sentence, sentence * 6)])
    )

    assert len(long) > 3 * len(short)


def test_voices_and_licence(loaded: tuple[Xtts, RuntimeSpec]) -> None:
    _, spec = loaded
    voices = {(voice.id, voice.language) for voice in spec.voices}
    assert voices == {
        (f"{speaker}/{code}", code)
        for speaker in published.SPEAKERS
        for code in published.LANGUAGES
    }
    assert spec.cloning_languages == published.LANGUAGES
    assert spec.licence == "CPML"


def test_every_voice_is_as_loud_as_asked(folder: Path, clip: NDArray[np.int16]) -> None:
    runtime, _ = open_runtime(folder, loudness_lufs=-35.0)
    batch = [TtsItem(CALIBRATION_TEXT, "Luis Moray/en"), cloned(clip, "en", CALIBRATION_TEXT)]

    spoken = samples_of(runtime.run(batch))

    for samples in spoken:
        assert loudness_lufs(to_float32(samples), 24_000) == pytest.approx(-35.0, abs=0.5)


def test_only_the_latest_clips_are_remembered(folder: Path, clip: NDArray[np.int16]) -> None:
    runtime, _ = open_runtime(folder, remembered_references=1)
    assert runtime._clips is not None
    first, second = clip, clip[: 2 * SAMPLE_RATE_HZ]

    voice = runtime._clips.of(first)
    assert runtime._clips.of(first.copy()) is voice
    runtime._clips.of(second)

    assert len(runtime._clips._memo) == 1
    assert runtime._clips.of(first) is not voice


HUM = np.sin(np.arange(2 * SAMPLE_RATE_HZ) / 20).astype(np.float32)
BAD_ITEMS = [
    pytest.param(TtsItem("Hello.", "nobody/en"), "voice_not_found", "voice", id="voice"),
    pytest.param(TtsItem("  ", "Luis Moray/en"), "invalid_value", "text", id="empty"),
    pytest.param(TtsItem("a" * 501, "Luis Moray/en"), "too_large", "text", id="long"),
    pytest.param(TtsItem("Hello.", "Luis Moray/en", 9.0), "invalid_value", "speed", id="speed"),
    pytest.param(
        TtsItem("Hello.", "Luis Moray/en", language="pt"), "unprocessable", "voice", id="language"
    ),
    pytest.param(cloned(None), "invalid_value", "voice", id="no-reference"),
    pytest.param(cloned(HUM, "ja"), "unprocessable", "language", id="cloned-language"),
    pytest.param(cloned(HUM[:15_000]), "unprocessable", "voice", id="short"),
    pytest.param(cloned(np.tile(HUM, 16)), "too_large", "voice", id="long-reference"),
    pytest.param(cloned(np.zeros_like(HUM)), "invalid_value", "voice", id="silent"),
]


@pytest.mark.parametrize(("item", "code", "param"), BAD_ITEMS)
def test_a_bad_item_gets_its_error(runtime: Xtts, item: TtsItem, code: str, param: str) -> None:
    (result,) = runtime.run([item])

    assert isinstance(result, ItemError)
    assert (result.error.code, result.error.param) == (code, param)


@pytest.mark.parametrize("name", ["config.json", "model.pth", "vocab.json", "speakers_xtts.pth"])
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    for file in folder.iterdir():
        if file.name != name:
            (tmp_path / file.name).symlink_to(file)

    with pytest.raises(WeightsError, match=name):
        open_runtime(tmp_path)


def test_a_language_without_its_library_stops_the_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps({**config, "languages": ["en", "zh-cn"]}))
    monkeypatch.setattr("models.tts.xtts.checkpoint.find_spec", lambda name: None)

    with pytest.raises(WeightsError, match="zh with pypinyin, which is not installed"):
        open_runtime(tmp_path)
    assert open_runtime(tmp_path, languages=("en",))[1].cloning_languages == ("en",)


def test_what_could_run_code_is_refused(folder: Path, tmp_path: Path) -> None:
    import torch

    for file in folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "model.pth").unlink()
    torch.save({"model": {}, "config": Unwelcome()}, tmp_path / "model.pth")

    with pytest.raises(WeightsError, match="not a model of XTTS"):
        open_runtime(tmp_path)


class Unwelcome:
    """What weights_only refuses: a class of one's own."""


def test_the_published_folder_is_not_changed(folder: Path, tmp_path: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}

    open_runtime(folder)

    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before
