"""``/v2/systemsharedmemory``: Triton's calls that register regions; those of CUDA's have none."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.http.parsing import Fields, Text, json_fields
from deployments.inference.regions import Regions, check_name
from models.errors import InvalidRequest, NotFound

SYSTEM, CUDA = "/v2/systemsharedmemory", "/v2/cudasharedmemory"


class RegionFields(Fields):
    """The shared memory that a region is of."""

    key: Text = Field(description="as shm_open takes it; it begins with shared_memory.prefix")
    offset: int = Field(0, ge=0, description="where the region begins, in bytes")
    byte_size: int = Field(ge=1, description="the region's length")


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
        fields = await json_fields(request, RegionFields, self._limits)
        name = request.path_params["name"]
        await self._regions.register(name, fields.key, fields.offset, fields.byte_size)
        return Response()

    async def unregister(self, request: Request) -> Response:
        """Forget the caller's regions, or the one of that name."""
        await self._regions.unregister(request.path_params.get("name"))
        return Response()

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
        """Answer that nothing is registered any more. Raises InvalidRequest: that is no name."""
        if "name" in request.path_params:
            check_name(request.path_params["name"])
        return Response()
