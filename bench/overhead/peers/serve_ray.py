"""Ray Serve alone: one deployment with its own batching."""

import asyncio
import sys

import numpy as np
import ray
from ray import serve
from sleeping_model import duration_s, embeddings
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(max_ongoing_requests=512)  # the default, 5, could never fill a batch
class Speaker:
    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.005)
    async def embed(self, clips):
        await asyncio.sleep(duration_s(len(clips)))
        return list(embeddings(clips))

    async def __call__(self, request: Request):
        clip = np.frombuffer(await request.body(), np.int16)
        return Response((await self.embed(clip)).tobytes(), media_type="application/octet-stream")


if __name__ == "__main__":
    ray.init(address="local", include_dashboard=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(sys.argv[1])},
        logging_config={"enable_access_log": False},
    )
    serve.run(Speaker.bind(), blocking=True)
