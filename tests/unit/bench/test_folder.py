"""A folder through the command line in a process of its own, which is killed in the middle."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest

from bench.folder import fill, killed, resumed, written, written_twice
from tests.support.answering import answering

FILES, HALF = 60, 30
NAME = re.compile(rb'filename="([^"]+)"')


@pytest.mark.process
async def test_each_file_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRAGOMAN_URL", raising=False)
    asked = Counter[str]()
    is_killed = asyncio.Event()  # until then only the first half is answered

    async def respond(body: bytes, writer: asyncio.StreamWriter) -> None:
        found = NAME.search(body)
        assert found is not None
        name = found[1].decode()
        asked[name] += 1
        if len(asked) > HALF:
            await is_killed.wait()
        text = f"text of {name}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text))

    folder, outputs = tmp_path / "sounds", tmp_path / "texts"
    fill(folder, FILES)
    async with answering(respond) as url:
        first = await asyncio.to_thread(killed, url, folder, outputs, HALF)
        is_killed.set()
        says = await asyncio.to_thread(resumed, url, folder, outputs)
    last = written(outputs)
    assert (len(first), len(last), written_twice(first, last)) == (HALF, FILES, [])
    assert says.startswith(f"{HALF} of {FILES} are done already")
    texts = {path.name: path.read_text() for path in outputs.iterdir()}
    assert texts == {f"{Path(name).stem}.txt": f"text of {name}" for name in asked}
    twice = [name for name, count in asked.items() if count > 1]
    assert len(twice) <= 1, "only what was under way when it was killed may be asked for again"
