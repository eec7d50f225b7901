"""A window is heard again with terms that it may hold, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from deployments.graph.heard_terms import with_terms
from deployments.graph.plan import Hearing, TranscribeOptions
from deployments.graph.transcription import asked_of
from models.runtime import RuntimeSpec
from models.text.glossary import Entry, Glossary
from models.types import Segment, Transcript, Word

GLOSSARY = Glossary([Entry("Kestrelle", "en"), Entry("Quillfeather", "en"), Entry("deed", "en")])


def heard(text: str, words: tuple[Word, ...] | None = None) -> Transcript:
    segment = Segment(0.0, 2.0, f" {text}", (), 0.0, -0.2, 1.0, 0.0, words, "en")
    return Transcript(text, "en", 0.9, (segment,))


class Ear:
    """Hears texts one after the other."""

    def __init__(self, *texts: Transcript) -> None:
        self.texts, self.keywords = [*texts], list[Sequence[str]]()

    async def again(self, terms: Sequence[str]) -> Transcript:
        self.keywords.append(terms)
        return self.texts.pop(0)


async def test_a_text_that_sounds_like_no_term_is_heard_once() -> None:
    ear, first = Ear(), heard("The weather is fine today.")
    assert await with_terms(first, GLOSSARY, ear.again) is first
    assert ear.keywords == []


async def test_a_term_that_is_there_is_not_heard_again() -> None:
    ear, first = Ear(), heard("Kestrelle is open.")
    assert await with_terms(first, GLOSSARY, ear.again) is first
    assert ear.keywords == []


async def test_a_text_with_the_term_counts() -> None:
    ear = Ear(heard("Ask Kestrelle now."))
    found = await with_terms(heard("Ask Castrel now."), GLOSSARY, ear.again)
    assert (found.text, ear.keywords) == ("Ask Kestrelle now.", [("Kestrelle",)])


async def test_a_text_without_it_is_asked_for_once_more_and_does_not_count() -> None:
    ear, first = Ear(heard("Ask the castle."), heard("Ask a castle.")), heard("Ask Castrel now.")
    assert await with_terms(first, GLOSSARY, ear.again) is first
    assert ear.keywords[1] == ("Kestrelle",) * 3


async def test_a_text_that_lost_its_other_words_does_not_count() -> None:
    first = heard("Ask Castrel now, or come back to us tomorrow.")
    ear = Ear(heard("Kestrelle"), heard("Kestrelle"))
    assert await with_terms(first, GLOSSARY, ear.again) is first


async def test_a_term_that_is_nearly_there_is_written_as_it_is() -> None:
    words = tuple(
        Word(number / 2, (number + 1) / 2, word, 0.9)
        for number, word in enumerate([" Ask", " Quill", " feater,", " now."])
    )
    ear = Ear(heard("Ask Quill feater, now.", words))
    found = await with_terms(heard("Ask quilt feather, now."), GLOSSARY, ear.again)
    (segment,) = found.segments
    assert (found.text, segment.text) == ("Ask Quillfeather, now.", " Ask Quillfeather, now.")
    assert segment.words is not None
    assert [(word.text, word.start_s, word.end_s) for word in segment.words] == [
        (" Ask", 0.0, 0.5),
        (" Quillfeather,", 0.5, 1.5),
        (" now.", 1.5, 2.0),
    ]


async def test_plurals_stay() -> None:
    ear = Ear(heard("Kestrelle has two deeds."))
    found = await with_terms(heard("Castrel has two deeds."), GLOSSARY, ear.again)
    assert found.text == "Kestrelle has two deeds."


async def test_a_plural_that_is_nearly_there_is_written_as_it_is() -> None:
    ear = Ear(heard("Ask two Quill feathers."))
    found = await with_terms(heard("Ask two quilt feathers."), GLOSSARY, ear.again)
    assert found.text == "Ask two Quillfeathers."


@pytest.mark.parametrize("takes_prompt", [True, False], ids=["prompts", "no prompts"])
def test_who_takes_no_prompt_is_told_no_terms(takes_prompt: bool) -> None:
    spec = RuntimeSpec("asr", "some", "none", "MIT", takes_prompt=takes_prompt)
    model: Any = SimpleNamespace(spec=spec)
    asked = asked_of(Hearing(model, model, TranscribeOptions(glossary=GLOSSARY)))
    assert (asked.glossary is GLOSSARY) == takes_prompt
