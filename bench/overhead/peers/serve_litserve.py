"""LitServe: its requests are JSON, so samples travel as base64 (its own way for binary data)."""

import base64
import sys

import litserve
import numpy as np
from sleeping_model import embed


class Speaker(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        return np.frombuffer(base64.b64decode(request["audio"]), np.int16)

    def predict(self, batch):
        return embed(batch)

    def encode_response(self, output):
        return {"embedding": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(
        Speaker(max_batch_size=32, batch_timeout=0.005),
        accelerator="cpu",
        workers_per_device=1,
        fast_queue=True,  # "for high-throughput scenarios (>100 RPS)"
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning"
    )
