"""What an upload has to send, and what each answer means: written once, driven by the client with threads and the one
with tasks.

A plan is asked for jobs and told how they ended. With our server, which knows upload ids, a job that failed is no
matter: the next round asks what has arrived and sends the rest, several chunks at once. A server without ids is sent
one chunk after the other, and none that may have been sent before: it would append it twice.
"""

from __future__ import annotations

import enum
import os
import random
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cycletls

from ._buffer import Buffer, BufferedFile, Delivery, Progress
from ._exceptions import (
    AmbiguousDelivery,
    AuthenticationFailed,
    FileSplit,
    IndexedCPError,
    ServerBusy,
    SourceChanged,
    UploadRefused,
)
from ._wire import COMPLETE, SERVER, STATE, ChunkHead, Status, status_url

_BUSY: Final = frozenset({408, 409, 422, 425, 429, 500, 502, 503, 504, 507})
"""Answers of our server after which the rest may be sent again: 409 and 422 when it has less than was thought."""
_PASSING: Final = (cycletls.ConnectionError, cycletls.Timeout)
"""Failures that may be over when it is tried again; a certificate that is not accepted is none of them."""
_GROWTH: Final = 0.125
"""How many more jobs may run at once after each chunk that is acknowledged: a round begins with one, because what is on
its way when a connection or a server fails is lost, and where one has failed another will."""
_LONGEST_PAUSE: Final = 30.0
_SLOWEST_DISK: Final = 20_000_000
"""Bytes a second that a server is given time for when it verifies a whole file."""


class Kind(enum.Enum):
    """What kind of server answers."""

    UNKNOWN = enum.auto()
    EXACT = enum.auto()
    """Ours, which knows upload ids."""
    APPENDING = enum.auto()
    """One that appends what it is sent."""


class Wait:
    """Instead of a job: there may be one when others have ended."""


WAIT: Final = Wait()


@dataclass(frozen=True, slots=True)
class Job:
    """One request.

    Attributes:
        target: the file that it is about.
        index: the chunk, None for the question what has arrived.
        skip: bytes of the chunk that have arrived.
    """

    target: Target
    index: int | None = None
    skip: int = 0


class Target:
    """A file on its way.

    Attributes:
        file: what is in the buffer.
        server_name: what the server calls it, once it has said so.
        complete: it is there.
        acknowledged: chunks that are there.
        arrived: bytes that had arrived when it was asked last.
        tried: chunks of it have been sent.
    """

    def __init__(self, file: BufferedFile) -> None:
        self.file = file
        self.server_name: str | None = None
        self.complete = False
        self.acknowledged: set[int] = set()
        self.arrived = 0
        self.tried = False

    def done_bytes(self) -> int:
        """Return how many bytes of the file are there."""
        layout = self.file.layout
        last = layout.count - 1
        done = len(self.acknowledged) * layout.chunk_size
        return done - layout.chunk_size + layout.length(last) if last in self.acknowledged else done


class Plan:
    """All files of a buffer on their way to one server.

    Args:
        buffer: where they are.
        url: where they go.
        api_key: the server's key.
        width: jobs at once, where the server can.
        retries: rounds without progress before an error is raised.
        resend: whether a server without ids is sent a chunk again that it may have.
        progress: called with each file's progress.
    """

    def __init__(
        self,
        buffer: Buffer,
        url: str,
        api_key: str,
        *,
        width: int,
        retries: int,
        resend: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._buffer, self._url, self._key = buffer, url, api_key
        self._width, self._retries, self._resend, self._progress = width, retries, resend, progress
        self.kind = Kind.UNKNOWN
        self._targets = [Target(file) for file in buffer.files()]
        self._waiting: deque[Target] = deque()
        self._ready: deque[Job] = deque()
        self._running = 0
        self._open = 1.0
        self._ended = False
        self._advanced = False
        self._busy: cycletls.RequestException | None = None
        self._fatal: cycletls.RequestException | None = None
        self._failures: dict[str, IndexedCPError] = {}
        self._warn_of_changes()

    # Rounds.

    def rounds(self) -> Iterator[float]:
        """Yield the seconds to wait before each round, until everything is there.

        Raises:
            cycletls.RequestException: something is not, and will not be.
        """
        failed_in_a_row, pause = 0, 0.0
        while self._left():
            self._waiting, self._busy, self._advanced, self._open = deque(self._left()), None, False, 1.0
            self._ready.clear()
            yield pause
            if self._fatal is not None:
                raise self._with_results(self._fatal)
            if self._busy is not None:
                failed_in_a_row = 0 if self._advanced else failed_in_a_row + 1
                if failed_in_a_row > self._retries:
                    raise self._with_results(self._busy)
                pause = self._pause(self._busy, failed_in_a_row)
        if self._failures:
            raise self._with_results(next(iter(self._failures.values())))

    @property
    def width(self) -> int:
        """How many jobs may run at once in this round."""
        return 1 if self.kind is Kind.APPENDING else self._width

    @property
    def results(self) -> dict[str, str]:
        """The files that are there, with the server's names."""
        return {
            target.file.path: target.server_name or os.path.basename(target.file.path)
            for target in self._targets
            if target.complete
        }

    def _left(self) -> list[Target]:
        return [target for target in self._targets if not target.complete and target.file.path not in self._failures]

    @staticmethod
    def _pause(busy: cycletls.RequestException, failed_in_a_row: int) -> float:
        wanted = busy.retry_after if isinstance(busy, ServerBusy) else 0.0
        backoff = 0.1 * 2.0**failed_in_a_row * random.uniform(0.5, 1.0)
        return min(_LONGEST_PAUSE, max(wanted, backoff))

    def _with_results(self, error: cycletls.RequestException) -> cycletls.RequestException:
        if isinstance(error, IndexedCPError):
            error.results = self.results
        return error

    def _warn_of_changes(self) -> None:
        for target in self._targets:
            if target.file.has_changed():
                warnings.warn(
                    f"{target.file.path} has changed since it was buffered; what was buffered is uploaded",
                    SourceChanged,
                    stacklevel=4,
                )

    # Jobs.

    def take(self) -> Job | Wait | None:
        """Return the next job, or that there may be one later, or None: the round is over."""
        job = self._next()
        if isinstance(job, Job):
            self._running += 1
        return job

    def end(self) -> None:
        """Give no more jobs: something else than a request has failed."""
        self._ended = True

    def _next(self) -> Job | Wait | None:
        if self._ended:
            return None
        over = self._busy is not None or self._fatal is not None
        if over or self._running >= self._open or (self.kind is not Kind.EXACT and self._running):
            return WAIT if self._running else None
        while not self._ready and self._waiting:
            if job := self._begin(self._waiting.popleft()):
                return job
        if self._ready:
            return self._ready.popleft()
        return WAIT if self._running else None

    def _begin(self, target: Target) -> Job | None:
        """Begin a file: with a question where the answer may save something, else with its first chunk."""
        if self.kind is Kind.UNKNOWN or (self.kind is Kind.EXACT and (target.tried or target.file.layout.count > 1)):
            return Job(target)
        if self.kind is Kind.EXACT:
            target.tried = True
            return Job(target, 0)
        return self._begin_appending(target)

    def _begin_appending(self, target: Target) -> Job | None:
        delivery = self._buffer.delivery(target.file, self._url)
        target.server_name = delivery.server_name
        target.acknowledged = set(range(delivery.next_index))
        if delivery.sending and not self._resend:
            what = f"chunk {delivery.next_index} of {target.file.path} may have been stored by an earlier try"
            self._fail(target, AmbiguousDelivery(what))
            return None
        return Job(target, delivery.next_index)

    def request(self, job: Job) -> tuple[str, str, dict[str, Any]]:
        """Return method, URL and options of a job's request."""
        authorization = {"Authorization": f"Bearer {self._key}"}
        file, layout = job.target.file, job.target.file.layout
        if job.index is None:
            return (
                "GET",
                status_url(self._url, file.id),
                {"headers": authorization, "timeout": self._timeouts(layout.size)},
            )
        chunk = self._buffer.chunk(file, job.index)
        head = ChunkHead(self._wire_name(file), job.index, file.id, file.chunk_sha256(job.index), job.skip, file.whole)
        if self.kind is Kind.APPENDING:
            self._note(job.target, Delivery(job.index, True, job.target.server_name))
        last = len(job.target.acknowledged) >= layout.count - self._width
        options = {
            "headers": {**head.headers(), **authorization},
            "content": chunk[job.skip :],
            "timeout": self._timeouts(layout.size if last else 0),
        }
        return "POST", self._url, options

    def _wire_name(self, file: BufferedFile) -> str:
        """Return the name to send: no path of this machine; for a server that appends by name, a single one."""
        name = os.path.basename(file.path)
        if self.kind is Kind.APPENDING and any(
            other.file.id != file.id and os.path.basename(other.file.path) == name for other in self._targets
        ):
            stem, extension = os.path.splitext(name)
            return f"{stem}_{file.id[:8]}{extension}"
        return name

    @staticmethod
    def _timeouts(verified: int) -> cycletls.Timeouts:
        """Return time limits that bound silence, not size."""
        return cycletls.Timeouts(connect=10.0, write=30.0, read=60.0 + verified / _SLOWEST_DISK)

    # Answers.

    def answered(self, job: Job, response: cycletls.Response) -> None:
        """Take in the answer to a job."""
        self._running -= 1
        try:
            self._take_in(job, response)
        except AuthenticationFailed as exc:
            self._fatal = exc
        except ServerBusy as exc:
            if self.kind is Kind.APPENDING:
                self._fail(job.target, exc)
            else:
                self._busy = exc
        except IndexedCPError as exc:
            self._fail(job.target, exc)

    def failed(self, job: Job, error: cycletls.RequestException) -> None:
        """Take in that a job got no answer."""
        self._running -= 1
        unsent = error.detail.get("delivery") == "unsent" or isinstance(
            error, cycletls.ConnectError | cycletls.DNSError
        )
        if self.kind is Kind.APPENDING and job.index is not None:
            if unsent:
                self._not_sent(job)
            else:
                ambiguous = AmbiguousDelivery(
                    f"chunk {job.index} of {job.target.file.path} may have been stored: {error}"
                )
                ambiguous.__cause__ = error
                self._fail(job.target, ambiguous)
                return
        if isinstance(error, _PASSING) and not isinstance(error, cycletls.TLSError):
            self._busy = error
        else:
            self._fatal = error

    def _take_in(self, job: Job, response: cycletls.Response) -> None:
        if job.index is None:
            self._take_in_status(job.target, response)
            return
        if response.status_code != 200:
            if self.kind is Kind.APPENDING and response.status_code < 500:
                self._not_sent(job)
            raise refusal(f"Upload of {job.target.file.path} failed", response)
        self._advanced = True
        self._open = min(self._width, self._open + _GROWTH)
        job.target.acknowledged.add(job.index)
        said = document(response)
        name = said.get("actualFilename")
        self._check_name(job.target, name if isinstance(name, str) else None)
        if self.kind is Kind.APPENDING:
            self._append_next(job.target, job.index + 1)
        elif response.headers.get(STATE) == COMPLETE:
            self._complete(job.target)
        self._report(job.target)

    def _take_in_status(self, target: Target, response: cycletls.Response) -> None:
        if response.status_code in (401, 429) or response.status_code >= 500:
            raise refusal("Asking what has arrived failed", response)
        if SERVER not in response.headers:
            if self.kind is Kind.EXACT:
                raise refusal("Asking what has arrived failed", response)
            self.kind = Kind.APPENDING
            self._waiting.appendleft(target)
            return
        self.kind = Kind.EXACT
        status = Status.parse(document(response)) if response.status_code == 200 else None
        if status is not None:
            target.server_name = status.actual_name
            target.acknowledged = status.chunks()
            arrived = target.done_bytes() + sum(status.partial.values())
            self._advanced |= arrived > target.arrived
            target.arrived = arrived
            self._report(target)
        if status is not None and status.complete:
            self._complete(target)
        else:
            self._ready.extend(self._missing(target, status.partial if status else {}))

    @staticmethod
    def _missing(target: Target, partial: Mapping[int, int]) -> Iterator[Job]:
        """Yield what is not there; where all is but the end of the exchange, the last chunk without its bytes."""
        layout = target.file.layout
        missing = [index for index in range(layout.count) if index not in target.acknowledged]
        if not missing:
            yield Job(target, layout.count - 1, layout.length(layout.count - 1))
        for index in missing:
            yield Job(target, index, partial.get(index, 0))

    def _check_name(self, target: Target, name: str | None) -> None:
        """Compare the server's name of a file with the one it had before."""
        before = target.server_name
        if self.kind is Kind.APPENDING and before is not None and name is not None and name != before:
            raise FileSplit(f"the server puts {target.file.path} into {before}, then into {name}")
        target.server_name = name or target.server_name

    def _append_next(self, target: Target, index: int) -> None:
        if index == target.file.layout.count:
            self._complete(target)
            return
        self._note(target, Delivery(index, False, target.server_name))
        self._ready.append(Job(target, index))

    def _complete(self, target: Target) -> None:
        target.complete = True
        self._buffer.remove(target.file)

    def _not_sent(self, job: Job) -> None:
        """Note that a server that appends has nothing of a chunk."""
        if job.index is not None:
            self._note(job.target, Delivery(job.index, False, job.target.server_name))

    def _note(self, target: Target, delivery: Delivery) -> None:
        self._buffer.note(target.file, self._url, delivery)

    def _report(self, target: Target) -> None:
        if self._progress is not None:
            self._progress(target.file.path, target.done_bytes(), target.file.layout.size)

    def _fail(self, target: Target, error: IndexedCPError) -> None:
        """Give up a file; the others go on."""
        error.path = target.file.path
        self._failures[target.file.path] = error
        self._ready = deque(job for job in self._ready if job.target is not target)


def document(response: cycletls.Response) -> Mapping[str, Any]:
    """Return the JSON object of an answer, an empty one where it has none."""
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) else {}


def refusal(what: str, response: cycletls.Response) -> IndexedCPError:
    """Return the error that an answer other than 200 is."""
    if response.status_code == 401:
        return AuthenticationFailed("Authentication failed: Invalid API key", response=response)
    said = document(response)
    words = said.get("message") or said.get("error") or response.text.strip() or response.reason
    kind = ServerBusy if response.status_code in _BUSY else UploadRefused
    error = kind(f"{what}: {response.status_code} {str(words)[:200]}", response=response)
    error.status = response.status_code
    wait = response.headers.get("Retry-After", "")
    if isinstance(error, ServerBusy) and wait.isdecimal():
        error.retry_after = float(wait)
    return error
