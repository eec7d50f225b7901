"""Jobs as they are kept: what each is, and that one process alone runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.config.library import Jobs as Settings
from deployments.library.jobs import FIELDS, RESULT, SOURCE, Job, Jobs
from deployments.library.sealing import Sealing
from deployments.library.shelf import UNFINISHED
from deployments.library.store import Store
from models.errors import NotFound, TooManyJobs
from models.types import AnswerWarning
from tests.support.clock import UnixClock


@pytest.fixture
def clock() -> UnixClock:
    return UnixClock()


@pytest.fixture
def jobs(tmp_path: Path, clock: UnixClock) -> Jobs:
    return Jobs(Store(tmp_path, Sealing(None), 1 << 30, clock), Settings(max_waiting=2))


def add(jobs: Jobs, owner: str = "anna") -> Job:
    names = lambda: ("translation", "a.wav")  # noqa: E731
    return jobs.of(owner).add(names, [b"sound"], lambda: b"{}")


def test_a_job_is_found_with_all_that_it_is(jobs: Jobs) -> None:
    job = add(jobs)
    shelf = jobs.of("anna")
    changed = shelf.change(
        job,
        status="running",
        starts=(0, 16_000),
        done_samples=20_000,
        warnings=(AnswerWarning("a", "b"),),
    )
    assert shelf.get(job.id) == changed
    assert (shelf.read(job.id, SOURCE), shelf.read(job.id, FIELDS)) == (b"sound", b"{}")
    assert (changed.kind, changed.filename) == ("translation", "a.wav")


def test_one_claim_holds_a_job(jobs: Jobs, tmp_path: Path, clock: UnixClock) -> None:
    job = add(jobs)
    elsewhere = Jobs(Store(tmp_path, Sealing(None), 1 << 30, clock), Settings())
    claim = jobs.claim()
    assert claim is not None
    assert (claim.job.id, claim.owner) == (job.id, "anna")
    assert elsewhere.claim() is None
    claim.lock.close()
    again = elsewhere.claim()
    assert again is not None
    again.lock.close()


def test_what_is_over_is_not_claimed(jobs: Jobs) -> None:
    done, failed, deleted = add(jobs), add(jobs), add(jobs)
    shelf = jobs.of("anna")
    shelf.change(done, status="done")
    shelf.change(failed, status="failed")
    shelf.delete(deleted.id)
    assert jobs.claim() is None


def test_who_has_the_fewest_running_is_next(jobs: Jobs, clock: UnixClock) -> None:
    first = add(jobs)
    clock.now += 1
    add(jobs)
    clock.now += 1
    last = add(jobs, "bert")
    jobs.of("anna").change(first, status="running")
    held = jobs.of("anna").lock(first.id)
    claim = jobs.claim()
    assert held is not None
    assert claim is not None
    assert claim.job.id == last.id
    held.close()
    claim.lock.close()


def test_so_many_may_wait(jobs: Jobs) -> None:
    first = add(jobs)
    jobs.check_room()
    add(jobs, "bert")
    with pytest.raises(TooManyJobs):
        jobs.check_room()
    jobs.of("anna").change(first, status="running")
    jobs.check_room()


def test_a_job_that_is_over_keeps_its_result_alone(jobs: Jobs, tmp_path: Path) -> None:
    job = add(jobs)
    shelf = jobs.of("anna")
    shelf.write(job.id, "heard-00000", [b"part"])
    shelf.write(job.id, RESULT, [b"result"])
    shelf.clear(job.id)
    assert {path.name for path in tmp_path.rglob("job_*/*")} == {"record.json", RESULT}


def test_what_was_half_written_goes(jobs: Jobs, tmp_path: Path) -> None:
    job = add(jobs)
    (folder,) = tmp_path.rglob("job_*")
    (folder / f"{UNFINISHED}1").write_bytes(b"half")
    jobs.of("anna").tidy(job.id)
    assert {path.name for path in folder.iterdir()} == {"record.json", SOURCE, FIELDS}


def test_a_job_ends_a_while_after_the_last_change(jobs: Jobs, clock: UnixClock) -> None:
    job = add(jobs)
    shelf = jobs.of("anna")
    clock.now += jobs.settings.retention_s - 1
    shelf.change(job, stage="writing")
    clock.now += jobs.settings.retention_s - 1
    shelf.get(job.id)
    clock.now += 1
    with pytest.raises(NotFound):
        shelf.get(job.id)
