"""Write the outcomes down as Markdown."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from . import peers, server
from .rounds import Effort, Outcome
from .workloads import COLUMNS


def write(outcomes: Sequence[Outcome], clients: Sequence[peers.Peer], effort: Effort, command: str) -> str:
    """The whole of RESULTS.md."""
    parts = [*head(clients, effort, command), *goals(outcomes)]
    for outcome in outcomes:
        parts += table(outcome)
    return "\n".join(parts) + "\n"


def head(clients: Sequence[peers.Peer], effort: Effort, command: str) -> Iterator[str]:
    """When, where, with what."""
    yield "# Benchmark results"
    yield ""
    yield f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}. All clients run alike: Python "
    yield f"{platform.python_version()}, a process of its own for each measurement, on one core; the servers, nginx"
    yield f"{nginx_version()} and a sink for uploads, on another, over loopback. Medians of {effort.rounds} alternating rounds (process"
    yield f"starts more, hosts one), each of {effort.seconds:g} s or {effort.times} bodies. Certificates are verified by everyone."
    yield ""
    yield f"Machine: {machine()}."
    yield ""
    yield "| client | version | remark |"
    yield "|---|---|---|"
    for client in clients:
        yield f"| {client.name} | {peers.version(client)} | {client.note} |"
    yield ""


def goals(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What ours must reach, and whether it does."""
    yield "## Goals"
    yield ""
    yield "| work | goal | measured | met |"
    yield "|---|---|---:|---|"
    for outcome in outcomes:
        for goal in outcome.row.goals:
            measured = goal.measure(outcome.results)
            told = "-" if measured is None else number(measured)
            met = "-" if measured is None else "yes" if goal.met(measured) else "**no**"
            yield f"| {outcome.row.title} | {goal} | {told} | {met} |"
    yield ""


def table(outcome: Outcome) -> Iterator[str]:
    """All clients' figures in one kind of work, and ours as a multiple of each."""
    row = outcome.row
    titles = [COLUMNS[name].format(unit=row.unit, per=row.per) for name in row.columns]
    yield f"## {row.title}"
    yield ""
    yield f"| client | {titles[0]} | ours is | {' | '.join(titles[1:])} |"
    yield "|---|" + "---:|" * (len(titles) + 1)
    for name, figures in outcome.results.items():
        first, *others = (number(figures[column]) for column in row.columns)
        yield f"| {name} | {first} | {ratio(outcome, name)} | {' | '.join(others)} |"
    for name, reason in outcome.failures.items():
        yield f"| {name} | - | - | {reason.replace('|', '/')[:120]} |" + " |" * (len(titles) - 2)
    yield ""


def ratio(outcome: Outcome, name: str) -> str:
    """Ours in the row's first figure as a multiple of another client's."""
    figure = outcome.row.columns[0]
    ours = outcome.results.get("ours", {}).get(figure)
    return f"{ours / outcome.results[name][figure]:.2f} x" if ours else "-"


def number(value: float) -> str:
    """Three digits that say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine() -> str:
    """Processor, cores, system."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {len(models)} cores, Linux {platform.release()}"


def nginx_version() -> str:
    """As nginx tells it."""
    told = subprocess.run([server.find_nginx(), "-v"], capture_output=True, text=True).stderr
    return told.strip().partition("/")[2]
