"""A running server is asked for its models; an answer of something else is a finding."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deployments.config.security import Tls
from deployments.doctor.machine_checks import Status
from deployments.doctor.running_server import ask_server
from tests.unit.doctor.test_diagnosis import row

# What a server answers: path -> (status, JSON).
NOT_READY = (503, {"models": {"asr": "ready", "nmt": "loading"}})
SERVERS: dict[str, tuple[tuple[int, Any], list[str], Status]] = {
    "described": ((200, row()), ["asr"], "ok"),
    "not available": ((503, {"error": {"message": "no replica"}}), [], "warning"),
    "of another server": ((200, {"name": "x"}), [], "warning"),
}


@contextmanager
def serving(answers: Mapping[str, tuple[int, Any]], tls: Tls | None = None) -> Iterator[str]:
    """Answer each path for the length of a block; the server's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("answer", "ids", "status"), SERVERS.values(), ids=SERVERS)
def test_a_model_that_the_server_does_not_describe_is_a_finding(
    answer: tuple[int, Any], ids: list[str], status: Status
) -> None:
    with serving({"/health/ready": NOT_READY, "/v1/models/asr": answer}) as url:
        reports, finding = ask_server(url)
    assert reports is not None
    assert {report.name: report.state for report in reports} == NOT_READY[1]["models"]
    assert [report.name for report in reports if report.is_answering] == ids
    assert finding.status == status


def test_where_nobody_listens_there_is_no_server() -> None:
    reports, finding = ask_server("http://127.0.0.1:9")  # the discard port
    assert (reports, finding.status) == (None, "ok")
