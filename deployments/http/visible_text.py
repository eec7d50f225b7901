"""Text that callers name things by: all of it can be seen, and it stands on one line."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from deployments.http.parsing import Text

JOINERS = "\u200c\u200d"  # invisible, and a part of words
INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # categories of characters


def visible(text: str) -> str:
    """Return a text in one form, with single spaces.

    Raises:
        ValueError: a character of it cannot be seen, or turns round those beside it.
    """
    if not (text.isascii() and text.isprintable()):
        if any(c not in JOINERS and unicodedata.category(c) in INVISIBLE for c in text):
            raise ValueError("must have no control characters, and none for private use")
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


VisibleText = Annotated[Text, AfterValidator(visible)]
