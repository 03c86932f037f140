"""What a client can do, as operations (see ``_steps.py``): written once for both clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import _endpoints as endpoints
from ._answers import parse_answer
from ._endpoints import Answer, Endpoint
from ._progress import Follower
from ._retries import Retries, deliver
from ._steps import Deadline, Request, Steps, Stream, sleep
from .exceptions import (
    BadRequestError,
    ScanCancelledError,
    ScanFailedError,
    TimeoutError,
    ValidationError,
)
from .models import (
    CertificateListResponse,
    CertificateSummary,
    ComplianceReport,
    HealthResponse,
    PolicyEvaluationResponse,
    PolicyResponse,
    ProgressMessage,
    ScanHistoryResponse,
    ScanOptions,
    ScanResponse,
    ScanResults,
    ScanStatus,
    ScanStatusResponse,
    StatsResponse,
)

_SCHEMES: Final[Mapping[str, str]] = {"http": "ws", "https": "wss"}


class Operations:
    """The operations of one server.

    Args:
        base_url: of the server, without ``/api/v1``.
        timeout: seconds for a call with all its attempts and pauses; None is no limit.
        retries: how often to try again.
    """

    def __init__(self, base_url: str, timeout: float | None, retries: Retries) -> None:
        self._base = _checked_base(base_url)
        self._timeout = timeout
        self._retries = retries

    def create_scan(
        self, target: str, options: ScanOptions | None = None, webhook_url: str | None = None
    ) -> Steps[ScanResponse]:
        """Queue a scan; it is never queued twice, so a failure on the way is not repeated.

        Args:
            target: ``host`` or ``host:port``.
            options: what to look at; without them, everything.
            webhook_url: a public address that is told of the end.

        Raises:
            BadRequestError: the target, an option or the webhook is refused.
            ServiceUnavailableError: the queue stayed full.
            ConnectionError: broken off; whether the scan was queued is not known.
        """
        return self._call(endpoints.CREATE_SCAN, target=target, options=options, webhook_url=webhook_url)

    def get_scan_status(self, scan_id: str) -> Steps[ScanStatusResponse]:
        """Return how far a scan is.

        Raises:
            NotFoundError: there is none, or it ended long ago.
        """
        return self._call(endpoints.GET_SCAN_STATUS, scan_id=scan_id)

    def get_scan_results(self, scan_id: str) -> Steps[ScanResults]:
        """Return what a scan found.

        Raises:
            BadRequestError: it has not completed.
            NotFoundError: there is none, or it ended long ago.
        """
        return self._call(endpoints.GET_SCAN_RESULTS, scan_id=scan_id)

    def cancel_scan(self, scan_id: str) -> Steps[bool]:
        """Cancel a scan, and return True.

        Raises:
            BadRequestError: it had ended before.
            NotFoundError: there is none.
        """
        try:
            yield from self._call(endpoints.CANCEL_SCAN, scan_id=scan_id)
        except BadRequestError as error:
            # What was sent again may find the scan cancelled by the attempt whose answer was lost.
            if error.attempts == 1:
                raise
            status = yield from self.get_scan_status(scan_id)
            if status.status is not ScanStatus.CANCELLED:
                raise
        return True

    def wait_for_scan(self, scan_id: str, poll_interval: float = 5, timeout: float | None = 300) -> Steps[ScanResults]:
        """Return what a scan found, once it has completed.

        Args:
            scan_id: of the scan.
            poll_interval: seconds of the longest pause between two looks; the first ones are shorter.
            timeout: seconds in all; None waits for ever.

        Raises:
            ScanFailedError: it failed.
            ScanCancelledError: it was cancelled.
            TimeoutError: it went on for too long.
        """
        deadline = Deadline(timeout)
        pause = poll_interval / 16
        status: ScanStatusResponse | None = None
        while not deadline.over:
            try:
                status = yield from self.look(scan_id, deadline)
            except TimeoutError:
                if deadline.over:
                    break
                raise
            if status.status.is_terminal:
                return (yield from self._results(status, deadline))
            yield from sleep(deadline.pause(pause))
            pause = min(pause * 2, poll_interval)
        known = f"still {_described(status)}" if status else "not known to have ended"
        raise TimeoutError(f"scan {scan_id} is {known} after {deadline.seconds:g} s")

    def scan(
        self,
        target: str,
        options: ScanOptions | None = None,
        webhook_url: str | None = None,
        poll_interval: float = 5,
        timeout: float | None = 300,
    ) -> Steps[ScanResults]:
        """Queue a scan and return what it found, see :meth:`create_scan` and :meth:`wait_for_scan`."""
        scan = yield from self.create_scan(target, options, webhook_url)
        return (yield from self.wait_for_scan(scan.scan_id, poll_interval, timeout))

    def stream_progress(
        self, scan_id: str, timeout: float | None = 300, poll_interval: float = 5
    ) -> Stream[ProgressMessage]:
        """Iterate over the steps of a scan until it has ended; the last one says how.

        They come from a WebSocket. Where it is silent, breaks, or cannot be
        had, the status of the scan is asked for instead.

        Args:
            scan_id: of the scan.
            timeout: seconds in all; None is no limit.
            poll_interval: seconds of silence after which the status is asked for.

        Raises:
            NotFoundError: there is no such scan, or no longer.
            TimeoutError: it went on for too long.
            ConnectionError: the server cannot be reached in the first place.
            WebSocketError: what is sent is not progress.
        """
        url = endpoints.STREAM_PROGRESS.url(self._base, {"scan_id": scan_id})
        scheme, colon, rest = url.partition(":")
        return Follower(self, scan_id, _SCHEMES[scheme] + colon + rest, Deadline(timeout), poll_interval).run()

    def list_certificates(
        self,
        hostname: str | None = None,
        expiring_within_days: int | None = None,
        limit: int = 50,
        offset: int = 0,
        sort: str = "expiry_asc",
    ) -> Steps[CertificateListResponse]:
        """Return a page of the certificates that stored scans have met.

        Args:
            hostname: only those met there.
            expiring_within_days: only those.
            limit: of the page, up to 1000.
            offset: how many to leave out before it.
            sort: ``expiry_asc``, ``expiry_desc``, ``issued_asc`` or ``issued_desc``.

        Raises:
            BadRequestError: a parameter is refused.
            ServiceUnavailableError: the server has no database.
        """
        return self._call(
            endpoints.LIST_CERTIFICATES,
            hostname=hostname,
            expiring_within_days=expiring_within_days,
            limit=limit,
            offset=offset,
            sort=sort,
        )

    def get_certificate(self, fingerprint: str) -> Steps[CertificateSummary]:
        """Return a certificate by its SHA-256: 64 hexadecimal digits, or pairs of them with colons.

        Raises:
            BadRequestError: that is no fingerprint.
            NotFoundError: no stored scan met it.
            ServiceUnavailableError: the server has no database.
        """
        return self._call(endpoints.GET_CERTIFICATE, fingerprint=fingerprint)

    def check_compliance(self, framework: str, target: str, detailed: bool = False) -> Steps[ComplianceReport]:
        """Scan a target and hold it against a framework; this takes minutes.

        Args:
            framework: ``pci-dss-v4``, ``nist-sp800-52r2``, ``nist-sp800-131a``, ``nist-fips-pqc``, ``hipaa``, ``soc2``,
                ``gdpr``, ``mozilla-modern``, ``mozilla-intermediate``, or what else the server knows.
            target: ``host`` or ``host:port``.
            detailed: report each requirement.

        Raises:
            BadRequestError: the target is refused.
            NotFoundError: the server does not know the framework.
            InternalServerError: the scan failed.
        """
        return self._call(endpoints.CHECK_COMPLIANCE, framework=framework, target=target, detailed=detailed)

    def create_policy(
        self, name: str, rules: str, description: str | None = None, enabled: bool = True
    ) -> Steps[PolicyResponse]:
        """Make a policy, or replace the one of the same name.

        Args:
            name: of the policy.
            rules: YAML.
            description: for people.
            enabled: whether it is in force.

        Raises:
            BadRequestError: the rules or the name are refused.
            ServiceUnavailableError: the server has no folder for policies.
        """
        return self._call(endpoints.CREATE_POLICY, name=name, rules=rules, description=description, enabled=enabled)

    def get_policy(self, policy_id: str) -> Steps[PolicyResponse]:
        """Return a policy.

        Raises:
            NotFoundError: there is none.
            ServiceUnavailableError: the server has no folder for policies.
        """
        return self._call(endpoints.GET_POLICY, policy_id=policy_id)

    def evaluate_policy(
        self, policy_id: str, target: str, options: ScanOptions | None = None
    ) -> Steps[PolicyEvaluationResponse]:
        """Scan a target and hold it against a policy; this takes minutes.

        Raises:
            BadRequestError: the target or an option is refused.
            NotFoundError: there is no such policy.
            ServiceUnavailableError: the server has no folder for policies.
        """
        return self._call(endpoints.EVALUATE_POLICY, policy_id=policy_id, target=target, options=options)

    def get_scan_history(self, hostname: str, port: int = 443, limit: int = 10) -> Steps[ScanHistoryResponse]:
        """Return the latest stored scans of a host.

        Raises:
            BadRequestError: a parameter is refused.
            ServiceUnavailableError: the server has no database.
        """
        return self._call(endpoints.GET_SCAN_HISTORY, hostname=hostname, port=port, limit=limit)

    def get_api_stats(self) -> Steps[StatsResponse]:
        """Return what the server did so far."""
        return self._call(endpoints.GET_API_STATS)

    def health_check(self) -> Steps[HealthResponse]:
        """Return how the server is; this takes no API key."""
        return self._call(endpoints.HEALTH_CHECK)

    def look(self, scan_id: str, deadline: Deadline, once: bool = False) -> Steps[ScanStatusResponse]:
        """Return how far a scan is, by a deadline, with one attempt only or with all."""
        retries = Retries(0, 0.0) if once else self._retries
        return self._call(endpoints.GET_SCAN_STATUS, deadline, retries, scan_id=scan_id)

    def _results(self, status: ScanStatusResponse, deadline: Deadline) -> Steps[ScanResults]:
        """Return the results of a scan that has ended."""
        if status.status is ScanStatus.COMPLETED:
            return (yield from self._call(endpoints.GET_SCAN_RESULTS, deadline, scan_id=status.scan_id))
        kind = ScanFailedError if status.status is ScanStatus.FAILED else ScanCancelledError
        reason = f": {status.error}" if status.error else ""
        raise kind(f"scan {status.scan_id} {status.status}{reason}", details=status)

    def _call(
        self,
        endpoint: Endpoint[Answer],
        by: Deadline | None = None,
        retries: Retries | None = None,
        **arguments: object,
    ) -> Steps[Answer]:
        """Ask an endpoint, within the client's time limit or the endpoint's own, and by a deadline."""
        seconds = self._timeout
        if seconds is not None and endpoint.timeout is not None:
            seconds = max(seconds, endpoint.timeout)
        deadline = Deadline(by.limit(seconds) if by else seconds)
        request = Request(
            endpoint.method,
            endpoint.url(self._base, arguments),
            endpoint.params(arguments),
            endpoint.json(arguments),
            deadline.limit(),
        )
        response = yield from deliver(endpoint, request, retries or self._retries, deadline)
        return parse_answer(endpoint, response)


def _described(status: ScanStatusResponse) -> str:
    stage = f", {status.current_stage}" if status.current_stage else ""
    return f"{status.status} ({status.progress}%{stage})"


def _checked_base(url: str) -> str:
    """Return the base URL without the slash at its end; ws:// and wss:// name the same servers."""
    scheme, separator, rest = url.partition("://")
    schemes = {**{http: http for http in _SCHEMES}, **{ws: http for http, ws in _SCHEMES.items()}}
    if not separator or scheme.lower() not in schemes or not rest or {"?", "#"} & set(rest):
        raise ValidationError("base_url is an http:// or https:// URL without query and fragment", status_code=None)
    return f"{schemes[scheme.lower()]}://{rest.rstrip('/')}"
