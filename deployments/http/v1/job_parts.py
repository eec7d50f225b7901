"""What the works of jobs have in common: what they are made of, and their answers."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from deployments.config.schema import Limits
from deployments.graph.pipeline import Pipeline
from deployments.http.glossary_fields import Glossaries
from deployments.http.own_voices import OwnVoices
from deployments.jobs.work import Answer


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that works are made of.

    Attributes:
        pipeline: that they run on.
        limits: of requests.
        own: the voices of callers.
        glossaries: those of callers. A job runs in the name of its key, as a request does.
    """

    pipeline: Pipeline
    limits: Limits
    own: OwnVoices
    glossaries: Glossaries


def answer_of(response: Response) -> Answer:
    """Return an answer that is there as a whole."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer([bytes(response.body)], headers, response.status_code)
