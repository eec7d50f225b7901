"""Subtitles as answers: files of their own media types."""

from __future__ import annotations

from starlette.responses import Response

from models.audio.subtitles import Cue, srt, vtt


def subtitle_response(subtitle_format: str, cues: list[Cue]) -> Response:
    """Answer with a file of subtitles, ``vtt`` or else ``srt``."""
    if subtitle_format == "vtt":
        return Response(vtt(cues), media_type="text/vtt")
    return Response(srt(cues), media_type="application/x-subrip")
