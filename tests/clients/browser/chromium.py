"""npm's ``openai`` in Chromium against a running server, over TLS as a browser wants it.

    python -m tests.clients.browser.chromium --base-url URL/v1 --modules FOLDER FILE

FOLDER has ``openai`` as npm installed it. The page, its modules and the server share one origin: a
listener with a certificate of its own, which passes ``/v1`` on. The page posts what it heard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import ssl
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tests.support import certificates

PAGE = Path(__file__).parent / "page.html"
SCRIPT = "text/javascript"
TYPES = {".html": "text/html", ".mjs": SCRIPT, ".js": SCRIPT, ".json": "application/json"}
LIMIT_S = 120.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Origin:
    """Serves the page and what it needs, and passes everything below ``/v1`` to the server."""

    def __init__(self, server: str, modules: Path, files: dict[str, bytes]) -> None:
        parts = urlsplit(server)
        self._host, self._port = parts.hostname, parts.port or 80
        self._modules, self._files = modules, files
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        if path.startswith("/v1/"):
            await self._pass_on(head, reader, writer)
            return
        if path == "/answer":
            lines = head.decode("latin-1").lower().split("\r\n")
            length = next(int(x.split(":")[1]) for x in lines if x.startswith("content-length"))
            self.answer.set_result(json.loads(await reader.readexactly(length)))
        content = self._content(path)
        status = b"404 Not Found" if content is None else b"200 OK"
        kind = TYPES.get(Path(path).suffix, "application/octet-stream")
        content = content or b""
        writer.write(b"HTTP/1.1 %b\r\nContent-Type: %b\r\n" % (status, kind.encode()))
        writer.write(b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(content) + content)
        await writer.drain()
        writer.close()

    def _content(self, path: str) -> bytes | None:
        if path in self._files:
            return self._files[path]
        file = (self._modules / path.removeprefix("/modules/")).resolve()
        is_module = path.startswith("/modules/") and file.is_relative_to(self._modules.resolve())
        return file.read_bytes() if is_module and file.is_file() else None

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        server_writer.write(head)
        both = (_pump(reader, server_writer), _pump(server_reader, writer))
        await asyncio.gather(*both, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


def pcm(path: Path) -> bytes:
    with wave.open(str(path), "rb") as file:
        return file.readframes(file.getnframes())


def secret(base_url: str, key: str) -> str:
    """Make a client secret, as the server behind a page does."""
    body = {"session": {"type": "transcription"}}
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    asked = Request(f"{base_url}/realtime/client_secrets", json.dumps(body).encode(), headers)
    with urlopen(asked, timeout=30) as answer:
        value: str = json.load(answer)["value"]
    return value


async def heard(base_url: str, key: str, target: dict[str, str], args: Any) -> dict[str, Any]:
    """Open the page in Chromium, and return what it posts."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise FileNotFoundError(f"none of {', '.join(BROWSERS)} is installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # of a browser
        own = certificates.made(Path(folder), signs_itself_for="127.0.0.1")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(own.certificate, own.key)
        files = {
            "/": PAGE.read_bytes(),
            "/page.html": PAGE.read_bytes(),
            "/nothing.mjs": b"export default {}; export const WebSocket = null;",
            "/asked.json": json.dumps({"key": key, "target": target}).encode(),
            "/speech.pcm": pcm(args.file),
        }
        origin = Origin(base_url, args.modules, files)
        server = await asyncio.start_server(origin.serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(browser, "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--ignore-certificate-errors", f"--user-data-dir={folder}/profile"),
            f"https://127.0.0.1:{port}/page.html",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            return await asyncio.wait_for(origin.answer, LIMIT_S)
        finally:
            process.kill()
            await process.wait()
            server.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--key", default="none")
    parser.add_argument("--modules", type=Path, required=True)
    args = parser.parse_args()
    version = json.loads((args.modules / "openai" / "package.json").read_text())["version"]
    try:
        # Only from version 7 on can it ask for transcription by a key; a secret says so itself.
        if int(version.partition(".")[0]) >= 7:
            target, key = {"intent": "transcription"}, args.key
        else:
            target, key = {"model": "transcription"}, secret(args.base_url, args.key)
        answer = asyncio.run(heard(args.base_url, key, target, args))
    except (OSError, TimeoutError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    ok = bool(answer.get("said", "").strip())
    row = {"client": f"npm openai {version}", "call": "OpenAIRealtimeWebSocket, Chromium", "ok": ok}
    print(json.dumps({**row, "said": answer.get("said") or answer.get("error", "nothing")}))
    sys.exit(not ok)


if __name__ == "__main__":
    main()
