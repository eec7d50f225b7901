"""Bind Serve's own server in each replica to the address of Ray's node, instead of to all.

Serve has no setting for it. Ray's other servers are on the loopback address already. The names of
Ray's that are used here were read in Ray 2.60.0.
"""

from __future__ import annotations

import os
from typing import Any

import ray
from ray._common.tls_utils import add_port_to_grpc_server
from ray.serve._private import replica

from deployments.config.environment import RAY_REACHABLE

EVERY_INTERFACE = "[::]:"
BIND = "add_port_to_grpc_server"  # the function that Serve's replica calls, once


def stay_on_loopback() -> None:
    """Change how this process binds Serve's server, unless the cluster has other machines.

    Raises:
        AttributeError: this version of Ray binds it otherwise.
    """
    if os.environ.get(RAY_REACHABLE) == "0":
        getattr(replica, BIND)
        setattr(replica, BIND, _bind_to_the_node)


def _bind_to_the_node(server: Any, address: str) -> int:
    """Bind to the address of Ray's node, which is a loopback address here."""
    node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    here = f"[{node}]:" if ":" in node else f"{node}:"
    port: int = add_port_to_grpc_server(  # type: ignore[no-untyped-call]
        server, address.replace(EVERY_INTERFACE, here)
    )
    return port
