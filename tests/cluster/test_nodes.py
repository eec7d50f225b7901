"""The nodes are apart as machines are, and the server is on each of them."""

from __future__ import annotations

import subprocess
import sys

import httpx
import numpy as np
import pytest

from tests.support.cluster.cluster import PORT, Cluster
from tests.support.cluster.load import HEADERS, PATH, clip
from tests.support.cluster.replicas import processes_of

# Makes a block, as an ingress does, and holds it until its standard input ends.
HOLDS = """
import sys
from deployments.serve.shared_memory import Block
block = Block(1000)
print(repr(tuple(block.address)), flush=True)
sys.stdin.read()
"""
# Tries every process and descriptor that it sees, where the block's own are, and the name.
OPENS = """
import sys
from pathlib import Path
from deployments.serve.shared_memory import Address, Opened, NAME
address = Address(*eval(sys.argv[1]))
print("opened" if Opened().content(address) is not None else "not opened")
links = [link for link in Path("/proc").glob("[0-9]*/fd/*") if link.is_symlink()]
def target(link):
    try:
        return str(link.readlink())
    except OSError:
        return ""
print(sum(target(link).startswith(f"/memfd:{NAME}") for link in links))
"""


def test_no_node_opens_a_block_of_another(cluster: Cluster) -> None:
    here, there = cluster.nodes[:2]
    line = here.command(sys.executable, "-c", HOLDS, environment=cluster.environment())
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        address = holder.stdout.readline().strip()
        found = [node.run(sys.executable, "-c", OPENS, address) for node in (here, there)]
        holder.stdin.close()
    own, other = [each.stdout.split("\n") for each in found]
    assert own[0] == "opened", found[0].stderr
    assert other[0] == "not opened", found[1].stderr
    assert int(own[1]) >= 1


def test_each_node_has_one_ingress_and_one_replica(cluster: Cluster) -> None:
    for deployment in ("Ingress", "speaker"):
        assert [len(found) for found in processes_of(cluster.nodes, deployment)] == [1, 1, 1]
    row = httpx.get(f"{cluster.urls[0]}/v1/models/speaker", timeout=30).json()
    nodes = {each["node"] for each in row["replica_reports"]}
    assert nodes == {node.address for node in cluster.nodes}


def test_no_ingress_listens_outside_of_its_node(cluster: Cluster) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{cluster.network.host}:{PORT}/health/live", timeout=2)


def test_every_node_answers_right(cluster: Cluster) -> None:
    for number, url in enumerate(cluster.urls):
        answer = httpx.post(url + PATH, content=clip(number), headers=HEADERS, timeout=30)
        assert answer.status_code == 200, answer.text
        assert answer.content == one_at(number)


def one_at(number: int) -> bytes:
    embedding = np.zeros(192, np.float32)
    embedding[number] = 1.0
    return embedding.tobytes()
