"""Making a scan, and how far it is."""

from __future__ import annotations

from datetime import datetime

from ._base import Model, OpenEnum


class ScanStatus(OpenEnum):
    """Where a scan is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen to the scan."""
        return self in (ScanStatus.COMPLETED, ScanStatus.FAILED, ScanStatus.CANCELLED)


class ScanOptions(Model):
    """What a scan looks at; the server refuses one that looks at nothing.

    Without options a scan is a full one.

    Attributes:
        starttls_protocol: e.g. ``smtp``; it also chooses the default port.
        timeout_seconds: for one connection to the target.
        ip: a public address to connect to instead of the target's own.
    """

    test_protocols: bool = False
    test_ciphers: bool = False
    test_vulnerabilities: bool = False
    analyze_certificates: bool = False
    test_http_headers: bool = False
    client_simulation: bool = False
    starttls_protocol: str | None = None
    timeout_seconds: int = 30
    ipv4_only: bool = False
    ipv6_only: bool = False
    ip: str | None = None
    full_scan: bool = False

    @classmethod
    def full(cls) -> ScanOptions:
        """Return options for everything there is."""
        return cls(
            test_protocols=True,
            test_ciphers=True,
            test_vulnerabilities=True,
            analyze_certificates=True,
            test_http_headers=True,
            client_simulation=True,
            full_scan=True,
        )

    @classmethod
    def quick(cls) -> ScanOptions:
        """Return options for protocols and certificates only."""
        return cls(test_protocols=True, analyze_certificates=True)


class ScanRequest(Model):
    """What makes a scan."""

    target: str
    options: ScanOptions | None = None
    webhook_url: str | None = None


class ScanResponse(Model):
    """A scan that has been made.

    Attributes:
        target: as the server understood it, ``host:port``.
        websocket_url: the path of its progress.
    """

    scan_id: str
    status: ScanStatus
    target: str
    websocket_url: str | None = None
    queued_at: datetime
    estimated_completion: datetime | None = None


class ScanStatusResponse(Model):
    """How far a scan is.

    Attributes:
        progress: percent; stays where it was when a scan fails or is cancelled.
        error: why it failed.
        results_url: the path of the results, once there are any.
    """

    scan_id: str
    status: ScanStatus
    progress: int
    current_stage: str | None = None
    eta_seconds: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    results_url: str | None = None


class ProgressMessage(Model):
    """One step of a scan.

    Attributes:
        msg_type: ``progress``, or how the scan ended: ``completed``, ``failed``, ``cancelled``.
        progress: percent.
        stage: what is being done.
        details: why it failed.
    """

    msg_type: str
    scan_id: str
    progress: int
    stage: str
    details: str | None = None
    timestamp: datetime

    @property
    def is_terminal(self) -> bool:
        """Whether the scan has ended with this message."""
        return ScanStatus(self.msg_type).is_terminal
