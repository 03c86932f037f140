"""The time limits of an exchange."""

from __future__ import annotations

from ._exceptions import InvalidOption
from ._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

    Seconds: TypeAlias = float | int | None


LONGEST: Final = 10**9
"""Seconds, 31 years: ten times as many nanoseconds would not fit into the core's 64 bits."""


class Timeouts(Value):
    """Time limits in seconds by what is waited for; None means no limit.

    Args:
        total: the whole exchange, redirects and retries included.
        connect: name look-up, connecting and TLS handshake together.
        read: the server's next bytes.
        write: the server taking more of the request.
        pool: a free connection, where ``max_connections`` limits them.
    """

    __slots__ = ("connect", "pool", "read", "total", "write")

    def __init__(
        self,
        total: Seconds = None,
        *,
        connect: Seconds = None,
        read: Seconds = None,
        write: Seconds = None,
        pool: Seconds = None,
    ) -> None:
        self.total = _limit("total", total)
        self.connect = _limit("connect", connect)
        self.read = _limit("read", read)
        self.write = _limit("write", write)
        self.pool = _limit("pool", pool)

    @classmethod
    def of(cls, timeout: object) -> Timeouts:
        """Read what a caller gives: seconds in all, requests' pair (connect, read), Timeouts, or None."""
        if isinstance(timeout, Timeouts):
            return timeout
        if isinstance(timeout, (tuple, list)):
            if len(timeout) != 2:
                raise InvalidOption(f"timeout= as a pair is (connect, read), not {timeout!r}")
            return cls(connect=timeout[0], read=timeout[1])
        return cls(timeout)  # type: ignore[arg-type]  # _limit refuses what is not a number


def _limit(name: str, seconds: object) -> float | None:
    if seconds is None:
        return None
    if type(seconds) in (int, float) and 0 < seconds <= LONGEST:  # type: ignore[operator]  # narrowed by type()
        return seconds  # type: ignore[return-value]
    raise InvalidOption(
        f"the {name} timeout is a number of seconds above 0 and up to {LONGEST}, or None for no limit, "
        f"not {seconds!r:.100}"
    )
