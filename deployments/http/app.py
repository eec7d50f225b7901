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
from deployments.http.v1.detections import TextDetectionEndpoint
from deployments.http.v1.embeddings import EmbeddingEndpoint
from deployments.http.v1.models import ModelRoutes
from deployments.http.v1.speech import SpeechEndpoint
from deployments.http.v1.text import TextTranslationEndpoint
from deployments.http.v1.transcriptions import TranscriptionEndpoint
from deployments.http.v1.translations import SpeechTranslationEndpoint
from deployments.http.v1.voices import VoiceRoutes
from deployments.security.keys import KnownKeys
from deployments.telemetry.cluster_figures import ClusterFigures

EXPOSED = (  # headers of answers that those pages may read
    *("x-request-id", "retry-after", "server-timing", "x-warnings", "x-ignored-fields"),
    *("x-transcript", "x-translation", "x-text-truncated", "x-voice-similarity"),
)


def asgi_app(
    fleet: Fleet,
    config: AppConfig,
    admission: Admission,
    cluster_figures: ClusterFigures | None = None,
    known_keys: KnownKeys | None = None,
) -> ASGIApp:
    """Serve all protocols over one fleet of models.

    The router is bare: Starlette's application would wrap each request in two more layers for
    errors, for which ``middleware.errors`` answers in any case.
    """
    known_keys = known_keys or KnownKeys(config.security)
    cluster_figures = cluster_figures or ClusterFigures(
        "alone", fleet.figures, access=known_keys.figures
    )
    bodies = Bodies(config.limits)

    def refusing() -> str | None:
        return admission.why_not_ready() or bodies.why_not_ready()

    router = RememberingRouter(routes(fleet, config, refusing, cluster_figures))
    door = Door(config, known_keys, router.template)
    app = guarded(router, config.limits, admission, bodies, door.enter)
    return _shared(app, config.security.origins)


def routes(
    fleet: Fleet,
    config: AppConfig,
    refusing: Callable[[], str | None],
    cluster_figures: ClusterFigures,
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
        *OipRoutes(pipeline, config, refusing, cluster_figures).routes(),
        *SpeechTranslationEndpoint(pipeline, config.limits).routes(),
        TextTranslationEndpoint(pipeline, config.limits).route(),
        TextDetectionEndpoint(pipeline, config.limits).route(),
        TranscriptionEndpoint(pipeline, config.limits).route(),
        SpeechEndpoint(pipeline, config.limits).route(),
        *VoiceRoutes(fleet).routes(),
        *ModelRoutes(fleet, started).routes(),
        *OperationsRoutes(fleet, config.models, cluster_figures).routes(),
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
