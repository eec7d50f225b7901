"""``/v2/systemsharedmemory``: Triton's calls that register regions; those of CUDA's have none."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.http.parsing import body
from deployments.inference.json_documents import json_object
from deployments.inference.regions import Regions
from models.errors import InvalidRequest, NotFound, TooLarge

SYSTEM, CUDA = "/v2/systemsharedmemory", "/v2/cudasharedmemory"
FIELDS = {"key": str, "offset": int, "byte_size": int}


class SharedMemoryRoutes:
    """The handlers, over the regions of each caller."""

    def __init__(self, regions: Regions, limits: Limits) -> None:
        self._regions, self._limits = regions, limits

    def routes(self) -> list[Route]:
        """Return the paths of both kinds of shared memory."""
        status = {SYSTEM: self.status, CUDA: self.no_status}
        register = {SYSTEM: self.register, CUDA: self.refuse}
        unregister = {SYSTEM: self.unregister, CUDA: self.nothing}
        routes = []
        for base in (SYSTEM, CUDA):
            of_region = f"{base}/region/{{name}}"
            routes += [
                Route(f"{base}/status", status[base], methods=["GET"]),
                Route(f"{of_region}/status", status[base], methods=["GET"]),
                Route(f"{of_region}/register", register[base], methods=["POST"]),
                Route(f"{of_region}/unregister", unregister[base], methods=["POST"]),
                Route(f"{base}/unregister", unregister[base], methods=["POST"]),
            ]
        return routes

    async def status(self, request: Request) -> Response:
        """List the caller's regions, or the one of that name. Raises NotFound."""
        regions = await self._regions.status(request.path_params.get("name"))
        return JSONResponse([asdict(region) for region in regions])

    async def register(self, request: Request) -> Response:
        """Register a region; see ``Regions.register``."""
        name: str = request.path_params["name"]
        fields = self._fields(await body(request.receive))
        await self._regions.register(name, fields["key"], fields["offset"], fields["byte_size"])
        return Response()

    async def unregister(self, request: Request) -> Response:
        """Forget the caller's regions, or the one of that name."""
        await self._regions.unregister(request.path_params.get("name"))
        return Response()

    def _fields(self, data: bytes) -> dict[str, Any]:
        """Read what is registered. Raises InvalidRequest."""
        if len(data) > self._limits.max_json_bytes:
            message = f"a JSON body must have at most {self._limits.max_json_bytes} bytes"
            raise TooLarge(message, param="body")
        fields = {"offset": 0, **json_object(data)}
        for name in fields:
            if name not in FIELDS:
                message = f"{name[:80]} is not a field of this request"
                raise InvalidRequest(message, param=name[:80])
        for name, kind in FIELDS.items():
            if type(fields.get(name)) is not kind:
                what = "a string" if kind is str else "a whole number"
                raise InvalidRequest(f"{name} must be {what}", param=name)
        return fields

    # ---- CUDA ----------------------------------------------------------------------------

    async def no_status(self, request: Request) -> Response:
        """List no region. Raises NotFound: one is asked for."""
        if "name" in request.path_params:
            name = request.path_params["name"][:80]
            message = f"Unable to find cuda shared memory region: '{name}'"
            raise NotFound(message, param="name")
        return JSONResponse([])

    async def refuse(self, request: Request) -> Response:
        """Refuse to register memory of a GPU. Raises InvalidRequest."""
        message = "CUDA shared memory is not supported: register system shared memory"
        raise InvalidRequest(message, param="name")

    async def nothing(self, request: Request) -> Response:
        """Answer that nothing is registered any more."""
        return Response()
