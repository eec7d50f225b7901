"""The Starlette application: every protocol over one fleet of models."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.graph.codecs import Codecs
from deployments.graph.pipeline import Pipeline
from deployments.http.health import live, readiness
from deployments.http.middleware.access import Door
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import Bodies
from deployments.http.middleware.stack import guarded
from deployments.http.openapi import page
from deployments.http.operations import OperationsRoutes
from deployments.http.router import RememberingRouter
from deployments.http.triton.routes import OipRoutes
from deployments.http.v1.embeddings import EmbeddingEndpoint
from deployments.http.v1.models import CatalogueRoutes
from deployments.http.v1.openai import OpenAiRoutes
from deployments.http.v1.translations import SpeechRoutes
from deployments.security.keys import Keyring
from deployments.telemetry.cluster_figures import Ledger

EXPOSED = (  # headers of answers that those pages may read
    *("x-request-id", "retry-after", "server-timing", "x-warnings", "x-ignored-fields"),
    *("x-transcript", "x-translation", "x-text-truncated", "x-voice-similarity"),
)


def asgi_app(
    fleet: Fleet,
    config: AppConfig,
    admission: Admission,
    ledger: Ledger | None = None,
    keyring: Keyring | None = None,
) -> ASGIApp:
    """Serve all protocols over one fleet of models.

    The router is bare: Starlette's application would wrap each request in two more layers for
    errors, for which ``middleware.errors`` answers in any case.
    """
    keyring = keyring or Keyring(config.security)
    ledger = ledger or Ledger("alone", fleet.figures, door=keyring.figures)
    bodies = Bodies(config.limits)

    def refusing() -> str | None:
        return admission.why_not_ready() or bodies.why_not_ready()

    router = RememberingRouter(routes(fleet, config, refusing, ledger))
    door = Door(config, keyring, router.template)
    app = guarded(router, config.limits, admission, bodies, door.enter)
    return _shared(app, config.security.origins)


def routes(
    fleet: Fleet, config: AppConfig, refusing: Callable[[], str | None], ledger: Ledger
) -> list[Route]:
    """Return the routes of every protocol. ``refusing`` says why a request would be refused now."""
    pipeline = Pipeline(fleet, config, Codecs(config.ingress.threads_of_codecs))
    started = int(time.time())

    async def ready(request: Request) -> Response:
        wrong = fleet.wrong_voice_aliases()
        models = {**fleet.readiness(), **wrong}
        return readiness(fleet.is_ready() and not wrong, refusing(), models=models)

    return [
        EmbeddingEndpoint(pipeline, config.limits).route(),
        *OipRoutes(pipeline, config, refusing, ledger).routes(),
        *SpeechRoutes(pipeline, config.limits).routes(),
        *OpenAiRoutes(pipeline, config.limits).routes(),
        *CatalogueRoutes(fleet, started).routes(),
        *OperationsRoutes(fleet, config.models, started, ledger).routes(),
        *page.routes(),
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
    ]


def _shared(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Let browsers hand the answers to pages of these origins (CORS); of no others."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],  # whatever is asked for, a key among it
        expose_headers=EXPOSED,
    )
