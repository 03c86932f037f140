"""How much one client may ask of the server."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_CLIENTS: Final = 10_000
"""Addresses that are remembered; those that asked longest ago are forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server puts up with; every default is here.

    Attributes:
        max_chunk_bytes: largest body; more is answered with 413.
        max_file_bytes: largest file; more is answered with 413.
        max_chunks: most chunks of a file; more is answered with 413.
        max_held_bytes: bytes of a stream that wait for a chunk before them; more is answered with 413.
        max_unfinished: uploads that are not complete; one more is answered with 429.
        requests_per_second: of one address, on average; more is answered with 429.
        burst: requests that an address may make at once.
        wrong_keys_per_minute: of one address; after that many it is answered with 429.
        max_connections: requests at once; one more is answered with 503.
        head_timeout: seconds that the head of a request may take.
        idle_timeout: seconds that a body may pause.
        min_bytes_per_second: of a body, on average after ``idle_timeout``.
        receive_buffer: bytes of a body that the system may hold for the server, on each connection. They are lost, and
            sent again, when the server dies; on fast lines that are long, more of them make uploads quicker.
        keep_alive: seconds that a connection may be idle.
        expire_after: seconds after which what nobody went on with is forgotten.
    """

    max_chunk_bytes: int = 64 * 1024 * 1024
    max_file_bytes: int = 1024**4
    max_chunks: int = 1_048_576
    max_held_bytes: int = 256 * 1024 * 1024
    max_unfinished: int = 1000
    requests_per_second: float = 2000.0
    burst: int = 4000
    wrong_keys_per_minute: int = 10
    max_connections: int = 512
    head_timeout: float = 10.0
    idle_timeout: float = 30.0
    min_bytes_per_second: int = 4096
    receive_buffer: int = 64 * 1024
    keep_alive: float = 15.0
    expire_after: float = 7 * 24 * 3600.0


class Rate:
    """A bucket of tokens for each address, which fills steadily.

    Args:
        per_second: how fast.
        burst: how many it holds.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return the seconds until an address has a token, 0 where it has one."""
        return max(0.0, (1.0 - self._level(address)) / self._per_second)

    def take(self, address: str) -> None:
        """Take a token of an address."""
        self._buckets[address] = (self._level(address) - 1.0, time.monotonic())
        self._buckets.move_to_end(address)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)

    def _level(self, address: str) -> float:
        level, then = self._buckets.get(address, (self._burst, 0.0))
        return min(self._burst, level + (time.monotonic() - then) * self._per_second)
