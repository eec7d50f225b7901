"""Memory that processes share: found by others, reused after an answer, and only then."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile

import pytest

from deployments.blocks import HEAD_BYTES, KEPT, LEAST_BYTES, Address, Block, Blocks, Opened

ANOTHER = Block(1)
READ = """
import pickle, sys
from deployments.blocks import Opened
content = Opened().content(pickle.load(sys.stdin.buffer))
print(content and bytes(content[:5]).decode())
"""


def test_another_process_reads_what_was_written() -> None:
    block = Block(5)
    block.content[:5] = b"hello"
    read = subprocess.run(
        [sys.executable, "-c", READ], input=pickle.dumps(block.address), capture_output=True
    )
    assert read.stdout.decode().strip() == "hello", read.stderr.decode()


def file_descriptor(content: bytes) -> int:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return os.dup(file.fileno())


def memory_descriptor(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    os.write(descriptor, content)
    return descriptor


def elsewhere() -> dict[str, Address]:
    """Addresses as a process of another machine would see them, or of a block that is gone."""
    gone = Block(1).address
    here, token = os.getpid(), b"t" * 16
    content = token.ljust(LEAST_BYTES, b"-")
    return {
        "no such process": Address(2**22 + 1, 3, token, LEAST_BYTES),
        "no such descriptor": Address(here, 2**20, token, LEAST_BYTES),
        "a block that is gone": gone,
        "a file": Address(here, file_descriptor(content), token, LEAST_BYTES),
        "memory of another name": Address(
            here, memory_descriptor("other", content), token, LEAST_BYTES
        ),
        "a shorter block": Address(
            here, memory_descriptor("dragoman-block", content), token, 2 * LEAST_BYTES
        ),
        "another block": ANOTHER.address._replace(token=token),
    }


@pytest.mark.parametrize("case", elsewhere())
def test_what_is_not_the_senders_block_is_not_opened(case: str) -> None:
    assert Opened().content(elsewhere()[case]) is None


def test_a_block_is_lent_again_after_an_answer() -> None:
    blocks = Blocks()
    with blocks.lent(100) as first:
        pass
    with blocks.lent(100) as second:
        assert second is first


def test_two_batches_at_once_have_two_blocks() -> None:
    blocks = Blocks()
    with blocks.lent(100) as first, blocks.lent(100) as second:
        assert first.address != second.address


def test_a_block_of_a_batch_that_was_given_up_is_not_lent_again() -> None:
    blocks = Blocks()
    with pytest.raises(RuntimeError), blocks.lent(100) as given_up:
        raise RuntimeError
    with blocks.lent(100) as other:
        assert other is not given_up


def test_a_block_that_is_too_small_is_not_lent() -> None:
    blocks = Blocks()
    with blocks.lent(LEAST_BYTES - HEAD_BYTES) as small:
        assert len(small.content) == LEAST_BYTES - HEAD_BYTES
    with blocks.lent(LEAST_BYTES) as large:
        assert len(large.content) >= LEAST_BYTES


def test_the_smallest_free_blocks_are_dropped() -> None:
    blocks = Blocks()
    sizes = [(place + 1) * LEAST_BYTES for place in range(KEPT + 1)]
    opened = [blocks.lent(size) for size in sizes]
    for each in opened:
        each.__enter__()
    for each in opened:
        each.__exit__(None, None, None)
    assert min(block.address.size_bytes for block in blocks._free) >= 2 * LEAST_BYTES
    assert len(blocks._free) == KEPT


def test_a_block_is_opened_once() -> None:
    block, opened = Block(1), Opened()
    first, again = opened.content(block.address), opened.content(block.address)
    assert first is not None
    assert again is not None
    assert first.obj is again.obj


def test_only_so_many_blocks_stay_open() -> None:
    opened = Opened()
    blocks = [Block(1) for _ in range(2 * KEPT + 1)]
    for block in blocks:
        assert opened.content(block.address) is not None
    assert list(opened._memory) == [block.address for block in blocks[1:]]


def test_a_block_that_nobody_holds_is_closed() -> None:
    descriptor = Block(1).address.descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
