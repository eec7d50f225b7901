"""The Starlette application: every protocol over one fleet of models."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.codecs import Codecs
from deployments.config import AppConfig
from deployments.fleet import Fleet
from deployments.ingress.admission import Admission
from deployments.ingress.bodies import Bodies
from deployments.ingress.catalogue import CatalogueRoutes
from deployments.ingress.embeddings import EmbeddingEndpoint
from deployments.ingress.gate import Gate
from deployments.ingress.oip.routes import OipRoutes
from deployments.ingress.openai import OpenAiRoutes
from deployments.ingress.operations import OperationsRoutes
from deployments.ingress.probes import live, readiness
from deployments.ingress.router import RememberingRouter
from deployments.ingress.speech import SpeechRoutes
from deployments.ledger import Ledger
from deployments.pipeline import Pipeline


def asgi_app(
    fleet: Fleet, config: AppConfig, admission: Admission, ledger: Ledger | None = None
) -> Gate:
    """All protocols over one fleet of models.

    A bare router inside the gate: Starlette's application would wrap each request in two more
    layers for errors, and the gate has to answer for errors in any case.
    """
    pipeline = Pipeline(fleet, config, Codecs(config.ingress.threads_of_codecs))
    ledger = ledger or Ledger("alone", fleet.figures)
    started = int(time.time())
    bodies = Bodies(config.limits)

    def refusing() -> str | None:
        return admission.why_not_ready() or bodies.why_not_ready()

    async def ready(request: Request) -> Response:
        wrong = fleet.wrong_voice_aliases()
        models = {**fleet.readiness(), **wrong}
        return readiness(fleet.is_ready() and not wrong, refusing(), models=models)

    router = RememberingRouter(
        [
            EmbeddingEndpoint(pipeline, config.limits).route(),
            *OipRoutes(pipeline, config, refusing, ledger).routes(),
            *SpeechRoutes(pipeline, config.limits).routes(),
            *OpenAiRoutes(pipeline, config.limits).routes(),
            *CatalogueRoutes(fleet, started).routes(),
            *OperationsRoutes(fleet, config.models, started, ledger).routes(),
            Route("/health/live", live, methods=["GET"]),
            Route("/health/ready", ready, methods=["GET"]),
        ]
    )
    return Gate(router, config.limits, admission, bodies)
