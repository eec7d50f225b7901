"""YourTTS on a small checkpoint of random values in the published layout, beside coqui's own."""

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
from models.devices.device import DeviceRequest
from models.errors import DragomanError
from models.runtime import ItemError, RuntimeSettings
from models.tts.level import CALIBRATION_TEXT, loudness_lufs
from models.tts.yourtts.engine import YourTts
from models.tts.yourtts.options import Options
from models.types import SAMPLE_RATE_HZ, SOURCE_VOICE, Samples, Speech, TtsItem
from tests.support.published import yourtts as published
from tests.support.speech import SPEECH

# librosa, by which coqui reads the clip of a comparison, imports old modules of Python.
pytestmark = pytest.mark.filterwarnings(
    "ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning"
)

# The same sums in another order: float32 rounding through some 30 layers, measured 2e-7 at a peak
# of 0.5; an int16 step is 3e-5. Padding that reaches into a row, as coqui's does, moves its end
# by 0.3.
ROUNDING = 2e-6
INT16_STEPS = 1  # the same after rounding to int16
D_VECTOR_ROUNDING = 1e-5  # of means of vectors of length 1

SENTENCES = (
    ("Good morning.", "female-en-5/en"),
    ("Bom dia a todos.", "female-pt-4/pt"),
    ("Où est la gare, s'il vous plaît?", "male-en-2/fr"),
    ("A much longer sentence, which makes the others wait for it.", "male-pt-3/en"),
    ("Não sei.", "male-pt-3/pt"),
    ("The same voice, but slowly.", "female-en-5/en"),
    ("Ça va?", "female-en-5-2/fr"),
    ("One voice of each speaker is heard here.", "male-en-2-2/en"),
)
COQUI_SPEAKERS = {  # voice -> the name in speakers.json
    "female-en-5": "female-en-5",
    "female-en-5-2": "female-en-5\n",
    "female-pt-4": "female-pt-4\n",
    "male-en-2": "male-en-2",
    "male-en-2-2": "male-en-2\n",
    "male-pt-3": "male-pt-3\n",
}
COQUI_LANGUAGES = {"en": "en", "fr": "fr-fr", "pt": "pt-br"}
COQUI_PADDING = 10_000  # zeros that `Synthesizer.tts` appends


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("your_tts")
    published.build(path)
    return path


def open_runtime(folder: Path, **options: Any) -> YourTts:
    """At the voices' own level, unless ``options`` say another."""
    options = {"loudness_lufs": None, **options}
    device = DeviceRequest("cpu", threads=1)
    runtime = YourTts(RuntimeSettings("tts", f"path:{folder}", device), Options(**options))
    runtime.load()
    return runtime


@pytest.fixture(scope="module")
def quiet(folder: Path) -> Iterator[YourTts]:
    """Without noise, so that coqui's can be compared."""
    runtime = open_runtime(folder, noise_scale=0.0, noise_w=0.0, max_padding=0.9, max_pass_s=120)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def noisy(folder: Path) -> Iterator[YourTts]:
    """As the model says."""
    runtime = open_runtime(folder, max_pass_s=120)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def clips() -> list[NDArray[np.int16]]:
    """Speech of 1.2, 2.5, 4 and 6 s: shorter than the encoder's window, as long, and longer."""
    import soundfile

    files = sorted(SPEECH.glob("*.flac"))[:4]
    audio = [soundfile.read(file, dtype="int16")[0] for file in files]
    lengths = [round(s * SAMPLE_RATE_HZ) for s in (1.2, 2.5, 4, 6)]
    return [np.resize(samples, n) for samples, n in zip(audio, lengths, strict=True)]


@pytest.fixture(scope="module")
def coqui(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """coqui's Synthesizer on the same files, with the paths that its own download would write."""
    from TTS.utils.synthesizer import Synthesizer

    here = tmp_path_factory.mktemp("coqui")
    for file in folder.iterdir():
        shutil.copy(file, here / file.name)
    config = json.loads((here / "config.json").read_text())
    for part in (config, config["model_args"]):
        part["d_vector_file"] = [str(here / "speakers.json")]
        part["speakers_file"] = None
        part["language_ids_file"] = str(here / "language_ids.json")
    config["audio"]["do_trim_silence"] = False  # it would cut at the first pause of 0.8 s
    config["model_args"] |= {
        "speaker_encoder_model_path": str(here / "model_se.pth"),
        "speaker_encoder_config_path": str(here / "config_se.json"),
        "init_discriminator": False,
    }
    (here / "config.json").write_text(json.dumps(config))
    checkpoint = _torch_load(here / "model_file.pth")
    for name in [n for n in checkpoint["model"] if n.startswith("disc.")]:
        del checkpoint["model"][name]
    _torch_save(checkpoint, here / "model_file.pth")
    synthesizer = Synthesizer(
        tts_checkpoint=here / "model_file.pth", tts_config_path=here / "config.json"
    )
    synthesizer.tts_model.inference_noise_scale = 0.0
    synthesizer.tts_model.inference_noise_scale_dp = 0.0
    return synthesizer


def _torch_load(path: Path) -> Any:
    import torch

    return torch.load(path, weights_only=True)


def _torch_save(value: Any, path: Path) -> None:
    import torch

    torch.save(value, path)


def items() -> list[TtsItem]:
    return [TtsItem(text, voice) for text, voice in SENTENCES]


def samples_of(results: Sequence[Speech | ItemError]) -> list[Samples]:
    assert all(isinstance(result, Speech) for result in results), results
    return [result.audio.samples for result in results if isinstance(result, Speech)]


def one_by_one(runtime: YourTts, batch: Sequence[TtsItem]) -> list[Samples]:
    return [samples_of(runtime.run([item]))[0] for item in batch]


def deviation(left: Samples, right: Samples) -> int:
    """The largest difference of int16 samples."""
    return int(np.abs(left.astype(np.int32) - right.astype(np.int32)).max(initial=0))


def error_of(result: Speech | ItemError) -> DragomanError:
    assert isinstance(result, ItemError), "it was spoken"
    return result.error


# ---- batches -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["quiet", "noisy"])
def test_lengths_in_a_batch_are_those_alone(kind: str, request: pytest.FixtureRequest) -> None:
    runtime = request.getfixturevalue(kind)

    together = samples_of(runtime.run(items()))

    assert [len(s) for s in together] == [len(s) for s in one_by_one(runtime, items())]


@pytest.mark.parametrize("kind", ["quiet", "noisy"])
def test_samples_in_a_batch_are_those_alone(kind: str, request: pytest.FixtureRequest) -> None:
    runtime = request.getfixturevalue(kind)

    together = samples_of(runtime.run(items()))

    alone = one_by_one(runtime, items())
    worst = max(deviation(a, b) for a, b in zip(together, alone, strict=True))
    print(f"largest deviation: {worst} of 32,768; peak {max(np.abs(s).max() for s in alone)}")
    assert worst <= INT16_STEPS


def test_float_samples_in_a_batch_differ_by_rounding_alone(quiet: YourTts) -> None:
    from models.tts.yourtts.network import Limits, Row

    network, reader = quiet._network, quiet._reader
    assert network is not None
    assert reader is not None
    rows = [
        Row(reader.alphabet.ids(text, voice[-2:]), place % 3, reader.voices[voice].d_vector)
        for place, (text, voice) in enumerate(SENTENCES)
    ]
    limits = Limits(row_frames=10_000, pass_frames=100_000, max_padding=0.99)

    def speak(of: Sequence[Row]) -> list[NDArray[np.float32]]:
        spoken = network.synthesise(of, noise_scale=0.0, noise_w=0.0, limits=limits)
        return [samples for samples in spoken if samples is not None]

    together, alone = speak(rows), [speak([row])[0] for row in rows]

    worst = max(float(np.abs(a - b).max()) for a, b in zip(together, alone, strict=True))
    print(f"largest deviation: {worst:.1e}, at a peak of {max(np.abs(a).max() for a in alone):.2f}")
    assert worst <= ROUNDING


def test_a_sentence_at_a_time_sounds_as_all_in_one_pass(folder: Path, quiet: YourTts) -> None:
    one_by_one = open_runtime(folder, noise_scale=0.0, noise_w=0.0)

    passes = samples_of(one_by_one.run(items()))

    together = samples_of(quiet.run(items()))
    assert max(deviation(a, b) for a, b in zip(passes, together, strict=True)) <= INT16_STEPS


def test_noise_makes_another_sound(quiet: YourTts, noisy: YourTts) -> None:
    with_noise, without = samples_of(noisy.run(items()[:1])), samples_of(quiet.run(items()[:1]))

    assert not np.array_equal(with_noise[0], without[0])


def test_the_same_text_sounds_the_same_twice(noisy: YourTts) -> None:
    first, second = samples_of(noisy.run(items())), samples_of(noisy.run(items()))

    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("is_cloned", [False, True], ids=["voice", "clip"])
def test_speed_is_of_each_item(
    quiet: YourTts, clips: list[NDArray[np.int16]], is_cloned: bool
) -> None:
    speeds = (1.0, 0.25, 0.5, 2.0, 4.0)
    text = "How fast is this said, then?"
    reference = {"language": "en", "reference": clips[2]} if is_cloned else {}
    voice = SOURCE_VOICE if is_cloned else "male-en-2/en"
    batch = [TtsItem(text, voice, speed, **reference) for speed in speeds]  # type: ignore[arg-type]

    own, *others = (len(samples) for samples in samples_of(quiet.run(batch)))

    assert others == [round(own / speed) for speed in speeds[1:]]


def test_every_voice_is_as_loud_as_asked(folder: Path, clips: list[NDArray[np.int16]]) -> None:
    runtime = open_runtime(folder, noise_scale=0.0, noise_w=0.0, loudness_lufs=-45.0)
    own = [TtsItem(CALIBRATION_TEXT, voice) for voice in ("male-en-2/en", "female-pt-4/pt")]
    batch = [*own, *(cloned(clip, text=CALIBRATION_TEXT) for clip in clips[2:])]

    together = samples_of(runtime.run(batch))

    loudness = [loudness_lufs(to_float32(samples), SAMPLE_RATE_HZ) for samples in together]
    assert loudness == [pytest.approx(-45.0, abs=0.5)] * 4
    alone = one_by_one(runtime, batch)
    assert max(deviation(a, b) for a, b in zip(together, alone, strict=True)) <= INT16_STEPS


def test_each_voice_and_language_sounds_its_own_way(quiet: YourTts) -> None:
    voices = ("male-en-2/en", "male-en-2/pt", "male-en-2-2/en", "female-en-5/en")

    spoken = samples_of(quiet.run([TtsItem("Ola, como vai?", voice) for voice in voices]))

    assert len({samples.tobytes() for samples in spoken}) == len(voices)


# ---- coqui's own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "voice"),
    SENTENCES[:4],
    ids=["en", "pt", "fr", "long"],
)
def test_a_sentence_sounds_as_coqui_speaks_it(
    quiet: YourTts, coqui: Any, text: str, voice: str
) -> None:
    name, language = voice.split("/")
    wav = coqui.tts(
        text,
        speaker_name=COQUI_SPEAKERS[name],
        language_name=COQUI_LANGUAGES[language],
        split_sentences=False,
    )
    theirs = np.array(wav[:-COQUI_PADDING], np.float32)

    ours = to_float32(samples_of(quiet.run([TtsItem(text, voice)]))[0])

    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours, theirs, atol=ROUNDING + 0.5 / 32_768)


def test_d_vectors_are_coqui_s(
    quiet: YourTts, coqui: Any, clips: list[NDArray[np.int16]], tmp_path: Path
) -> None:
    import soundfile

    assert quiet._references is not None
    manager, theirs = coqui.tts_model.speaker_manager, []
    for place, clip in enumerate(clips):
        soundfile.write(tmp_path / f"{place}.wav", clip, SAMPLE_RATE_HZ)
        theirs.append(manager.compute_embedding_from_clip(str(tmp_path / f"{place}.wav")))

    ours = quiet._references.d_vectors(clips)

    np.testing.assert_allclose(np.stack(ours), np.array(theirs), atol=D_VECTOR_ROUNDING)  # type: ignore[arg-type]


def test_a_cloned_sentence_sounds_as_coqui_clones_it(
    quiet: YourTts, coqui: Any, clips: list[NDArray[np.int16]], tmp_path: Path
) -> None:
    import soundfile

    soundfile.write(tmp_path / "voice.wav", clips[2], SAMPLE_RATE_HZ)
    wav = coqui.tts(
        "Quem fala agora?",
        speaker_name=None,
        language_name="pt-br",
        speaker_wav=str(tmp_path / "voice.wav"),
        split_sentences=False,
    )
    theirs = np.array(wav[:-COQUI_PADDING], np.float32)

    item = TtsItem("Quem fala agora?", SOURCE_VOICE, language="pt", reference=clips[2])
    ours = to_float32(samples_of(quiet.run([item]))[0])

    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours, theirs, atol=ROUNDING + 0.5 / 32_768)


# ---- voices and references ---------------------------------------------------------------


def cloned(clip: Samples | None, language: str | None = "pt", text: str = "Quem fala?") -> TtsItem:
    return TtsItem(text, SOURCE_VOICE, language=language, reference=clip)


def test_references_and_voices_share_a_batch(
    quiet: YourTts, clips: list[NDArray[np.int16]]
) -> None:
    batch = [*items()[:2], *(cloned(clip) for clip in clips), items()[2]]

    together = samples_of(quiet.run(batch))

    alone = one_by_one(quiet, batch)
    assert [len(s) for s in together] == [len(s) for s in alone]
    assert max(deviation(a, b) for a, b in zip(together, alone, strict=True)) <= INT16_STEPS


def test_references_sound_apart(quiet: YourTts, clips: list[NDArray[np.int16]]) -> None:
    spoken = samples_of(quiet.run([cloned(clip) for clip in clips]))

    assert len({samples.tobytes() for samples in spoken}) == len(clips)


def test_nothing_is_computed_in_tf32(folder: Path, clips: list[NDArray[np.int16]]) -> None:
    """PyTorch allows it in convolutions; on a GPU it would cost 13 bits of each value."""
    import torch

    runtime = open_runtime(folder)
    assert runtime._network is not None
    assert runtime._references is not None
    seen: dict[str, bool] = {}
    for name, module in {
        "text": runtime._network._vits.text_encoder,
        "sound": runtime._network._vits.waveform_decoder,
        "voice": runtime._references._encoder.conv1,
    }.items():
        module.register_forward_pre_hook(
            lambda *_, name=name: seen.update({name: torch.backends.cudnn.allow_tf32})
        )

    runtime.run([cloned(clips[0])])

    assert seen == {"text": False, "sound": False, "voice": False}


def test_a_reference_is_encoded_once(folder: Path, clips: list[NDArray[np.int16]]) -> None:
    runtime = open_runtime(folder, max_pass_s=120)
    assert runtime._references is not None
    heard: list[int] = []
    runtime._references._encoder.conv1.register_forward_hook(
        lambda module, inputs, output: heard.append(len(output))
    )

    for _ in range(2):
        runtime.run([cloned(clips[3]), cloned(clips[3].copy(), text="E agora?")])

    assert heard == [10]  # windows


def test_only_the_latest_references_are_remembered(
    folder: Path, clips: list[NDArray[np.int16]]
) -> None:
    runtime = open_runtime(folder, remembered_references=2)
    assert runtime._references is not None

    for place in (0, 1, 0, 2):
        runtime.run([cloned(clips[place])])

    kept = runtime._references.d_vectors([clips[0], clips[2]])
    assert [id(vector) for vector in runtime._references._memo.values()] == [id(v) for v in kept]


# ---- bad items ---------------------------------------------------------------------------

SILENT = np.zeros(2 * SAMPLE_RATE_HZ, np.int16)
HUM = np.sin(np.arange(2 * SAMPLE_RATE_HZ) / 20).astype(np.float32)
NO_NUMBERS = np.full(2 * SAMPLE_RATE_HZ, np.nan, np.float32)

BAD_ITEMS = [
    pytest.param(TtsItem("Hello.", "nobody/en"), "voice_not_found", "voice", id="voice"),
    pytest.param(TtsItem("Hello.", "male-en-2"), "voice_not_found", "voice", id="no-language"),
    pytest.param(TtsItem("  ", "male-en-2/en"), "invalid_value", "text", id="empty"),
    pytest.param(TtsItem("你好", "male-en-2/en"), "unprocessable", "text", id="letters"),
    pytest.param(TtsItem("a" * 501, "male-en-2/en"), "too_large", "text", id="long"),
    pytest.param(TtsItem("Hello.", "male-en-2/en", 9.0), "invalid_value", "speed", id="speed"),
    pytest.param(
        TtsItem("Hello.", "male-en-2/en", language="pt"), "unprocessable", "voice", id="language"
    ),
    pytest.param(cloned(None), "invalid_value", "voice", id="no-reference"),
    pytest.param(
        TtsItem("Hello.", "male-en-2/en", reference=HUM), "invalid_value", "voice", id="both"
    ),
    pytest.param(cloned(HUM, "de"), "unprocessable", "language", id="cloned-language"),
    pytest.param(cloned(HUM, None), "unprocessable", "language", id="cloned-no-language"),
    pytest.param(cloned(HUM[:15_000]), "unprocessable", "voice", id="short"),
    pytest.param(cloned(HUM[:0]), "unprocessable", "voice", id="no-samples"),
    pytest.param(cloned(np.tile(HUM, 16)), "too_large", "voice", id="long-reference"),
    pytest.param(cloned(SILENT), "invalid_value", "voice", id="silent"),
    pytest.param(cloned(NO_NUMBERS), "invalid_value", "voice", id="no-numbers"),
]


@pytest.mark.parametrize(("item", "code", "param"), BAD_ITEMS)
def test_a_bad_item_gets_its_error(quiet: YourTts, item: TtsItem, code: str, param: str) -> None:
    error = error_of(quiet.run([item])[0])

    assert (error.code, error.param) == (code, param)


def test_bad_items_do_not_harm_their_neighbours(quiet: YourTts) -> None:
    bad: list[TtsItem] = [row.values[0] for row in BAD_ITEMS]  # type: ignore[misc]
    good = items()[: len(bad)]
    batch = [item for pair in zip(bad, [*good, *good], strict=False) for item in pair]

    results = quiet.run(batch)

    spoken = samples_of(results[1::2])
    alone = one_by_one(quiet, [*good, *good][: len(spoken)])
    assert all(isinstance(result, ItemError) for result in results[::2])
    assert max(deviation(a, b) for a, b in zip(spoken, alone, strict=True)) <= INT16_STEPS


def test_speech_that_gets_too_long_is_refused_alone(folder: Path) -> None:
    runtime = open_runtime(folder, max_speech_s=2.0)

    long, short = runtime.run([TtsItem("a " * 100, "male-en-2/en"), TtsItem("a", "male-en-2/en")])

    assert error_of(long).code == "unprocessable"
    assert isinstance(short, Speech)


def test_a_text_without_letters_is_no_speech(quiet: YourTts) -> None:
    assert len(samples_of(quiet.run([TtsItem("...", "male-en-2/en")]))[0]) == 0


def test_numbers_are_spoken(quiet: YourTts) -> None:
    digits, words = samples_of(
        quiet.run(
            [
                TtsItem("There are 25.", "male-en-2/en"),
                TtsItem("There are twenty-five.", "male-en-2/en"),
            ]
        )
    )

    assert len(digits) == len(words)
    assert deviation(digits, words) <= INT16_STEPS


def test_an_empty_batch_is_empty(quiet: YourTts) -> None:
    assert quiet.run([]) == []
