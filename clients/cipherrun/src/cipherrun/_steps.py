"""What the work of a client is made of, whichever way it waits.

An operation is a generator: it yields each step that touches the world, is
sent its outcome (or thrown its failure), and returns what was asked for. The
two clients only differ in how they take a step: see ``client.py`` and
``async_client.py``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from cycletls import Response

T = TypeVar("T")

_LAST_MOMENT: Final = 0.05
"""Seconds before a deadline in which nothing new is begun."""
_SHORTEST: Final = 0.001
"""Seconds: no limit at all would be said with 0."""


class Request(NamedTuple):
    """A request to the API."""

    method: str
    url: str
    params: Mapping[str, str]
    json: object
    timeout: float | None


class World(Protocol):
    """What steps are taken in: each method does it, or returns what does it when it is awaited."""

    def send(self, request: Request) -> Response | Awaitable[Response]:
        """Send a request and return the answer."""

    def sleep(self, seconds: float) -> Awaitable[None] | None:
        """Wait."""

    def connect(self, url: str, timeout: float | None) -> Awaitable[None] | None:
        """Open a WebSocket, in place of the one before."""

    def receive(self, timeout: float | None) -> str | bytes | Awaitable[str | bytes]:
        """Return the next message of the WebSocket."""


@dataclass(frozen=True)
class Emit(Generic[T]):
    """Something for whoever iterates over the operation."""

    value: T


Step = Callable[[World], Any]
Steps = Generator[Step, Any, T]
"""An operation that returns a T."""
Stream = Generator[Step | Emit[T], Any, None]
"""An operation that is iterated over."""


def send(request: Request) -> Steps[Response]:
    """Send a request and return the answer."""
    response: Response = yield lambda world: world.send(request)
    return response


def sleep(seconds: float) -> Steps[None]:
    """Wait."""
    yield lambda world: world.sleep(seconds)


def connect(url: str, timeout: float | None) -> Steps[None]:
    """Open a WebSocket, in place of the one before."""
    yield lambda world: world.connect(url, timeout)


def receive(timeout: float | None) -> Steps[str | bytes]:
    """Return the next message of the WebSocket."""
    message: str | bytes = yield lambda world: world.receive(timeout)
    return message


class Walk(Generic[T]):
    """A walk through the steps of an operation, for whoever takes them.

    Attributes:
        step: the one to take next; None at the end.
        result: what the operation returned, at the end.
    """

    def __init__(self, steps: Generator[Any, Any, T]) -> None:
        self._steps = steps
        self.step: Any = None
        self.result: T | None = None
        self._go(steps.__next__)

    def done(self, outcome: object = None) -> None:
        """Say what came of the step."""
        self._go(lambda: self._steps.send(outcome))

    def failed(self, failure: Exception) -> None:
        """Say that the step failed."""
        self._go(lambda: self._steps.throw(failure))

    def _go(self, advance: Callable[[], Any]) -> None:
        try:
            self.step = advance()
        except StopIteration as end:
            self.step, self.result = None, end.value


class Deadline:
    """A point in time by the clock that nobody sets.

    Args:
        seconds: from now; None never comes.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = math.inf if seconds is None else seconds
        self._at = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds until then, 0 afterwards."""
        return max(self._at - time.monotonic(), 0.0)

    @property
    def over(self) -> bool:
        """Whether there is no time for anything else."""
        return self.left <= _LAST_MOMENT

    def pause(self, seconds: float) -> float:
        """Return the seconds of a pause that leaves time to do something afterwards, or 0 where there is none left."""
        return 0.0 if self.over else min(seconds, self.left * 0.75)

    def limit(self, seconds: float | None = None) -> float | None:
        """Return the seconds that something may take that must end by then, or None for no limit."""
        least = min(self.left, math.inf if seconds is None else seconds)
        return None if least == math.inf else max(least, _SHORTEST)
