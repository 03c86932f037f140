"""Forks a process that has used the library, and sends a request in the child: python tests/fork_rounds.py 1000 URL."""

from __future__ import annotations

import faulthandler
import os
import random
import sys
import time

import cycletls

PATIENCE = 30
"""Seconds after which a child counts as hanging."""


def child(session: cycletls.CycleTLS, url: str, number: int) -> int:
    """Send a request and return 0 where the answer is its own."""
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    answer = session.get(f"{url}/anything/{number}", params={"seed": random.Random(number).random()})
    return 0 if answer.json()["url"].partition("?")[0].endswith(f"/anything/{number}") else 3


def main(rounds: int, url: str) -> None:
    """Print how many rounds there were, how many went wrong, and how long they took."""
    session = cycletls.CycleTLS()
    session.get(f"{url}/get")
    times, wrong = [], 0
    for number in range(rounds):
        began = time.perf_counter()
        pid = os.fork()
        if not pid:
            status = 4
            try:
                status = child(session, url, number)
            finally:
                os._exit(status)
        wrong += os.waitpid(pid, 0)[1] != 0
        times.append(time.perf_counter() - began)
    times.sort()
    print(f"{rounds} rounds, {wrong} wrong, median {times[rounds // 2] * 1000:.0f} ms, at most {times[-1]:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
