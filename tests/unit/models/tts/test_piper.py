"""Piper's rules without its weights: a tiny graph stands for a voice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.devices.device import DeviceRequest
from models.errors import ConfigError, TooLarge, WeightsError
from models.runtime import ItemError, RuntimeSettings
from models.tts.piper import engine
from models.types import Speech, TtsItem
from models.weights.source import resolve

AUTO, CPU = DeviceRequest("auto", gpu_fraction=0.25), DeviceRequest("cpu")


# ---- the environment, the files ---------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "said", "expected"),
    [
        pytest.param(AUTO, None, AUTO, id="unset"),
        pytest.param(AUTO, "", AUTO, id="empty"),
        pytest.param(AUTO, "false", DeviceRequest("cpu", 0.25), id="false"),
        pytest.param(AUTO, "TRUE", DeviceRequest("cuda", 0.25), id="true"),
        pytest.param(CPU, "true", CPU, id="cpu-by-name-wins"),
        pytest.param(DeviceRequest("cuda"), "0", DeviceRequest("cuda"), id="cuda-by-name-wins"),
    ],
)
def test_piper_use_gpu(request_: DeviceRequest, said: str | None, expected: DeviceRequest) -> None:
    environment = {} if said is None else {engine.USE_GPU: said}
    assert engine.device_request(request_, environment) == expected


def test_piper_use_gpu_of_another_value_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="PIPER_USE_GPU must be true or false, not 'maybe'"):
        engine.device_request(AUTO, {engine.USE_GPU: "maybe"})


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
    assert engine.voice_files(source, wanted) == found


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
        engine.voice_files(source, wanted)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        pytest.param("# Card\n\n* License: CC0 \n* URL: x", ", data CC0", id="named"),
        pytest.param("# Card", "", id="not-named"),
        pytest.param(None, "", id="no-card"),
    ],
)
def test_the_licence_of_a_voices_data(tmp_path: Path, card: str | None, expected: str) -> None:
    if card is not None:
        (tmp_path / "MODEL_CARD").write_text(card)
    assert engine.data_licence(tmp_path / "a.onnx") == expected


# ---- a tiny graph with the inputs and the duration nodes of a real voice ------------

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
def tiny(tiny_folder: Path) -> engine.PiperTts:
    settings = RuntimeSettings("tiny", f"path:{tiny_folder}", CPU)
    runtime = engine.PiperTts(settings, engine.Options())
    runtime.load()
    return runtime


def samples(result: Speech | ItemError) -> list[int]:
    assert isinstance(result, Speech)
    return [int(sample) for sample in result.audio.samples]


def samples_of(letters: int) -> int:
    ids = 2 * letters + 3  # begin, a blank, each letter with its blank, end
    return ids * FRAMES * HOP


@pytest.fixture
def of_three(tiny_folder: Path) -> engine.PiperTts:
    """The tiny voice, with rows of at most 3 phonemes."""
    settings = RuntimeSettings("tiny", f"path:{tiny_folder}", CPU)
    runtime = engine.PiperTts(settings, engine.Options(max_phonemes=3))
    runtime.load()
    return runtime


@pytest.mark.parametrize("neighbours", [0, 1, 3])
def test_a_long_text_is_spoken_in_pieces(of_three: engine.PiperTts, neighbours: int) -> None:
    short = [TtsItem("a", "tiny#low")] * neighbours
    results = of_three.run([*short, TtsItem("abababab", "tiny#high"), *short])
    expected = [[8_192] * samples_of(1)] * neighbours
    long = [16_384] * (2 * samples_of(3) + samples_of(2))
    assert [samples(result) for result in results] == [*expected, long, *expected]


def test_a_text_of_too_many_pieces_is_refused(of_three: engine.PiperTts) -> None:
    good, bad = of_three.run([TtsItem("a" * 60, "tiny#low"), TtsItem("a" * 61, "tiny#low")])
    assert isinstance(good, Speech)
    assert isinstance(bad, ItemError)
    assert isinstance(bad.error, TooLarge)


def test_rows_without_phonemes_are_refused() -> None:
    with pytest.raises(ValueError, match="max_phonemes"):
        engine.Options(max_phonemes=0)


def test_the_licence_of_weights_from_elsewhere_is_theirs_to_say(tiny_folder: Path) -> None:
    settings = RuntimeSettings("tiny", f"path:{tiny_folder}", CPU)
    spec, _ = engine.PiperTts(settings, engine.Options()).load()
    assert spec.licence == "as its source says; phonemes by piper-tts (GPL-3.0)"


def test_a_voice_of_several_speakers_is_one_voice_each(tiny_folder: Path) -> None:
    settings = RuntimeSettings("tiny", f"path:{tiny_folder}", CPU)
    spec, _ = engine.PiperTts(settings, engine.Options()).load()
    assert [(v.id, v.language) for v in spec.voices] == [("tiny#low", "pt"), ("tiny#high", "pt")]


def test_one_batch_mixes_speakers_and_speeds(tiny: engine.PiperTts) -> None:
    speeds, texts = (0.25, 1.0, 1.5, 4.0), ("ab", "a", "aba", "b")
    batch = [
        TtsItem(text, voice, speed)
        for text, voice, speed in zip(texts, ("tiny#high", "tiny#low") * 2, speeds, strict=True)
    ]
    lengths = [len(samples(result)) for result in tiny.run(batch)]
    assert lengths == [
        round(samples_of(len(text)) / speed) for text, speed in zip(texts, speeds, strict=True)
    ]


def test_one_batch_mixes_speakers(tiny: engine.PiperTts) -> None:
    batch = [TtsItem("ab", "tiny#high"), TtsItem("a", "tiny#low"), TtsItem("aba", "tiny#high")]
    expected = [[16_384] * samples_of(2), [8_192] * samples_of(1), [16_384] * samples_of(3)]
    assert [samples(result) for result in tiny.run(batch)] == expected


def test_bad_items_keep_their_places(tiny: engine.PiperTts) -> None:
    batch = [TtsItem("a", "x"), TtsItem("a", "tiny#low"), TtsItem("", "tiny#low")]
    failed = [isinstance(result, ItemError) for result in tiny.run(batch)]
    assert failed == [True, False, True]


@pytest.mark.parametrize("text", ["...", "xyz"], ids=["punctuation", "unknown-letters"])
def test_nothing_to_speak_is_no_samples(tiny: engine.PiperTts, text: str) -> None:
    assert [samples(result) for result in tiny.run([TtsItem(text, "tiny#low")])] == [[]]


def test_an_empty_batch_is_answered(tiny: engine.PiperTts) -> None:
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
    runtime = engine.PiperTts(RuntimeSettings("tiny", f"path:{tiny_folder}", CPU), engine.Options())
    with pytest.raises(WeightsError, match=message):
        runtime.load()


def test_a_graph_that_is_no_voice_stops_the_start(tiny_folder: Path) -> None:
    model = tiny_graph()
    (ceil,) = [node for node in model.graph.node if node.op_type == "Ceil"]
    ceil.op_type = "Floor"
    (tiny_folder / "tiny.onnx").write_bytes(model.SerializeToString())
    runtime = engine.PiperTts(RuntimeSettings("tiny", f"path:{tiny_folder}", CPU), engine.Options())
    with pytest.raises(WeightsError, match="it has 0 Ceil nodes"):
        runtime.load()
