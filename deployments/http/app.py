"""The Starlette application: every protocol over one fleet of models."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from deployments.catalogue.selection import Fleet
from deployments.config.schema import AppConfig
from deployments.graph.codecs import Codecs
from deployments.graph.pipeline import Pipeline
from deployments.http.glossary_fields import Glossaries
from deployments.http.health import live, readiness
from deployments.http.middleware.access import Door
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.bodies import Bodies
from deployments.http.middleware.stack import guarded
from deployments.http.openapi import page
from deployments.http.operations import OperationsRoutes
from deployments.http.own_voices import OwnVoices
from deployments.http.page.routes import PageRoutes
from deployments.http.realtime.client_secrets import TokenRoutes
from deployments.http.realtime.languages import LanguageRoutes
from deployments.http.realtime.relay import Elsewhere
from deployments.http.realtime.routes import Realtime
from deployments.http.realtime.sessions import SessionRoutes
from deployments.http.router import RememberingRouter
from deployments.http.triton.routes import OipRoutes
from deployments.http.v1.audio_translations import AudioTranslationEndpoint
from deployments.http.v1.detections import TextDetectionEndpoint
from deployments.http.v1.embeddings import EmbeddingEndpoint
from deployments.http.v1.glossaries import GlossaryRoutes
from deployments.http.v1.job_kinds import kinds, runner_of
from deployments.http.v1.jobs import JobRoutes
from deployments.http.v1.models import ModelRoutes
from deployments.http.v1.own_voices import OwnVoiceRoutes
from deployments.http.v1.speech import SpeechEndpoint
from deployments.http.v1.text import TextTranslationEndpoint
from deployments.http.v1.transcriptions import TranscriptionEndpoint
from deployments.http.v1.translations import SpeechTranslationEndpoint
from deployments.http.v1.voice_consents import ConsentRoutes
from deployments.http.v1.voice_recordings import VoiceRecordings
from deployments.http.v1.voices import VoiceRoutes
from deployments.inference.regions import Regions
from deployments.jobs.runner import Runner
from deployments.library.store import Store
from deployments.live.fleet_sessions import sessions_of
from deployments.live.sessions import Sessions
from deployments.security.keys import KnownKeys
from deployments.security.tokens import Tokens
from deployments.telemetry.cluster_figures import ClusterFigures

EXPOSED = (  # headers of answers that those pages may read
    *("x-request-id", "retry-after", "server-timing", "x-warnings", "x-ignored-fields"),
    *("x-transcript", "x-translation", "x-text-truncated", "x-voice-similarity"),
    "x-synthetic-speech",
)


def asgi_app(
    fleet: Fleet,
    config: AppConfig,
    admission: Admission,
    cluster_figures: ClusterFigures | None = None,
    known_keys: KnownKeys | None = None,
    live: LiveParts | None = None,
    store: Store | None = None,
    jobs: Runner | None = None,
    regions: Regions | None = None,
    bodies: Bodies | None = None,
) -> ASGIApp:
    """Serve all protocols over one fleet of models.

    ``live`` holds the sessions of live speech; None: this process has its own, and is alone.
    ``store`` keeps what callers leave here; None: nothing is kept. ``jobs`` runs the jobs that are
    kept there; None: other processes do. ``bodies`` counts those of requests; None: of these alone.
    ``regions`` are of shared memory; None: this process has its own.

    The router is bare: Starlette's application would wrap each request in two more layers for
    errors, for which ``middleware.errors`` answers in any case.
    """
    known_keys = known_keys or KnownKeys(config.security)
    cluster_figures = cluster_figures or ClusterFigures(
        "alone", fleet.figures, access=known_keys.figures
    )
    bodies = bodies or Bodies(config.limits)

    def refusing() -> str | None:
        return admission.why_not_ready() or bodies.why_not_ready()

    live = live or LiveParts(sessions_of(fleet, config))
    cluster_figures.count_live(live.sessions.figures)
    tokens = Tokens(live.signing_key, known_keys)
    router = RememberingRouter(
        [
            *routes(fleet, config, refusing, cluster_figures, store, regions),
            *live_routes(fleet, config, admission, cluster_figures, live, tokens, store),
            *job_routes(
                fleet, config, admission, jobs or runner_of(fleet, config, store, known_keys), store
            ),
        ]
    )
    door = Door(config, known_keys, router.template, tokens)
    app = guarded(router, config.limits, admission, bodies, door.enter)
    return _shared(app, config.security.origins)


def routes(
    fleet: Fleet,
    config: AppConfig,
    refusing: Callable[[], str | None],
    cluster_figures: ClusterFigures,
    store: Store | None = None,
    regions: Regions | None = None,
) -> list[Route]:
    """Return the routes of every protocol. ``refusing`` says why a request would be refused now."""
    pipeline = Pipeline(fleet, config, Codecs(config.ingress.threads_of_codecs))
    glossaries = Glossaries(store)
    started = int(time.time())
    own = OwnVoices(store, config.library.voice_days)
    recordings = VoiceRecordings(pipeline)
    regions = regions or Regions(config.shared_memory, config.limits)

    async def ready(request: Request) -> Response:
        wrong = fleet.wrong_voice_aliases()
        models = {**fleet.readiness(), **wrong}
        return readiness(fleet.is_ready() and not wrong, refusing(), models=models)

    return [
        EmbeddingEndpoint(pipeline, config.limits).route(),
        *OipRoutes(pipeline, config, refusing, cluster_figures, regions).routes(),
        SpeechTranslationEndpoint(pipeline, config.limits, own, glossaries).route(),
        AudioTranslationEndpoint(pipeline, config.limits).route(),
        TextTranslationEndpoint(pipeline, config.limits, glossaries).route(),
        TextDetectionEndpoint(pipeline, config.limits).route(),
        TranscriptionEndpoint(pipeline, config.limits, glossaries).route(),
        SpeechEndpoint(pipeline, config.limits, own, glossaries).route(),
        *GlossaryRoutes(store, config.limits).routes(),
        *VoiceRoutes(fleet, own).routes(),
        *OwnVoiceRoutes(recordings, own, config.limits).routes(),
        *ConsentRoutes(recordings, own, config.limits).routes(),
        *ModelRoutes(fleet, started, cluster_figures).routes(),
        *OperationsRoutes(fleet, config.models, cluster_figures).routes(),
        *page.routes(),
        *PageRoutes().routes(),
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class LiveParts:
    """The parts that the realtime protocols are served over.

    Attributes:
        sessions: of this process.
        elsewhere: the ways to the other ingress processes; None: there are none.
        signing_key: of tokens, the same in all of them.
    """

    sessions: Sessions
    elsewhere: Elsewhere | None = None
    signing_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))


def live_routes(
    fleet: Fleet,
    config: AppConfig,
    admission: Admission,
    cluster_figures: ClusterFigures,
    live: LiveParts,
    tokens: Tokens,
    store: Store | None = None,
) -> list[BaseRoute]:
    """Return the routes of the realtime protocols."""
    parts = live.sessions, live.elsewhere
    own = OwnVoices(store, config.library.voice_days)
    realtime = Realtime(
        *parts,
        admission,
        config.live,
        lambda name: fleet.of_kind("asr", name),
        own.of,
        Glossaries(store),
    )
    return [
        *realtime.routes(),
        *LanguageRoutes(fleet, config).routes(),
        *TokenRoutes(tokens, *parts, config.limits).routes(),
        *SessionRoutes(*parts, cluster_figures).routes(),
    ]


def job_routes(
    fleet: Fleet,
    config: AppConfig,
    admission: Admission,
    jobs: Runner | None,
    store: Store | None = None,
) -> list[Route]:
    """Return the routes of jobs. ``jobs`` runs them; None: nothing is kept here."""
    of_kinds = kinds(Pipeline(fleet, config, Codecs(1)), config, store)
    return JobRoutes(jobs, of_kinds, config.limits, admission).routes()


def _shared(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Let browsers hand the answers to pages of these origins (CORS); of no others."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],  # whatever is asked for, a key among it
        expose_headers=EXPOSED,
    )
