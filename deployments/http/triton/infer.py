"""``POST /v2/models/{name}/infer``: a request with its tensors in, its outputs out.

A bare ASGI application, because live clients send short pieces of audio many times a second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from deployments.config.names import MODEL_VERSION
from deployments.config.schema import Limits
from deployments.graph.pipeline import Pipeline
from deployments.http.failed_requests import Meant
from deployments.http.parsing import TIMEOUT_HEADER, body, deadline_of
from deployments.http.triton.compression import compressed, decompressed
from deployments.http.triton.infer_request import parse
from deployments.http.triton.infer_response import render
from deployments.inference.kinds.base import Served
from deployments.inference.open_region import OpenRegion
from deployments.inference.regions import Regions, tensor_of
from deployments.inference.requests import context_of, wanted_of
from deployments.inference.rows import Rows
from deployments.inference.served import Catalogue
from deployments.inference.signature import check
from deployments.inference.tensors import HEADER_LENGTH, InferRequest, Tensor
from models.errors import TooLarge

INLINE_BYTES = 1 << 16  # of binary tensors: few enough to read on the event loop
INLINE_JSON_BYTES = 1 << 12
INLINE_REGIONS = 8  # inputs in shared memory: each is a file to open
LENGTH, TIMEOUT = HEADER_LENGTH.lower().encode(), TIMEOUT_HEADER.encode()
READ = frozenset({LENGTH, TIMEOUT, b"content-encoding", b"accept-encoding"})  # headers
ANNOUNCED = re.compile(r"[0-9]{1,10}")  # a length that parsing need not refuse


class InferEndpoint:
    """An ASGI application for the two paths of every model."""

    def __init__(
        self, catalogue: Catalogue, pipeline: Pipeline, limits: Limits, regions: Regions
    ) -> None:
        self._catalogue = catalogue
        self._pipeline = pipeline
        self._limits = limits
        self._regions = regions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        path = scope["path_params"]
        served = self._catalogue.get(path["name"], path.get("version"))
        headers = {key: value.decode("latin-1") for key, value in scope["headers"] if key in READ}
        with Meant(self._pipeline.fleet, served.name):
            await self._infer(served, scope, headers, receive, send)

    async def _infer(
        self,
        served: Served,
        scope: Scope,
        headers: Mapping[bytes, str],
        receive: Receive,
        send: Send,
    ) -> None:
        deadline = deadline_of(scope, headers.get(TIMEOUT), self._limits)
        request, rows = await self._read(await body(receive), headers, served, deadline)
        if rows is None:
            rows = await self._read_regions(request, served, deadline)
        places = await self._regions.open_outputs(request.outputs)
        context = context_of(request.parameters, deadline)
        outputs = await served.infer(rows, wanted_of(request), context)
        await self._answer(request, outputs, places, served.name, headers, deadline, send)

    async def _read(
        self, data: bytes, headers: Mapping[bytes, str], served: Served, deadline: float
    ) -> tuple[InferRequest, Rows | None]:
        """Read a request, and its rows once they fit the model's signature.

        None: some of its inputs are still to be read from shared memory.
        """
        length = headers.get(LENGTH)
        encoding = headers.get(b"content-encoding")
        signature, max_rows = served.signature, served.max_batch_size

        def work() -> tuple[InferRequest, Rows | None]:
            plain = decompressed(data, encoding, self._limits.max_body_bytes)
            self._check_json(plain, length)
            request = parse(plain, length, served.name, signature.raw_input)
            if request.in_regions:
                return request, None
            count = check(request, served.name, signature, max_rows)
            return request, Rows(request.inputs, count)

        limit = INLINE_JSON_BYTES if length is None else INLINE_BYTES
        if encoding is None and len(data) <= limit:
            return work()
        return await self._pipeline.codecs.run(work, deadline)

    async def _read_regions(self, request: InferRequest, served: Served, deadline: float) -> Rows:
        """Read the inputs of a request that lie in shared memory; return all of its rows."""
        entries, signature = request.in_regions, served.signature
        max_rows = served.max_batch_size
        opened = await self._regions.open_inputs(entries)

        def work() -> Rows:
            found = [tensor_of(each, opened[each.name], served.name) for each in entries]
            request.inputs.update({tensor.name: tensor for tensor in found})
            return Rows(request.inputs, check(request, served.name, signature, max_rows))

        size = sum(each.region.byte_size for each in entries)
        if size <= INLINE_BYTES and len(entries) <= INLINE_REGIONS:
            return work()
        return await self._pipeline.codecs.run(work, deadline)

    def _check_json(self, plain: bytes, length: str | None) -> None:
        """Refuse more JSON than may be parsed."""
        limit = self._limits.max_tensor_json_bytes
        if len(plain) <= limit:
            return
        announced = length if length and ANNOUNCED.fullmatch(length) else len(plain)
        if min(int(announced), len(plain)) > limit:
            message = f"JSON must have at most {limit} bytes; larger tensors go as binary"
            raise TooLarge(message, param="body")

    async def _answer(
        self,
        request: InferRequest,
        outputs: list[Tensor],
        places: Mapping[str, OpenRegion],
        name: str,
        headers: Mapping[bytes, str],
        deadline: float,
        send: Send,
    ) -> None:
        accepted = headers.get(b"accept-encoding")

        def work() -> tuple[dict[str, str], bytes, str | None]:
            fields, plain = render(name, MODEL_VERSION, request, outputs, places)
            return (fields, *compressed(plain, accepted))

        size = sum(tensor.array.nbytes for tensor in outputs)
        inline = accepted is None and size <= INLINE_JSON_BYTES
        made = work() if inline else await self._pipeline.codecs.run(work, deadline)
        fields, data, encoding = made
        if encoding is not None:
            fields |= {"content-encoding": encoding, "vary": "accept-encoding"}
        start = [(key.lower().encode(), value.encode()) for key, value in fields.items()]
        start.append((b"content-length", b"%d" % len(data)))
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": data})
