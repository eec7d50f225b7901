"""A stand-in for the Hugging Face hub: the addresses that ``snapshot_download`` asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Repositories with one commit each: ``{"owner/name": {"file": bytes}}``."""

    repositories: Mapping[str, Mapping[str, bytes]]
    endpoint: str = ""
    requests: list[str] = field(default_factory=list)  # "METHOD /path", in order of arrival
    ranges: list[str] = field(default_factory=list)  # "file bytes=FROM-", in order of arrival
    cuts: dict[str, int] = field(default_factory=dict)  # file -> answers that break half-way
    stalls: set[str] = field(default_factory=set)  # files whose answers stop half-way
    stalled: threading.Event = field(default_factory=threading.Event)  # one has
    closing: threading.Event = field(default_factory=threading.Event)

    def downloads(self) -> list[str]:
        """The files that were asked for, as repository/file."""
        paths = [line.removeprefix("GET /") for line in self.requests if line.startswith("GET ")]
        return sorted(p.replace(f"/resolve/{COMMIT}", "") for p in paths if "/resolve/" in p)

    def answer(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        """The body and headers for a path; None: there is no such thing."""
        for repository, files in self.repositories.items():
            if path.startswith(f"/api/models/{repository}/revision/"):
                info = {"id": repository, "sha": COMMIT, "siblings": [], "tags": []}
                info |= {"cardData": _card(files)} if "README.md" in files else {}
                return json.dumps(info).encode(), {"Content-Type": "application/json"}
            if path == f"/api/models/{repository}/tree/{COMMIT}":
                return json.dumps(_tree(files)).encode(), {"Content-Type": "application/json"}
            name = path.removeprefix(f"/{repository}/resolve/{COMMIT}/")
            if name in files:
                etag = {"ETag": f'"{_object_id(files[name])}"', "X-Repo-Commit": COMMIT}
                return files[name], {"Content-Type": "application/octet-stream", **etag}
        return None


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """``hub`` at ``hub.endpoint``, a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            hub.requests.append(f"{self.command} {path}")
            body, headers = hub.answer(path) or (b"", {"X-Error-Code": "RepoNotFound"})
            status = 404 if "X-Error-Code" in headers else 200
            file = path.rpartition(f"/{COMMIT}/")[2]
            if self.command == "GET" and "Range" in self.headers:
                hub.ranges.append(f"{file} {self.headers['Range']}")
                first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                of = f"bytes {first}-{len(body) - 1}/{len(body)}"
                status, body, headers = 206, body[first:], {**headers, "Content-Range": of}
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET" and hub.cuts.get(file, 0):
                hub.cuts[file] -= 1
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            elif self.command == "GET" and file in hub.stalls:
                self.wfile.write(body[: len(body) // 2])
                hub.stalled.set()
                hub.closing.wait()
                self.close_connection = True
            elif self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: ``hub.requests`` has it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.closing.set()
            server.shutdown()
            thread.join()


def _card(files: Mapping[str, bytes]) -> Any:
    """The fields at the head of a model card, as the hub tells them."""
    return yaml.safe_load(files["README.md"].decode().split("---")[1])


def _tree(files: Mapping[str, bytes]) -> list[dict[str, object]]:
    return [
        {"type": "file", "path": name, "size": len(content), "oid": _object_id(content)}
        for name, content in files.items()
    ]


def _object_id(content: bytes) -> str:
    """Git's: what the hub sends as the ETag of a small file."""
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def serve_file(folder: Path, **models: dict[str, Any]) -> Path:
    """A serve file with these models, in ``folder``."""
    application = {"import_path": "deployments.app:build", "args": {"models": models}}
    path = folder / "serve.yaml"
    content = {"proxy_location": "Disabled", "applications": [application]}
    path.write_text(yaml.safe_dump(content))
    return path


def digest(content: bytes) -> str:
    """SHA-256 in hex, as a pin has it."""
    return hashlib.sha256(content).hexdigest()
