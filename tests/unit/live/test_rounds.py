"""Texts that go round are not sent: the audio is heard once more, without what was sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments.live.rounds import behind_prefix, goes_round
from models.types import AsrItem, Segment, Transcript, Word
from tests.support.hearing_stage import Stage
from tests.support.spoken_levels import silence, spoken, words, written

MADE = " Vous pouvez vous servir de la maquette"
ROUND = " ou de la maquillette ou de la maquillette ou de la maquillette"
HINDI = (
    " मैं कल सुबह अपने दोस्त के साथ बाज़ार जाऊँगा और वहाँ से कुछ ताज़े फल और सब्ज़ियाँ खरीदूँगा, फिर हम दोनों"
    " नदी के किनारे बैठकर चाय पिएँगे और पुरानी बातें याद करेंगे"
)
ROUNDS: dict[str, tuple[str, str, bool]] = {
    "three times": (MADE, ROUND, True),
    "with what was sent": (MADE + " ou de la maquillette", ROUND[:42], True),
    "cut short": (MADE, ROUND[:-12], True),
    "twice, and nothing else": (MADE, " je ne sais pas je ne sais pas", True),
    "without spaces": ("", "我知道了吗我知道了吗我知道了吗", True),
    "before other words": (MADE, ROUND * 4 + " et puis rien.", True),
    "twice at the end": (MADE, " je ne sais pas, vraiment je ne sais pas", False),
    "short words": (MADE, " no, no, no", False),
    "other words": (MADE, " ou d'une feuille de papier.", False),
    "other words, of letters of three bytes": ("", HINDI, False),
    "nothing": (ROUND, " ", False),
}


@pytest.mark.parametrize(("prefix", "text", "expected"), ROUNDS.values(), ids=ROUNDS)
def test_a_text_goes_round(prefix: str, text: str, expected: bool) -> None:
    assert goes_round(prefix, text) is expected


def test_what_was_sent_stands_in_place_of_its_words() -> None:
    said = (Word(0, 0.4, " Un", 1), Word(0.4, 1.0, " deux", 1), Word(1.1, 1.5, " trois", 1))
    segments = (
        Segment(0, 1.0, "Un deux", (), 0, -0.1, 1, 0, said[:2], "fr"),
        Segment(1.0, 1.5, "trois", (), 0, -0.1, 1, 0, said[2:], "fr"),
    )
    found = behind_prefix(" Un, deux,", 0.9, Transcript("Un deux trois", "fr", 1.0, segments))
    texts = [word.text for segment in found.segments for word in segment.words or ()]
    assert texts == [" Un, deux,", " trois"]


def going_round(item: AsrItem) -> Transcript:
    """Repeat the last word of a text again and again, wherever there is a prefix."""
    heard = written(item)
    if not item.prefix or not heard.segments:
        return heard
    (segment,) = heard.segments
    last = (segment.words or ())[-1]
    loop = replace(last, text=" and over again" * 3)
    return replace(
        heard,
        text=heard.text + loop.text,
        segments=(replace(segment, words=(*(segment.words or ()), loop)),),
    )


async def test_a_final_answer_that_goes_round_is_heard_again() -> None:
    stage = Stage()
    await stage.say(spoken(*range(100, 112)))
    before = len(stage.models.asked)
    stage.models.writes = going_round
    await stage.say(spoken(112, 113), silence(1))
    assert stage.texts() == [words(*range(100, 114))]
    assert stage.models.asked[before].prefix
    assert stage.models.asked[-1].prefix is None


async def test_nothing_is_sent_of_an_update_that_goes_round() -> None:
    stage = Stage()
    await stage.say(spoken(*range(1000, 1010)))
    stage.models.writes = going_round
    await stage.say(spoken(*range(1010, 1020)))
    stage.models.writes = written
    await stage.say(silence(1))
    assert stage.texts() == [words(*range(1000, 1020))]
