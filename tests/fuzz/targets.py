"""The targets: what is tried, and what it is given to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import calls, files, kept, realtime, requests, subtitles


@dataclass(frozen=True)
class Target:
    """Whether ``run`` took an example. It raises AssertionError for a 5xx or a vague refusal.

    Any other exception is a crash.
    """

    name: str
    examples: Callable[[], st.SearchStrategy[Any]]
    run: Callable[[Any], bool]


TARGETS = (
    Target("recordings", files.recordings, files.decode),
    Target("weights", files.weights_files, files.read_weights),
    Target("configuration", files.configurations, files.read_configuration),
    Target("forms", requests.forms, requests.post),
    Target("documents", requests.documents, requests.post),
    Target("headers", requests.headers, requests.post),
    Target("JSON tensors", requests.json_tensors, requests.post),
    Target("kept documents", kept.documents, kept.post),
    Target("kept forms", kept.forms, kept.post),
    Target("subtitles", subtitles.phrases, subtitles.write),
    Target("live events", realtime.conversations, realtime.talk),
    Target("binary tensors", requests.binary_tensors, requests.post),
    Target("gRPC", calls.calls, calls.send),
)
BY_NAME = {target.name: target for target in TARGETS}
