"""Audio files in and out: decoded on the way in, encoded whole or in pieces on the way out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.telemetry import usage
from models.audio import decode, encode
from models.audio.dubbing import BACKGROUND_RATE_HZ
from models.audio.encode import AudioFormat, Encoder
from models.audio.marks import synthetic_tags
from models.types import Audio


class AudioFiles:
    """Decodes what callers send, up to ``max_audio_s``, and encodes what they get."""

    def __init__(self, codecs: Codecs, max_audio_s: float) -> None:
        self._codecs = codecs
        self._max_audio_s = max_audio_s

    async def decode(
        self, data: bytes, context: Context, *, max_duration_s: float | None = None
    ) -> Audio:
        """Turn a file of any common container into mono audio at 16 kHz.

        See ``models.audio.decode`` for the errors.
        """
        limit_s = self._max_audio_s if max_duration_s is None else max_duration_s
        with context.timings.stage("decode"):
            steps = decode.decode_steps(data, max_duration_s=limit_s)
            audio = await self._codecs.run(steps, context.deadline, context.caller)
        usage.heard(audio.duration_s)
        context.warnings.extend(audio.warnings)
        return audio

    async def background(self, data: bytes, context: Context) -> Audio:
        """Decode a file once more, at a rate that holds music, to stay under a voice."""
        with context.timings.stage("decode"):
            steps = decode.decode_steps(
                data, max_duration_s=self._max_audio_s, rate_hz=BACKGROUND_RATE_HZ
            )
            return await self._codecs.run(steps, context.deadline, context.caller)

    async def encode(
        self, audio: Audio, audio_format: AudioFormat, context: Context, voice_id: str
    ) -> bytes:
        """Make a file of what a voice said, which is marked as such."""
        with context.timings.stage("encode"):
            steps = encode.encode_steps(audio, audio_format, synthetic_tags(voice_id))
            return await self._codecs.run(steps, context.deadline, context.caller)

    async def encode_stream(
        self,
        parts: AsyncGenerator[Audio],
        audio_format: AudioFormat,
        context: Context,
        voice_id: str,
    ) -> AsyncGenerator[bytes]:
        """Do as ``encode`` does of all parts, in pieces that can be sent at once.

        There is nothing of no parts.
        """
        encoder: Encoder | None = None
        async with aclosing(parts):
            async for part in parts:
                with context.timings.stage("encode"):
                    if encoder is None:
                        tags = synthetic_tags(voice_id)
                        encoder = encode.encoder(audio_format, part.sample_rate_hz, tags=tags)
                    steps = encode.add_steps(encoder, part)
                    data = await self._codecs.run(steps, context.deadline, context.caller)
                if data:
                    yield data
        if encoder is not None:
            with context.timings.stage("encode"):
                rest = await self._codecs.run(encoder.finish, context.deadline, context.caller)
            if rest:
                yield rest
