"""A family of models: how a text and its languages become tokens, and tokens a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from models.nmt.ctranslate2.codes import code_of_text
from models.nmt.ctranslate2.files import ModelFiles
from models.nmt.ctranslate2.pieces import Pieces
from models.types import NmtItem

FamilyName: TypeAlias = Literal["nllb", "opus-mt", "madlad"]
Codes: TypeAlias = Mapping[str, tuple[str, ...]]  # a model's codes of each language
_SPECIAL = ("<s>", "</s>", "<pad>", "<unk>", "<mask>")


@dataclass(frozen=True, slots=True)
class Tokens:
    """An item as the model gets it; ``source`` is empty where the text has no words.

    ``prefix`` is what the translation begins with.
    """

    source: list[str]
    prefix: list[str]


class Family(ABC):
    """One loaded model's tokens and languages.

    A text that spells a special token, such as ``</s>`` or ``<2pt>``, is text: it cannot end its
    sentence or change its language.

    Attributes:
        sources, targets: the languages that it translates from and to.
    """

    name: ClassVar[FamilyName]
    licence: ClassVar[str]  # of the published weights
    positions: ClassVar[int]  # tokens that the published models have places for

    def __init__(
        self,
        files: ModelFiles,
        pieces: tuple[Pieces, Pieces],
        codes: tuple[Codes, Codes],
        marks: Iterable[str],
    ) -> None:
        """Take the pieces and the codes of source and target, and the tokens of languages."""
        self._source, self._target = pieces
        self.sources, self.targets = codes
        self._known = frozenset(files.source_tokens) - {files.unknown}
        self._marks = frozenset({*marks, *_SPECIAL, files.unknown})
        self._end = [] if files.end is None else [files.end]

    @property
    def is_among(self) -> bool:
        """Tell whether it translates between any two of its languages."""
        return self.sources.keys() == self.targets.keys()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """List the pairs of two languages that it translates."""
        pairs = ((source, target) for source in self.sources for target in self.targets)
        return tuple(pair for pair in pairs if pair[0] != pair[1])

    def tokens(self, item: NmtItem) -> Tokens:
        """Return the tokens of an item whose languages are among those of the family.

        Raises:
            InvalidRequest: the text holds half of a surrogate pair.
        """
        pieces = self._pieces(item.text) if not item.text.isspace() else []
        if not pieces:
            return Tokens([], [])
        before, prefix = self._languages(item)
        return Tokens([*before, *pieces, *self._end], prefix)

    def text(self, tokens: Sequence[str]) -> str:
        """Return the text of some tokens; special ones leave no trace in it."""
        return self._target.decode([token for token in tokens if token not in self._marks])

    def lacks(self, text: str) -> bool:
        """Tell whether the vocabulary lacks a character of a text."""
        return any(piece not in self._known for piece in self._source.encode(text))

    @abstractmethod
    def _languages(self, item: NmtItem) -> tuple[list[str], list[str]]:
        """Return the tokens before the text, and those that the translation begins with."""

    def _pieces(self, text: str) -> list[str]:
        """Return the pieces of a text; a special token among them is cut into its letters."""
        pieces = self._source.encode(text)
        if self._marks.isdisjoint(pieces):
            return pieces
        return [part for piece in pieces for part in (piece if piece in self._marks else [piece])]


class Nllb(Family):
    """NLLB-200 (NLLB Team 2022, https://arxiv.org/abs/2207.04672)."""

    name, licence, positions = "nllb", "CC-BY-NC-4.0", 1024

    def _languages(self, item: NmtItem) -> tuple[list[str], list[str]]:
        source = code_of_text(self.sources[item.source_language], item.text)
        return [source], [self.targets[item.target_language][0]]


class OpusMt(Family):
    """Opus-MT (Tiedemann and Thottingal 2020, https://aclanthology.org/2020.eamt-1.61).

    A model of several target languages has a token for each.
    """

    name, licence, positions = "opus-mt", "CC-BY-4.0", 512

    def _languages(self, item: NmtItem) -> tuple[list[str], list[str]]:
        mark = f">>{self.targets[item.target_language][0]}<<"
        return [mark] if mark in self._marks else [], []


class Madlad(Family):
    """MADLAD-400 (Kudugunta et al. 2023, https://arxiv.org/abs/2309.04662).

    It is told the target language alone.
    """

    name, licence, positions = "madlad", "Apache-2.0", 512

    def _languages(self, item: NmtItem) -> tuple[list[str], list[str]]:
        return self._source.encode(f"<2{self.targets[item.target_language][0]}>"), []
