"""NVIDIA's Triton client: tensors in shared memory, in and out."""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient.http import InferInput, InferRequestedOutput
from tritonclient.utils import shared_memory

from tests.e2e.tritonclient.served import heard, tone
from tests.support.shared_memory import PREFIX
from tests.support.triton import Ask

# The asynchronous client leaves answers without a body unread.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")
SIZE = 1 << 16
TEXT_AT = 1 << 15


def test_audio_is_read_and_text_is_written(ask: Ask) -> None:
    samples = tone(700)[None]
    handle = shared_memory.create_shared_memory_region("clip", f"{PREFIX}clip", SIZE)
    try:
        shared_memory.set_shared_memory_region(handle, [samples])
        ask("register_system_shared_memory", "clip", f"{PREFIX}clip", SIZE)
        rows = ask("get_system_shared_memory_status", "clip")
        audio = InferInput("AUDIO", list(samples.shape), "INT16")
        audio.set_shared_memory("clip", samples.nbytes)
        text = InferRequestedOutput("TEXT")
        text.set_shared_memory("clip", SIZE - TEXT_AT, offset=TEXT_AT)
        answer = ask("infer", "asr", [audio], outputs=[text]).get_output("TEXT")
        ask("unregister_system_shared_memory", "clip")
        shape = answer["shape"]
        found = shared_memory.get_contents_as_numpy(handle, np.object_, shape, TEXT_AT)
        assert found.ravel().tolist() == [heard(700).encode()]
        assert (rows[0]["byte_size"], ask("get_system_shared_memory_status")) == (SIZE, [])
        assert ask("get_cuda_shared_memory_status") == []
    finally:
        shared_memory.destroy_shared_memory_region(handle)
