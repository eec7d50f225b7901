"""``/v1/models`` and ``/v1/audio/models``: the models, as OpenAI's clients ask for them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.batching.concurrency import all_of
from deployments.catalogue.selection import Fleet
from deployments.http.v1.model_listing import alias_row, model_row
from deployments.telemetry.cluster_figures import ClusterFigures
from models.errors import Unavailable


class ModelRoutes:
    """The handlers, over one fleet.

    Args:
        fleet: the models.
        started: the server's start, in Unix seconds.
        figures: of queues and of live sessions, over all ingresses.
    """

    def __init__(self, fleet: Fleet, started: int, figures: ClusterFigures) -> None:
        self._fleet = fleet
        self._started = started
        self._figures = figures

    def routes(self) -> list[Route]:
        """Return the paths that list models."""
        return [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.model, methods=["GET"]),
            Route("/v1/audio/models", self.speaking_models, methods=["GET"]),
        ]

    async def models(self, request: Request) -> Response:
        """List the models that can be used now: not one that is unloaded or still loading."""
        return JSONResponse({"object": "list", "data": await self._rows()})

    async def model(self, request: Request) -> Response:
        """Describe one model, by its name or an alias."""
        name: str = request.path_params["name"]
        row = await (await self._describe())(name)
        aliases = self._fleet.aliases
        return JSONResponse(alias_row(row, name, aliases[name]) if name in aliases else row)

    async def speaking_models(self, request: Request) -> Response:
        """List what ``model`` may name in ``/v1/audio/speech``.

        Web clients look for it in ``models``.
        """
        rows = [
            {"id": row["id"], "name": row["id"], "object": "model", "owned_by": row["owned_by"]}
            for row in await self._rows()
            if row["kind"] == "tts"
        ]
        return JSONResponse({"object": "list", "data": rows, "models": rows})

    async def _rows(self) -> list[dict[str, Any]]:
        """Describe every model that can be used, and behind them each other name of one."""
        describe = await self._describe()
        rows = await all_of(_if_there(describe(name)) for name in self._fleet.names())
        there = [row for row in rows if row is not None]
        aliases = self._fleet.aliases.items()
        of_aliases = ((alias, name, _first(there, alias)) for alias, name in aliases)
        return there + [alias_row(row, alias, name) for alias, name, row in of_aliases if row]

    async def _describe(self) -> Callable[[str], Coroutine[Any, Any, dict[str, Any]]]:
        """Return what describes a model by its name, with figures of now."""
        figures = await self._figures.figures()

        def describe(name: str) -> Coroutine[Any, Any, dict[str, Any]]:
            return model_row(self._fleet, name, self._started, figures, self._figures.live())

        return describe


async def _if_there(row: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return await row
    except Unavailable:
        return None


def _first(rows: Sequence[dict[str, Any]], alias: str) -> dict[str, Any] | None:
    return next((row for row in rows if alias in row["aliases"]), None)
