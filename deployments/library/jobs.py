"""Keep jobs: the recording of each, what is to be done with it, its parts and its result.

    OWNER/jobs/ID/source         the recording, until the job is over
    OWNER/jobs/ID/fields         what the form said beside it, in JSON
    OWNER/jobs/ID/NAME-00000     what came of its first part, and so on
    OWNER/jobs/ID/result         the answer
    OWNER/jobs/ID/.lock          locked by the process that runs it

A process that ends leaves its locks, so that another one goes on with what it ran.
"""

from __future__ import annotations

import fcntl
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, Literal

from deployments.config.library import Jobs as Settings
from deployments.library.shelf import RECORD, UNFINISHED, Record, Shelf
from deployments.library.store import Store
from models.errors import NotFound, TooManyJobs
from models.types import AnswerWarning

SOURCE, FIELDS, RESULT, LOCK = "source", "fields", "result", ".lock"
KEPT = frozenset({RECORD, RESULT, LOCK})  # of a job that is over
OPEN = ("queued", "running")
Status = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Job:
    """A job, as it is kept.

    Attributes:
        id: its name at the server.
        created_at: seconds since the epoch, and so is ``expires_at``.
        kind: what is done with the recording.
        filename: what its caller calls the recording.
        stage: what is done now.
        starts: where each part that is done begins, in samples at 16 kHz.
        done_samples: where the last of them ends.
        is_heard: all of the recording is in them.
        total_s: the length that the recording states; None: it states none.
        begun: how often the job was begun since the last part was done.
        warnings: of decoding.
        error: why it failed: message, code and param.
        answer: status and headers of the result.
    """

    id: str
    created_at: float
    expires_at: float | None
    kind: str
    filename: str
    status: Status = "queued"
    stage: str = "waiting"
    starts: tuple[int, ...] = ()
    done_samples: int = 0
    is_heard: bool = False
    total_s: float | None = None
    begun: int = 0
    warnings: tuple[AnswerWarning, ...] = ()
    error: Mapping[str, str | None] | None = None
    answer: Mapping[str, Any] | None = None


class JobShelf:
    """The jobs of one owner."""

    def __init__(self, shelf: Shelf, retention_s: float) -> None:
        self._shelf, self._retention_s = shelf, retention_s

    def add(
        self,
        names: Callable[[], tuple[str, str]],
        source: Iterable[bytes],
        fields: Callable[[], bytes],
    ) -> Job:
        """Keep a new job.

        Args:
            names: tells its kind and its file's name, once the recording is here.
            source: the recording, in pieces.
            fields: tells the fields of its form then.

        Raises:
            StorageFull: its owner keeps as much as one may.
        """
        says: dict[str, Any] = {}

        def form() -> Iterator[bytes]:
            yield fields()
            says["kind"], says["filename"] = names()

        files = {SOURCE: source, FIELDS: form()}
        return _job(self._shelf.add("job", says, files, self._retention_s))

    def get(self, id: str) -> Job:
        """Return a job. Raises NotFound: there is none."""
        return _job(self._shelf.get(id))

    def all(self) -> list[Job]:
        """List all jobs, the oldest first."""
        return [_job(record) for record in self._shelf.all()]

    def ids(self) -> list[str]:
        """List the ids of all jobs."""
        return self._shelf.ids()

    def change(self, job: Job, **changes: Any) -> Job:
        """Write what has changed of a job. Raises NotFound: it was deleted."""
        says = asdict(replace(job, **changes))
        for name in ("id", "created_at", "expires_at"):
            del says[name]
        return _job(self._shelf.update(job.id, says, self._retention_s))

    def read(self, id: str, name: str) -> bytes:
        """Return a file of a job. Raises NotFound: there is none."""
        return b"".join(self._shelf.read(id, name))

    def pieces(self, id: str, name: str) -> Iterator[bytes]:
        """Yield a file of a job in pieces. Raises NotFound: there is none."""
        return self._shelf.read(id, name)

    def write(self, id: str, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file of a job; see ``Shelf.write``."""
        self._shelf.write(id, name, pieces)

    def open_source(self, id: str) -> io.RawIOBase:
        """Open the recording of a job. Raises NotFound: there is none."""
        return self._shelf.open(id, SOURCE)

    def clear(self, id: str) -> None:
        """Delete the files of a job that is over, but its result."""
        for path in self._shelf.folder_of(id).iterdir():
            if path.name not in KEPT:
                path.unlink(missing_ok=True)

    def tidy(self, id: str) -> None:
        """Delete what a process before this one did not write to its end."""
        for path in self._shelf.folder_of(id).glob(f"{UNFINISHED}*"):
            path.unlink(missing_ok=True)

    def delete(self, id: str) -> None:
        """Delete a job, whatever is done with it now. Raises NotFound: there is none."""
        self._shelf.delete(id)

    def lock(self, id: str) -> BinaryIO | None:
        """Lock a job for this process; close what is returned to let it go. None: another runs it.

        Raises:
            NotFound: there is no such job.
        """
        file = (self._shelf.folder_of(id) / LOCK).open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process alone runs, until ``lock`` is closed."""

    owner: str
    shelf: JobShelf
    job: Job
    lock: BinaryIO


class Jobs:
    """The jobs of all owners."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.settings = settings
        self._store = store
        self._over: set[str] = set()  # ids of jobs that nobody needs to look at

    def of(self, owner: str) -> JobShelf:
        """Return the jobs of one owner: the name of a key."""
        return JobShelf(self._store.shelf(owner, "jobs"), self.settings.retention_s)

    def check_room(self) -> None:
        """Refuse one more job. Raises TooManyJobs: as many wait as may."""
        waiting = sum(job.status == "queued" for _, job in self._open())
        if waiting >= self.settings.max_waiting:
            raise TooManyJobs(f"{waiting} jobs wait, as many as this server keeps waiting")

    def claim(self) -> Claim | None:
        """Take the next job that no process runs: of who has the fewest running, the oldest."""
        found = self._open()
        running: dict[str, int] = {}
        for owner, job in found:
            running[owner] = running.get(owner, 0) + (job.status == "running")
        for owner, job in sorted(found, key=lambda each: (running[each[0]], each[1].created_at)):
            claim = self._claimed(owner, job.id)
            if claim is not None:
                return claim
        return None

    def _claimed(self, owner: str, id: str) -> Claim | None:
        shelf = self.of(owner)
        with suppress(NotFound, FileNotFoundError):  # it was deleted meanwhile
            lock = shelf.lock(id)
            if lock is None:
                return None
            try:
                job = shelf.get(id)  # another process may have ended it meanwhile
                if job.status in OPEN:
                    return Claim(owner, shelf, job, lock)
            except BaseException:
                lock.close()
                raise
            lock.close()
        return None

    def _open(self) -> list[tuple[str, Job]]:
        """List the jobs that are not over, with their owners."""
        found = []
        seen = set[str]()
        for owner in self._store.owners():
            shelf = self.of(owner)
            for id in shelf.ids():
                seen.add(id)
                if id in self._over:
                    continue
                with suppress(NotFound):
                    job = shelf.get(id)
                    if job.status in OPEN:
                        found.append((owner, job))
                    else:
                        self._over.add(id)
        self._over &= seen
        return found


def _job(record: Record) -> Job:
    says = dict(record.says)
    says["starts"] = tuple(says.get("starts", ()))
    says["warnings"] = tuple(AnswerWarning(**each) for each in says.get("warnings", ()))
    return Job(record.id, record.created_at, record.expires_at, **says)
