"""One language of a session: clauses translated in order, tried again, joined, spoken in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from deployments.live.clauses import Clause
from deployments.live.events import Event, Lost, Notice, SentenceDone, SpeechDelta, TranslationDelta
from deployments.live.heard_audio import HeardAudio
from deployments.live.interpreter import MAX_WAITING_CHARS, Interpreter, fitted
from deployments.live.models import Begun
from deployments.live.spoken import MAX_SPEED, SpeechOrder
from deployments.live.spoken import MAX_WAITING_CHARS as MAX_UNSPOKEN_CHARS
from models.errors import InternalError, InvalidRequest, QueueFull, Unavailable
from models.types import AnswerWarning
from tests.support.clock import VirtualClock, settle
from tests.support.live import FakeModels, raising


@dataclass
class Line:
    clock: VirtualClock
    models: FakeModels
    interpreter: Interpreter
    task: asyncio.Task[None]
    events: list[Event] = field(default_factory=list)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.of(TranslationDelta))

    @property
    def notices(self) -> list[str]:
        return [event.code for event in self.of(Notice)]

    @property
    def lost(self) -> list[str]:
        return [event.error.code for event in self.of(Lost)]


@asynccontextmanager
async def line(
    target: str = "pt", *, speaks: bool = False, voice: str | None = None, **settings: Any
) -> AsyncIterator[Line]:
    clock = VirtualClock()
    models, events = FakeModels(clock, **settings), list[Event]()
    models.prepare_target(target, voice, speaks=True)
    heard = HeardAudio(models)
    heard.add(np.arange(16_000 * 20, dtype=np.int16))
    speech = SpeechOrder(target, voice, models, heard, events.append, clock)
    speech.want(speaks)
    interpreter = Interpreter(target, models, events.append, clock, speech)
    task = asyncio.ensure_future(interpreter.run())
    yield Line(clock, models, interpreter, task, events)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def clause(
    text: str,
    number: int = 0,
    *,
    starts: bool = True,
    ends: bool = True,
    language: str = "en",
    turn: int = 0,
    warnings: tuple[AnswerWarning, ...] = (),
) -> Clause:
    at_s = float(number)
    return Clause(turn, text, at_s, at_s + 1.0, language, starts, ends, warnings)


async def test_clauses_make_a_sentence_and_go_on_from_its_start() -> None:
    async with line() as on:
        on.interpreter.take(clause("When it works,", 0, ends=False))
        await settle()
        on.interpreter.take(clause("we go home.", 1, starts=False))
        await settle()
        assert on.events == [
            TranslationDelta("pt", "<en>pt:When it works,", 0.0, 1.0),
            TranslationDelta("pt", " <en>pt:we go home.", 1.0, 2.0),
            SentenceDone(
                "pt",
                "When it works, we go home.",
                "<en>pt:When it works, <en>pt:we go home.",
                0.0,
                2.0,
                "en",
            ),
        ]
        assert on.models.begun == [None, Begun("When it works,", "<en>pt:When it works,")]


async def test_clauses_that_wait_are_joined_within_a_sentence_and_stay_in_order() -> None:
    async with line() as on:
        on.models.gate.clear()
        on.interpreter.take(clause("First.", 0))
        await settle()
        on.interpreter.take(clause("Second one,", 1, ends=False))
        on.interpreter.take(clause("and its end.", 2, starts=False))
        on.interpreter.take(clause("Third.", 3))
        on.models.gate.set()
        await settle()
        said = [text for text, _, _ in on.models.translated]
        assert said == ["First.", "Second one, and its end.", "Third."]
        assert on.text == "<en>pt:First. <en>pt:Second one, and its end. <en>pt:Third."
        assert not on.notices


async def test_one_who_falls_behind_says_so_once_until_it_has_caught_up() -> None:
    async with line(translate_s=4.0) as on:
        for number in range(4):
            on.interpreter.take(clause(f"Number {number} is said.", number))
            await on.clock.advance(1.0)
        await on.clock.advance(20.0)
        assert on.notices == []
        for number in range(20):
            on.interpreter.take(clause(f"Again {number}.", number))
            await on.clock.advance(0.5)
        await on.clock.advance(30.0)
        assert on.notices == ["translation_behind"]
        assert on.text.count("<en>") == 24


async def test_a_translation_that_fails_for_a_while_is_tried_again() -> None:
    async with line(failing=raising(Unavailable("the replica died"), 5)) as on:
        on.interpreter.take(clause("Patience."))
        await on.clock.advance(10.0)
        assert on.text == "<en>pt:Patience."
        assert on.notices == []


@pytest.mark.parametrize(
    ("error", "after_s", "told"),
    [
        pytest.param(QueueFull("nmt is full"), 40.0, "nmt is full", id="for long"),
        pytest.param(InternalError("a secret"), 40.0, "internal error", id="a fault"),
        pytest.param(InvalidRequest("too odd"), 0.0, "too odd", id="the text's own"),
    ],
)
async def test_what_is_lost_is_named_and_the_rest_goes_on(
    error: Exception, after_s: float, told: str
) -> None:
    async with line(failing=raising(error, 1 if not after_s else 1000)) as on:  # type: ignore[arg-type]
        on.interpreter.take(clause("Never mind,", ends=False))
        await on.clock.advance(after_s)
        on.models.failing.clear()
        on.interpreter.take(clause("it goes on.", 1, starts=False))
        await on.clock.advance(5.0)
        assert on.lost == ["translation_lost"]
        (lost,) = on.of(Lost)
        assert "'Never mind,', 0.0 to 1.0 s" in lost.error.message
        assert lost.error.message.endswith(told)
        (sentence,) = on.of(SentenceDone)
        assert (sentence.source_text, sentence.text) == (
            "Never mind, it goes on.",
            "<en>pt:it goes on.",
        )
        assert on.models.begun[-1] is None  # what was lost has no translation to go on from


async def test_the_target_language_itself_passes_through() -> None:
    async with line(speaks=True) as on:
        on.interpreter.take(clause("Bom dia.", 2, language="pt"))
        await settle()
        assert on.text == "Bom dia."
        assert on.models.translated == []
        (speech,) = on.of(SpeechDelta)
        assert speech.audio.samples[0] == np.arange(32_000, 32_001).astype(np.int16)[0]
        assert speech.audio.duration_s == 1.0


async def test_what_nothing_translates_is_passed_on_with_a_warning() -> None:
    async with line(speaks=True) as on:
        on.interpreter.take(clause("Привет.", language="ru"))
        await settle()
        (sentence,) = on.of(SentenceDone)
        assert sentence.text == "Привет."
        assert [warning.code for warning in sentence.warnings] == ["untranslated"]
        assert on.models.spoken == []
        assert on.of(SpeechDelta)[0].audio.duration_s == 1.0  # as it was said


async def test_doubts_come_with_the_sentence() -> None:
    doubt = AnswerWarning("unsure_text", "what was said may be something else")
    async with line() as on:
        on.interpreter.take(clause("Hm.", warnings=(doubt,)))
        await settle()
        assert on.of(SentenceDone)[0].warnings == (doubt,)


async def test_too_much_that_waits_is_lost_by_name() -> None:
    async with line() as on:
        on.models.gate.clear()
        on.interpreter.take(clause("First."))
        await settle()
        for number in range(MAX_WAITING_CHARS // 400 + 1):
            on.interpreter.take(clause("x" * 400, number))
        assert on.lost == ["translation_lost"]


@pytest.mark.parametrize(
    ("source", "flags", "translation", "written"),
    [
        ("in the house,", (False, False), "Na casa,", "na casa,"),
        ("in the house", (False, False), "Na casa.", "na casa"),
        ("in the house.", (False, True), "Na casa.", "na casa."),
        ("I know", (False, False), "Eu sei.", "Eu sei"),
        ("in NATO", (False, True), "NATO.", "NATO."),
        ("Well", (True, True), "Bem.", "Bem."),
    ],
    ids=["mark", "no stop", "end", "capital", "acronym", "whole"],
)
def test_a_clause_is_written_as_a_part_of_its_sentence(
    source: str, flags: tuple[bool, bool], translation: str, written: str
) -> None:
    starts, ends = flags
    assert fitted(clause(source, starts=starts, ends=ends), translation) == written


# ---- speech ---------------------------------------------------------------------------


async def test_speech_is_one_clause_at_a_time_in_order() -> None:
    async with line(speaks=True, speak_s=1.0) as on:
        for number in range(3):
            on.interpreter.take(clause(f"Number {number} of three.", number))
        await on.clock.advance(2.5)
        assert [event.start_s for event in on.of(SpeechDelta)] == [0.0, 1.0]
        await on.clock.advance(1.0)
        assert [event.start_s for event in on.of(SpeechDelta)] == [0.0, 1.0, 2.0]


async def test_a_backlog_of_unplayed_speech_is_caught_up_by_speed_within_its_bound() -> None:
    async with line(speaks=True) as on:
        for number in range(6):
            on.interpreter.take(clause(f"Number {number} takes about two seconds.", number))
            await settle()
        speeds = [event.speed for event in on.of(SpeechDelta)]
        assert speeds[0] == 1.0
        assert speeds == sorted(speeds)
        assert speeds[-1] == MAX_SPEED
        await on.clock.advance(60.0)  # all of it is played
        on.interpreter.take(clause("And now in time.", 9))
        await settle()
        assert on.of(SpeechDelta)[-1].speed == 1.0


async def test_speech_that_fails_is_named_and_the_next_is_spoken() -> None:
    failing = raising(InvalidRequest("no such sound"), 1)
    async with line(speaks=True, failing_speech=failing) as on:
        on.interpreter.take(clause("Mute.", 0))
        on.interpreter.take(clause("Loud.", 1))
        await settle()
        assert on.lost == ["speech_lost"]
        assert [event.start_s for event in on.of(SpeechDelta)] == [1.0]


async def test_too_much_that_is_unspoken_is_lost_by_name() -> None:
    async with line(speaks=True, speak_s=1e6) as on:
        for number in range(MAX_UNSPOKEN_CHARS // 400 + 2):
            on.interpreter.take(clause("x" * 400, number))
            await settle()
        assert "speech_lost" in on.lost


async def test_the_speakers_own_voice_is_that_of_the_last_seconds_heard() -> None:
    async with line(speaks=True, voice="source") as on:
        on.interpreter.take(clause("In my voice.", 8))
        await settle()
        (reference,) = on.models.references
        assert reference is not None
        assert 0 < len(reference) <= 16_000 * 10


async def test_audio_is_kept_for_a_minute_and_only_for_speech() -> None:
    heard = HeardAudio(FakeModels(VirtualClock()))
    heard.add(np.zeros(16_000 * 5, np.int16), keeps=False)
    assert not len(heard.clip(0.0, 5.0).samples)
    for number in range(200):
        heard.add(np.full(8_000, number, np.int16))
    assert set(heard.clip(5.0, 45.0).samples) == set()  # too old
    assert set(heard.clip(100.0, 100.5).samples) == {190}
    assert sum(map(len, heard._pieces)) <= 16_000 * 61


async def test_finish_waits_for_the_last_word_and_its_speech() -> None:
    async with line(speaks=True, translate_s=3.0, speak_s=3.0) as on:
        on.interpreter.take(clause("The last word."))
        on.interpreter.finish()
        await on.clock.advance(5.0)
        assert not on.task.done()
        await on.clock.advance(2.0)
        assert on.task.done()
        assert len(on.of(SpeechDelta)) == 1
