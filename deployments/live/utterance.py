"""What a session knows of speech that goes on: its open audio, its sure words, the newest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deployments.graph.sentences import doubts, language_doubts
from deployments.live.agreement import Heard, agreed, behind, text_of
from deployments.live.rounds import goes_round
from deployments.live.turn import Turn
from models.asr.repeats import repeats_the_end
from models.asr.row import LEAST_SPEECH_S, REPEAT_SHARE
from models.asr.spoken_languages import LEAST_S
from models.types import (
    SAMPLE_RATE_HZ,
    UNDETERMINED,
    AnswerWarning,
    SpeechSpan,
    Transcript,
    VadParameters,
)
from models.vad.silero import FRAME_SAMPLES, spans

CUT_FROM = round(7.0 * SAMPLE_RATE_HZ)  # open audio from which sure words are cut off
LONGEST = 28 * SAMPLE_RATE_HZ
CONTEXT_WORDS = 2  # sure words that stay in front, unless a sentence ends
TAIL = round(0.3 * SAMPLE_RATE_HZ)  # silence that is kept behind speech
PAUSE = round(0.25 * SAMPLE_RATE_HZ)  # as the VAD hears 0.3 s; behind it another may speak
SPEECH = VadParameters(padding_s=0.2, min_silence_s=0.3)  # as in recordings
SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", "…")


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence inside an utterance: its middle, and where speech came again."""

    at: int
    spoken_from: int


@dataclass(slots=True)
class Utterance:
    """Speech without a long silence. Places are samples of the session.

    Attributes:
        start: of the open audio; moves on as sure words are cut off.
        language: None: not known yet.
        end: of its audio; None: somebody still speaks.
        probabilities: of the VAD's frames, from ``frames_start`` on.
        heard: the place up to which the VAD has judged.
        speech_end: where its last speech ended.
        sure: the words sent, of the open audio.
        before: the words that were cut off last.
        newest: the words behind those, by the last answer; they may still change.
        covered: the place up to which the last answer has heard.
        is_settled: the last answer may stand as the final one.
        pauses: those behind which the language was not looked at; no word there is sure.
    """

    turn: Turn
    start: int
    language: str | None
    frames_start: int
    probabilities: list[float]
    heard: int
    speech_end: int
    silent_since: int | None = None
    end: int | None = None
    sure: list[Heard] = field(default_factory=list)
    newest: list[Heard] = field(default_factory=list)
    before: list[Heard] = field(default_factory=list)
    newest_language: str = UNDETERMINED
    language_probability: float = 1.0
    covered: int = 0
    is_settled: bool = False
    pauses: list[Pause] = field(default_factory=list)
    _named: str | None = field(init=False)  # its language, where that was known before it was heard
    _logprobs: list[tuple[float, int]] = field(default_factory=list)  # of the last answer
    _warnings: list[AnswerWarning] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._named = self.language

    def follow(self, probability: float, heard: int, silent_since: int | None) -> None:
        """Take what the VAD says of one more frame."""
        self.probabilities.append(probability)
        if silent_since is None and self.silence >= PAUSE and self._named is None:
            frames = self.silence // FRAME_SAMPLES
            self.pauses.append(Pause(self.heard - (frames // 2) * FRAME_SAMPLES, self.heard))
        self.heard, self.silent_since = heard, silent_since
        self.speech_end = heard if silent_since is None else silent_since

    @property
    def silence(self) -> int:
        return 0 if self.silent_since is None else self.heard - self.silent_since

    @property
    def audible_end(self) -> int:
        """Return the end of its audio so far, with a little silence."""
        return self.heard if self.silent_since is None else min(self.heard, self.speech_end + TAIL)

    @property
    def is_recognised(self) -> bool:
        return self.is_settled and self.covered >= self.speech_end

    @property
    def waiting(self) -> int:
        """Return how many samples of it no answer covers."""
        end = self.speech_end if self.end is None else self.end
        return max(0, end - max(self.start, self.covered))

    @property
    def spoken_language(self) -> str:
        return self.language or self.newest_language

    @property
    def prefix(self) -> str:
        return text_of(self.sure)

    def pause_to_look_behind(self, least: int) -> Pause | None:
        """Return the first pause that has so many samples of speech behind it."""
        pauses = (pause for pause in self.pauses if pause.at > self.start)
        first = next(pauses, None)
        return first if first and self.speech_end - first.spoken_from >= least else None

    def before_pauses(self, end: int) -> int:
        """Return the first pause before a place that has enough in front to show a language."""
        least = self.start + round(LEAST_S * SAMPLE_RATE_HZ)
        return min([end, *(pause.at for pause in self.pauses if pause.at >= least)])

    def speech(self, end: int) -> tuple[SpeechSpan, ...]:
        """Return the speech of the open audio up to a place, by the rules for recordings."""
        first = max(0, (self.start - self.frames_start) // FRAME_SAMPLES)
        last = (end - self.frames_start + FRAME_SAMPLES - 1) // FRAME_SAMPLES
        heard = np.array(self.probabilities[first:last], np.float32)
        offset_s = (self.frames_start + first * FRAME_SAMPLES - self.start) / SAMPLE_RATE_HZ
        length_s = (end - self.start) / SAMPLE_RATE_HZ
        found = spans(heard, SPEECH, len(heard) * FRAME_SAMPLES / SAMPLE_RATE_HZ)
        moved = [
            SpeechSpan(max(0.0, span.start_s + offset_s), min(length_s, span.end_s + offset_s))
            for span in found
        ]
        return tuple(span for span in moved if span.start_s < span.end_s)

    def take(self, answer: Transcript, edge: int, hold: int, *, is_final: bool) -> list[Heard]:
        """Take an answer for the open audio up to ``edge``; return the words that are sure now.

        Args:
            hold: samples before the edge whose words may still change.
            is_final: whether the answer may stand as the last one.
        """
        words = [word for segment in answer.segments for word in segment.words or ()]
        new = behind(self.prefix, words, self.start / SAMPLE_RATE_HZ)
        if self._only_repeats(new, edge):
            new = []
        self._logprobs = [(s.avg_logprob, max(1, len(s.text))) for s in answer.segments]
        self._warnings = [warning for s in answer.segments for warning in doubts(s)]
        count, is_doubtful = 0, bool(self._warnings) or goes_round(self.prefix, text_of(new))
        self._warnings += language_doubts(answer)
        if self.language is None:
            self.newest_language = answer.language
            self.language_probability = answer.language_probability
        elif is_doubtful and not is_final:
            new = []
            if not self.sure and not self.before:
                self.language = self._named  # else another one may show in more of it
        elif edge != self.end:
            firm = min([edge - hold, *(pause.at for pause in self.pauses)])
            count = agreed(self.newest, new, firm / SAMPLE_RATE_HZ)
        sent, self.newest = new[:count], new[count:]
        self.sure += sent
        self.covered, self.is_settled = edge, is_final
        return sent

    def settle(self) -> list[Heard]:
        """Make the newest words sure, and return them; tell the turn of the last answer."""
        sent, self.newest = self.newest, []
        self.sure += sent
        self.turn.logprobs += self._logprobs
        self.turn.warnings += self._warnings
        return sent

    def conclude(self) -> None:
        """Tell the turn how much was said in which language."""
        turn, language = self.turn, self.spoken_language
        turn.spoken[language] = turn.spoken.get(language, 0) + self.spoken
        turn.probabilities[language] = max(
            self.language_probability, turn.probabilities.get(language, 0.0)
        )

    def goes_on(self) -> bool:
        """Tell whether much speech lies behind the last word of a final answer.

        Then the audio behind it is what is open, as after a sentence that Whisper stops at.
        """
        if self.end is None or not self.sure:
            return False
        if self._speech_behind_s(self.sure[-1].end_s, self.end) < LEAST_SPEECH_S:
            return False
        self.begin_behind()
        return True

    def begin_behind(self) -> None:
        """Let the audio behind the last sure word be what is open."""
        behind_it = round(self.sure[-1].end_s * SAMPLE_RATE_HZ)
        end = self.heard if self.end is None else self.end
        self.start = max(self.start, min(behind_it, end - FRAME_SAMPLES))
        self.before, self.sure = self.before + self.sure, []
        self.is_settled = False

    def _speech_behind_s(self, at_s: float, edge: int) -> float:
        at_s -= self.start / SAMPLE_RATE_HZ
        spans = self.speech(edge)
        return sum(max(0.0, span.end_s - max(at_s, span.start_s)) for span in spans)

    def _only_repeats(self, new: list[Heard], edge: int) -> bool:
        """Tell whether words repeat those before, in less time than it takes to say them."""
        before, text = self.before + self.sure, text_of(new)
        if not before or not repeats_the_end(text_of(before), text):
            return False
        share = min(1.0, len(text) / len(text_of(before)))
        said_s = share * (before[-1].end_s - before[0].start_s)
        return self._speech_behind_s(before[-1].end_s, edge) < REPEAT_SHARE * said_s

    @property
    def spoken(self) -> int:
        """Return how many samples of it are speech."""
        return sum(value >= SPEECH.threshold for value in self.probabilities) * FRAME_SAMPLES

    def cut(self) -> None:
        """Cut sure words off where the open audio gets long: behind a sentence, or at a breath."""
        if self.covered - self.start < CUT_FROM:
            return
        places = [self._gap(number) for number in range(len(self.sure) - 1)]
        ends = [n for n in range(len(places)) if self._ends_sentence(n)]
        inner = range(max(0, len(places) - CONTEXT_WORDS))
        late = [n for n in inner if self._place(n) - self.start > CUT_FROM // 3]
        if ends and self._place(ends[-1]) - self.start > CUT_FROM // 3:
            chosen = ends[-1]
        elif late:
            chosen = max(late, key=lambda number: places[number])
        else:
            return
        self.start, self.before = self._place(chosen), self.sure[: chosen + 1]
        self.sure = self.sure[chosen + 1 :]

    def split(self, at: int, language: str | None) -> Utterance:
        """End it at a place between two frames; return what goes on there, of the same turn."""
        first = (at - self.frames_start) // FRAME_SAMPLES
        later = Utterance(
            turn=self.turn,
            start=at,
            language=language,
            frames_start=at,
            probabilities=self.probabilities[first:],
            heard=self.heard,
            speech_end=self.speech_end,
            silent_since=self.silent_since,
            end=self.end,
            pauses=[pause for pause in self.pauses if pause.at > at],
        )
        self.pauses = [pause for pause in self.pauses if pause.at < at]
        del self.probabilities[first:]
        self.end, self.is_settled = at, False
        self.speech_end, self.covered = min(self.speech_end, at), min(self.covered, at)
        return later

    def longest_breath(self, before: int) -> int:
        """Return the place in the last third before ``before`` where speech is least likely."""
        first = self.start + 2 * (before - self.start) // 3
        frames = range(
            (first - self.frames_start) // FRAME_SAMPLES,
            min(len(self.probabilities), (before - self.frames_start) // FRAME_SAMPLES),
        )
        quietest = min(frames, key=lambda frame: sum(self.probabilities[frame : frame + 3]))
        return self.frames_start + (quietest + 1) * FRAME_SAMPLES

    def tell_language(self, name: str, probability: float) -> None:
        """Say in which language the rest of it is recognised."""
        self.language = self.newest_language = name
        self.language_probability = probability

    def hear_nothing(self, edge: int) -> None:
        """Note that its language must be heard for longer."""
        self.covered, self.is_settled = edge, False

    def _gap(self, number: int) -> float:
        return self.sure[number + 1].start_s - self.sure[number].end_s

    def _place(self, number: int) -> int:
        """Return the middle between a sure word and the next one."""
        middle_s = (self.sure[number].end_s + self.sure[number + 1].start_s) / 2
        return max(self.start, round(middle_s * SAMPLE_RATE_HZ))

    def _ends_sentence(self, number: int) -> bool:
        return self.sure[number].text.rstrip().endswith(SENTENCE_ENDS)
