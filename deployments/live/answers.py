"""Ask the recogniser for the words of an utterance, and for the languages in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deployments.batching.clock import Clock
from deployments.graph.plan import TranscribeOptions
from deployments.graph.sentences import doubts
from deployments.graph.transcripts import is_sparse, transcript_of
from deployments.live.context import Context, Said, without
from deployments.live.models import HearingModels
from deployments.live.options import LiveOptions
from deployments.live.retry import asked
from deployments.live.rounds import behind_prefix, goes_round
from deployments.live.tape import Tape
from deployments.live.turn_language import early_language, settled
from deployments.live.utterance import Pause, Utterance
from models.asr.spoken_languages import LEAST_S, Languages, among, is_clear, to_try
from models.audio.segments import Window
from models.text.glossary import Glossary
from models.types import SAMPLE_RATE_HZ, UNDETERMINED, AsrItem, Audio, SpeechSpan, Transcript

# Speech behind a pause whose language is asked for while more of it may come.
ENOUGH_BEHIND = round(1.5 * SAMPLE_RATE_HZ)
UNLIKELY = 0.05  # the probability below which speech hardly is in a language


class Answers:
    """Asks about one session's utterances, and knows which languages were heard in it.

    Attributes:
        options: those of what is said now.
        context: what was said last.
    """

    def __init__(
        self, models: HearingModels, options: LiveOptions, clock: Clock, tape: Tape
    ) -> None:
        self._models, self._clock, self._tape = models, clock, tape
        self.options = options
        self._likely: tuple[str, ...] = ()  # terms that the last answer sounds like
        self._last_language: str | None = None
        self._known: dict[str, None] = {}  # languages that were clearly heard, in order
        self.context = Context()

    def remember(self, told: Utterance) -> None:
        """Remember of an utterance what those after it need."""
        self._likely = ()
        self.context.follow(told)
        language = told.spoken_language
        if language != UNDETERMINED:
            self._last_language = language
        if is_clear(((language, told.language_probability),)):
            self._known[language] = None

    async def words(
        self, asked_of: Utterance, edge: int, is_final: bool, *, has_time: bool = True
    ) -> Transcript | None:
        """Return what is said up to a place; None: its language is not known yet.

        Args:
            asked_of: the utterance; its open audio is heard.
            edge: the place.
            is_final: whether the answer may be the last one.
            has_time: whether it may be heard behind what was said before, which takes longer.
        """
        samples, language = self._tape.cut(asked_of.start, edge), asked_of.language
        speech = asked_of.speech(edge)
        if is_final and not asked_of.sure:
            if language is None and len(samples) < LEAST_S * SAMPLE_RATE_HZ:
                language = self._last_language
            heard = await self._in_context(asked_of, edge, language) if has_time else None
            return heard or await self._whole(samples, speech, language)
        item = AsrItem(
            samples,
            language,
            word_timestamps=True,
            prompt=self._prompt,
            temperature=None if is_final else 0.0,
            languages=self.options.languages,
            prefix=asked_of.prefix,
            beam_size=None if is_final else 1,
        )
        answer = await self._in_no_language(item, asked_of, edge) if language is None else None
        if asked_of.language is None:
            return None
        if answer is None or answer.language != asked_of.language:
            answer = await self._recognise(replace(item, language=asked_of.language))
        self._look_for_terms(answer.text, asked_of.language)
        if not is_final or not goes_round(asked_of.prefix, answer.text):
            return answer
        sure_s = asked_of.sure[-1].end_s - asked_of.start / SAMPLE_RATE_HZ
        again = await self._whole(samples, speech, asked_of.language)
        return behind_prefix(asked_of.prefix, sure_s, again)

    async def _in_context(
        self, asked_of: Utterance, edge: int, language: str | None
    ) -> Transcript | None:
        """Recognise an utterance of which no word was sent behind what was said before it.

        None: there is nothing before it, or another language was spoken, or the answer is not sure.
        """
        said = self.context.of(asked_of, edge, language or self._last_language)
        if said is None or not self._models.takes_prefix:
            return None
        item = AsrItem(
            self._tape.cut(said.start, edge),
            said.language,
            word_timestamps=True,
            prompt=self._prompt,
            languages=self.options.languages,
            prefix=said.text,
        )
        heard, found = await self._with_languages(item, asked_of, edge, language)
        is_another = language is None and not (
            settled(found, self._known) and found[0][0] == said.language
        )
        answer = without(said, heard, asked_of.start)
        if is_another or not self._is_sure(answer, said, asked_of, edge):
            return None
        if not found:
            return answer
        return replace(answer, language_probability=found[0][1], languages=found)

    async def _with_languages(
        self, item: AsrItem, asked_of: Utterance, edge: int, language: str | None
    ) -> tuple[Transcript, Languages]:
        """Ask for words, and at the same time for languages where none is known."""
        words = asyncio.ensure_future(self._recognise(item))
        try:
            found = () if language else await self._languages(asked_of.start, edge)
            return await words, found
        finally:
            words.cancel()
            await asyncio.wait({words})

    def _is_sure(self, answer: Transcript, said: Said, asked_of: Utterance, edge: int) -> bool:
        if not answer.text.strip() or goes_round(said.text, answer.text):
            return False
        if any(doubts(segment) for segment in answer.segments):
            return False
        if self._glossary is not None:
            self._look_for_terms(answer.text, said.language)
            if self._likely:
                return False
        return not is_sparse(answer, asked_of.speech(edge), said.language)

    async def language_behind(
        self, pause: Pause, asked_of: Utterance, edge: int
    ) -> tuple[str, float] | None:
        """Return the language behind a pause, with its probability, if it changes there.

        It is undetermined where it can hardly be that of the utterance, and which is not clear.
        Where that of the utterance is not known yet, the part before the pause is heard, too.
        """
        later = (
            each.at for each in asked_of.pauses if each.at - pause.spoken_from >= ENOUGH_BEHIND
        )
        end = min(later, default=edge)
        found = await self._languages(pause.at, end)
        behind = self._clear(found, asked_of, end - pause.at)
        before = asked_of.language
        if behind is None:
            is_another = before is not None and dict(found).get(before, 0.0) < UNLIKELY
            return (UNDETERMINED, 0.0) if found and is_another else None
        if before is None:
            told = await self._told(asked_of, asked_of.start, pause.at)
            before = None if told is None else told[0]
        return None if before is None or behind[0] == before else behind

    async def _in_no_language(
        self, item: AsrItem, asked_of: Utterance, edge: int
    ) -> Transcript | None:
        """Ask for the words and their language at once, and tell the language where it is clear.

        Behind a pause another one may be spoken: then what is before it is asked for its language
        alone.
        """
        before_pauses = asked_of.before_pauses(edge)
        answer = await self._recognise(item) if before_pauses == edge else None
        if answer is not None and answer.languages:
            found = among(answer.languages, self.options.languages)
            told = self._clear(found, asked_of, edge - asked_of.start)
        else:
            told = await self._told(asked_of, asked_of.start, before_pauses)
        if told is not None:
            asked_of.tell_language(*told)
        return answer

    async def _recognise(self, item: AsrItem) -> Transcript:
        return await asked(lambda: self._models.recognise(item), self._clock)

    @property
    def _prompt(self) -> str | None:
        """Return the prompt, with the terms that the next answer may hold before it."""
        return ". ".join(filter(None, [", ".join(self._likely), self.options.prompt])) or None

    @property
    def _glossary(self) -> Glossary | None:
        """Return the terms that the recogniser is told; none: it takes no prompt."""
        return self.options.glossary if self._models.takes_prompt else None

    def _look_for_terms(self, text: str, language: str) -> None:
        """Find the terms that words which may still change sound like, for the next question."""
        if (glossary := self._glossary) is not None:
            found = glossary.sounding_like(text, language)
            self._likely = found[::-1]  # the recogniser minds most what it read last

    async def _told(self, asked_of: Utterance, start: int, end: int) -> tuple[str, float] | None:
        """Return the language of a part of an utterance; None: it is not clear."""
        return self._clear(await self._languages(start, end), asked_of, end - start)

    async def _languages(self, start: int, end: int) -> Languages:
        """Return the allowed languages that are heard in a part of the session; none: too short."""
        if end - start < LEAST_S * SAMPLE_RATE_HZ:
            return ()
        allowed = self.options.languages
        item = AsrItem(self._tape.cut(start, end), task="detect", languages=allowed)
        return among((await self._recognise(item)).languages, allowed)

    def _clear(
        self, found: Languages, asked_of: Utterance, length: int
    ) -> tuple[str, float] | None:
        known = dict.fromkeys([*self._known, *filter(None, [asked_of.language])])
        name = early_language(found, known, self.options.languages, length / SAMPLE_RATE_HZ)
        return None if name is None else (name, dict(found)[name])

    async def _whole(
        self,
        samples: NDArray[np.int16],
        speech: tuple[SpeechSpan, ...],
        language: str | None,
    ) -> Transcript:
        """Recognise speech of which no word was sent, by the rules for recordings."""
        options = TranscribeOptions(
            word_timestamps=True,
            prompt=self.options.prompt,
            languages=self.options.languages,
            glossary=self._glossary,
        )
        audio, all_s = Audio(samples), len(samples) / SAMPLE_RATE_HZ
        pieces = (SpeechSpan(0.0, all_s),)
        window = Window(pieces, speech or pieces, language)
        found = await transcript_of(audio, window, options, self._recognise)
        if language is not None or not found.languages or settled(found.languages, self._known):
            return found
        # Doubtful speech may be in a language that was clear before.
        tried = to_try(found.languages, options.languages, options.languages)
        candidates = to_try(found.languages, self._known, options.languages)
        if set(candidates) <= set(tried):
            return found
        told = await self._recognise(AsrItem(samples, task="detect", languages=candidates))
        if told.language == found.language:
            return found
        window = replace(
            window, language=told.language, language_probability=told.language_probability
        )
        return await transcript_of(audio, window, options, self._recognise)
