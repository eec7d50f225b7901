"""The Starlette application: every protocol over one fleet of models."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config import AppConfig
from deployments.fleet import Fleet
from deployments.ingress.gate import Admission, Gate, as_ours, error_response
from deployments.ingress.openai import OpenAiRoutes
from deployments.ingress.speech import SpeechRoutes
from deployments.pipeline import Pipeline
from models.errors import DragomanError


def asgi_app(fleet: Fleet, config: AppConfig, admission: Admission) -> Starlette:
    """All protocols over one fleet of models; looks for its models once it serves."""
    codecs = ThreadPoolExecutor(config.ingress.codec_threads, thread_name_prefix="codec")
    pipeline = Pipeline(fleet, config, codecs)

    async def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        models = fleet.readiness()
        is_ready = set(models.values()) == {"ready"} and not admission.draining
        body = {"ready": is_ready, "models": models}
        return JSONResponse(
            body, 200 if is_ready else 503, {} if is_ready else {"retry-after": "1"}
        )

    async def known_error(request: Request, error: Exception) -> Response:
        return error_response(as_ours(error, request.headers["x-request-id"]))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        fleet.start()
        yield
        codecs.shutdown(wait=False)

    return Starlette(
        routes=[
            *SpeechRoutes(pipeline, config.limits).routes(),
            *OpenAiRoutes(pipeline, config.limits, int(time.time())).routes(),
            Route("/health/live", live, methods=["GET"]),
            Route("/health/ready", ready, methods=["GET"]),
        ],
        middleware=[Middleware(Gate, limits=config.limits, admission=admission)],
        exception_handlers={DragomanError: known_error, HTTPException: known_error},
        lifespan=lifespan,
    )
