"""Whatever happens on the way: a part of what fault_run.py does at length."""

from __future__ import annotations

from fault_run import run
from serving import Running


def test_every_call_ends_well_or_is_explained(server: Running) -> None:
    """Through resets, outages and slow answers each call ends in time, and none makes two scans."""
    report = run(server, runs=40, seed=7)
    assert not report.violations, str(report)
    assert report.faults.total() > 30
    assert report.results.total() > report.errors.total()
