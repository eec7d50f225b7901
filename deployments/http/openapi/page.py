"""``/openapi.json``, and ``/docs``: a page that shows it, without any other host.

The page is Swagger UI, whose files are sent from the installed package ``fastapi_offline``.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.http.assets import Asset, as_asset, sent
from deployments.http.openapi.document import document
from models.errors import NotFound

PACKAGE = "fastapi_offline"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css")
SCRIPT = "page.js"
# All comes from here, and no code and no style stands in the page; Swagger UI's style sheet holds
# its pictures itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dragoman: HTTP API</title>
<link rel="stylesheet" href="docs/{ASSETS[1]}">
</head>
<body>
<div id="page"></div>
<script src="docs/{ASSETS[0]}"></script>
<script src="docs/{SCRIPT}"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
});
"""


def routes() -> list[Route]:
    """Return the routes. The description is made now, as that would hold up requests later."""
    _description()
    return [
        Route("/openapi.json", describe, methods=["GET"]),
        Route("/docs", page, methods=["GET"]),
        Route("/docs/{name}", asset, methods=["GET"]),
    ]


async def describe(request: Request) -> Response:
    """Send the description."""
    return sent(request, _description())


async def page(request: Request) -> Response:
    """Send the page."""
    return sent(request, _page(), {"content-security-policy": POLICY})


async def asset(request: Request) -> Response:
    """Send a file of the page. Raises NotFound: there is none of that name."""
    name = request.path_params["name"]
    if name != SCRIPT and name not in ASSETS:
        raise NotFound("there is no such path")
    return sent(request, _asset(name))


@cache
def _description() -> Asset:
    return as_asset(json.dumps(document()).encode(), "application/json")


@cache
def _page() -> Asset:
    return as_asset(PAGE.encode(), "text/html")


@cache
def _asset(name: str) -> Asset:
    media_type = MEDIA_TYPES[Path(name).suffix]
    if name == SCRIPT:
        return as_asset(START.encode(), media_type)
    return as_asset((_static() / name).read_bytes(), media_type)


def _static() -> Path:
    """Return the folder of the package's files. It is not imported: it would bring FastAPI."""
    found = find_spec(PACKAGE)
    assert found is not None, f"{PACKAGE} is a requirement"
    return Path((found.submodule_search_locations or [""])[0]) / "static"
