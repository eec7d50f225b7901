"""M2M100's languages and its tokenizer: SentencePiece's pieces, numbered by ``vocab.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from models.errors import InvalidRequest, UnknownLanguage, WeightsError
from models.nmt.vocabulary import read_pieces
from models.weights.source import WeightSource

SPM_FILE, VOCABULARY_FILE = "sentencepiece.bpe.model", "vocab.json"

# The hundred languages of Fan et al. 2020 (https://arxiv.org/abs/2010.11125), in the order of
# their tokens, which follow the vocabulary (``FAIRSEQ_LANGUAGE_CODES`` in transformers).
_CODES = (
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl "
    "gu ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml "
    "mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th "
    "tl tn tr uk ur uz vi wo xh yi yo zh zu"
)
LANGUAGES: tuple[str, ...] = tuple(_CODES.split())
START, PADDING, END, UNKNOWN = _SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


class M2m100Tokenizer:
    """Tokenizer with the same ids as transformers' ``M2M100Tokenizer``, without that library.

    One thing differs on purpose: a text that spells a special token, such as ``</s>`` or
    ``__pt__``, is text. It cannot end its sentence or change its language.

    Attributes:
        size: the number of tokens; those of the languages are the last hundred.
        padding, end: ids of special tokens.
    """

    def __init__(self, spm_path: Path, vocabulary_path: Path) -> None:
        self._pieces: Any = read_pieces(spm_path)
        vocabulary = _read_vocabulary(vocabulary_path)
        self._tokens = [*vocabulary, *(f"__{language}__" for language in LANGUAGES)]
        self._ids = {token: i for i, token in enumerate(self._tokens)}
        self._languages = dict(zip(LANGUAGES, range(len(vocabulary), self.size), strict=True))
        self.padding, self.end = self._ids[PADDING], self._ids[END]
        self._unknown = self._ids[UNKNOWN]
        self._special = {self._ids[token] for token in _SPECIAL}

    @classmethod
    def load(cls, source: WeightSource) -> M2m100Tokenizer:
        """Read the two files of the published layout.

        Raises:
            WeightsError: one is missing, differs from its pin or is of another kind.
        """
        return cls(source.file(SPM_FILE), source.file(VOCABULARY_FILE))

    @property
    def size(self) -> int:
        return len(self._tokens)

    def language(self, code: str, param: str) -> int:
        """Return the id of a language's token.

        Raises:
            UnknownLanguage: M2M100 does not know it; ``param`` names the field.
        """
        try:
            return self._languages[code]
        except KeyError:
            known = ", ".join(LANGUAGES)
            raise UnknownLanguage(
                f"{param}: M2M100 does not know {code!r}; it knows {known}", param=param
            ) from None

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without those of its language and of its end.

        Raises:
            InvalidRequest: the text holds half of a surrogate pair.
        """
        try:
            pieces: list[str] = self._pieces.EncodeAsPieces(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidRequest(
                f"text: half of a surrogate pair at character {error.start}", param="text"
            ) from None
        return [self._piece_ids.get(piece, self._unknown) for piece in pieces]

    def lacks(self, text: str) -> bool:
        """Tell whether the vocabulary lacks a character of a text, which would become ``<unk>``."""
        return self._unknown in self.encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of some ids; special tokens and languages leave no trace in it."""
        pieces = [self._tokens[i] for i in ids if i not in self._special and i < self._vocabulary]
        text: str = self._pieces.DecodePieces(pieces)
        return text

    def tokens(self, ids: Iterable[int]) -> list[str]:
        return [self._tokens[i] for i in ids]

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of tokens; those of a model's spare rows are ``<unk>``."""
        return [self._ids.get(token, self._unknown) for token in tokens]

    def all_tokens(self, rows: int) -> Sequence[str]:
        """Return the tokens of an embedding with so many rows; spare rows get names, too.

        Raises:
            WeightsError: it has fewer rows than there are tokens.
        """
        if rows < self.size:
            raise WeightsError(
                f"the model has {rows} tokens, its vocabulary and languages {self.size}"
            )
        return [*self._tokens, *(f"madeupword{i}" for i in range(rows - self.size))]

    @property
    def _vocabulary(self) -> int:
        return self.size - len(LANGUAGES)

    @cached_property
    def _piece_ids(self) -> dict[str, int]:
        """Return the ids of pieces; SentencePiece returns unknown letters as they are written."""
        return {
            token: i
            for i, token in enumerate(self._tokens[: self._vocabulary])
            if i not in self._special
        }


def _read_vocabulary(path: Path) -> list[str]:
    """Return the tokens of ``vocab.json`` (token -> id), in the order of their ids."""
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))
        tokens = sorted(ids, key=ids.__getitem__)
        whole = [ids[token] for token in tokens] == list(range(len(tokens)))
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not a vocabulary ({error})") from error
    if not whole or not set(_SPECIAL) <= set(tokens):
        raise WeightsError(f"{path}: not a vocabulary with ids from 0 and {', '.join(_SPECIAL)}")
    return tokens
