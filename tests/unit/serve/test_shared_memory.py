"""Memory that processes share: found by others, reused after an answer, and only then."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.serve.shared_memory import (
    HEAD_BYTES,
    KEPT,
    KEPT_OPEN,
    LEAST_BYTES,
    TOKEN_BYTES,
    Address,
    Block,
    Blocks,
    Opened,
)

OWN = Block(1)
READ = """
import pickle, sys
from deployments.serve.shared_memory import Opened
content = Opened().content(pickle.load(sys.stdin.buffer))
print(content and bytes(content[:5]).decode())
"""


@pytest.mark.process
def test_another_process_reads_what_was_written() -> None:
    block = Block(5)
    block.content[:5] = b"hello"
    read = subprocess.run(
        [sys.executable, "-c", READ], input=pickle.dumps(block.address), capture_output=True
    )
    assert read.stdout.decode().strip() == "hello", read.stderr.decode()


def another(**fields: Any) -> Address:
    """A block of this process's, whose address says something else of it."""
    return OWN.address._replace(**fields)


def gone() -> Address:
    return Block(1).address


@pytest.fixture
def other_memory() -> Iterator[int]:
    """Memory that begins as the block does, and is none."""
    with os.fdopen(os.memfd_create("other"), "w+b") as file:
        file.write(OWN.address.token.ljust(LEAST_BYTES, b"-"))
        file.flush()
        yield file.fileno()


@pytest.fixture
def other_file(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "file").open("w+b") as file:
        file.write(OWN.address.token.ljust(LEAST_BYTES, b"-"))
        file.flush()
        yield file.fileno()


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(another(pid=2**22 + 1), id="no such process"),
        pytest.param(another(descriptor=2**20), id="no such descriptor"),
        pytest.param(gone(), id="a block that is gone"),
        pytest.param(another(token=b"t" * TOKEN_BYTES), id="another block"),
        pytest.param(another(size_bytes=2 * LEAST_BYTES), id="a shorter block"),
    ],
)
def test_what_is_not_the_senders_block_is_not_opened(address: Address) -> None:
    assert Opened().content(address) is None


def test_other_memory_is_not_opened(other_memory: int) -> None:
    assert Opened().content(another(descriptor=other_memory)) is None


def test_a_file_is_not_opened(other_file: int) -> None:
    assert Opened().content(another(descriptor=other_file)) is None


def test_a_block_is_lent_again_after_an_answer() -> None:
    blocks = Blocks()
    with blocks.lent(100) as first:
        pass
    with blocks.lent(100) as second:
        assert second is first


def test_two_batches_at_once_have_two_blocks() -> None:
    blocks = Blocks()
    first, second = lend_at_once(blocks, 100, 100)
    assert first is not second


def test_a_block_of_a_batch_that_was_given_up_is_not_lent_again() -> None:
    blocks = Blocks()
    with pytest.raises(RuntimeError), blocks.lent(100) as given_up:
        raise RuntimeError
    with blocks.lent(100) as other:
        assert other is not given_up


def lend_at_once(blocks: Blocks, *sizes_bytes: int) -> list[Block | None]:
    """Lend that many at one time; they come back in the order in which they are asked for."""
    lent = [blocks.lent(size_bytes) for size_bytes in sizes_bytes]
    found = [each.__enter__() for each in lent]
    for each in lent:
        each.__exit__(None, None, None)
    return found


def room(times: int) -> int:
    return times * LEAST_BYTES - HEAD_BYTES


def test_a_block_has_just_the_room() -> None:
    with Blocks().lent(room(1)) as block:
        assert block is not None
        assert len(block.content) == room(1)


def test_a_block_that_is_too_small_is_not_lent() -> None:
    blocks = Blocks()
    lend_at_once(blocks, room(1))
    with blocks.lent(room(1) + 1) as block:
        assert block is not None
        assert len(block.content) == room(2)


def test_the_smallest_block_that_has_room_is_lent() -> None:
    blocks = Blocks()
    _, small, _ = lend_at_once(blocks, room(4), room(2), room(8))
    with blocks.lent(room(1)) as block:
        assert block is small


def test_of_blocks_of_one_size_the_last_used_is_lent() -> None:
    blocks = Blocks()
    last = lend_at_once(blocks, 1, 1, 1)[-1]
    with blocks.lent(1) as block:
        assert block is last


def test_the_blocks_that_were_not_used_for_longest_are_dropped() -> None:
    blocks = Blocks()
    large, *others = lend_at_once(blocks, room(2), *[1] * KEPT)
    with blocks.lent(room(2)) as block:
        assert block is not large
    assert others[1] in lend_at_once(blocks, *[1] * KEPT)


@pytest.mark.parametrize("error", [PermissionError(), AttributeError()], ids=["forbidden", "none"])
def test_without_memory_to_share_nothing_is_lent(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> int:
        raise error

    monkeypatch.setattr(os, "memfd_create", refuse)
    with Blocks().lent(1) as block:
        assert block is None


def test_a_block_is_opened_once() -> None:
    block, opened = Block(1), Opened()
    first, again = opened.content(block.address), opened.content(block.address)
    assert first is not None
    assert again is not None
    assert first.obj is again.obj


def opens(opened: Opened, blocks: Iterable[Block]) -> None:
    for block in blocks:
        assert opened.content(block.address) is not None


def test_only_so_many_blocks_stay_open() -> None:
    opened, blocks = Opened(), [Block(1) for _ in range(KEPT_OPEN + 1)]
    opens(opened, [*blocks[:-1], blocks[0], blocks[-1]])  # the first is used again before the last
    kept = {block.address.descriptor for block in (blocks[0], *blocks[2:])}
    assert {descriptor for _, descriptor in opened._open} == kept


def test_a_block_that_its_owner_dropped_is_closed_with_the_next() -> None:
    opened, dropped = Opened(), Block(1)
    opens(opened, [dropped])
    del dropped
    opens(opened, [OWN])
    assert [descriptor for _, descriptor in opened._open] == [OWN.address.descriptor]


def test_a_block_behind_a_descriptor_that_was_used_before_is_its_own() -> None:
    opened, block = Opened(), Block(1)
    opens(opened, [block])
    before = block.address
    del block
    after = Block(1)
    after.content[:5] = b"after"
    assert after.address.descriptor == before.descriptor
    content = opened.content(after.address)
    assert content is not None
    assert bytes(content[:5]) == b"after"


def test_nobody_writes_into_the_senders_block() -> None:
    content = Opened().content(OWN.address)
    assert content is not None
    with pytest.raises(TypeError, match="read-only"):
        content[0] = 1


def test_a_block_that_nobody_holds_is_closed() -> None:
    descriptor = Block(1).address.descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
