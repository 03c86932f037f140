"""How the server is, what it did, and what a host's earlier scans said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ._base import Model, Number


class HealthResponse(Model):
    """How the server is: ``healthy``, or ``degraded`` where its database fails."""

    status: str
    version: str
    uptime_seconds: int
    active_scans: int | None = None
    queued_scans: int | None = None
    database: Any = None
    queue: Any = None


class DomainStats(Model):
    """How often a domain was scanned."""

    domain: str
    scan_count: int
    last_scan: datetime


class ApiUsageStats(Model):
    """How much the API is used."""

    requests_last_hour: int
    requests_last_day: int
    avg_response_time_ms: float


class StatsResponse(Model):
    """What the server did."""

    total_scans: int
    completed_scans: int
    failed_scans: int
    avg_scan_duration_seconds: float
    scans_last_24h: int
    scans_last_7d: int
    top_domains: list[DomainStats]
    api_usage: ApiUsageStats


class HistoricalScan(Model):
    """A stored scan."""

    scan_id: int
    timestamp: datetime
    grade: str | None = None
    score: Number | None = None
    duration_ms: Number | None = None


class ScanHistoryResponse(Model):
    """The stored scans of a host and port, the latest first."""

    domain: str
    port: int
    total_scans: int
    scans: list[HistoricalScan]


class ApiErrorResponse(Model):
    """The body of an API error."""

    status: int
    error: str
    message: str
    details: str | None = None
