"""Seeded runs through faults: python tests/fault_run.py --runs 500 --seed 1

Each run makes a scan, follows it to its end and reads its results, through a
proxy that refuses, resets and slows down connections, and past a gateway that
answers 502, 503, 504 and 429. Every call must end with a result or an
exception of the package within its time, and no call may make two scans.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from cipherrun import CipherRunError
from colours import COLOURS, Caller
from faults import REFUSED, SOUND, Fault, Proxy
from refusals import rate_limited, unavailable_answer
from serving import Running, serving
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

TIMEOUT: Final = 4.0
"""Seconds for a call; those that follow a scan have three times as many."""
GRACE: Final = 1.0
"""Seconds by which a busy machine may be late."""


@dataclass
class Report:
    """What became of the runs.

    Attributes:
        results: calls that returned what they should, by method.
        errors: exceptions of the package, by class.
        violations: what must not happen.
        faults: what happened on the way, by kind.
        scans: made by the server, one by a call at most.
        streams: WebSockets that were asked for; more than calls that follow a scan, where they broke.
        latest: seconds by which the latest call was beyond its time; below 0 if none was.
    """

    results: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    latest: float = float("-inf")
    scans: int = 0
    streams: int = 0

    def __str__(self) -> str:
        lines = [
            f"calls with a result     {self.results.total():6}  {dict(self.results.most_common())}",
            f"calls with an exception {self.errors.total():6}  {dict(self.errors.most_common())}",
            f"faults on the way       {self.faults.total():6}  {dict(self.faults.most_common())}",
            f"scans made              {self.scans:6}",
            f"WebSockets asked for    {self.streams:6}",
            f"latest call             {self.latest:+6.2f} s beyond its time",
            f"violations              {len(self.violations):6}",
        ]
        return "\n".join(lines + self.violations)


class Run:
    """One run, whose faults are those of its seed."""

    def __init__(self, running: Running, seed: int, index: int, report: Report) -> None:
        self._running = running
        self._report = report
        self._chance = random.Random(f"{seed}/{index}")
        self.name = f"run{index}"
        self._colour = ("sync", "async")[index % 2]

    def fault(self) -> Fault:
        """What happens to the next connection."""
        chance = self._chance
        kind = chance.choices(("sound", "refused", "reset", "slow"), (4, 1, 3, 2))[0]
        if kind == "sound":
            return SOUND
        self._report.faults[kind] += 1
        if kind == "refused":
            return REFUSED
        if kind == "slow":
            return Fault(after=chance.randrange(3), drip=chance.choice((0.005, 0.05, 0.5)))
        return Fault(after=chance.randrange(5), keep=chance.choice((0, 1, 60, 300)), reset=True)

    def weather(self) -> Response | None:
        """What a gateway, or the server on a bad day, says to the next request."""
        kinds = ("fine", "502", "503", "504", "full", "429")
        kind = self._chance.choices(kinds, (80, 5, 5, 3, 3, 4))[0]
        if kind == "fine":
            return None
        self._report.faults[kind] += 1
        if kind == "full":
            return unavailable_answer("Job queue is full")
        return rate_limited(100, 1) if kind == "429" else PlainTextResponse("<html>", int(kind))

    def __call__(self) -> None:
        """Do it."""
        proxy = Proxy(self._running)
        proxy.plan = self.fault
        options = {"timeout": TIMEOUT, "retry_backoff": 0.05}
        client = COLOURS[self._colour](proxy.url, self.name, **options)
        try:
            self._work(client)
        finally:
            client.close()
            proxy.down()

    def _work(self, call: Caller) -> None:
        target = f"{self.name}.test:443"
        scan = self._try(call, "create_scan", target)
        made = [each.id for each in self._running.standin.created if each.target == target]
        self._report.scans += len(made)
        if len(made) > 1:
            self._report.violations.append(f"{self.name}: one create_scan made {len(made)} scans")
        if scan is None:
            return
        if self._chance.random() < 0.5:
            messages = self._try(call, "stream_progress", scan.scan_id, 3 * TIMEOUT, poll_interval=0.3)
            ended = bool(messages) and messages[-1].msg_type == "completed"
        else:
            ended = self._try(call, "wait_for_scan", scan.scan_id, 0.3, 3 * TIMEOUT) is not None
        results = self._try(call, "get_scan_results", scan.scan_id) if ended else None
        if results is not None and results.target != target:
            self._report.violations.append(f"{self.name}: got the results of {results.target}")
        self._try(call, "get_api_stats")

    def _try(self, call: Caller, method: str, *arguments: Any, **options: Any) -> Any:
        limit = TIMEOUT if method.startswith(("create", "get")) else 3 * TIMEOUT
        started = time.monotonic()
        outcome: Any = None
        try:
            outcome = call(method, *arguments, **options)
            self._report.results[method] += 1
        except CipherRunError as error:
            self._report.errors[f"{type(error).__name__} {error.status_code or ''}".strip()] += 1
        except Exception as error:
            self._report.violations.append(f"{self.name}: {method} raised {error!r}")
        late = time.monotonic() - started - limit
        self._report.latest = max(self._report.latest, late)
        if late > GRACE:
            self._report.violations.append(f"{self.name}: {method} was {late:.1f} s late")
        return outcome


def run(running: Running, runs: int, seed: int, at_once: int = 16) -> Report:
    """Do a number of runs, many at once, and report."""
    report = Report()
    each = {f"run{index}": Run(running, seed, index, report) for index in range(runs)}
    running.standin.setup.keys.update(dict.fromkeys(each, "User"))

    def weather(connection: HTTPConnection) -> Response | None:
        return each[connection.headers["x-api-key"]].weather()

    running.standin.weather = weather
    with ThreadPoolExecutor(at_once) as pool:
        outcomes = [pool.submit(one) for one in each.values()]
    for outcome in outcomes:
        outcome.result()
    report.streams = sum(method == "WEBSOCKET" for method, _, _ in running.standin.requests)
    return report


def main() -> int:
    """Run as the command line says; the exit status is 1 if something happened that must not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with serving() as running:
        started = time.monotonic()
        report = run(running, options.runs, options.seed)
        print(f"{options.runs} runs, seed {options.seed}, {time.monotonic() - started:.0f} s")
    print(report)
    return bool(report.violations)


if __name__ == "__main__":
    sys.exit(main())
