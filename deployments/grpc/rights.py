"""The route over HTTP that each call stands for: what opens it, and whether it only watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from deployments.grpc.messages import HEALTH, SERVICE
from deployments.http.middleware.admission import is_probe


class Route(NamedTuple):
    """A method and a path of HTTP, as the table of rights has them."""

    verb: str
    path: str

    @property
    def is_probe(self) -> bool:
        """Return whether it is answered also under overload, and while the server stops."""
        return is_probe(self.path)


MODEL, REPOSITORY = "/v2/models/{name}", "/v2/repository/models/{name}"
OF_REGION = {
    "Status": ("GET", "status"),
    "Register": ("POST", "region/{name}/register"),
    "Unregister": ("POST", "unregister"),
}
ROUTES: Mapping[str, Route] = {
    f"{SERVICE}/ServerLive": Route("GET", "/v2/health/live"),
    f"{SERVICE}/ServerReady": Route("GET", "/v2/health/ready"),
    f"{SERVICE}/ModelReady": Route("GET", f"{MODEL}/ready"),
    f"{SERVICE}/ServerMetadata": Route("GET", "/v2"),
    f"{SERVICE}/ModelMetadata": Route("GET", MODEL),
    f"{SERVICE}/ModelConfig": Route("GET", f"{MODEL}/config"),
    f"{SERVICE}/ModelStatistics": Route("GET", f"{MODEL}/stats"),
    f"{SERVICE}/ModelInfer": Route("POST", f"{MODEL}/infer"),
    f"{SERVICE}/ModelStreamInfer": Route("POST", f"{MODEL}/infer"),
    f"{SERVICE}/RepositoryIndex": Route("POST", "/v2/repository/index"),
    f"{SERVICE}/RepositoryModelLoad": Route("POST", f"{REPOSITORY}/load"),
    f"{SERVICE}/RepositoryModelUnload": Route("POST", f"{REPOSITORY}/unload"),
    **{
        f"{SERVICE}/{kind}SharedMemory{call}": Route(verb, f"/v2/{kind.lower()}sharedmemory/{path}")
        for kind in ("System", "Cuda")
        for call, (verb, path) in OF_REGION.items()
    },
    f"{HEALTH}/Check": Route("GET", "/v2/health/ready"),
    f"{HEALTH}/List": Route("GET", "/v2/health/ready"),
    f"{HEALTH}/Watch": Route("GET", "/v2/health/ready"),
}


def as_declared(verb: str, path: str, root_path: str) -> str:
    """Return the path of a route of ``ROUTES``: it is written as it is declared."""
    return path
