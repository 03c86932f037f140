"""Waiting for a scan: by asking, less and less often."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import cipherrun
import pytest
import samples
from cipherrun._operations import Operations
from cipherrun._retries import Retries
from cipherrun._steps import Request, Steps, Walk
from colours import Caller
from serving import Running

import cycletls


def test_results_of_a_scan(call: Caller) -> None:
    """Who waits for a scan gets its results."""
    scan = call("create_scan", "a.test", cipherrun.ScanOptions.quick())
    results = call("wait_for_scan", scan.scan_id, 0.1)
    assert results.target == "a.test:443"
    assert results.rating.grade == "A+"


def test_scan_is_both(call: Caller, server: Running) -> None:
    """A scan can be made and waited for in one call."""
    assert (
        call("scan", "mail.test", cipherrun.ScanOptions(full_scan=True, starttls_protocol="smtp")).target
        == "mail.test:25"
    )
    assert len(server.standin.created) == 1


def test_a_scan_that_fails(call: Caller) -> None:
    """Who waits for a scan that fails is told why, and gets its last status."""
    scan = call("create_scan", "fail.test")
    with pytest.raises(cipherrun.ScanFailedError, match="failed: connection refused") as caught:
        call("wait_for_scan", scan.scan_id, 0.1)
    assert isinstance(caught.value.details, cipherrun.ScanStatusResponse)
    assert caught.value.details.scan_id == scan.scan_id


def test_a_scan_that_is_cancelled(call: Caller) -> None:
    """Who waits for a scan that is cancelled is told that it was."""
    scan = call("create_scan", "hold.test")
    assert call("cancel_scan", scan.scan_id) is True
    with pytest.raises(cipherrun.ScanCancelledError):
        call("wait_for_scan", scan.scan_id, 0.1)


def test_a_scan_that_goes_on(call: Caller) -> None:
    """Who waits in vain is told where the scan is, when the time is over and not later."""
    scan = call("create_scan", "hold.test")
    started = time.monotonic()
    with pytest.raises(cipherrun.TimeoutError, match=f"{scan.scan_id} is still (running|queued)"):
        call("wait_for_scan", scan.scan_id, 0.1, 0.5)
    assert time.monotonic() - started < 1.5


def test_a_scan_that_is_forgotten(call: Caller, server: Running) -> None:
    """A scan that ended and that the server has forgotten since is not found."""
    server.standin.setup.remembered = 0
    with pytest.raises(cipherrun.NotFoundError):
        call("scan", "a.test", poll_interval=1.0)


class Script:
    """A world in which a scan completes after it was looked at a number of times, and pauses take no time."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.pauses: list[float] = []
        self.requests: list[Request] = []

    def play(self, steps: Steps[Any]) -> Any:
        walk = Walk(steps)
        while walk.step:
            walk.done(walk.step(self))
        return walk.result

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def send(self, request: Request) -> cycletls.Response:
        self.requests.append(request)
        self.looks -= 1
        done = self.looks < 0
        status = {"scan_id": "1", "status": "completed" if done else "running", "progress": 15}
        body = samples.results("a", "0.3") if request.url.endswith("results") else status
        return cycletls.Response(200, {}, json.dumps(body).encode())

    def connect(self, url: str, timeout: float | None) -> None: ...

    def receive(self, timeout: float | None) -> str:
        return ""


def operations() -> Operations:
    """Operations with a limit of 30 seconds."""
    return Operations("http://a/", 30, Retries(3, 2.0))


def test_looks_become_rare() -> None:
    """A short scan is noticed soon; a long one is looked at every five seconds."""
    script = Script(looks=7)
    script.play(operations().wait_for_scan("1"))
    assert script.pauses == [0.3125, 0.625, 1.25, 2.5, 5, 5, 5]


def test_no_limit_is_no_limit() -> None:
    """Without a time limit a scan is waited for as long as it takes."""
    script = Script(looks=1000)
    assert script.play(operations().wait_for_scan("1", timeout=None)).target == "a"


@pytest.mark.parametrize(
    ("call", "least"),
    [
        (lambda: operations().check_compliance("pci", "a"), 300),
        (lambda: operations().evaluate_policy("1", "a"), 300),
        (lambda: operations().get_scan_status("1"), 29),
    ],
)
def test_requests_that_scan_have_time(call: Any, least: int) -> None:
    """The server may scan for 300 seconds within a request: its answer is waited for, whatever the client's limit."""
    script = Script(looks=0)
    with suppress(cipherrun.APIError):  # the script knows the answers of scans only
        script.play(call())
    timeout = script.requests[0].timeout
    assert timeout is not None
    assert least < timeout < least + 31
