"""Find where there is speech in a recording."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np

from models.audio.samples import levelled
from models.audio.segments import MAX_WINDOW_S
from models.types import SAMPLE_RATE_HZ, Audio, VadItem, VadParameters, VadResult
from models.vad.silero import FRAME_SAMPLES, spans

# Spans that become windows keep more silence around them than a caller who asks for speech
# would want: Whisper drops words that begin at the very edge of its audio. Speech without a
# pause is cut at its longest breath, so that a window holds it.
WINDOW_VAD = VadParameters(padding_s=0.2, min_silence_s=0.3, max_speech_s=MAX_WINDOW_S - 1)
VAD_PIECE_SAMPLES = 512 * FRAME_SAMPLES  # 16.4 s
LONG_SAMPLES = 60 * SAMPLE_RATE_HZ  # what takes too long for the event loop

Vad = Callable[[VadItem], Awaitable[VadResult]]
OffLoop = Callable[[Callable[[], Any]], Awaitable[Any]]


async def listen(
    audio: Audio, vad: Vad, off_loop: OffLoop, rules: VadParameters = WINDOW_VAD
) -> tuple[Audio, VadResult]:
    """Find the speech in a recording, and make a quiet one as loud as others.

    A long recording is heard in pieces, so that others come between.
    """
    if len(audio.samples) > LONG_SAMPLES:
        loud = replace(audio, samples=await off_loop(lambda: levelled(audio.samples)))
    else:
        loud = replace(audio, samples=levelled(audio.samples))
    state, heard = None, []
    for start in range(0, len(loud.samples), VAD_PIECE_SAMPLES):
        piece = loud.samples[start : start + VAD_PIECE_SAMPLES]
        heard.append(await vad(VadItem(piece, rules, state)))
        state = heard[-1].state
    if len(heard) == 1:
        return loud, heard[0]
    probabilities = np.concatenate([result.probabilities for result in heard])
    found = await off_loop(lambda: spans(probabilities, rules, audio.duration_s))
    return loud, VadResult(found, probabilities, heard[-1].state)
