"""The calls about the server and its models: metadata, configuration, statistics, load, unload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import ParseDict

from deployments.grpc.calls import Answer, Call
from deployments.grpc.messages import SERVICE, message, read
from deployments.inference.kinds.base import Served
from deployments.inference.regions import EXTENSION
from deployments.inference.repository import SERVER, Repository
from models.errors import InvalidRequest

EXTENSIONS = (
    "model_repository",
    "schedule_policy",
    "model_configuration",
    "parameters",
    "statistics",
    "sequence",
)


class RepositoryCalls:
    """Answer them from the documents that HTTP has, too.

    Args:
        repository: has the documents.
        refusing: says why a new request would be refused; None: it would not.
        has_regions: whether regions of shared memory may be registered.
    """

    def __init__(
        self, repository: Repository, refusing: Callable[[], str | None], has_regions: bool
    ) -> None:
        self._repository = repository
        self._refusing = refusing
        self._extensions = [*EXTENSIONS, *([EXTENSION] if has_regions else [])]

    def answers(self) -> dict[str, Answer]:
        """Return what answers each method."""
        own: dict[str, Answer] = {
            "ServerLive": self.live,
            "ServerReady": self.ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server,
            "ModelMetadata": self.metadata,
            "ModelConfig": self.configuration,
            "ModelStatistics": self.statistics,
            "RepositoryIndex": self.index,
            "RepositoryModelLoad": self.load,
            "RepositoryModelUnload": self.unload,
        }
        return {f"{SERVICE}/{name}": answer for name, answer in own.items()}

    @property
    def is_ready(self) -> bool:
        """Return whether new requests are answered."""
        return self._repository.is_server_ready and self._refusing() is None

    def is_model_ready(self, served: Served) -> bool:
        """Return whether new requests to a model are answered."""
        return self._repository.is_ready(served) and self._refusing() is None

    # ---- the server ----------------------------------------------------------------------

    async def live(self, data: bytes, call: Call) -> bytes:
        return _written("ServerLiveResponse", {"live": True})

    async def ready(self, data: bytes, call: Call) -> bytes:
        return _written("ServerReadyResponse", {"ready": self.is_ready})

    async def server(self, data: bytes, call: Call) -> bytes:
        return _written("ServerMetadataResponse", {**SERVER, "extensions": self._extensions})

    # ---- a model -------------------------------------------------------------------------

    def served(self, name: str, version: str = "") -> Served:
        """Return what is served under a name. Raises UnknownModel."""
        return self._repository.catalogue.get(name, version)

    def _meant(self, kind: str, data: bytes) -> Served:
        asked = read(message(kind), data)
        return self.served(asked.name, asked.version)

    async def model_ready(self, data: bytes, call: Call) -> bytes:
        served = self._meant("ModelReadyRequest", data)
        return _written("ModelReadyResponse", {"ready": self.is_model_ready(served)})

    async def metadata(self, data: bytes, call: Call) -> bytes:
        served = self._meant("ModelMetadataRequest", data)
        return _written("ModelMetadataResponse", self._repository.metadata(served))

    async def configuration(self, data: bytes, call: Call) -> bytes:
        served = self._meant("ModelConfigRequest", data)
        document = self._repository.configuration(served)
        document["model_transaction_policy"] = {"decoupled": served.decoupled}
        return _written("ModelConfigResponse", {"config": document})

    async def statistics(self, data: bytes, call: Call) -> bytes:
        asked = read(message("ModelStatisticsRequest"), data)
        some = [self.served(asked.name, asked.version)] if asked.name else None
        rows = await self._repository.statistics(some)
        return _written("ModelStatisticsResponse", {"model_stats": rows})

    # ---- the repository ------------------------------------------------------------------

    async def index(self, data: bytes, call: Call) -> bytes:
        asked = read(message("RepositoryIndexRequest"), data)
        rows = self._repository.index(ready_only=asked.ready)
        return _written("RepositoryIndexResponse", {"models": rows})

    async def load(self, data: bytes, call: Call) -> bytes:
        asked = read(message("RepositoryModelLoadRequest"), data)
        name = self.served(asked.model_name).name
        parameters = _parameters(asked)
        has_config, config = "config" in parameters, parameters.pop("config", None)
        if has_config and not isinstance(config, str):
            raise InvalidRequest("parameter 'config' must be a JSON text", param="config")
        if parameters:
            message_ = f"parameter '{next(iter(parameters))[:80]}' of load is not supported"
            raise InvalidRequest(message_, param="parameters")
        await self._repository.load(name, config)
        return b""

    async def unload(self, data: bytes, call: Call) -> bytes:
        asked = read(message("RepositoryModelUnloadRequest"), data)
        name = self.served(asked.model_name).name
        parameters = _parameters(asked)
        with_dependents = parameters.pop("unload_dependents", False)
        if parameters or not isinstance(with_dependents, bool):
            message_ = "unload takes one parameter, unload_dependents: true or false"
            raise InvalidRequest(message_, param="parameters")
        await self._repository.unload(name, with_dependents=with_dependents)
        return b""


def _parameters(asked: Any) -> dict[str, Any]:
    """Return the parameters of a load or an unload; one without a value is None."""
    choices = {key: each.WhichOneof("parameter_choice") for key, each in asked.parameters.items()}
    return {
        key: choice and getattr(asked.parameters[key], choice) for key, choice in choices.items()
    }


def _written(kind: str, document: dict[str, Any]) -> bytes:
    """Write a document as the message that it is in protobuf."""
    data: bytes = ParseDict(document, message(kind)()).SerializeToString()
    return data
