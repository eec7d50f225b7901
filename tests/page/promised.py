"""Jobs, own voices and glossaries as their interface has them, in front of the application.

They keep what they are given, work at once, and note each request, so that a test can look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

CREATED_S = 1_790_000_000
CONSENTS = [
    {"language": "en", "text": "I am the owner of this voice, and I consent."},
    {"language": "pt", "text": "Sou o dono desta voz e dou o meu consentimento."},
]
NOTHING_KEPT = 422, "nothing_kept", "this server keeps nothing"


def refusal(status: int, code: str, message: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)


@dataclass
class Promised:
    """The endpoints, before an application that answers all else.

    Attributes:
        nothing: refuse all as a server without a library does.
        cloning: which model speaks in the voices, or None.
        refusals: by method and path, answered once instead of what was asked for.
    """

    app: ASGIApp
    nothing: bool = False
    cloning: Mapping[str, Any] | None = field(
        default_factory=lambda: {"model": "tts", "languages": ["pt"]}
    )
    refusals: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    forms: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = [
            ("GET", "/v1/jobs", self.list),
            ("POST", "/v1/jobs", self.add_job),
            ("GET", "/v1/jobs/{id}/result", self.result),
            ("DELETE", "/v1/jobs/{id}", self.delete),
            ("GET", "/v1/glossaries", self.list),
            ("GET", "/v1/audio/consent_texts", self.texts),
            ("POST", "/v1/audio/voice_consents", self.add_consent),
            ("POST", "/v1/audio/voices", self.add_voice),
            ("GET", "/v1/audio/voices/{id}/sample", self.sample),
            ("DELETE", "/v1/audio/voices/{id}", self.delete),
        ]
        routes = [Route(path, self._once(act), methods=[method]) for method, path, act in rows]
        self._router = Router(routes, default=self.app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = f"{scope.get('method')} {scope.get('path')}"
        if asked in self.refusals:
            await refusal(*self.refusals.pop(asked))(scope, receive, send)
        elif asked == "GET /v1/audio/voices":
            await self.voices(scope, receive, send)
        else:
            await self._router(scope, receive, send)

    def _once(self, act: Any) -> Any:
        async def answer(request: Request) -> Response:
            if self.nothing and not request.url.path.endswith("/consent_texts"):
                return refusal(*NOTHING_KEPT)
            answered: Response = await act(request)
            return answered

        return answer

    def rows(self, prefix: str) -> list[dict[str, Any]]:
        return [row for id, row in self.kept.items() if id.startswith(prefix)]

    def add(self, prefix: str, **row: Any) -> dict[str, Any]:
        id = f"{prefix}_{len(self.kept):024x}"
        self.kept[id] = {"id": id, "created_at": CREATED_S, **row}
        return self.kept[id]

    async def list(self, request: Request) -> Response:
        prefix = {"jobs": "job", "glossaries": "gloss"}
        name = request.url.path.rsplit("/", 1)[1]
        return JSONResponse({"object": "list", "data": self.rows(prefix[name])})

    async def delete(self, request: Request) -> Response:
        found = self.kept.pop(request.path_params["id"], None)
        return refusal(404, "not_found", "no such thing") if found is None else JSONResponse({})

    async def form(self, request: Request) -> dict[str, Any]:
        """Read a form; a file is its name, type and bytes."""
        read: dict[str, Any] = {}
        async with request.form() as form:
            for name, value in form.multi_items():
                is_file = isinstance(value, UploadFile)
                read[name] = (value.filename, await value.read()) if is_file else value
        self.forms.append((request.url.path, read))
        return read

    async def add_job(self, request: Request) -> Response:
        form = await self.form(request)
        row = self.add(
            "job",
            object="job",
            kind="translation",
            status="running",
            progress={"stage": "translating", "done_s": 30.0, "total_s": 120.0},
            expires_at=None,
            error=None,
            filename=form["file"][0],
        )
        return JSONResponse(row, 202)

    def finish(self, **answer: Any) -> None:
        """Let all jobs be done."""
        for row in self.rows("job"):
            row |= {"status": "done", "expires_at": CREATED_S + 86400}
            self.kept[row["id"]] = row
        self.answer = answer

    async def result(self, request: Request) -> Response:
        return JSONResponse(self.answer)

    async def texts(self, request: Request) -> Response:
        return JSONResponse({"data": CONSENTS})

    async def add_consent(self, request: Request) -> Response:
        form = await self.form(request)
        row = {"name": form["name"], "language": form["language"]}
        return JSONResponse(self.add("cons", object="audio.voice_consent", **row))

    async def add_voice(self, request: Request) -> Response:
        form = await self.form(request)
        return JSONResponse(self.add("voice", object="audio.voice", name=form["name"]))

    async def sample(self, request: Request) -> Response:
        (data,) = [form["audio_sample"][1] for _, form in self.forms if "audio_sample" in form]
        return Response(data, media_type="audio/wav")

    async def voices(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the server's own list, and what is kept here."""
        body = b""

        async def collect(message: Any) -> None:
            nonlocal body
            body += message.get("body", b"")

        await self.app(scope, receive, collect)
        listed = json.loads(body)
        own = [{**row, "kind": "own", "languages": ["pt"]} for row in self.rows("voice")]
        listed["data"] = listed["voices"] = [*listed["data"], *own]
        missing = None if self.cloning else "no model here clones: engine yourtts would"
        if self.nothing:
            self.cloning, missing = None, NOTHING_KEPT[2]
        listed |= {"cloning": self.cloning, "cloning_missing": missing}
        await JSONResponse(listed)(scope, receive, send)
