"""mosec: a Rust front, the model in a worker process. Port and capacity come as its own options."""

import numpy as np
from mosec import Server, Worker
from sleeping_model import embed


class Speaker(Worker):
    def deserialize(self, data):
        return np.frombuffer(data, np.int16)

    def forward(self, data):
        return list(embed(data))

    def serialize(self, data):
        return data.tobytes()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Speaker, num=1, max_batch_size=32, max_wait_time=5)
    server.run()
