"""How long to wait before connecting again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that grow from one attempt to the next, each a random part of its limit.

    The whole wait is random, so that clients which lost a broker together do not come back together.

    Attributes:
        first: seconds that the first wait takes at most.
        limit: seconds that any wait takes at most.
        factor: by what the limit grows from one attempt to the next.
        attempts: after how many failures in a row to give up; None for never.
        random: where chance is from; a seeded one makes the waits repeatable.
    """

    first: float = 0.2
    limit: float = 30.0
    factor: float = 2.0
    attempts: int | None = None
    random: random.Random = field(default_factory=random.Random, compare=False, repr=False)

    def waits(self) -> Iterator[float]:
        """Yield the seconds to wait before each attempt, until it is time to give up."""
        most, attempt = self.first, 0
        while self.attempts is None or attempt < self.attempts:
            yield self.random.uniform(0, most)
            most = min(most * self.factor, self.limit)
            attempt += 1
