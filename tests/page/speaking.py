"""A server of the page on fakes: who speaks says a known text, which a table translates.

    python -m tests.page.speaking [--port 8123] [--key]

It prints its address, and the key where it wants one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from deployments.config.live import Live
from deployments.config.schema import ModelConfig
from deployments.config.security import Key, Security
from deployments.http.app import LiveParts, asgi_app
from deployments.http.middleware.admission import Admission
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from deployments.live.demand import Demand
from deployments.live.events import SpeechStarted, TranscriptDelta, TranscriptPartial
from deployments.live.models import Begun
from deployments.live.senses import Senses
from deployments.live.sessions import Sessions
from deployments.security.keys import new_key
from models.errors import Overloaded
from models.runtime import Engine, RuntimeSpec
from models.types import SAMPLE_RATE_HZ, Audio, Samples, Translation
from tests.support.fakes import NMT_PAIRS, FakeNmt, Options
from tests.support.live import FakeModels, PassingResampler
from tests.support.local import fake_config, fake_fleet
from tests.support.realtime import LOUD, WORD_S, Ear
from tests.support.sockets import serving

SAID = (
    ("Good morning, and welcome to the harbour.", "Bom dia, e bem-vindos ao porto."),
    ("The ferry to the islands leaves at nine.", "O barco para as ilhas sai às nove."),
    ("Please keep your tickets until the end.", "Guardem os bilhetes até ao fim, por favor."),
    ("The crossing takes about forty minutes.", "A travessia demora cerca de quarenta minutos."),
)
ARABIC = "صباح الخير وأهلا بكم في الميناء."
WORDS = [word for sentence, _ in SAID for word in sentence.split()]
TABLE = dict(SAID)


class PageNmt(FakeNmt):
    """Translate into a language that is written from right to left, and one that is too much."""

    engine = Engine("nmt", Options, needs_weights=False)
    id = "page-nmt"

    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), pairs=(*NMT_PAIRS, ("en", "ar"), ("en", "de")))


class Reader(Ear):
    """Hear the next word of the text in each ``WORD_S`` of loud samples; a sentence is a turn."""

    def _hear(self, piece: NDArray[np.int16]) -> None:
        self._at += len(piece)
        if np.abs(piece).max(initial=0) < LOUD:
            return
        if self._start_s is None:
            self._start_s = (self._at - len(piece)) / SAMPLE_RATE_HZ
            self._emit(SpeechStarted(self._turn, self._start_s))
        self._loud += len(piece)
        if self._loud >= WORD_S * SAMPLE_RATE_HZ:
            self._loud = 0
            self._say()

    def _say(self) -> None:
        word = WORDS[self._words % len(WORDS)]
        gap = " " if self._text else ""
        self._words += 1
        self._text += gap + word
        end_s = self._at / SAMPLE_RATE_HZ
        self._emit(TranscriptDelta(self._turn, gap + word, end_s - WORD_S, end_s, "en"))
        if word.endswith("."):
            self._end_turn()
            return
        coming = " ".join(WORDS[self._words % len(WORDS) :][:2])
        self._emit(TranscriptPartial(self._turn, f" {coming}", end_s))


class Interpreter(FakeModels):
    """Translate by the table, and speak a tone."""

    async def translate(
        self, text: str, source: str, target: str, begun: Begun | None = None
    ) -> Translation:
        known = {"pt": TABLE.get(text.strip(), text), "ar": ARABIC}
        return Translation(known.get(target, f"[{target}] {text}"), source, target)

    async def speak(
        self, text: str, target: str, voice: str | None, speed: float, reference: Samples | None
    ) -> Audio:
        assert (target, voice) in self.prepared
        times = np.arange(round(len(text) * 0.05 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        return Audio((3000 * np.sin(2 * np.pi * 220 * times)).astype(np.int16))


def admit(demand: Demand, before: Demand | None) -> None:
    """Refuse to speak English, and German altogether, as where the models are too slow for it."""
    if ("en", True) in demand.wanted or "de" in dict(demand.wanted):
        raise Overloaded("model 'tts' cannot keep pace with a live session like this")


@asynccontextmanager
async def speaking_server(port: int | None, *, has_key: bool) -> AsyncIterator[tuple[str, str]]:
    """Serve the page; its address, and the key, which is empty where none is wanted."""
    key, config = "", fake_config()
    nmt = ModelConfig(engine="tests.page.speaking:PageNmt")
    config = config.model_copy(update={"models": {**config.models, "nmt": nmt}})
    if has_key:
        key, digest = new_key()
        keys = (Key(name="page", hash=digest, scopes=("infer", "admin")),)
        config = config.model_copy(update={"security": Security(keys=keys)})
    clock = asyncio.get_running_loop()
    senses = Senses(Reader, PassingResampler)
    targets = ("en", "pt", "fr", "ar", "de")
    sessions = Sessions(lambda: Interpreter(clock, targets=targets), senses, clock, Live(), admit)
    live = LiveParts(sessions)
    with TemporaryDirectory() as folder:
        store = Store(Path(folder), Sealing(None), 1 << 30)
        app = asgi_app(await fake_fleet(config), config, Admission(64), live=live, store=store)
        async with serving(app, port) as url:
            yield url, key


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int)
    parser.add_argument("--key", action="store_true", help="want a key")
    args = parser.parse_args()
    async with speaking_server(args.port, has_key=args.key) as (url, key):
        print(json.dumps({"url": url, "key": key}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
