"""``ModelInfer``: a request with its tensors in, its outputs out."""

from __future__ import annotations

from deployments.config.schema import Limits
from deployments.graph.pipeline import Pipeline
from deployments.grpc.calls import Call
from deployments.grpc.infer_request import Head, Parts, cut, head_of, request_of
from deployments.grpc.infer_response import Parameters, chosen, render
from deployments.http.failed_requests import Meant
from deployments.inference.kinds.base import Served
from deployments.inference.requests import context_of, wanted_of
from deployments.inference.rows import Rows
from deployments.inference.served import Catalogue
from deployments.inference.signature import check
from deployments.inference.tensors import InferRequest, Tensor

INLINE_BYTES = 1 << 16  # of raw contents: few enough to read on the event loop
INLINE_HEAD_BYTES = 1 << 12


class Infer:
    """Answer requests over one pipeline."""

    def __init__(self, catalogue: Catalogue, pipeline: Pipeline, limits: Limits) -> None:
        self._catalogue = catalogue
        self._codecs = pipeline.codecs
        self.fleet = pipeline.fleet
        self._limits = limits

    async def answer(self, data: bytes, call: Call) -> bytes:
        """Answer one ``ModelInferRequest``. Raises DragomanError."""
        parts, head = await self.head(data, call)
        served = self.served(head)
        with Meant(self.fleet, served.name):
            request, rows = await self.read(parts, head, served, call)
            context = context_of(head.parameters, call.deadline)
            outputs = await served.infer(rows, wanted_of(request), context)
            return b"".join(await self.rendered(request, served, outputs, call))

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
        self, parts: Parts, head: Head, served: Served, call: Call
    ) -> tuple[InferRequest, Rows]:
        """Read a request's tensors, once they fit the model's signature. Raises InvalidRequest."""
        signature, max_rows = served.signature, served.max_batch_size

        def work() -> tuple[InferRequest, Rows]:
            request = request_of(parts, head)
            count = check(request, served.name, signature, max_rows)
            return request, Rows(request.inputs, count)

        if sum(size for _, _, size in parts.raw) <= INLINE_BYTES:
            return work()
        return await self._codecs.run(work, call.deadline)

    async def rendered(
        self,
        request: InferRequest,
        served: Served,
        outputs: list[Tensor],
        call: Call,
        parameters: Parameters = (),
    ) -> list[bytes]:
        """Return the pieces of an answer with the outputs that were asked for."""
        asked = chosen(request, outputs)
        if sum(tensor.array.nbytes for tensor in asked) <= INLINE_BYTES:
            return render(served.name, request.id, asked, parameters)
        return await self._codecs.run(
            lambda: render(served.name, request.id, asked, parameters), call.deadline
        )
