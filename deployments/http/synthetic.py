"""Say in a header of an answer that a voice speaks in it which is no human's."""

from __future__ import annotations

from starlette.responses import Response

SYNTHETIC_HEADER = "x-synthetic-speech"


def synthetic(response: Response) -> Response:
    """Mark an answer: bare samples, unlike files, cannot say so themselves."""
    response.headers[SYNTHETIC_HEADER] = "true"
    return response
