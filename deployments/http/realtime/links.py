"""Make the link by which listeners open the page, and draw its QR code."""

from __future__ import annotations

import io
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import segno
from pydantic import AfterValidator, Field

UNSAFE = ' #"<>\\^`{|}'  # no part of an address, or not of one with a fragment added
MAX_PAGE_CHARS = 512  # of an address: a longer link makes a code that phones do not read


def _checked(page: str) -> str:
    try:
        parts = urlsplit(page)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    is_odd = not page.isprintable() or any(c in UNSAFE for c in page)
    if parts.scheme not in ("http", "https") or not parts.netloc or is_odd:
        raise ValueError("must be an address, such as https://speech.example.com/, without a #")
    return page


PageAddress = Annotated[str, Field(max_length=MAX_PAGE_CHARS), AfterValidator(_checked)]


def link_to_listen(page: str, token: str, name: str) -> str:
    """Return a page's address with the token in its fragment, which browsers send to nobody."""
    return f"{page}#listen={token}&name={name}"


def qr_svg(link: str) -> str:
    """Draw a QR code, black on white and with its margin, as an SVG that fits any size."""
    drawn = io.BytesIO()
    code = segno.make_qr(link, error="l", boost_error=False)
    code.save(drawn, kind="svg", xmldecl=False, omitsize=True, dark="#000", light="#fff")
    return drawn.getvalue().decode()
