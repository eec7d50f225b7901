"""Send files that browsers keep: a file that a browser has already is not sent again."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response


class Asset(NamedTuple):
    """One file as it is sent."""

    data: bytes
    media_type: str
    tag: str  # of its content


def as_asset(data: bytes, media_type: str) -> Asset:
    """Return a file with the tag of its content."""
    return Asset(data, media_type, f'"{sha256(data).hexdigest()[:16]}"')


def sent(request: Request, asset: Asset, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a file, or with 304 where the browser names its tag."""
    all_headers = {
        "etag": asset.tag,
        "cache-control": "no-cache",  # a browser asks whether its copy is the newest
        "x-content-type-options": "nosniff",
        **(headers or {}),
    }
    if request.headers.get("if-none-match") == asset.tag:
        return Response(status_code=304, headers=all_headers)
    return Response(asset.data, headers=all_headers, media_type=asset.media_type)
