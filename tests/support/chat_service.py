"""An OpenAI-compatible service on a real socket, that answers or fails as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Call:
    """One request: its headers in small letters, and its body."""

    headers: Mapping[str, str]
    body: Any
    at_s: float

    @property
    def asked(self) -> str:
        """The user's message."""
        message: str = self.body["messages"][-1]["content"]
        return message

    @property
    def instructions(self) -> str:
        message: str = self.body["messages"][0]["content"]
        return message

    @property
    def text(self) -> str:
        """What stands between the marks."""
        lines = self.asked.split("\n")
        mark = lines[-1].replace("/", "")
        return "\n".join(lines[lines.index(mark) + 1 : -1])


@dataclass(frozen=True)
class Reply:
    """An answer. ``raw``: these bytes instead of any HTTP; empty ones close the connection."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    is_chunked: bool = False  # the body is sent without its length, again and again


def said(content: Any, reason: str = "stop", **message: Any) -> Reply:
    """Answer as the service does where all goes well."""
    choice = {
        "index": 0,
        "finish_reason": reason,
        "message": {"role": "assistant", "content": content} | message,
    }
    body = {"object": "chat.completion", "choices": [choice]}
    return Reply(body=json.dumps(body).encode())


@dataclass
class ChatService:
    """A running service. ``answer`` may be replaced at any time; threads call it."""

    answer: Callable[[Call], Reply]
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, call: Call) -> Reply:
        with self._lock:
            self.calls.append(call)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            return self.answer(call)
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def chat_service(answer: Callable[[Call], Reply]) -> Iterator[ChatService]:
    """Serve until the block ends."""
    service = ChatService(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            is_known = self.path == PATH
            call = Call(headers, json.loads(body), time.monotonic())
            reply = service.take(call) if is_known else Reply(404)
            try:
                self.send(reply)
            except ConnectionError:
                self.close_connection = True  # who asked has gone

        def send(self, reply: Reply) -> None:
            if reply.raw is not None:
                self.wfile.write(reply.raw)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.is_chunked:
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                while True:  # until who asked has had enough
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(reply.body), reply.body))
            if "content-length" not in reply.headers:
                self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # of connections that come at once

    server = Server(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
