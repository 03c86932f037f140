"""Write the outcomes down as Markdown."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from . import peers, server
from .rounds import Effort, Outcome
from .workloads import COLUMNS

SHORTFALLS = Path(__file__).parent / "shortfalls.md"  # written by whoever has profiled


def write(outcomes: Sequence[Outcome], clients: Sequence[peers.Peer], effort: Effort, command: str) -> str:
    """The whole of RESULTS.md."""
    parts = [*head(clients, effort, command), *goals(outcomes)]
    for outcome in outcomes:
        parts += table(outcome)
    return "\n".join(parts) + "\n" + SHORTFALLS.read_text()


def head(clients: Sequence[peers.Peer], effort: Effort, command: str) -> Iterator[str]:
    """When, where, with what."""
    yield "# Benchmark results"
    yield ""
    yield f"Written by `{command}` on {datetime.now(timezone.utc):%Y-%m-%d}."
    yield ""
    yield f"- Machine: {machine()}. Python {platform.python_version()}."
    yield f"- Servers: nginx {nginx_version()}, a sink for uploads and an echo for WebSockets,"
    yield "  on loopback and on the first core."
    yield "- Clients: on the last core, each measurement in a process of its own, certificates verified by all."
    yield f"- Figures: medians of {effort.rounds} alternating rounds of {effort.seconds:g} s or {effort.times} bodies"
    yield "  (process starts: more rounds; hosts: one)."
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
    yield line("client", titles[0], "ours is", *titles[1:])
    yield "|---|" + "---:|" * (len(titles) + 1)
    for name, figures in outcome.results.items():
        first, *others = (number(figures[column]) for column in row.columns)
        yield line(name, first, ratio(outcome, name), *others)
    yield ""
    for name, reason in outcome.failures.items():
        yield f"{name}: {' '.join(reason.split())[:200]}"
        yield ""


def line(*cells: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def ratio(outcome: Outcome, name: str) -> str:
    """Ours in the row's first figure as a multiple of another client's."""
    figure = outcome.row.columns[0]
    ours = outcome.results.get("ours", {}).get(figure)
    return f"{ours / outcome.results[name][figure]:.2f} x" if ours else "-"


def number(value: float) -> str:
    """Three digits that say something."""
    if value == int(value):
        return f"{value:,.0f}"
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
