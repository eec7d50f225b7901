"""The client as a package: both colours, what it imports, and the example of its README."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import dragoman_client
from dragoman_client import AsyncClient, Client
from tests.support import fake_api
from tests.support.fake_api import ok, serving


def test_both_colours_have_the_same_methods() -> None:
    def methods(colour: type) -> dict[str, list[tuple[str, object]]]:
        return {
            name: [
                (parameter.name, parameter.default)
                for parameter in inspect.signature(method).parameters.values()
            ]
            for name, method in inspect.getmembers(colour, inspect.isfunction)
            if not name.startswith("_") and "close" not in name
        }

    assert methods(AsyncClient) == methods(Client)


@pytest.mark.process
def test_importing_the_client_brings_neither_the_server_nor_the_terminal() -> None:
    unwanted = ["models", "deployments", "ray", "torch", "numpy", "typer"]
    code = f"import sys, dragoman_client; print([m for m in {unwanted} if m in sys.modules])"
    folder = Path(dragoman_client.__file__).parents[1]
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


async def test_one_async_client_serves_many_calls_at_once() -> None:
    server = serving(ok(fake_api.SPEECH))
    async with AsyncClient(transport=server.transport) as client:
        results = await asyncio.gather(*(client.translate_speech(b"x", "pt") for _ in range(8)))
    assert len(results) == len({sent["x-request-id"] for sent in server.headers}) == 8


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "call.flac").write_bytes(b"sound")
    readme = (Path(dragoman_client.__file__).parents[1] / "README.md").read_text("utf-8")
    example = readme.split("```python\n")[1].split("```")[0]
    lines = [line.removeprefix(">>> ") for line in example.splitlines() if line.startswith(">>>")]
    transport = serving(ok(fake_api.SPEECH)).transport
    code = "\n".join(lines).replace("timeout=30", "timeout=30, transport=transport")
    exec(code, {"transport": transport})
    assert (tmp_path / "chamada.wav").read_bytes() == fake_api.WAV
