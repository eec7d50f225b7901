"""The rules of the TTS engines: no real weights. A tiny graph stands for a voice of Piper."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.device import DeviceRequest
from models.errors import (
    ConfigError,
    DragomanError,
    InvalidRequest,
    TooLarge,
    UnknownVoice,
    WeightsError,
)
from models.runtime import ItemError, RuntimeSettings
from models.tts import kokoro, piper
from models.tts.phonemes import Phonemizer, clean, is_speakable
from models.tts.speech import check_length, checked_text, speech
from models.types import Speech, TtsItem
from models.weights import resolve

AUTO, CPU = DeviceRequest("auto", gpu_fraction=0.25), DeviceRequest("cpu")


# ---- what both engines ask of an item ----------------------------------------------------


@pytest.mark.parametrize(
    ("item", "error", "param"),
    [
        pytest.param(TtsItem("Hello.", "bob"), UnknownVoice, "voice", id="unknown-voice"),
        pytest.param(TtsItem("Hello.", ""), UnknownVoice, "voice", id="no-voice"),
        pytest.param(TtsItem("Hello.", "ann", 0.24), InvalidRequest, "speed", id="too-slow"),
        pytest.param(TtsItem("Hello.", "ann", 4.01), InvalidRequest, "speed", id="too-fast"),
        pytest.param(TtsItem("Hello.", "ann", math.nan), InvalidRequest, "speed", id="speed-nan"),
        pytest.param(TtsItem("", "ann"), InvalidRequest, "text", id="empty"),
        pytest.param(TtsItem(" \n\x00", "ann"), InvalidRequest, "text", id="only-spaces"),
    ],
)
def test_a_bad_item_is_refused(item: TtsItem, error: type[DragomanError], param: str) -> None:
    with pytest.raises(error) as raised:
        checked_text(item, ["ann", "eve"])
    assert raised.value.param == param


def test_an_unknown_voice_is_told_those_there_are() -> None:
    with pytest.raises(UnknownVoice, match="there are ann, eve"):
        checked_text(TtsItem("Hello.", "bob"), ["eve", "ann"])


@pytest.mark.parametrize("speed", [0.25, 4.0])
def test_the_ends_of_the_speed_range_are_good(speed: float) -> None:
    assert checked_text(TtsItem(" Hello. ", "ann", speed), ["ann"]) == "Hello."


def test_a_sentence_at_the_limit_of_length_is_good() -> None:
    check_length(510, limit=510)


def test_a_sentence_over_the_limit_of_length_is_refused() -> None:
    with pytest.raises(TooLarge, match="511 phonemes is too long: 510"):
        check_length(511, limit=510)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("a\x00b", "a b", id="null"),
        pytest.param("a\ud800b", "a b", id="lone-surrogate"),
        pytest.param("one\r\ntwo", "one  two", id="line-break"),
        pytest.param("É são 😀", "É são 😀", id="untouched"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "speakable"),
    [
        pytest.param("...", False, id="dots"),
        pytest.param("¿?", False, id="question-marks"),
        pytest.param("♪ ♪", False, id="music"),
        pytest.param("é", True, id="letter"),
        pytest.param("«7»", True, id="digit"),
        pytest.param("我们", True, id="han"),
    ],
)
def test_is_speakable(text: str, speakable: bool) -> None:
    assert is_speakable(text) == speakable


def test_samples_keep_their_level() -> None:
    assert speech(np.array([0.25, -0.5], np.float32), 22_050).audio.samples.tolist() == [
        8192,
        -16384,
    ]


def test_samples_over_full_scale_are_clipped_not_wrapped() -> None:
    samples = speech(np.array([1.5, -1.5], np.float32), 22_050).audio.samples
    assert samples.tolist() == [32_767, -32_768]


def test_without_piper_tts_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piper.phonemize_espeak", None)
    with pytest.raises(WeightsError, match=r"pip install dragoman\[piper\]"):
        Phonemizer("en-us")


# ---- Piper: the environment, the files ---------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "said", "expected"),
    [
        pytest.param(AUTO, None, AUTO, id="unset"),
        pytest.param(AUTO, "", AUTO, id="empty"),
        pytest.param(AUTO, "false", DeviceRequest("cpu", 0.25), id="false"),
        pytest.param(AUTO, "TRUE", AUTO, id="true-keeps-the-share"),
        pytest.param(DeviceRequest(), "true", DeviceRequest("auto", 1.0), id="true-without-share"),
        pytest.param(CPU, "true", CPU, id="cpu-by-name-wins"),
        pytest.param(DeviceRequest("cuda"), "0", DeviceRequest("cuda"), id="cuda-by-name-wins"),
    ],
)
def test_piper_use_gpu(request_: DeviceRequest, said: str | None, expected: DeviceRequest) -> None:
    environment = {} if said is None else {piper.USE_GPU: said}
    assert piper.device_request(request_, environment) == expected


def test_piper_use_gpu_of_another_value_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="PIPER_USE_GPU must be true or false, not 'maybe'"):
        piper.device_request(AUTO, {piper.USE_GPU: "maybe"})


def folder_of(tmp_path: Path, *files: str) -> Path:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


BOTH = ("b.onnx", "b.onnx.json", "deep/a.onnx", "deep/a.onnx.json", "stray.onnx")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param((), {"b": "b.onnx", "a": "deep/a.onnx"}, id="all"),
        pytest.param(("a",), {"a": "deep/a.onnx"}, id="one"),
    ],
)
def test_the_voices_of_a_folder(
    tmp_path: Path, wanted: tuple[str, ...], found: dict[str, str]
) -> None:
    source = resolve(f"path:{folder_of(tmp_path, *BOTH)}")
    assert piper.voice_files(source, wanted) == found


@pytest.mark.parametrize(
    ("files", "wanted", "message"),
    [
        pytest.param(("a.onnx",), (), "any .onnx file", id="none"),
        pytest.param(BOTH, ("a", "c"), "looked for c", id="a-wanted-one-is-missing"),
        pytest.param((*BOTH, "deep/b.onnx", "deep/b.onnx.json"), (), "two voices", id="twice"),
    ],
)
def test_a_folder_without_the_voices_stops_the_start(
    tmp_path: Path, files: tuple[str, ...], wanted: tuple[str, ...], message: str
) -> None:
    source = resolve(f"path:{folder_of(tmp_path, *files)}")
    with pytest.raises(WeightsError, match=message):
        piper.voice_files(source, wanted)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        pytest.param("# Card\n\n* License: CC0 \n* URL: x", "CC0", id="named"),
        pytest.param("# Card", "of unnamed licence", id="not-named"),
        pytest.param(None, "of unnamed licence", id="no-card"),
    ],
)
def test_the_licence_of_a_voice(tmp_path: Path, card: str | None, expected: str) -> None:
    if card is not None:
        (tmp_path / "MODEL_CARD").write_text(card)
    assert piper.licence(tmp_path / "a.onnx") == expected


# ---- Piper: a tiny graph with the inputs and the duration nodes of a real voice ------------

FRAMES = 3  # that each phoneme id lasts in the tiny voice at speed 1
HOP = 4  # samples of one frame
SPEAKERS = {"low": 0, "high": 1}


def tiny_graph() -> Any:
    """A "voice" whose sound is (1 + speaker) / 4 throughout, also in the padding of its batch."""
    helper = pytest.importorskip("onnx").helper
    float32, int64 = 1, 7  # TensorProto's

    def constant(name: str, kind: int, dims: list[int], values: list[float]) -> Any:
        return helper.make_tensor(name, kind, dims, values)

    nodes = [
        ("Shape", ["input"], "shape", {"start": 1}),
        ("Squeeze", ["shape"], "width", {}),
        ("Range", ["zero", "width", "one"], "places", {}),
        ("Unsqueeze", ["input_lengths", "axis1"], "ends", {}),
        ("Less", ["places", "ends"], "inside", {}),
        ("Cast", ["inside"], "mask", {"to": float32}),
        ("Unsqueeze", ["mask", "axis1"], "masks", {}),
        ("Mul", ["masks", "frames"], "unscaled", {}),
        ("Gather", ["scales", "one"], "length_scale", {}),
        ("Mul", ["unscaled", "length_scale"], "scaled", {}),
        ("Ceil", ["scaled"], "w_ceil", {}),
        ("ReduceSum", ["w_ceil", "axes12"], "totals", {"keepdims": 0}),
        ("ReduceMax", ["totals"], "longest", {"keepdims": 1}),
        ("Mul", ["longest", "hop"], "samples", {}),
        ("Cast", ["samples"], "n", {"to": int64}),
        ("Concat", ["ones", "n"], "tail_shape", {"axis": 0}),
        ("Cast", ["sid"], "speaker", {"to": float32}),
        ("Add", ["speaker", "one_f"], "level", {}),
        ("Mul", ["level", "quarter"], "sound", {}),
        ("Unsqueeze", ["sound", "axes123"], "sounds", {}),
        ("Expand", ["sounds", "tail_shape"], "output", {}),
    ]
    inputs = [
        ("input", int64, ["b", "t"]),
        ("input_lengths", int64, ["b"]),
        ("scales", float32, [3]),
        ("sid", int64, ["b"]),
    ]
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(op, args, [out], **attrs) for op, args, out, attrs in nodes],
            "tiny",
            [helper.make_tensor_value_info(*given) for given in inputs],
            [helper.make_tensor_value_info("output", float32, ["b", 1, 1, "n"])],
            [
                constant("zero", int64, [], [0]),
                constant("one", int64, [], [1]),
                constant("axis1", int64, [1], [1]),
                constant("axes12", int64, [2], [1, 2]),
                constant("axes123", int64, [3], [1, 2, 3]),
                constant("ones", int64, [3], [1, 1, 1]),
                constant("frames", float32, [], [FRAMES]),
                constant("hop", float32, [], [HOP]),
                constant("one_f", float32, [], [1]),
                constant("quarter", float32, [], [0.25]),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 15)],
        ir_version=8,
    )


CONFIG = {
    "audio": {"sample_rate": 16_000},
    "espeak": {"voice": "pt-br"},
    "phoneme_type": "text",
    "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [3], "b": [4]},
    "num_symbols": 5,
    "num_speakers": 2,
    "speaker_id_map": SPEAKERS,
    "hop_length": HOP,
}


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.onnx").write_bytes(tiny_graph().SerializeToString())
    (tmp_path / "tiny.onnx.json").write_text(json.dumps(CONFIG))
    return tmp_path


@pytest.fixture
def tiny(tiny_folder: Path) -> piper.PiperTts:
    settings = RuntimeSettings("tiny", f"path:{tiny_folder}", CPU)
    runtime = piper.PiperTts(settings, piper.Options())
    runtime.load()
    return runtime


def samples(result: Speech | ItemError) -> list[int]:
    assert isinstance(result, Speech)
    return [int(sample) for sample in result.audio.samples]


def samples_of(letters: int, speed: float) -> int:
    ids = 2 * letters + 3  # begin, a blank, each letter with its blank, end
    return ids * math.ceil(FRAMES / speed) * HOP


def test_a_voice_of_several_speakers_is_one_voice_each(tiny_folder: Path) -> None:
    settings = RuntimeSettings("tiny", f"path:{tiny_folder}", CPU)
    spec, _ = piper.PiperTts(settings, piper.Options()).load()
    assert [(v.id, v.language) for v in spec.voices] == [("tiny#low", "pt"), ("tiny#high", "pt")]


def test_one_batch_mixes_speakers_and_speeds(tiny: piper.PiperTts) -> None:
    batch = [TtsItem("ab", "tiny#high", 0.5), TtsItem("a", "tiny#low"), TtsItem("aba", "tiny#high")]
    expected = [
        [16_384] * samples_of(2, 0.5),
        [8_192] * samples_of(1, 1.0),
        [16_384] * samples_of(3, 1.0),
    ]
    assert [samples(result) for result in tiny.run(batch)] == expected


def test_bad_items_keep_their_places(tiny: piper.PiperTts) -> None:
    batch = [TtsItem("a", "x"), TtsItem("a", "tiny#low"), TtsItem("", "tiny#low")]
    failed = [isinstance(result, ItemError) for result in tiny.run(batch)]
    assert failed == [True, False, True]


@pytest.mark.parametrize("text", ["...", "xyz"], ids=["punctuation", "unknown-letters"])
def test_nothing_to_speak_is_no_samples(tiny: piper.PiperTts, text: str) -> None:
    assert [samples(result) for result in tiny.run([TtsItem(text, "tiny#low")])] == [[]]


def test_an_empty_batch_is_answered(tiny: piper.PiperTts) -> None:
    assert tiny.run([]) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"phoneme_type": "pinyin"}, "are not supported", id="phoneme-type"),
        pytest.param({"espeak": {"voice": "ar"}}, "are not supported", id="arabic"),
        pytest.param({"audio": {}}, "not the configuration", id="no-sample-rate"),
        pytest.param(
            {"phoneme_type": "espeak", "espeak": {"voice": "xx"}},
            "no voice 'xx'",
            id="espeak-voice",
        ),
    ],
)
def test_a_voice_that_cannot_be_spoken_stops_the_start(
    tiny_folder: Path, changes: dict[str, Any], message: str
) -> None:
    (tiny_folder / "tiny.onnx.json").write_text(json.dumps(CONFIG | changes))
    runtime = piper.PiperTts(RuntimeSettings("tiny", f"path:{tiny_folder}", CPU), piper.Options())
    with pytest.raises(WeightsError, match=message):
        runtime.load()


def test_a_graph_that_is_no_voice_stops_the_start(tiny_folder: Path) -> None:
    model = tiny_graph()
    (ceil,) = [node for node in model.graph.node if node.op_type == "Ceil"]
    ceil.op_type = "Floor"
    (tiny_folder / "tiny.onnx").write_bytes(model.SerializeToString())
    runtime = piper.PiperTts(RuntimeSettings("tiny", f"path:{tiny_folder}", CPU), piper.Options())
    with pytest.raises(WeightsError, match="it has 0 Ceil nodes"):
        runtime.load()


# ---- Kokoro --------------------------------------------------------------------------------

VOCAB = {"t": 1, "ʧ": 2, "ɐ": 3, "\u0303": 4, "ç": 5, "ɡ": 6, "o": 7, "ʲ": 8}


@pytest.mark.parametrize(
    ("phonemes", "tokens"),
    [
        pytest.param(["t", "ʃ"], [2], id="two-letters-one-sound"),
        pytest.param(["ɐ", "\u0303"], [3, 4], id="a-mark-is-a-token"),
        pytest.param(["õ"], [7, 4], id="composed-letter-that-is-none"),
        pytest.param(["c", "\u0327"], [5], id="composed-letter-that-is-one"),
        pytest.param(["g"], [6], id="the-ipa-g"),
        pytest.param(["t", "?", "t"], [1, 1], id="unknown-is-left-out"),
    ],
)
def test_tokens(phonemes: list[str], tokens: list[int]) -> None:
    assert kokoro.tokenise(phonemes, VOCAB, "de") == tokens


@pytest.mark.parametrize(("language", "tokens"), [("pt", [1, 3]), ("ru", [1, 8, 3])])
def test_a_glide_is_no_soft_consonant_in_portuguese(language: str, tokens: list[int]) -> None:
    assert kokoro.tokenise(["t", "ʲ", "ɐ"], VOCAB, language) == tokens


def test_trim_keeps_a_moment_on_either_side() -> None:
    before, after = 1_200, 2_400  # 50 ms and 100 ms at 24 kHz
    audio = np.zeros(30_000, np.float32)
    audio[10_000:10_100] = 0.5
    assert len(kokoro.trim(audio)) == before + 100 + after


def test_trim_takes_no_more_than_there_is() -> None:
    audio = np.full(10, 0.5, np.float32)
    assert len(kokoro.trim(audio)) == len(audio)


def test_styles_of_an_unknown_voice_stop_the_start(tmp_path: Path) -> None:
    np.savez(tmp_path / "voices.npz", ann=np.zeros((510, 1, 256), np.float32))
    with pytest.raises(WeightsError, match="no voice 'bob'; there are ann"):
        kokoro.read_styles(tmp_path / "voices.npz", ["bob"])


def test_a_vocabulary_of_another_form_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(WeightsError, match="not a vocabulary"):
        kokoro.read_vocab(tmp_path / "vocab.json")


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A model in two packages, ``part_b`` before ``part_a``; the pins of their files."""
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    pins = {}
    for name, content in (("part_b", b"first "), ("part_a", b"second")):
        folder_of(tmp_path, f"{name}/__init__.py")
        (tmp_path / name / "part.bin").write_bytes(content)
        pins[f"{name}/part.bin"] = hashlib.sha256(content).hexdigest()
    return pins


def test_the_parts_of_a_model_are_joined_in_the_order_of_the_packages(
    parts: dict[str, str],
) -> None:
    source = resolve("package:part_b+part_a", parts)
    assert kokoro.model_path(source, "model.onnx").read_bytes() == b"first second"


@pytest.mark.parametrize("name", ["part_b/model.onnx", "model.onnx"])
def test_a_joined_model_that_differs_from_its_pin_stops_the_start(
    parts: dict[str, str], name: str
) -> None:
    wrong = "0" * 64
    source = resolve("package:part_b+part_a", parts | {name: wrong})
    with pytest.raises(WeightsError, match=f"but {wrong} is pinned"):
        kokoro.model_path(source, "model.onnx")
