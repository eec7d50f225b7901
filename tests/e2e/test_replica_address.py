"""Serve's server of a replica listens where Ray does, and only there; in a process of its own."""

from __future__ import annotations

import json

from tests.support.processes import spawn

# Binds a server as Serve's replica does, where Ray keeps to loopback and where it does not.
BINDS = """
import asyncio, json, os
import grpc, psutil, ray
from ray.serve._private import replica
from deployments.serve.replica_address import BIND, stay_on_loopback
from deployments.config.environment import RAY_REACHABLE

async def address():
    server = grpc.aio.server()
    port = getattr(replica, BIND)(server, "[::]:0")
    await server.start()
    (ip,) = {c.laddr.ip for c in psutil.Process().net_connections() if c.laddr.port == port}
    await server.stop(None)
    return ip.removeprefix("::ffff:")

ray.util.get_node_ip_address = lambda: "127.0.0.1"  # what it says on a loopback cluster
found = {}
for value in ("1", "", "0"):
    os.environ[RAY_REACHABLE] = value
    stay_on_loopback()
    found[value] = asyncio.run(address())
print(json.dumps(found))
"""


def test_it_listens_on_loopback_only_where_ray_does() -> None:
    output, errors = spawn("-c", BINDS).communicate()
    assert output, errors
    assert json.loads(output.splitlines()[-1]) == {"1": "::", "": "::", "0": "127.0.0.1"}
