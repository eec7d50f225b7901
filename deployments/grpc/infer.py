"""``ModelInfer``: a request with its tensors in, its outputs out."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.config.schema import Limits
from deployments.graph.pipeline import Pipeline
from deployments.grpc.calls import Call
from deployments.grpc.infer_request import Head, Parts, cut, head_of, request_of
from deployments.grpc.infer_response import NO_REGIONS, Parameters, render
from deployments.http.failed_requests import Meant
from deployments.inference.kinds.base import Served
from deployments.inference.open_region import OpenRegion
from deployments.inference.regions import Regions, tensor_of
from deployments.inference.requests import context_of, wanted_of
from deployments.inference.rows import Rows
from deployments.inference.served import Catalogue
from deployments.inference.signature import check
from deployments.inference.tensors import InferRequest, RegionInput, Tensor

INLINE_BYTES = 1 << 16  # of raw contents: few enough to read on the event loop
INLINE_HEAD_BYTES = 1 << 12
INLINE_REGIONS = 8  # inputs in shared memory: each is a file to open


class Infer:
    """Answer requests over one pipeline. ``regions``: of shared memory, of each caller."""

    def __init__(
        self, catalogue: Catalogue, pipeline: Pipeline, limits: Limits, regions: Regions
    ) -> None:
        self._catalogue = catalogue
        self._codecs = pipeline.codecs
        self.fleet = pipeline.fleet
        self._limits = limits
        self._regions = regions

    async def answer(self, data: bytes, call: Call) -> bytes:
        """Answer one ``ModelInferRequest``. Raises DragomanError."""
        parts, head = await self.head(data, call)
        served = self.served(head)
        with Meant(self.fleet, served.name):
            request, rows = await self.read(parts, head, served, call)
            return b"".join(await self.answered(request, rows, served, call))

    async def answered(
        self,
        request: InferRequest,
        rows: Rows,
        served: Served,
        call: Call,
        parameters: Parameters = (),
    ) -> list[bytes]:
        """Return the pieces of the one answer to a request that was read."""
        places = await self._regions.open_outputs(request.outputs)
        context = context_of(request.parameters, call.deadline)
        outputs = await served.infer(rows, wanted_of(request), context)
        return await self.rendered(request, served, outputs, call, parameters, places)

    async def head(self, data: bytes, call: Call) -> tuple[Parts, Head]:
        """Read what a request says. Raises InvalidRequest, TooLarge."""
        parts = cut(data)
        most = self._limits.max_tensor_json_bytes
        if len(parts.head) <= INLINE_HEAD_BYTES:
            return parts, head_of(parts, most)
        return parts, await self._codecs.run(lambda: head_of(parts, most), call.deadline)

    def served(self, head: Head) -> Served:
        """Return the model that a request is for. Raises UnknownModel."""
        return self._catalogue.get(head.model, head.version)

    async def read(
        self, parts: Parts, head: Head, served: Served, call: Call, max_rows: int | None = None
    ) -> tuple[InferRequest, Rows]:
        """Read a request's tensors, once they fit the model's signature. Raises InvalidRequest."""
        signature, most = served.signature, max_rows or served.max_batch_size
        entries = [each for each in head.inputs if isinstance(each, RegionInput)]
        opened = await self._regions.open_inputs(entries)

        def work() -> tuple[InferRequest, Rows]:
            request = request_of(parts, head)
            found = [tensor_of(each, opened[each.name], served.name) for each in entries]
            request.inputs.update({tensor.name: tensor for tensor in found})
            return request, Rows(request.inputs, check(request, served.name, signature, most))

        size = sum([size for _, _, size in parts.raw])
        size += sum([each.region.byte_size for each in entries])
        if size <= INLINE_BYTES and len(entries) <= INLINE_REGIONS:
            return work()
        return await self._codecs.run(work, call.deadline)

    async def rendered(
        self,
        request: InferRequest,
        served: Served,
        outputs: list[Tensor],
        call: Call,
        parameters: Parameters = (),
        places: Mapping[str, OpenRegion] = NO_REGIONS,
    ) -> list[bytes]:
        """Return the pieces of an answer with the outputs that were asked for."""

        def work() -> list[bytes]:
            return render(served.name, request, outputs, parameters, places)

        if not places and sum([tensor.array.nbytes for tensor in outputs]) <= INLINE_BYTES:
            return work()
        return await self._codecs.run(work, call.deadline)
