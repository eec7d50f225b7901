"""Show a live session in a shell: both texts as they settle, or a line a sentence in a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from . import console
from .live_types import (
    LiveEvent,
    Notice,
    PartialText,
    Problem,
    SentenceEnd,
    TranscriptText,
    TranslatedText,
    TurnEnd,
)

REFRESHES_A_S = 8


class Display(Protocol):
    """Shows events; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def show(self, event: LiveEvent) -> None: ...


class Settled:
    """Collects what is not yet a whole sentence, and gives each sentence's lines once it is.

    Where there are translations, it is their sentences that lines are made of, else the turns.
    """

    def __init__(self, *, translates: bool) -> None:
        self._translates = translates
        self.source = ""
        self.partial = ""
        self.translated: dict[str, str] = {}  # by language
        self._last_source: tuple[float | None, str] | None = None

    def add(self, event: LiveEvent) -> list[tuple[str, str]]:
        """Return the lines that an event completes: a language and a text each."""
        match event:
            case TranscriptText(text=text):
                self.source, self.partial = self.source + text, ""
            case PartialText(text=text):
                self.partial = text
            case TranslatedText(text=text, language=language):
                self.translated[language or ""] = self.translated.get(language or "", "") + text
            case SentenceEnd():
                return self._sentence(event)
            case TurnEnd(text=text, language=language) if text and not self._translates:
                self.source = self.partial = ""
                return [(language or "", text.strip())]
        return []

    def _sentence(self, event: SentenceEnd) -> list[tuple[str, str]]:
        lines = [(event.language or "", event.text.strip())]
        left = self.translated.get(event.language or "", "").lstrip()
        self.translated[event.language or ""] = left.removeprefix(event.text.strip())
        source = (event.start_s, event.source_text)
        if source != self._last_source:  # which each target's sentence repeats
            self._last_source = source
            self.source = self.source.lstrip().removeprefix(event.source_text.strip())
            lines.insert(0, (event.source_language or "", event.source_text.strip()))
        return [line for line in lines if line[1]]

    def rest(self) -> list[tuple[str, str]]:
        """Return what was never said to be whole."""
        found = [("", self.source.strip())]
        found += [(language, text.strip()) for language, text in self.translated.items()]
        return [(language, text) for language, text in found if text]


class Lines:
    """A line a text, once it is whole: language, tab, text."""

    def __init__(self, *, translates: bool) -> None:
        self._settled = Settled(translates=translates)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._print(self._settled.rest())

    def show(self, event: LiveEvent) -> None:
        if not told(event):
            self._print(self._settled.add(event))

    def _print(self, lines: list[tuple[str, str]]) -> None:
        for language, text in lines:
            typer.echo(f"{language}\t{' '.join(text.split())}")
            sys.stdout.flush()


class Screen:
    """Whole sentences as lines; below them what is being said, dim where it may still change."""

    def __init__(self, to: Console | None = None, *, translates: bool) -> None:
        self._settled = Settled(translates=translates)
        self._live = Live(
            console=to or Console(highlight=False),
            refresh_per_second=REFRESHES_A_S,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.__exit__(exc_type, exc_value, traceback)
        self._print(self._settled.rest())

    def show(self, event: LiveEvent) -> None:
        if not told(event):
            self._print(self._settled.add(event))
            self._live.update(self._unsettled())

    def _print(self, lines: list[tuple[str, str]]) -> None:
        for language, text in lines:
            self._live.console.print(_line(language, text))

    def _unsettled(self) -> Group:
        settled, rows = self._settled, []
        if settled.source or settled.partial:
            rows.append(_line("", settled.source.lstrip(), settled.partial))
        rows += [_line(language, text) for language, text in settled.translated.items() if text]
        return Group(*rows)


def _line(language: str, text: str, partial: str = "") -> Text:
    return Text.assemble((f"{language:3} ", "cyan"), text, (partial, "dim"))


def told(event: LiveEvent) -> bool:
    """Tell on stderr what is no text; return whether it is none."""
    if isinstance(event, (Notice, Problem)):
        console.notice(f"dragoman: {' '.join(event.message.split())}")
        return True
    return False


def display(*, translates: bool) -> Display:
    """Return the one for this stdout."""
    if sys.stdout.isatty():
        return Screen(translates=translates)
    return Lines(translates=translates)
