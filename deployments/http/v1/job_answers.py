"""Answers over HTTP as jobs keep them."""

from __future__ import annotations

from starlette.responses import Response

from deployments.jobs.work import Answer


def answer_of(response: Response) -> Answer:
    """Return an answer that is there as a whole."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer([bytes(response.body)], headers, response.status_code)
