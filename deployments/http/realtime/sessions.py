"""List the open live sessions of every ingress process, and end one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.http.realtime.relay import Elsewhere
from deployments.live.sessions import Sessions
from deployments.security import audit
from deployments.telemetry.cluster_figures import ClusterFigures
from deployments.telemetry.live_figures import OpenSession
from models.errors import SessionEnded, UnknownSession


class SessionRoutes:
    """The handlers, over the sessions of this process and of the others."""

    def __init__(
        self, sessions: Sessions, elsewhere: Elsewhere | None, figures: ClusterFigures
    ) -> None:
        self._sessions, self._elsewhere, self._figures = sessions, elsewhere, figures

    def routes(self) -> list[Route]:
        """Return the paths of administrators."""
        base = "/v1/realtime/sessions"
        return [
            Route(base, self.list, methods=["GET"]),
            Route(f"{base}/{{id}}", self.end, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        """List every open session, with its lag over the last minute."""
        await self._figures.figures()
        live = self._figures.live()
        rows = sorted(map(row, live.open), key=lambda each: each["created_at"])
        return JSONResponse({"object": "list", "data": rows})

    async def end(self, request: Request) -> Response:
        """Flush a session and close it. Raises UnknownSession."""
        session: str = request.path_params["id"]
        with audit.action("end_session", session=session[:80]):
            ended = await end_here(self._sessions, session)
            if not ended and self._elsewhere is not None:
                ended = any(await self._elsewhere.end(session))
            if not ended:
                message = f"there is no open session {session[:80]!r}"
                raise UnknownSession(message, param="id")
        return JSONResponse({"id": session, "object": "realtime.session", "deleted": True})


async def end_here(sessions: Sessions, session: str) -> bool:
    """End a session of this process, by its id; False: it has none such."""
    try:
        found = sessions.find(session)
    except UnknownSession:
        return False
    await found.end(SessionEnded("an administrator ended the session"))
    return True


def row(session: OpenSession) -> Mapping[str, Any]:
    """Render a session as the list has it."""
    return {
        "id": session.id,
        "object": "realtime.session",
        "name": session.name,
        "key": session.owner or None,
        "created_at": int(session.opened_at),
        "heard_s": session.heard_s,
        "language": session.language,
        "targets": list(session.targets),
        "speaks": session.speaks,
        "listeners": session.listeners,
        "lag": {
            stage: {name: round(value, 4) for name, value in asdict(lag).items()}
            for stage, lag in session.lag.items()
        },
    }
