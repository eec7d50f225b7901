"""Multipart forms: their files, and the values of their fields."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from models.errors import InvalidRequest, TooLarge

LIST_ENTRY = re.compile(r"\[[0-9]{0,4}\]$")  # behind the name of a list
MAX_PARTS = 1000  # of one form, files and fields each: what the parser bears
MAX_FIELD_BYTES = 4 << 20  # of one that is no file: a short clip in base64 is one
MAX_FIELDS_BYTES = 32 << 20  # of all of them: ten such clips
# Python has others that take a time that grows with the square of the text.
CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1", "cp1252"})


class FormParser(MultiPartParser):
    """Bounds the fields that are no files together, too: each is copied into a text."""

    def __init__(self, request: Request, stream: AsyncGenerator[bytes, None]) -> None:
        super().__init__(
            request.headers,
            stream,
            max_files=MAX_PARTS,
            max_fields=MAX_PARTS,
            max_part_size=MAX_FIELD_BYTES,
        )
        self.spool_max_size = 0  # of a file in memory: any
        self._fields_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._fields_bytes += end - start
            if self._fields_bytes > MAX_FIELDS_BYTES:
                message = f"the fields beside files must have at most {MAX_FIELDS_BYTES} bytes"
                raise TooLarge(message, param="body")
        super().on_part_data(data, start, end)


async def read_form(request: Request) -> FormData:
    """Parse a multipart body. Its parts stay in memory: what callers send is written nowhere.

    Raises:
        InvalidRequest: it is malformed, or of a charset that is not taken.
        TooLarge: the fields that are no files have too many bytes.
    """
    check_charset(request.headers.get("content-type"))
    async with aclosing(request.stream()) as stream:
        try:
            return await FormParser(request, stream).parse()
        except MultiPartException as error:
            raise InvalidRequest(f"malformed request: {error.message}", param="body") from error


def check_charset(content_type: str | None) -> None:
    """Refuse a form of a charset that is not taken. Raises InvalidRequest."""
    charset = parse_options_header(content_type)[1].get(b"charset", b"utf-8").decode("latin-1")
    try:
        is_taken = codecs.lookup(charset).name in CHARSETS
    except (LookupError, ValueError):
        is_taken = False
    if not is_taken:
        raise InvalidRequest("the charset of a form must be utf-8", param="content-type")


def form_values(form: FormData, known: Container[str], file_names: Sequence[str]) -> dict[str, Any]:
    """Return the fields beside the files; a name that stands for a list has all of its values."""
    every = dict[str, list[Any]]()
    for name, value in form.multi_items():
        if name not in file_names:
            of_list = f"{LIST_ENTRY.sub('', name)}[]"
            every.setdefault(of_list if of_list in known else name, []).append(value)
    values: dict[str, Any] = {}
    for name, sent in every.items():
        filled = [value for value in sent if value != ""]
        if filled or name not in known:
            is_list = name.endswith("[]") or len(filled) > 1
            values[name] = filled if is_list else (filled or sent)[0]
    return values


def uploads_of(form: FormData, names: Sequence[str], max_files: int) -> list[list[UploadFile]]:
    """Return the uploads of each name. Raises InvalidRequest or TooLarge."""
    if not form.getlist(names[0]):
        raise InvalidRequest(f"{names[0]} is required: the audio to work on", param=names[0])
    found, left = [], max_files
    for name in names:
        uploads = form.getlist(name)
        left -= len(uploads)
        if left < 0:
            raise TooLarge(
                f"{' and '.join(names)} must stand at most {max_files} times", param=name
            )
        files = [upload for upload in uploads if isinstance(upload, UploadFile)]
        if len(files) != len(uploads):
            raise InvalidRequest(f"{name} must be an uploaded file, not a text field", param=name)
        found.append(files)
    return found
