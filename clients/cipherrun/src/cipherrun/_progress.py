"""Following a scan to its end.

The server's stream of progress has no memory: whoever connects after the
end, or while a queued scan is cancelled, hears nothing for ever; whoever is
too slow is cut off; and "completed" is said before there are results. So the
stream is believed only while it speaks. Right after connecting, after each
silence, after each break and before the last word, the scan's status decides.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Final, Protocol

import pydantic

import cycletls

from ._steps import Deadline, Emit, Steps, Stream, connect, receive, sleep
from .exceptions import CipherRunError, ConnectionError, NotFoundError, TimeoutError, WebSocketError
from .models import ProgressMessage, ScanStatus, ScanStatusResponse

_FIRST_PAUSE: Final = 0.05
"""Seconds before connecting again; each break without news in between doubles them, up to the silence."""

_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of a server, or of a gateway before it, that may soon be well again."""


class Looker(Protocol):
    """What can tell the status of a scan."""

    def look(self, scan_id: str, deadline: Deadline, once: bool = False) -> Steps[ScanStatusResponse]:
        """Return how far a scan is, by a deadline, with one attempt only or with all."""


class Follower:
    """Follows one scan.

    Args:
        looker: what can tell the status of the scan.
        scan_id: of the scan.
        url: of its stream.
        deadline: for all.
        silence: seconds after which the status is asked for.
    """

    def __init__(self, looker: Looker, scan_id: str, url: str, deadline: Deadline, silence: float) -> None:
        self._looker = looker
        self._scan_id = scan_id
        self._url = url
        self._deadline = deadline
        self._silence = silence
        self._last: ProgressMessage | None = None
        self._ended = False
        self._reached = False
        self._trouble: Exception | None = None

    def run(self) -> Stream[ProgressMessage]:
        """Iterate over the steps of the scan until it has ended, connecting as often as it takes."""
        pause = _FIRST_PAUSE
        while True:
            known = self._last
            yield from self._listen()
            if self._ended:
                return
            pause = min(pause * 2, self._silence) if self._last is known else _FIRST_PAUSE
            yield from sleep(self._deadline.pause(pause))

    def _listen(self) -> Stream[ProgressMessage]:
        """Connect once, and pass on what is said until the connection breaks."""
        self._check()
        limit = self._deadline.limit(max(self._silence, 1.0))
        try:
            yield from connect(self._url, limit)
            first = yield from receive(limit)  # from then on the server passes on what happens
        except cycletls.RequestException as failure:
            self._trouble = failure
            yield from self._ask()
            return
        yield from self._ask()
        yield from self._hear(first)
        while not self._ended:
            self._check()
            try:
                frame = yield from receive(self._deadline.limit(self._silence))
            except cycletls.Timeout:
                yield from self._ask()
            except cycletls.RequestException as failure:
                self._trouble = failure
                return
            else:
                yield from self._hear(frame)

    def _hear(self, frame: str | bytes) -> Stream[ProgressMessage]:
        """Pass on what a frame says."""
        message = None if self._ended else _parse(frame)
        if message is None:
            return
        if message.is_terminal:
            yield from self._settle(message)
        elif self._is_news(message):
            self._last = message
            yield Emit(message)

    def _settle(self, message: ProgressMessage) -> Stream[ProgressMessage]:
        """Wait until the end that was announced is there for all to see, and announce it."""
        pause = _FIRST_PAUSE
        while not self._ended:
            try:
                status = yield from self._look()
            except NotFoundError:  # so many scans ended since that this one is forgotten
                break
            if status is not None and status.status.is_terminal:
                if status.status != message.msg_type:
                    message = self._of(status)
                break
            possible = self._deadline.pause(pause)
            if not possible:
                break
            yield from sleep(possible)
            pause = min(pause * 2, self._silence)
        self._ended = True
        yield Emit(message)

    def _ask(self) -> Stream[ProgressMessage]:
        """Ask for the status of the scan, and pass on what is new about it."""
        status = yield from self._look()
        if status is None:
            return
        message = self._of(status)
        self._ended = status.status.is_terminal
        if self._ended or self._is_news(message):
            self._last = message
            yield Emit(message)

    def _look(self) -> Steps[ScanStatusResponse | None]:
        """Return the status of the scan, or None where the server, which was there before, is not well."""
        try:
            status = yield from self._looker.look(self._scan_id, self._deadline, once=self._reached)
        except CipherRunError as error:
            passing = isinstance(error, (ConnectionError, TimeoutError)) or error.status_code in _PASSING
            if not passing or not self._reached:
                raise
            self._trouble = error
            return None
        self._reached = True
        return status

    def _check(self) -> None:
        """Raise TimeoutError where there is no time for anything else."""
        if self._deadline.over:
            raise TimeoutError(
                f"scan {self._scan_id} has not ended after {self._deadline.seconds:g} s"
            ) from self._trouble

    def _is_news(self, message: ProgressMessage) -> bool:
        """Report whether a message says more than the last one: progress only grows."""
        last = self._last
        return last is None or (
            (message.progress, message.stage) != (last.progress, last.stage) and (message.progress >= last.progress)
        )

    def _of(self, status: ScanStatusResponse) -> ProgressMessage:
        """Return the message that would have said what a status says."""
        ended = status.status.is_terminal
        waiting = self._last.stage if self._last else status.status.value
        stage = status.status.value if ended else status.current_stage or waiting
        return ProgressMessage(
            msg_type=status.status.value if ended else "progress",
            scan_id=self._scan_id,
            progress=100 if status.status is ScanStatus.COMPLETED else status.progress,
            stage=stage,
            details=status.error,
            timestamp=datetime.now(timezone.utc),
        )


def _parse(frame: str | bytes) -> ProgressMessage | None:
    """Return what a frame says of the scan, or None where it is about the connection: connected, lagged.

    Raises:
        WebSocketError: it is none of the API's.
    """
    try:
        data: Any = json.loads(frame)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise WebSocketError("the stream of progress sent something else than a JSON object")
    if "msg_type" not in data:
        return None
    try:
        return ProgressMessage.model_validate(data)
    except pydantic.ValidationError as error:
        raise WebSocketError("the stream of progress sent a message without what it must say", details=data) from error
