"""The contract of engines: fakes keep it, and each way to break it is seen by its check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.contract.checks import Check, check_engine
from models.devices.device import DeviceReport, DeviceRequest
from models.registry import RuntimeClass
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.types import (
    AsrItem,
    NmtItem,
    SpeakerItem,
    Speech,
    SpeechSpan,
    Transcript,
    Translation,
    TtsItem,
    VadItem,
    VadResult,
    Voiceprint,
)
from tests.support import fakes
from tests.support.fakes import FakeAsr, FakeNmt, FakeTts, FakeVad, SleepSpeaker


def report(reference: str) -> dict[str, Check]:
    settings = RuntimeSettings("model", "none", DeviceRequest("cpu"))
    return {check.name: check for check in check_engine(RuntimeClass(reference), settings)}


ENGINES = [fakes.SLEEP, fakes.FAKE_VAD, fakes.FAKE_ASR, fakes.FAKE_NMT, fakes.FAKE_TTS]


@pytest.mark.parametrize("reference", ENGINES)
def test_fakes_keep_the_contract(reference: str) -> None:
    assert {name: c for name, c in report(reference).items() if c.status != "ok"} == {}


class NoReport(FakeVad):
    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        return self.spec()  # type: ignore[return-value]


class AnotherKind(FakeVad):
    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), kind="asr")


class Deaf(FakeAsr):
    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), languages=())


class NoCode(FakeNmt):
    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), pairs=(("english", "pt"),))


class Slow(FakeTts):
    def spec(self) -> RuntimeSpec:
        spec = super().spec()
        return replace(spec, voices=tuple(replace(v, sample_rate_hz=22) for v in spec.voices))


class Twins(FakeTts):
    def spec(self) -> RuntimeSpec:
        spec = super().spec()
        return replace(spec, voices=(spec.voices[0], spec.voices[0]))


class NoSize(SleepSpeaker):
    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), embedding_size=None)


class Cold(FakeVad):
    def warm_up(self) -> None:
        raise OSError("no kernel")


class Loud(SleepSpeaker):
    def answer(self, item: SpeakerItem) -> Voiceprint:
        return Voiceprint(super().answer(item).embedding * 2)


class Endless(FakeVad):
    def answer(self, item: VadItem) -> VadResult:
        found = super().answer(item)
        return replace(found, spans=(SpeechSpan(0.0, item.length + 1),))


class Rough(FakeVad):
    """Answer with one probability for each second."""

    def answer(self, item: VadItem) -> VadResult:
        found = super().answer(item)
        return replace(found, probabilities=found.probabilities[::31])


class Forgetful(FakeVad):
    """Begin each piece of a stream as if nothing had been heard, and say so in its first frame."""

    def answer(self, item: VadItem) -> VadResult:
        found = super().answer(item)
        probabilities = found.probabilities.copy()
        probabilities[0] = 0.5
        return replace(found, probabilities=probabilities)


class Polyglot(FakeAsr):
    def answer(self, item: AsrItem) -> Transcript:
        found = super().answer(item)
        return replace(found, languages=(("de", 1.0),)) if found.languages else found


class Foreign(FakeAsr):
    def answer(self, item: AsrItem) -> Transcript:
        return replace(super().answer(item), language="de")


class Repeating(FakeAsr):
    """Say the prefix again."""

    def answer(self, item: AsrItem) -> Transcript:
        found = super().answer(item)
        return replace(found, text=f"{item.prefix or ''}{found.text}")


class Unasked(FakeAsr):
    """Take a prefix that the spec says is refused."""

    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), takes_prefix=False)


class Untold(FakeNmt):
    def answer(self, item: NmtItem) -> Translation:
        return replace(super().answer(item), target_language="en")


class OtherRate(FakeTts):
    def answer(self, item: TtsItem) -> Speech:
        made = super().answer(item)
        return Speech(replace(made.audio, sample_rate_hz=8_000))


class Mumbling(FakeNmt):
    """Say something else of a text beside others."""

    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        if len(batch) > 1:
            batch = [replace(item, text="Something else.") for item in batch]
        return super().run(batch)


class Sorting(FakeTts):
    """Forget to put the results back in order."""

    def run(self, batch: Sequence[TtsItem]) -> list[Speech | ItemError]:
        return super().run(sorted(batch, key=lambda item: item.length))


class Constant(SleepSpeaker):
    def answer(self, item: SpeakerItem) -> Voiceprint:
        fakes.check_samples(item.samples)
        return Voiceprint(np.eye(1, 192, dtype=np.float32)[0])


class Whole(FakeVad):
    """Hear a sound of whole numbers alone."""

    def answer(self, item: VadItem) -> VadResult:
        found = super().answer(item)
        if item.samples.dtype == np.float32:
            return replace(found, probabilities=1 - found.probabilities)
        return found


class Obliging(FakeTts):
    """Speak with the first voice where there is none of a name."""

    def answer(self, item: TtsItem) -> Speech:
        return super().answer(replace(item, voice="fake-pt"))


class Fragile(FakeAsr):
    """Let one bad item end the whole batch."""

    def run(self, batch: Sequence[AsrItem]) -> list[Transcript | ItemError]:
        return [self.answer(item) for item in batch]


class Infectious(SleepSpeaker):
    """Let a bad item spoil its neighbours."""

    def run(self, batch: Sequence[SpeakerItem]) -> list[Voiceprint | ItemError]:
        results = super().run(batch)
        bad = [result for result in results if isinstance(result, ItemError)]
        return list(bad[:1] * len(batch)) or results


class Plain(FakeNmt):
    """Put an error of its own where one of Dragoman's is expected."""

    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        return [
            ItemError(KeyError("zz")) if isinstance(result, ItemError) else result  # type: ignore[arg-type]
            for result in super().run(batch)
        ]


class Hungry(FakeNmt):
    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        return [super().run(batch)[0], *super().run(batch)[1:]]


class Short(FakeNmt):
    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        return super().run(batch)[:1]


class Tied(FakeNmt):
    """Answer with what cannot leave the process."""

    def answer(self, item: NmtItem) -> Translation:
        warning: Any = lambda: None  # noqa: E731
        return replace(super().answer(item), warnings=(warning,))


class Stuck(FakeVad):
    def close(self) -> None:
        raise OSError("busy")


BREAKS: dict[type[Any], tuple[str, str]] = {
    Repeating: ("prefix", "its words are"),
    Unasked: ("prefix", "spec.takes_prefix is False"),
    NoReport: ("load", "load must return (RuntimeSpec, DeviceReport), not RuntimeSpec"),
    AnotherKind: ("load", "spec.kind is asr, and the class declares vad"),
    Deaf: ("load", "spec.languages must name"),
    NoCode: ("load", "spec.pairs: 'english' is no ISO 639-1 code"),
    Slow: ("load", "fake-pt has 22 Hz"),
    Twins: ("load", "spec.voices must have ids of their own"),
    NoSize: ("load", "spec.embedding_size must be above 0"),
    Cold: ("warm up", "OSError: no kernel"),
    Loud: ("results", "item 0: the embedding must be of length 1, not 2"),
    Endless: ("results", "item 0: 2.00 s lies behind the end"),
    Rough: ("results", "probabilities must be [32], one for each 512 samples, not [2]"),
    Forgetful: ("pieces = whole", "probabilities differ by 0.500"),
    Polyglot: ("detect", "languages: 'de' is not among the spec's"),
    Foreign: ("results", "item 0: language 'de' is not among the spec's"),
    Untold: ("results", "item 0: en-pt was asked for, not en-en"),
    OtherRate: ("results", "item 0: its rate is 8000 Hz"),
    Mumbling: ("alone = together", "item 0 differs from itself alone"),
    Sorting: ("order", "item 0 differs from itself alone"),
    Whole: ("int16 = float32", "probabilities differ by 1.000"),
    Obliging: ("a bad item", "a voice that it does not have: an ItemError was expected"),
    Fragile: ("a bad item", "InvalidRequest: the audio's values must be numbers"),
    Infectious: ("a bad item", "item 0 differs from itself alone: ItemError"),
    Plain: ("a bad item", "the error must be a DragomanError"),
    Hungry: ("empty batch", "IndexError"),
    Short: ("alone = together", "run must return a list of 5 results, not 1 results"),
    Tied: ("pickle", "pickle"),
    Stuck: ("close", "OSError: busy"),
}


@pytest.mark.parametrize(("engine", "row"), BREAKS.items(), ids=[e.__name__ for e in BREAKS])
def test_what_breaks_the_contract_is_seen(engine: type[Any], row: tuple[str, str]) -> None:
    name, says = row
    check = report(f"{__name__}:{engine.__name__}")[name]
    assert (check.status, says in check.detail) == ("failed", True), check


def test_an_order_that_no_answer_shows_is_not_called_right() -> None:
    assert report(f"{__name__}:Constant")["order"].status == "not seen"


def test_nothing_is_run_after_a_load_that_failed() -> None:
    assert list(report(f"{__name__}:Deaf")) == ["load", "close"]
