"""One direction of a Bergamot model: its student, its vocabulary and its shortlist."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from models.errors import InvalidRequest, TooLarge, WeightsError
from models.nmt.vocabulary import read_pieces
from models.types import NmtItem
from models.weights.source import WeightSource

if TYPE_CHECKING:
    from models.nmt.bergamot.marian import Shortlist
    from models.nmt.bergamot.network import Student

_EOS_PIECE = "</s>"


class Bounds(Protocol):
    """The engine's options that a direction needs."""

    @property
    def shortlist(self) -> bool: ...

    @property
    def max_source_tokens(self) -> int: ...

    @property
    def max_length_factor(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One item as the student gets it.

    Attributes:
        tokens: of the text and what stands before it; none: it has no words.
        max_tokens: most of the translation, beside those of ``max_length_factor``.
        prefix: tokens that the translation begins with.
    """

    tokens: list[int]
    max_tokens: int | None = None
    prefix: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """The student of one pair, with its tokenizer and its shortlist."""

    student: Student
    tokenizer: Any  # sentencepiece.SentencePieceProcessor; source and target share it
    shortlist: Shortlist | None  # None: all words are allowed
    options: Bounds

    @classmethod
    def load(cls, source: WeightSource, folder: str, options: Bounds, *, int8: bool) -> Direction:
        from models.nmt.bergamot.marian import read_model, read_shortlist
        from models.nmt.bergamot.network import Student

        tokenizer = read_pieces(_file(source, folder, "vocab.*.spm"))
        model_path = _file(source, folder, "model.*.bin")
        longest = math.ceil(options.max_source_tokens * max(1.0, options.max_length_factor))
        student = Student(
            read_model(model_path),
            eos=tokenizer.PieceToId(_EOS_PIECE),
            max_positions=longest,
            int8=int8,
        )
        if student.vocabulary_size != tokenizer.GetPieceSize():
            raise WeightsError(
                f"{model_path} has {student.vocabulary_size} tokens, "
                f"but its vocabulary {tokenizer.GetPieceSize()}"
            )
        shortlist = None
        if options.shortlist:
            shortlist_path = _file(source, folder, "lex.*.bin")
            shortlist = read_shortlist(shortlist_path, student.vocabulary_size)
        return cls(student, tokenizer, shortlist, options)

    def source_of(self, item: NmtItem) -> Source:
        """Return the tokens of one item; see ``tokenise`` for the errors."""
        text = f"{item.before} {item.text}" if item.before else item.text
        prefix = self.tokenise(item.before_translated)[:-1] if item.before_translated else []
        return Source(self.tokenise(text), item.max_tokens, prefix)

    def tokenise(self, text: str) -> list[int]:
        """Return the tokens of one text with the end of the sentence; none of a text without words.

        Raises:
            InvalidRequest: the text is not valid Unicode.
            TooLarge: it has too many tokens.
        """
        try:
            tokens: list[int] = self.tokenizer.EncodeAsIds(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidRequest(
                f"text: half of a surrogate pair at character {error.start}", param="text"
            ) from None
        if len(tokens) >= self.options.max_source_tokens:
            raise TooLarge(
                f"text: {len(tokens)} tokens in one sentence; "
                f"at most {self.options.max_source_tokens - 1} are translated at once",
                param="text",
            )
        return [*tokens, self.student.eos] if tokens else []

    def lacks(self, text: str) -> bool:
        return self.tokenizer.unk_id() in self.tokenizer.EncodeAsIds(text)

    def translate(self, sources: Sequence[Source]) -> list[str]:
        """Translate a batch; of those that go on from a prefix, what stands behind it."""
        texts = [""] * len(sources)
        rows = [row for row, source in enumerate(sources) if source.tokens]
        if not rows:
            return texts
        vocabulary_size = self.student.vocabulary_size
        translations = self.student(
            [sources[row].tokens for row in rows],
            max_tokens=[self._bound(sources[row]) for row in rows],
            candidates=self.shortlist
            and [self.shortlist.candidates(sources[row].tokens, vocabulary_size) for row in rows],
            prefixes=[sources[row].prefix for row in rows],
        )
        for row, translation in zip(rows, translations, strict=True):
            begun = self.tokenizer.DecodeIds(sources[row].prefix)
            texts[row] = self.tokenizer.DecodeIds(translation)[len(begun) :].lstrip()
        return texts

    def _bound(self, source: Source) -> int:
        own = math.ceil(self.options.max_length_factor * len(source.tokens))
        own = own if source.max_tokens is None else min(own, source.max_tokens)
        return min(own + len(source.prefix), self.student.max_positions)


def _file(source: WeightSource, folder: str, pattern: str) -> Path:
    """Return the one file of a folder that fits a pattern, with its digest checked."""
    found = sorted(
        {path.name for _, root in source.folders for path in root.glob(f"{folder}/{pattern}")}
    )
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise WeightsError(f"{source.reference}: expected one {pattern} in {folder}, found {names}")
    return source.file(f"{folder}/{found[0]}")
