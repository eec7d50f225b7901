"""Bodies as HTTP compresses them: gzip and deflate, in and out, with a bound on what unpacks."""

from __future__ import annotations

import gzip
import zlib

from deployments.http.media_types import q_value
from models.errors import InvalidRequest, TooLarge, UnsupportedEncoding

GZIP, ZLIB, RAW_DEFLATE = 31, 15, -15  # zlib's wbits


def decompressed(body: bytes, encoding: str | None, limit_bytes: int) -> bytes:
    """Return a body without its ``Content-Encoding``.

    Raises:
        UnsupportedEncoding: neither gzip nor deflate nor identity.
        TooLarge: more than ``limit_bytes`` come out; no more than these are made.
        InvalidRequest: it is not what the encoding says, is cut short, or more follows.
    """
    name = (encoding or "").strip().lower()
    if name in ("", "identity"):
        data = body
    elif name in ("gzip", "x-gzip"):
        data = _inflated(body, "gzip", GZIP, limit_bytes)
    elif name == "deflate":
        data = _inflated(body, name, ZLIB if _is_zlib(body) else RAW_DEFLATE, limit_bytes)
    else:
        message = "content-encoding must be gzip, deflate or identity"
        raise UnsupportedEncoding(message, param="content-encoding")
    if len(data) > limit_bytes:
        raise TooLarge(f"the body must be at most {limit_bytes} bytes", param="body")
    return data


def _is_zlib(data: bytes) -> bool:
    """Return whether deflated data has zlib's header; some clients leave it out."""
    return len(data) >= 2 and data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0


def _inflated(data: bytes, name: str, wbits: int, limit_bytes: int) -> bytes:
    """Inflate to at most one byte over the limit, which tells that there is more."""
    stream = zlib.decompressobj(wbits)
    try:
        out = stream.decompress(data, limit_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is not valid {name}", param="body") from error
    if len(out) > limit_bytes:
        return out
    if not stream.eof:
        raise InvalidRequest(f"the body is {name} cut short", param="body")
    if stream.unused_data:
        raise InvalidRequest(f"the body goes on after its {name} data", param="body")
    return out


def compressed(body: bytes, accept_encoding: str | None) -> tuple[bytes, str | None]:
    """Compress a body as the client prefers; return its ``Content-Encoding``, too, if any."""
    if not accept_encoding:
        return body, None
    weights = _weights(accept_encoding)
    others = weights.get("*", 0.0)
    gzip_weight, deflate_weight = (weights.get(name, others) for name in ("gzip", "deflate"))
    best = max(gzip_weight, deflate_weight)
    if best <= 0 or weights.get("identity", 0.0) > best:
        return body, None
    if gzip_weight == best:
        return gzip.compress(body, compresslevel=1, mtime=0), "gzip"
    return zlib.compress(body, level=1), "deflate"


def _weights(accept_encoding: str) -> dict[str, float]:
    """Return the q-value of each encoding in ``Accept-Encoding``; 0 where it is no number."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *options = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for option in options:
            if option.startswith("q="):
                weight = q_value(option[2:])
        weights[name] = weight
    return weights
