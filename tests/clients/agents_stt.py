"""The voice input of ``openai-agents`` against a running server: a stream in, its turns out.

python agents_stt.py --base-url http://127.0.0.1:8000/v1 [--key KEY] FILE

It needs ``openai-agents[voice]`` alone. FILE is as in ``openai_realtime.py``, and so is the output.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from importlib.metadata import version
from pathlib import Path

import numpy as np
from agents.voice import OpenAIVoiceModelProvider, StreamedAudioInput, STTModelSettings

FRAME_SAMPLES = 4800
LIMIT_S = 120.0


async def heard(base_url: str, key: str, path: Path, turns: str) -> str:
    """Return the turns that the recogniser of the pipeline hears."""
    provider = OpenAIVoiceModelProvider(api_key=key, base_url=base_url)
    model = provider.get_stt_model(None)
    given = StreamedAudioInput()
    settings = STTModelSettings(turn_detection={"type": turns})
    session = await model.create_session(given, settings, False, False)

    async def feed() -> None:
        with wave.open(str(path), "rb") as file:
            for piece in iter(lambda: file.readframes(FRAME_SAMPLES), b""):
                await given.add_audio(np.frombuffer(piece, np.int16))
        await given.add_audio(None)

    feeding = asyncio.create_task(feed())
    said = [turn async for turn in session.transcribe_turns()]
    await feeding
    await session.close()
    return " / ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--key", default="none")
    args = parser.parse_args()
    failed = False
    for turns in ("semantic_vad", "server_vad"):
        try:
            asked = heard(args.base_url, args.key, args.file, turns)
            said = asyncio.run(asyncio.wait_for(asked, LIMIT_S))
            ok = bool(said.strip())
        except Exception as error:
            ok, said = False, f"{type(error).__name__}: {error}"
        failed |= not ok
        row = {"call": f"StreamedAudioInput, {turns}", "ok": ok, "said": said}
        print(json.dumps({"client": f"openai-agents {version('openai-agents')}", **row}))
    sys.exit(failed)


if __name__ == "__main__":
    main()
