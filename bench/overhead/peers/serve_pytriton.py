"""PyTriton: Triton itself with its Python backend, and its dynamic batcher."""

import signal
import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig
from sleeping_model import EMBEDDING_SIZE, embed

# int16, or float32 at full scale 1.0, of which the model reads the first sample alone.
dtype = np.dtype(sys.argv[4] if len(sys.argv) > 4 else "int16")


@batch
def infer(audio):
    if dtype.kind == "f":
        audio = np.rint(audio[:, :1] * 32768).astype(np.int16)
    return {"embedding": embed(audio)}


signal.signal(signal.SIGTERM, signal.default_int_handler)  # it tidies up after a SIGINT only
http_port, grpc_port, metrics_port = map(int, sys.argv[1:4])
config = TritonConfig(
    http_address="127.0.0.1", http_port=http_port, grpc_port=grpc_port, metrics_port=metrics_port
)
# Nothing is kept from perf_analyzer, which asks for the model's configuration over gRPC.
security = TritonSecurityConfig(restricted_endpoints=[])
with Triton(config=config, security_config=security) as triton:
    triton.bind(
        "speaker",
        infer,
        inputs=[Tensor(name="audio", dtype=dtype.type, shape=(-1,))],
        outputs=[Tensor(name="embedding", dtype=np.float32, shape=(EMBEDDING_SIZE,))],
        config=ModelConfig(
            max_batch_size=32, batcher=DynamicBatcher(max_queue_delay_microseconds=5000)
        ),
    )
    triton.serve()
