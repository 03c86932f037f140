"""Give every client every work, in alternating rounds, and take medians."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from . import peers, server
from .workloads import ROWS, Row

WORKER = Path(__file__).parent / "worker" / "worker.py"
LIMIT = 180.0  # seconds for one job; none of those that work takes a third of it


@dataclass(frozen=True)
class Effort:
    """How long and how often: the difference between `make bench` and a quick look."""

    rounds: int
    seconds: float
    times: int
    hosts: int
    settle: int  # hosts after which memory must be flat


FULL = Effort(rounds=3, seconds=1.0, times=3, hosts=10_000, settle=1_000)
QUICK = Effort(rounds=1, seconds=0.2, times=1, hosts=1_000, settle=500)


@dataclass
class Outcome:
    """What came of a row: medians by client, and why others have none."""

    row: Row
    results: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def run(rows: Sequence[Row], clients: Sequence[peers.Peer], effort: Effort) -> list[Outcome]:
    """Measure; the servers get the first core and the clients the last one."""
    cores = sorted(os.sched_getaffinity(0))
    try:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
            os.sched_setaffinity(0, cores[:1])  # inherited by the servers
            with server.serve(Path(folder)) as servers:
                os.sched_setaffinity(0, cores[-1:])  # and by the clients
                return [measure(row, clients, servers, effort) for row in rows]
    finally:
        os.sched_setaffinity(0, cores)


def measure(row: Row, clients: Sequence[peers.Peer], servers: server.Servers, effort: Effort) -> Outcome:
    """One row: each round begins with another client, so that none profits from its place."""
    print(row.title, file=sys.stderr, flush=True)
    outcome = Outcome(row)
    asked = [client for client in clients if (client.name in row.clients if row.clients else client.everywhere)]
    able = [client for client in asked if not missing(client, row, outcome)]
    rounds = 1 if effort is QUICK else row.rounds or effort.rounds
    figures: dict[str, list[dict[str, float]]] = {client.name: [] for client in able}
    for number in range(rounds):
        shift = number % len(able) if able else 0
        for client in able[shift:] + able[:shift]:
            if client.name in outcome.failures:
                continue
            answer = ask(client, job(row, client, servers, effort))
            if "failed" in answer:
                outcome.failures[client.name] = answer["failed"]
            else:
                figures[client.name].append(answer["figures"])
    outcome.results = {name: medians(found) for name, found in figures.items() if name not in outcome.failures}
    return outcome


def missing(client: peers.Peer, row: Row, outcome: Outcome) -> bool:
    """Whether the client is known not to do this; the reason goes into the outcome."""
    reason = client.missing.get(row.work) or client.missing.get(row.protocol)
    if reason:
        outcome.failures[client.name] = reason
    return reason is not None


def job(row: Row, client: peers.Peer, servers: server.Servers, effort: Effort) -> dict[str, Any]:
    """What the worker is told."""
    base = getattr(servers, row.server)
    large = row.work in ("download", "stream", "astream", "upload")
    return {
        "peer": client.module,
        "work": client.instead.get(row.work, row.work),
        "base": base,
        "url": base + ("/large" if large else "/small"),
        "size": server.LARGE if large else server.SMALL,
        "protocol": row.protocol,
        "ca": str(servers.authority),
        "file": str(servers.file),
        "seconds": effort.seconds,
        "times": effort.times,
        "hosts": effort.hosts,
        "settle": effort.settle,
        **row.extra,
    }


def ask(client: peers.Peer, asked: dict[str, Any]) -> dict[str, Any]:
    """Run a worker of its own for the job and return its answer."""
    command = [str(peers.interpreter(client)), str(WORKER)]
    # The one client without an option for it takes the authority from here.
    environment = peers.environment(client, SSL_CERT_FILE=asked["ca"])
    asked["started"] = time.monotonic()
    try:
        done = subprocess.run(
            command, input=json.dumps(asked) + "\n", env=environment, capture_output=True, text=True, timeout=LIMIT
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {LIMIT:.0f} s"}
    except json.JSONDecodeError:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        return {"failed": f"ended with status {done.returncode}: {last}"}
    return answer


def medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each figure's median over the rounds."""
    return {name: median(figures[name] for figures in found) for name in found[0]}


def choose(words: Sequence[str]) -> list[Row]:
    """The rows whose titles hold one of the words; all without words."""
    return [row for row in ROWS if not words or any(word.lower() in row.title.lower() for word in words)]
