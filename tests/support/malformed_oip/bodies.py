"""Malformed requests: lengths that lie, bodies that are no JSON, wrong encodings."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np

from tests.support.malformed_oip.valid import (
    LISTENERS,
    Draft,
    valid_draft,
)

# ---- lies about lengths ----------------------------------------------------------------


def _header_length(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    head = len(draft.head())
    size = head + sum(map(len, draft.blobs))
    draft.header_length = rng.choice(
        ["-1", "abc", "1e3", "0x10", "1.0", "NaN", "+5", "1,2", str(size + 1), str(2**31),
         str(2**63), str(2**64 + head), "9" * 5_000, "1", str(head - 1), str(head // 2),
         str(head + 1), str(size)]
    )  # fmt: skip
    return draft


def _raw_for_many_inputs(rng: Random) -> Draft:
    draft = valid_draft(rng, models=("nmt",))
    draft.body, draft.header_length = rng.randbytes(rng.randint(0, 99)), "0"
    return draft


def _raw_of_half_a_sample(rng: Random) -> Draft:
    draft = valid_draft(rng, models=LISTENERS)
    size = 4 * rng.randint(160, 1600) + rng.randint(1, 3)
    draft.body, draft.header_length = bytes(size), "0"
    return draft


def _blobs_cut(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    head, blobs = draft.head(), b"".join(draft.blobs)
    draft.header_length = str(len(head))
    draft.body = head + blobs[: rng.randrange(len(blobs))]
    return draft


def _blobs_too_long(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    draft.blobs.append(rng.randbytes(rng.randint(1, 64)))
    return draft


def _blob_size(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    parameters = rng.choice(draft.inputs)["parameters"]
    size = parameters["binary_data_size"]
    wrong = [0, -1, -size, size - 1, size + 1, 2 * size, 2**70, str(size), True, None, 1.5, [], {}]
    parameters["binary_data_size"] = rng.choice(wrong)
    return draft


def _binary_without_header(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=True)
    draft.body = draft.head() + b"".join(draft.blobs)
    return draft


def _string_length(rng: Random) -> Draft:
    """A string whose own length lies, in a tensor of the right size."""
    draft = valid_draft(rng, models=("nmt", "tts"), binary=True, options=False)
    blob = draft.blobs[0]
    own = int.from_bytes(blob[:4], "little")
    wrong = rng.choice([own - 1, own + 1, 0, own + 1000, 2**31, 2**32 - 1])
    draft.blobs[0] = wrong.to_bytes(4, "little") + blob[4:]
    return draft


def _string_count(rng: Random) -> Draft:
    draft = valid_draft(rng, models=("nmt", "tts"), binary=True, options=False)
    draft.blobs[0] += rng.choice([b"\0\0\0\0", b"\1\0\0\0a", b"\0", b"\0\0\0"])
    draft.inputs[0]["parameters"]["binary_data_size"] = len(draft.blobs[0])
    return draft


def _not_finite(rng: Random) -> Draft:
    draft = valid_draft(rng, models=LISTENERS, binary=True, options=False)
    rows, width = draft.inputs[0]["shape"]
    samples = np.zeros((rows, width), "<f4")
    samples[rng.randrange(rows), rng.randrange(width)] = rng.choice([np.nan, np.inf, -np.inf])
    draft.inputs[0] |= {"datatype": "FP32", "parameters": {"binary_data_size": samples.nbytes}}
    draft.blobs[0] = samples.tobytes()
    return draft


# ---- bodies that are no JSON -----------------------------------------------------------


def _json_garbage(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    head = draft.head()
    cut = rng.randrange(len(head))
    draft.body = rng.choice(
        [
            b"",
            head[:cut],
            head + b"}",
            head + head,
            head[:cut] + b"\xff" + head[cut:],
            head[:cut] + b"\n\0" + head[cut:],
            head.decode().encode("utf-16"),
            b"\xef\xbb\xbf" + head,
            b"\xff" + rng.randbytes(50),
            head.replace(b'"', b"'"),
            head[:-1] + b",}",
            b"/* */" + head,
            *(b"null", b"[]", b"5", b'"inputs"', b"true", b"[" + head + b"]", b"NaN", b"{}"),
        ]
    )
    return draft


def _deep_json(rng: Random) -> Draft:
    draft = valid_draft(rng)
    depth = rng.choice([500, 5_000, 100_000])
    lists = b"[" * depth + b"]" * depth
    wrong = [lists, b"[" * depth, b'{"inputs":' * depth, b'{"inputs":' + lists + b"}"]
    draft.body = rng.choice(wrong)
    return draft


def _endless_number(rng: Random) -> Draft:
    draft = valid_draft(rng, models=("asr",))
    number = rng.choice([b"1" * 5_000, b"-" + b"9" * 5_000, b"1e999999", b"1e400"])
    draft.body = (
        b'{"inputs": [{"name": "AUDIO", "datatype": "FP32", "shape": [1, 1], "data": [%b]}]}'
        % number
    )
    return draft


def _half_a_surrogate_pair(rng: Random) -> Draft:
    draft = valid_draft(rng)
    draft.document["id"] = rng.choice(["\ud800", "a\udfff", "\udc00b"])
    return draft


# ---- encodings -------------------------------------------------------------------------


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(16 << 20), mtime=0)


def _not_encoded(rng: Random) -> Draft:
    """A body that is not what ``Content-Encoding`` says."""
    draft = valid_draft(rng)
    head = draft.head()
    packed = gzip.compress(head, mtime=0)
    deflated = zlib.compress(head)
    encoding, body = rng.choice(
        [
            ("gzip", head),
            ("gzip", b""),
            ("gzip", deflated),
            ("gzip", packed[: rng.randrange(1, len(packed))]),
            ("gzip", packed + b"more"),
            ("gzip", packed[:-8] + bytes(8)),
            ("gzip", packed + packed),
            ("gzip", _bomb()),
            ("deflate", packed),
            ("deflate", b""),
            ("deflate", deflated[: rng.randrange(1, len(deflated))]),
            ("deflate", deflated + b"more"),
        ]
    )
    draft.headers["Content-Encoding"], draft.body = encoding, body
    return draft


def _unknown_encoding(rng: Random) -> Draft:
    draft = valid_draft(rng, binary=False)
    names = ["br", "zstd", "compress", "gzip, gzip", "gzip,deflate", "snappy", "utf-8", "*"]
    draft.headers["Content-Encoding"] = rng.choice(names)
    draft.body = draft.head()
    return draft


MUTATIONS: dict[str, Callable[[Random], Draft]] = {
    "header length": _header_length,
    "raw for many inputs": _raw_for_many_inputs,
    "raw of half a sample": _raw_of_half_a_sample,
    "blobs cut": _blobs_cut,
    "blobs too long": _blobs_too_long,
    "blob size": _blob_size,
    "binary without header": _binary_without_header,
    "string length": _string_length,
    "string count": _string_count,
    "not finite": _not_finite,
    "JSON garbage": _json_garbage,
    "deep JSON": _deep_json,
    "endless number": _endless_number,
    "half a surrogate pair": _half_a_surrogate_pair,
    "not encoded": _not_encoded,
    "unknown encoding": _unknown_encoding,
}
