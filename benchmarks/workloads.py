"""What is measured, in which figures it is told, and what it must reach."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Figures = Mapping[str, float]
Results = Mapping[str, Figures]  # by the client's name

COLUMNS = {  # a figure's head in the tables
    "rate": "{unit}/s",
    "milliseconds": "ms",
    "cpu": "CPU µs per {per}",
    "switches": "voluntary switches per {per}",
    "resident": "RSS MiB",
    "peak": "peak RSS MiB",
    "over_idle": "over idle MiB",
    "growth": "RSS grown MiB",
    "files": "open files at the end",
    "resumed": "TLS session resumed",
}
GOALS = {  # and its name in a goal
    "rate": "rate",
    "milliseconds": "time",
    "cpu": "CPU",
    "switches": "switches",
    "resident": "RSS in MiB",
    "peak": "peak RSS in MiB",
    "over_idle": "RSS over idle in MiB",
    "growth": "RSS growth in MiB",
}
LOAD = ("rate", "cpu", "switches", "peak")
COMPARE: Mapping[str, Callable[[float, float], bool]] = {"≥": operator.ge, "≤": operator.le}


@dataclass(frozen=True)
class Goal:
    """A figure of ours against a limit, or against a peer's figure times a factor."""

    figure: str
    compare: Literal["≥", "≤"]
    limit: float
    peer: str | None = None

    def __str__(self) -> str:
        limit = f"{self.limit:g}" + (f" x {self.peer}" if self.peer else "")
        return f"{GOALS[self.figure]} {self.compare} {limit}"

    def measure(self, results: Results) -> float | None:
        """Ours, as a multiple of the peer's where there is one; None when either is missing."""
        ours = results.get("ours", {}).get(self.figure)
        other = results.get(self.peer, {}).get(self.figure) if self.peer else 1.0
        return None if ours is None or not other else ours / other

    def met(self, measured: float) -> bool:
        return COMPARE[self.compare](measured, self.limit)


@dataclass(frozen=True)
class Row:
    """One kind of work: what a worker does, where, and what is told of it."""

    title: str
    work: str
    server: str
    goals: tuple[Goal, ...]
    protocol: str = "HTTP/1.1"
    columns: tuple[str, ...] = LOAD
    unit: str = "requests"
    per: str = "request"
    extra: Mapping[str, Any] = field(default_factory=dict)  # what the job says besides
    rounds: int | None = None  # where the usual number would take too long, or tell too little
    clients: tuple[str, ...] = ()  # where not all take part


def _sequential(name: str, server: str, factor: float, protocol: str = "HTTP/1.1") -> Row:
    goals = (Goal("rate", "≥", factor, "primp"), Goal("cpu", "≤", 1.0, "primp"), Goal("switches", "≤", 1.5))
    return Row(f"Sequential GET of 1 KiB, {name}", "sequential", server, goals, protocol=protocol)


def _profile(name: str, server: str, protocol: str = "HTTP/1.1") -> Row:
    """What looking like a browser costs: ours looks like Chrome in all rows."""
    goals = (Goal("rate", "≥", 0.95, "plain profile"), Goal("cpu", "≤", 1.05, "plain profile"))
    title, clients = f"Chrome against a minimal profile, {name}", ("ours", "plain profile")
    return Row(title, "sequential", server, goals, protocol=protocol, rounds=11, clients=clients)


def _threads(name: str, server: str, protocol: str = "HTTP/1.1") -> Row:
    goals = (Goal("rate", "≥", 1.1, "primp"),)
    return Row(f"32 threads on one session, {name}", "threads", server, goals, protocol=protocol, extra={"threads": 32})


def _tasks(count: int, name: str, server: str, protocol: str = "HTTP/1.1") -> Row:
    goals = (Goal("rate", "≥", 1.2, "wreq"), Goal("switches", "≤", 0.5)) if count == 32 else ()
    title = f"{count:,} asyncio tasks on one session, {name}"
    return Row(title, "tasks", server, goals, protocol=protocol, extra={"tasks": count})


def _streamed(how: str, work: str, name: str, server: str, protocol: str = "HTTP/1.1") -> Row:
    goals = (Goal("rate", "≥", 1.0, "curl_cffi"),)
    columns = ("rate", "cpu", "peak", "over_idle")
    title = f"GET of 100 MiB, streamed {how}, {name}"
    return Row(title, work, server, goals, protocol=protocol, columns=columns, unit="MiB", per="MiB")


def _echo(how: str, work: str) -> Row:
    goals = (Goal("rate", "≥", 1.0, "websockets"), Goal("cpu", "≤", 1.0, "websockets"))
    clients = ("ours", "websockets")
    return Row(
        f"WebSocket echo of 1 KiB, {how}",
        work,
        "echo",
        goals,
        unit="messages",
        per="message",
        rounds=7,
        clients=clients,
    )


def _large(title: str, work: str, server: str, rate: Goal, memory: Goal) -> Row:
    columns = ("rate", "cpu", "peak", "over_idle")
    return Row(title, work, server, (rate, memory), columns=columns, unit="MiB", per="MiB")


def _download(name: str, server: str) -> Row:
    goals = Goal("rate", "≥", 1.0, "curl_cffi"), Goal("peak", "≤", 100 + 24)
    return _large(f"GET of 100 MiB into memory, {name}", "download", server, *goals)


ROWS = (
    _sequential("HTTP/1.1", "http", 0.9),
    _sequential("HTTP/1.1 over TLS", "https", 1.0),
    _sequential("HTTP/2", "http2", 1.05, "HTTP/2.0"),
    _profile("HTTP/1.1", "http"),
    _profile("HTTP/1.1 over TLS", "https"),
    _profile("HTTP/2", "http2", "HTTP/2.0"),
    _threads("HTTP/1.1", "http"),
    _threads("HTTP/1.1 over TLS", "https"),
    _threads("HTTP/2", "http2", "HTTP/2.0"),
    _tasks(32, "HTTP/1.1", "http"),
    _tasks(32, "HTTP/1.1 over TLS", "https"),
    _tasks(32, "HTTP/2", "http2", "HTTP/2.0"),
    _tasks(1000, "HTTP/1.1", "http"),
    _tasks(1000, "HTTP/2", "http2", "HTTP/2.0"),
    _download("plain", "http"),
    _download("TLS", "https"),
    _streamed("by a thread", "stream", "HTTP/1.1", "http"),
    _streamed("by a thread", "stream", "HTTP/1.1 over TLS", "https"),
    _streamed("by a thread", "stream", "HTTP/2", "http2", "HTTP/2.0"),
    _streamed("with asyncio", "astream", "HTTP/1.1", "http"),
    _streamed("with asyncio", "astream", "HTTP/1.1 over TLS", "https"),
    _streamed("with asyncio", "astream", "HTTP/2", "http2", "HTTP/2.0"),
    _echo("by a thread", "echo"),
    _echo("with asyncio", "aecho"),
    _large(
        "Multipart upload of a 100 MiB file",
        work="upload",
        server="sink",
        rate=Goal("rate", "≥", 1.0, "httpx"),
        memory=Goal("over_idle", "≤", 8),
    ),
    Row(
        "Fresh TLS 1.3 connection per request, same session",
        work="handshakes",
        server="fresh",
        goals=(Goal("rate", "≥", 0.6, "primp"),),
        columns=(*LOAD, "resumed"),
    ),
    Row(
        "New session per request over TLS",
        work="sessions",
        server="https",
        goals=(Goal("rate", "≥", 0.5, "primp"),),
    ),
    Row(
        "Process start to first HTTPS response",
        work="start",
        server="https",
        goals=(Goal("milliseconds", "≤", 1.0, "primp"), Goal("resident", "≤", 40)),
        columns=("milliseconds", "resident"),
        rounds=11,
    ),
    Row(
        "Process start to first HTTPS response, asyncio",
        work="astart",
        server="https",
        goals=(Goal("milliseconds", "≤", 1.1, "ours (sync)"),),
        clients=("ours", "ours (sync)", "primp", "curl_cffi", "httpx", "wreq", "aiohttp"),
        columns=("milliseconds", "resident"),
        rounds=11,
    ),
    Row(
        "10,000 hosts, each cold and warm",
        work="hosts",
        server="http",
        goals=(Goal("growth", "≤", 2),),
        columns=("rate", "cpu", "growth", "files"),
        rounds=1,
    ),
)
