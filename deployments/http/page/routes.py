"""``/``: the page to speak into, made of the files in ``static/`` and of nothing from elsewhere.

The page is read without a key. It asks for one where the server does, and holds it itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.http.assets import Asset, as_asset, sent
from models.errors import NotFound

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# All comes from here, and no code and no style stands in the page. ``data:`` and ``blob:`` are
# pictures and sounds that the page has made itself.
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    # Without a word of the camera: a browser that is asked for a tab's sound looks at that, too.
    "permissions-policy": "microphone=(self), display-capture=(self), geolocation=(), usb=()",
}


class PageRoutes:
    """Send the files of the page, which are read once."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._files: Mapping[str, Asset] = {
            path.relative_to(folder).as_posix(): as_asset(
                path.read_bytes(), MEDIA_TYPES[path.suffix]
            )
            for path in sorted(folder.rglob("*"))
            if path.suffix in MEDIA_TYPES
        }

    def routes(self) -> list[Route]:
        """Return the path of the page, and that of what it loads."""
        return [
            Route("/", self.index, methods=["GET"]),
            Route("/page/{name:path}", self.file, methods=["GET"]),
        ]

    async def index(self, request: Request) -> Response:
        """Send the page."""
        return sent(request, self._files[INDEX], HEADERS)

    async def file(self, request: Request) -> Response:
        """Send a file that the page loads. Raises NotFound: there is none of that name."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise NotFound("there is no such path")
        return sent(request, found, HEADERS)
