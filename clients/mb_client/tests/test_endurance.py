"""A part of what ``python -m tests.endurance`` and ``python -m tests.throughput`` do in full."""

from __future__ import annotations

import asyncio

from .conftest import Protocol
from .endurance import run
from .throughput import measure


def test_nothing_acknowledged_is_lost(protocol: Protocol) -> None:
    """Through twelve disconnects every acknowledged publish arrives, in order, and twice only where that was agreed."""
    report = asyncio.run(run(protocol, messages=12_000, cuts=12, seed=7))
    assert report.acknowledged + report.reported_lost == 12_000
    assert report.reconnects == 12
    assert report.acknowledged_and_lost == 0
    assert report.duplicates_elsewhere == 0
    assert report.duplicates_where_declared <= report.resent
    assert report.out_of_order == 0


def test_throughput_can_be_measured(protocol: Protocol) -> None:
    """The figures come out; how large they are depends on what else the machine does."""
    for confirm in (True, False):
        assert measure(protocol, 0.3, confirm=confirm)["messages a second"] > 1_000
