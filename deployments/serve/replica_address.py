"""Keeps Serve's own server of each replica to loopback, where all of Ray's other servers are.

Serve binds it to every interface and has no setting for that.
"""

from __future__ import annotations

import os
from typing import Any

import ray
from ray._common.tls_utils import add_port_to_grpc_server
from ray.serve._private import replica

from deployments.config.environment import RAY_REACHABLE

EVERY_INTERFACE = "[::]:"
BIND = "add_port_to_grpc_server"  # what Serve's replica calls, once


def stay_on_loopback() -> None:
    """In a replica's process, before Serve starts its server there; nothing in a real cluster.

    Raises:
        AttributeError: this version of Ray binds it otherwise.
    """
    if os.environ.get(RAY_REACHABLE) == "0":
        getattr(replica, BIND)
        setattr(replica, BIND, _bind_to_the_node)


def _bind_to_the_node(server: Any, address: str) -> int:
    """At the address that Ray gives the others, which is one of loopback here."""
    node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    here = f"[{node}]:" if ":" in node else f"{node}:"
    port: int = add_port_to_grpc_server(  # type: ignore[no-untyped-call]
        server, address.replace(EVERY_INTERFACE, here)
    )
    return port
