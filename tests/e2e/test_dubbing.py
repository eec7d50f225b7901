"""A film through a real server: dubbed, with its pictures, its own sound and subtitles."""

from __future__ import annotations

import io

import pytest

from bench.dubbing_clip import SOUND_HZ, Clip, film
from dragoman_client import Client
from tests.support.films import sound_of, tracks_of
from tests.support.speech import clip


def test_a_film_is_dubbed(client: Client) -> None:
    said = Clip(clip("en-agent-newlocation").samples(), ())
    source = film(said)
    dubbed = client.dub(
        io.BytesIO(source), "pt", source_language="en", background="duck", subtitles=True
    )
    pictures, dub, original, subtitles = tracks_of(dubbed.audio)
    assert pictures.packets == tracks_of(source)[0].packets
    assert [dub.language, original.language, subtitles.language] == ["por", "eng", "por"]
    starts_s, samples = sound_of(dubbed.audio)
    assert starts_s + len(samples) / SOUND_HZ == pytest.approx(said.duration_s, abs=0.1)
    assert "extensão" in dubbed.translation
