"""Asks an OpenAI-compatible service over HTTP, within bounds of seconds, bytes, calls and tries."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from models.errors import DragomanError, Unavailable, Unprocessable
from models.nmt.openai_chat.options import Options

MAX_ANSWER_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 20.0
_BUSY = 429
_TEXT_STATUSES = frozenset({400, 413, 422})  # of texts that a service does not take
UNREACHABLE = "the translation service cannot be reached"
TOO_SLOW = "the translation service did not answer in time"
TOO_LARGE = f"the translation service's answer has more than {MAX_ANSWER_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Again:
    """A failure that another try may not have; ``after_s`` is what the service asks to wait."""

    error: Unavailable
    after_s: float | None = None

    def pause_s(self, tries: int) -> float:
        """Return how long to wait after so many tries: at least what the service asks for."""
        growing = min(_FIRST_PAUSE_S * 2.0 ** (tries - 1), _LONGEST_PAUSE_S)
        return max(growing * random.uniform(0.5, 1.0), self.after_s or 0.0)


class Service:
    """The service of one model. Its methods run in one event loop.

    No redirect is followed, so that texts and the key reach the configured host alone; proxies of
    the environment are not asked. Errors hold neither the key nor what the service wrote.
    """

    def __init__(self, options: Options, key: str | None) -> None:
        self._options = options
        self._places = asyncio.Semaphore(options.concurrency)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=options.concurrency),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                sock_connect=options.connect_timeout_s, sock_read=options.read_timeout_s
            ),
            headers={
                "accept": "application/json",
                "accept-encoding": "identity",  # so that few bytes cannot become many
                "content-type": "application/json",
                "user-agent": "dragoman",
                **({} if key is None else {"authorization": f"Bearer {key}"}),
            },
            auto_decompress=False,
            trust_env=False,
        )

    async def ask(self, body: bytes, until: float) -> bytes:
        """Send the body of a call until it is answered; return the body of the answer.

        Args:
            body: in JSON.
            until: the time of the event loop at which it is given up.

        Raises:
            Unavailable: the service is busy, fails, cannot be reached, is too slow, does not take
                the key or the model, or answers with what is no answer.
            Unprocessable: it does not take the text.
        """
        try:
            async with asyncio.timeout_at(until):
                return await self._ask(body, until)
        except TimeoutError:
            raise Unavailable(TOO_SLOW) from None

    async def close(self) -> None:
        await self._session.close()

    async def _ask(self, body: bytes, until: float) -> bytes:
        tries = 0
        while True:
            async with self._places:
                found = await self._try(body)
            if isinstance(found, bytes):
                return found
            if isinstance(found, DragomanError):
                raise found
            tries += 1
            pause_s = found.pause_s(tries)
            is_late = asyncio.get_running_loop().time() + pause_s >= until
            if tries > self._options.retries or is_late:
                raise found.error
            await asyncio.sleep(pause_s)

    async def _try(self, body: bytes) -> bytes | Again | DragomanError:
        """Send the body once; return the answer's body, or the error of a failure.

        Errors are returned, as one that is raised here would hold the library's error, and that
        holds the key.
        """
        try:
            async with self._session.post(
                self._options.endpoint, data=body, allow_redirects=False
            ) as response:
                return await _read(response) if response.status == 200 else _failure(response)
        except aiohttp.ClientSSLError:
            return Unavailable("the translation service's certificate is not valid")
        except aiohttp.SocketTimeoutError:  # it may still be at work
            return Unavailable(TOO_SLOW)
        except aiohttp.ClientConnectionError:
            return Again(Unavailable(UNREACHABLE))
        except aiohttp.ClientPayloadError:
            return Again(Unavailable("the translation service's answer broke off"))
        except aiohttp.ClientError:
            return Unavailable("the translation service does not speak HTTP")


def _failure(response: aiohttp.ClientResponse) -> Again | DragomanError:
    """Return the error of a status, and whether it may pass."""
    status, after_s = response.status, _retry_after_s(response.headers.get("retry-after"))
    if status == _BUSY:
        busy = Unavailable("the translation service takes no more calls for now (status 429)")
        return Again(busy, after_s)
    if status >= 500:
        return Again(Unavailable(f"the translation service fails (status {status})"), after_s)
    if 300 <= status < 400:
        what = f"the translation service points elsewhere (status {status}), which is not followed"
        return Unavailable(what)
    if status in _TEXT_STATUSES:
        what = f"the translation service does not take this text (status {status})"
        return Unprocessable(what, param="text")
    return Unavailable(f"the translation service refuses the server's calls (status {status})")


async def _read(response: aiohttp.ClientResponse) -> bytes | DragomanError:
    """Return the body of an answer, or the error of one that is compressed or too large."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return Unavailable("the translation service's answer is compressed, unasked")
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        return Unavailable(TOO_LARGE)
    found = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        found += chunk
        if len(found) > MAX_ANSWER_BYTES:
            return Unavailable(TOO_LARGE)
    return bytes(found)


def _retry_after_s(header: str | None) -> float | None:
    """Read the header, which has seconds or a date; None: it is missing or malformed."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
