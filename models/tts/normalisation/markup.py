"""Removes what only eyes read: Markdown, HTML and SSML tags, emoji, stray marks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

# A tag has a known name, or is unmistakable: closing, or with a value. "<your name>" is text.
_NAMES = (
    "a|abbr|article|audio|b|big|blockquote|body|br|break|button|center|cite|code|dd|del|details"
    "|div|dl|dt|em|emphasis|figure|font|footer|form|h[1-6]|head|header|hr|html|i|img|ins|input"
    "|kbd|label|li|link|main|mark|meta|nav|ol|p|phoneme|pre|prosody|q|s|samp|say-as|section|small"
    "|source|span|speak|strike|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|time|title"
    "|tr|tt|u|ul|var|video|voice|wbr"
)
_ATTRIBUTES = r"""(?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'|[^\s"'<>=]+))"""
_TAG = re.compile(
    rf"</[a-z][\w:.-]*\s*>|<[a-z][\w:.-]*{_ATTRIBUTES}{{1,20}}\s*/?>|<(?:{_NAMES})\s*/?>",
    re.IGNORECASE,
)
_UNSPOKEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_LINE_TAG = re.compile(
    r"<(?:br|hr)\b[^<>]*>|</(?:p|div|li|h[1-6]|tr|td|th|title|blockquote)\s*>", re.IGNORECASE
)

_MARKED = re.compile(r"[*_`~|\[\]\\<>#=]|^ *(?:[-+] |\d{1,9}[.)] )|\n *-", re.MULTILINE)
_SEPARATOR_MARKS = frozenset(" |:*_=+#`~-")
_RUN = re.compile(r"[-*_=`~]{2}")
_FENCE = re.compile(r"^(?:`{3,}|~{3,}) ?[\w+-]*$")
_LONE_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:?")
_TIMES = re.compile(r"(?<=\d)(\s*)\*(\s*)(?=\d)")
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W_])_+(?=[^\W_])")
_MARKS = re.compile(
    r"[*_`]+|~{2,}|~(?!\s?\d)|^>+|(?<!\S)#+(?!\S)|(?<!\S)#(?=[^\W\d_])|\\(?=\S)", re.MULTILINE
)
_BRACKETS = re.compile(r"<(?=[^\W\d_])([^<>\n]{1,80})(?<=[\w.])>")
_BARS = re.compile(r" ?\|[| ]*")
_EMOTICONS = re.compile(r"(?<!\S)(?::['’]?-?[)(DPpOo/|*]|;-?\)|<3|\^\^|[xX]D)(?!\S)")
_EMOJI = re.compile(
    "["
    "\U0001f000-\U0001faff"  # pictures, flags, skin tones
    "\u2600-\u27bf\u2b00-\u2bff"  # signs and dingbats
    "\u231a-\u231b\u23e9-\u23ff\u25a0-\u25ff\u2300-\u2307\u2311-\u2328"  # clocks, shapes
    "\ufe00-\ufe0f\u200d\u20e3\U000e0020-\U000e007f"  # joiners and variation selectors
    "\u00a9\u00ae\u2122"  # ©, ®, ™
    "]+"
)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_SPACE_BEFORE = re.compile(r"[^\S\n]+(?=[,.;!?…](?!\w))")


@cache
def _markdown() -> MarkdownIt:
    """Return a parser of CommonMark with tables; HTML is text to it, as it was removed before."""
    options = {"html": False, "linkify": False, "typographer": False}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


def without_markup(text: str) -> str:
    """Turn blocks, links and tags into their text, a line each; leave stray marks.

    Markup that lacks one end, as in a text that was cut, is left to ``without_marks``.
    """
    text = "\n".join(_unescaped(text).splitlines())
    text = _INVISIBLE.sub("", _CONTROL.sub(" ", text))
    text = _UNSPOKEN.sub(" ", text)
    text = _TAG.sub("", _LINE_TAG.sub("\n", text))
    if _MARKED.search(text):
        text = _FOOTNOTE.sub("", text)
        text = "\n".join(_lines(_markdown().parse(text)))
        text = _LONE_LINK.sub(r"\1", text)
    return text


def without_marks(text: str) -> str:
    """Remove the rest of markup, emoji and emoticons; words keep a space between them."""
    text = tidy(text)
    lines = (_FENCE.sub("", line) for line in text.split("\n"))
    text = "\n".join(line for line in lines if not _is_separator(line))
    text = _EMOJI.sub(" ", _EMOTICONS.sub(" ", text))
    text = _TIMES.sub(r"\1×\2", text)
    text = _BETWEEN_LETTERS.sub(" ", text)
    text = _BRACKETS.sub(r"\1", _MARKS.sub("", text))
    lines = (line.strip(" |") for line in tidy(text).split("\n"))
    return tidy("\n".join(_BARS.sub(", ", line) for line in lines))


def _is_separator(line: str) -> bool:
    """Tell whether a line only separates, such as ``---`` and ``|:-:|--|``."""
    return _SEPARATOR_MARKS.issuperset(line) and _RUN.search(line) is not None


def tidy(text: str) -> str:
    """Make spaces single, drop them at line ends and before punctuation, and drop empty lines."""
    text = _SPACE_BEFORE.sub("", _SPACES.sub(" ", text))
    return "\n".join(filter(None, (line.strip() for line in text.split("\n"))))


def _unescaped(text: str) -> str:
    """Return the text without HTML's entities, however often they were escaped."""
    while (plain := html.unescape(text)) != text:
        text = plain
    return text


def _lines(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the text of each block; ordered items keep their number, a row's cells are one line."""
    number = ""
    cells: list[str] | None = None  # of a row
    for token in tokens:
        match token.type:
            case "list_item_open":
                number = f"{token.info}, " if token.info.isdecimal() else ""
            case "tr_open":
                cells = []
            case "tr_close" if cells is not None:
                yield ", ".join(filter(None, cells))
                cells = None
            case "fence" | "code_block":
                yield token.content.rstrip("\n")
            case "inline":
                text = _text(token.children or [])
                if cells is None:
                    yield number + text
                    number = ""
                else:
                    cells.append(text)


def _text(children: Sequence[Token]) -> str:
    return "".join(map(_text_of, children))


def _text_of(child: Token) -> str:
    if child.type in ("softbreak", "hardbreak"):
        return "\n"
    if child.type == "image":
        return _text(child.children or [])
    return child.content  # empty at the ends of emphasis and links
