"""The load test's command against a fake server: what it prints, writes and returns."""

from __future__ import annotations

import io
import json
import signal
import threading
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.testing

from load import endpoints
from load_test import app
from tests.support import commands, fake_api
from tests.support.fake_api import Json, ok, refusal

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ANSWERS: dict[str, Json] = {
    "/v1/speech/translations": fake_api.SPEECH,
    "/v1/audio/transcriptions": fake_api.TRANSCRIPTION,
    "/v1/text/translations": fake_api.texts("Olá"),
    "/v1/audio/embeddings": fake_api.embeddings([1.0]),
}


class Server:
    """Answers by path; ``/v1/models`` counts a batch for every two requests."""

    def __init__(self, on_request: Callable[[int], httpx.Response | None] | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.requests: list[httpx.Request] = []
        self._on_request = on_request or (lambda number: None)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/models":
            items = len(self.requests)
            statistics = {**fake_api.MODEL["statistics"], "items": items, "batches": items // 2}
            return ok({"data": [{**fake_api.MODEL, "statistics": statistics}]})
        self.asked[path] += 1
        self.requests.append(request)
        answer = self._on_request(len(self.requests))
        if answer is not None:
            return answer
        if path == "/v1/audio/speech":
            return httpx.Response(200, content=silence(1.5))
        return ok(ANSWERS[path])


def silence(duration_s: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(int(duration_s * 16_000)))
    return file.getvalue()


@contextmanager
def holding(count: int) -> Iterator[str]:
    """The address of a server that answers when so many requests have come."""
    come = threading.Barrier(count)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"data": []})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            come.wait(timeout=60)
            self.answer(fake_api.texts("Olá"))

        def answer(self, body: Json) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Listening(ThreadingHTTPServer):
        request_queue_size = count

    with Listening(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def run(server: Server, *args: str | Path) -> typer.testing.Result:
    """The command; it gets its transport from the context's object."""
    return commands.run(app, *args, obj=httpx.MockTransport(server))


def rows(result: typer.testing.Result) -> list[dict[str, str]]:
    header, *lines = (line.split("\t") for line in result.stdout.splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def measured(tmp_path: Path, server: Server, *args: str | Path) -> Any:
    """Return what ``--json`` writes."""
    run(server, *args, "--json", tmp_path / "load.json")
    return json.loads((tmp_path / "load.json").read_text())


def test_each_step_is_a_row() -> None:
    result = run(Server(), "--callers", "1,2", "--requests", "6")
    first, second = rows(result)
    assert (first["load"], second["load"]) == ("1 caller", "2 callers")
    assert (first["requests"], first["answered"]) == ("6", "6")
    assert (first["batch of asr"], result.exit_code) == ("2.0", 0)


def test_each_kind_of_error_is_a_column() -> None:
    server = Server(lambda number: None if number % 2 else refusal(503, "queue_full"))
    (row,) = rows(run(server, "--callers", "1", "--requests", "4", "--warm-up", "0"))
    assert row["503 queue_full"] == "2"


def test_the_warm_up_is_not_counted(tmp_path: Path) -> None:
    server = Server()
    document = measured(tmp_path, server, "--callers", "1", "--requests", "4", "--warm-up", "5")
    assert (document["steps"][0]["requests"], len(server.requests)) == (4, 9)


@pytest.mark.parametrize(
    ("endpoint", "path", "audio_s"),
    [
        pytest.param("translate", "/v1/speech/translations", 2.5, id="translate"),
        pytest.param("transcribe", "/v1/audio/transcriptions", 2.5, id="transcribe"),
        pytest.param("text", "/v1/text/translations", None, id="text"),
        pytest.param("speech", "/v1/audio/speech", 1.5, id="speech"),
        pytest.param("embeddings", "/v1/audio/embeddings", 2.0, id="embeddings"),
    ],
)
def test_every_endpoint_counts_its_audio(
    tmp_path: Path, endpoint: str, path: str, audio_s: float | None
) -> None:
    server = Server()
    args = ("--callers", "1", "--requests", "2", "--endpoint", endpoint)
    step = measured(tmp_path, server, *args)["steps"][0]
    assert set(server.asked) == {path}
    expected = None if audio_s is None else pytest.approx(2 * audio_s / step["elapsed_s"])
    assert step["audio_s_per_s"] == expected


def test_a_refusal_is_counted_and_not_tried_again(tmp_path: Path) -> None:
    full = refusal(503, "queue_full", headers={"retry-after": "0"})
    server = Server(lambda number: full if number % 2 else None)
    args = ("--callers", "1", "--requests", "4", "--warm-up", "0")
    step = measured(tmp_path, server, *args)["steps"][0]
    assert (step["errors"], step["answered"]) == ({"503 queue_full": 2}, 2)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("status", "code", "every", "exit_code"),
    [
        pytest.param(503, "queue_full", 2, 0, id="some refused"),
        pytest.param(503, "queue_full", 1, 1, id="all refused"),
        pytest.param(500, "internal", 2, 1, id="some failed"),
    ],
)
def test_the_exit_code(status: int, code: str, every: int, exit_code: int) -> None:
    server = Server(lambda number: None if number % every else refusal(status, code))
    args = ("--callers", "1", "--requests", "4", "--warm-up", "0")
    assert run(server, *args).exit_code == exit_code


def test_a_failed_warm_up_ends_the_test() -> None:
    result = run(Server(lambda number: refusal(422, "unsupported_language_pair")), "--to", "xx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("dragoman: the warm-up failed: no (422 unsupported")


def test_the_json_has_all_that_a_reader_needs(tmp_path: Path) -> None:
    args = ("--rate", "200,400", "--requests", "5", "--slo-ms", "60000", "--seed", "3")
    document = measured(tmp_path, Server(), *args)
    assert set(document) == {
        *("command", "started", "settings", "input", "versions"),
        *("load_generator", "models", "steps"),
    }
    assert (document["settings"]["seed"], document["settings"]["arrivals"]) == (3, "poisson")
    assert document["models"][0]["device"]["actual"] == "cpu"
    first, second = document["steps"]
    assert (first["load"], second["load"]["value"]) == ({"loop": "open", "value": 200}, 400)
    assert set(first["latency_ms"]) == {"p50", "p90", "p95", "p99", "max"}
    assert (first["slo_share"], len(first["outcomes"]), len(first["outcomes"][0])) == (1, 5, 3)


def test_goodput_has_its_columns_if_asked_for() -> None:
    (row,) = rows(run(Server(), "--callers", "1", "--requests", "2", "--slo-ms", "60000"))
    assert row["in SLO %"] == "100.0"


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    path = tmp_path / "load.png"
    run(Server(), "--callers", "1,2", "--requests", "3", "--slo-ms", "100", "--picture", path)
    assert path.read_bytes().startswith(PNG_SIGNATURE)


def test_the_files_of_a_folder_take_turns(tmp_path: Path) -> None:
    for name, content in (("b.wav", b"second"), ("a.flac", b"first"), ("notes.txt", b"no")):
        (tmp_path / name).write_bytes(content)
    server = Server()
    args = ("--audio", tmp_path, "--callers", "1", "--requests", "3", "--warm-up", "0")
    run(server, *args)
    bodies = [request.content for request in server.requests]
    assert [b"first" in body for body in bodies] == [True, False, True]
    assert b"second" in bodies[1]


def test_texts_take_turns() -> None:
    server = Server()
    args = ("--endpoint", "text", "--text", "a", "--text", "b", "--callers", "1", "--warm-up", "0")
    run(server, *args, "--requests", "3")
    assert [json.loads(r.content)["text"] for r in server.requests] == ["a", "b", "a"]


def test_no_pool_holds_an_open_loop_back() -> None:
    """Answer nothing before all requests are there: more than httpx's default pool has."""
    count = 120
    with holding(count) as url:
        args = ["--url", url, "--endpoint", "text", "--rate", "2000", "--requests", str(count)]
        result = commands.run(app, *args, "--warm-up", "0")
    assert rows(result)[0]["answered"] == str(count)


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Interrupt as in a terminal, also where this process was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_reports_what_was_measured() -> None:
    def interrupt(number: int) -> None:
        if number == 4:
            signal.raise_signal(signal.SIGINT)

    args = ("--callers", "1", "--duration", "600", "--warm-up", "0")
    result = run(Server(interrupt), *args)
    assert result.exit_code == 130
    assert int(rows(result)[0]["answered"]) >= 3
    assert "interrupted" in result.stderr


def test_the_shipped_sample_is_a_flac_file() -> None:
    assert endpoints.SAMPLE.read_bytes().startswith(b"fLaC")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["--rate", "1", "--callers", "1"], "either --rate", id="both loops"),
        pytest.param(["--rate", "0"], "above 0", id="no rate"),
        pytest.param(["--callers", "1.5"], "above 0", id="half a caller"),
        pytest.param(["--rate", "1,,2"], "above 0", id="hole"),
        pytest.param(["--rate", "inf"], "above 0", id="infinite"),
        pytest.param(["--duration", "1", "--requests", "1"], "either --duration", id="two lengths"),
        pytest.param(["--url", "gpu:8000"], "base_url", id="address"),
        pytest.param(["--audio", "/nowhere.wav"], "--audio", id="no such file"),
        pytest.param(["--endpoint", "sing"], "--endpoint", id="endpoint"),
        pytest.param(["--json", "no/a.json"], "there is no folder no", id="no such folder"),
    ],
)
def test_a_wrong_command_line_asks_nothing(args: list[str], said: str) -> None:
    server = Server()
    result = run(server, *args)
    assert (result.exit_code, len(server.requests)) == (2, 0)
    assert said in commands.said(result)


def test_a_folder_without_audio_is_named(tmp_path: Path) -> None:
    result = run(Server(), "--audio", tmp_path)
    assert (result.exit_code, "holds no file" in commands.said(result)) == (2, True)
