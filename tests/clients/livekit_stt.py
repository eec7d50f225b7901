"""LiveKit's ``STT`` against a running server: a stream in, its events out.

python livekit_stt.py --base-url http://127.0.0.1:8000/v1 [--key KEY] FILE

It needs ``livekit-plugins-openai`` alone. FILE is as in ``openai_realtime.py``, and so is the
output. The name of the model decides whether the plugin asks for turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from importlib.metadata import version
from pathlib import Path

from livekit import rtc
from livekit.agents import stt, utils
from livekit.plugins import openai

FRAME_SAMPLES, RATE_HZ = 4800, 24_000
LIMIT_S, LAST_S = 120.0, 15.0
FRAME_S = 0.2


async def heard(base_url: str, key: str, path: Path) -> str:
    """Return the final texts; the plugin has no way to ask for the end, so silence ends a turn."""
    async with utils.http_context.open():
        recogniser = openai.STT(base_url=base_url, api_key=key, use_realtime=True, language="en")
        stream = recogniser.stream()
        finals: list[str] = []

        async def read() -> None:
            async for event in stream:
                if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                    finals.append(event.alternatives[0].text)  # noqa: PERF401 - kept if it ends

        reading = asyncio.create_task(read())
        with wave.open(str(path), "rb") as file:
            pieces = list(iter(lambda: file.readframes(FRAME_SAMPLES), b""))
        silence = [bytes(2 * FRAME_SAMPLES)] * 10
        for piece in [*pieces, *silence]:
            stream.push_frame(rtc.AudioFrame(piece, RATE_HZ, 1, len(piece) // 2))
            await asyncio.sleep(FRAME_S)
        stream.end_input()
        await asyncio.wait([reading], timeout=LAST_S)
        await stream.aclose()
        return " / ".join(finals)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--key", default="none")
    args = parser.parse_args()
    try:
        asked = heard(args.base_url, args.key, args.file)
        said = asyncio.run(asyncio.wait_for(asked, LIMIT_S))
        ok = bool(said.strip())
    except Exception as error:
        ok, said = False, f"{type(error).__name__}: {error}"
    client = f"livekit-plugins-openai {version('livekit-plugins-openai')}"
    row = {"client": client, "call": "STT(use_realtime=True)", "ok": ok, "said": said}
    print(json.dumps(row))
    sys.exit(not ok)


if __name__ == "__main__":
    main()
