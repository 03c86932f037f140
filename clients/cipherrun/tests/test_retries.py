"""What is sent again, when, and when not: over real connections, in both colours."""

from __future__ import annotations

import itertools
import socket
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import cipherrun
import pytest
from cipherrun._retries import Retries
from colours import Caller
from conftest import MakeCaller
from faults import REFUSED, SOUND, Fault, Proxy
from hypothesis import given
from hypothesis import strategies as st
from refusals import ApiError, api_error, rate_limited
from serving import Running
from starlette.responses import PlainTextResponse, RedirectResponse, Response

LOST_ANSWER = Fault(after=0, reset=True)
"""The server gets the request; its answer never arrives."""
CUT_ANSWER = Fault(after=0, keep=60, reset=True)
"""The connection is reset in the midst of the answer."""


def gateway(status: int) -> Response:
    """What a gateway says when the server behind it is not well."""
    return PlainTextResponse("<html>no</html>", status)


def asked(server: Running, method: str) -> int:
    """How many requests with a method arrived."""
    return sum(each[0] == method for each in server.standin.requests)


@pytest.fixture
def closed_port() -> str:
    """The address of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def faulty(proxy: Proxy, *faults: Fault) -> None:
    """Let the first connections have faults and the others none."""
    plan = itertools.chain(faults, itertools.repeat(SOUND))
    proxy.plan = lambda: next(plan)


def test_outages_pass(call: Caller, server: Running) -> None:
    """What only reads is sent again while a gateway says that the server is not well."""
    server.standin.played.extend([gateway(502), gateway(503), gateway(504)])
    assert call("get_api_stats").total_scans == 3
    assert asked(server, "GET") == 4


def test_an_outage_that_stays_keeps_its_status(call: Caller, server: Running) -> None:
    """After the last attempt the exception is the one of the last answer, and tells how many there were."""
    server.standin.played.extend([gateway(503)] * 10)
    with pytest.raises(cipherrun.ServiceUnavailableError) as caught:
        call("get_api_stats")
    assert (caught.value.status_code, caught.value.attempts, asked(server, "GET")) == (503, 4, 4)


def test_retries_can_be_off(make: MakeCaller, server: Running) -> None:
    """Without retries the first answer counts."""
    server.standin.played.append(gateway(502))
    with pytest.raises(cipherrun.APIError, match="502"):
        make(max_retries=0)("get_api_stats")
    assert asked(server, "GET") == 1


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 500])
def test_what_will_not_pass_is_not_repeated(call: Caller, server: Running, status: int) -> None:
    """An answer that another attempt would not change is final."""
    server.standin.played.append(api_error(ApiError(status, "X", "no")))
    with pytest.raises(cipherrun.CipherRunError):
        call("get_api_stats")
    assert asked(server, "GET") == 1


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("list_certificates", ()),
        ("get_certificate", ("f" * 64,)),
        ("get_scan_history", ("a.test",)),
        ("create_policy", ("strict", "a: b")),
        ("get_policy", ("strict",)),
        ("evaluate_policy", ("strict", "a.test")),
    ],
)
def test_what_is_not_set_up_is_not_waited_for(
    call: Caller, server: Running, method: str, arguments: tuple[str, ...]
) -> None:
    """A server without database or policy folder is asked once: it will not have one in a moment."""
    server.standin.setup.database = server.standin.setup.policies = False
    with pytest.raises(cipherrun.ServiceUnavailableError, match="not configured"):
        call(method, *arguments)
    assert len(server.standin.requests) == 1


def test_a_gateway_before_what_is_not_set_up_is_waited_for(call: Caller, server: Running) -> None:
    """The same status from a gateway, which has none of the server's words, is an outage."""
    server.standin.played.append(gateway(503))
    assert call("list_certificates").total == 3


@pytest.mark.parametrize("answer", [rate_limited(100, 0), gateway(503), api_error(ApiError(503, "X", "queue full"))])
def test_a_scan_is_queued_after_it_was_refused(call: Caller, server: Running, answer: Response) -> None:
    """A scan that the server refused for now is asked for again, and made once."""
    server.standin.played.append(answer)
    assert call("create_scan", "a.test").target == "a.test:443"
    assert (asked(server, "POST"), len(server.standin.created)) == (2, 1)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_scan_is_never_queued_twice_after_an_answer(call: Caller, server: Running, status: int) -> None:
    """Where the server may have queued a scan in spite of its answer, the scan is not asked for again."""
    server.standin.played.append(gateway(status))
    with pytest.raises(cipherrun.APIError):
        call("create_scan", "a.test")
    assert asked(server, "POST") == 1


@pytest.mark.parametrize("fault", [LOST_ANSWER, CUT_ANSWER])
def test_a_scan_is_never_queued_twice_after_silence(
    make: MakeCaller, server: Running, proxy: Proxy, fault: Fault
) -> None:
    """A scan whose answer is lost on its way was queued, and is not queued again."""
    faulty(proxy, fault)
    with pytest.raises(cipherrun.ConnectionError) as caught:
        make(base_url=proxy.url)("create_scan", "a.test")
    assert (caught.value.attempts, len(server.standin.created)) == (1, 1)


def test_a_connection_that_went_stale_queues_no_second_scan(make: MakeCaller, server: Running, proxy: Proxy) -> None:
    """A scan that is sent over a kept connection which breaks is made once or not at all."""
    call = make(base_url=proxy.url)
    faulty(proxy, Fault(after=1, reset=True))
    call("health_check")
    with pytest.raises(cipherrun.ConnectionError):
        call("create_scan", "a.test")
    assert len(server.standin.created) == 1


@pytest.mark.parametrize("method", ["get_scan_status", "create_scan"])
def test_a_server_that_is_not_there_is_tried_again(make: MakeCaller, closed_port: str, method: str) -> None:
    """Where not even a connection can be made, nothing can happen twice: every call is repeated."""
    with pytest.raises(cipherrun.ConnectionError) as caught:
        make(base_url=closed_port)(method, "a.test")
    assert (caught.value.attempts, caught.value.status_code) == (4, None)


@pytest.mark.parametrize("fault", [REFUSED, LOST_ANSWER, CUT_ANSWER])
def test_reading_survives_broken_connections(make: MakeCaller, proxy: Proxy, fault: Fault) -> None:
    """What only reads is sent again after a connection broke, wherever that was."""
    faulty(proxy, fault, fault)
    assert make(base_url=proxy.url)("get_api_stats").total_scans == 3


def test_a_cancellation_whose_answer_is_lost_is_one(make: MakeCaller, server: Running, proxy: Proxy) -> None:
    """A scan that was cancelled by the attempt whose answer was lost counts as cancelled."""
    scan = make()("create_scan", "hold.test")
    faulty(proxy, LOST_ANSWER)
    assert make(base_url=proxy.url)("cancel_scan", scan.scan_id) is True
    assert asked(server, "DELETE") == 2


def test_a_scan_that_ended_before_is_not_cancelled(make: MakeCaller, server: Running, proxy: Proxy) -> None:
    """A cancellation that is sent again does not pass for one where the scan had ended otherwise."""
    call = make()
    scan = call("create_scan", "a.test")
    call("wait_for_scan", scan.scan_id, 0.05)
    faulty(proxy, LOST_ANSWER)
    with pytest.raises(cipherrun.BadRequestError, match="already completed"):
        make(base_url=proxy.url)("cancel_scan", scan.scan_id)


def test_the_server_says_when(call: Caller, server: Running) -> None:
    """After "too many requests" the call waits as long as the server asks for."""
    server.standin.played.append(rate_limited(100, 1))
    started = time.monotonic()
    call("get_api_stats")
    assert 1.0 <= time.monotonic() - started < 2.0


def test_the_limiter_lets_a_burst_through_in_the_end(call: Caller, server: Running) -> None:
    """Calls beyond the server's rate wait for their turn and are answered."""
    server.standin.setup.requests_per_minute = 60
    server.standin.take_token("user")
    for _ in range(60):
        server.standin.take_token("user")
    assert call("get_api_stats").total_scans == 3


@pytest.mark.parametrize("wait", ["1000000000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_call_waits_beyond_its_limit(make: MakeCaller, server: Running, wait: str) -> None:
    """A server that asks for more than the call may take is answered with an exception at once."""
    server.standin.played.append(PlainTextResponse("", 429, {"Retry-After": wait}))
    started = time.monotonic()
    with pytest.raises(cipherrun.RateLimitError) as caught:
        make(timeout=5)("get_api_stats")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 1e8
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("ahead", [90, -90])
def test_dates_are_by_the_clock_of_the_server(make: MakeCaller, server: Running, ahead: int) -> None:
    """A date in Retry-After is read beside the answer's own Date; one that has passed is now."""
    theirs = datetime(2020, 1, 1, tzinfo=timezone.utc)
    headers = {
        "Date": format_datetime(theirs, usegmt=True),
        "Retry-After": format_datetime(theirs + timedelta(seconds=ahead), usegmt=True),
    }
    server.standin.played.append(PlainTextResponse("", 429, headers))
    with pytest.raises(cipherrun.RateLimitError) as caught:
        make(max_retries=0)("get_api_stats")
    assert caught.value.retry_after == max(ahead, 0)


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "-5", ""])
def test_what_is_no_time_falls_back(make: MakeCaller, server: Running, header: str) -> None:
    """A Retry-After that says nothing leaves it to the body, or to the client's own pauses."""
    server.standin.played.append(PlainTextResponse("", 429, {"Retry-After": header}))
    assert make()("get_api_stats").total_scans == 3


def test_slow_answers_end_in_time(make: MakeCaller, proxy: Proxy) -> None:
    """An answer that trickles in is given up when the call's time is over."""
    faulty(proxy, *[Fault(drip=5.0)] * 5)
    started = time.monotonic()
    with pytest.raises(cipherrun.TimeoutError) as caught:
        make(base_url=proxy.url, timeout=0.4)("get_api_stats")
    assert caught.value.status_code is None
    assert 0.3 < time.monotonic() - started < 1.4


def test_all_attempts_share_the_time(make: MakeCaller, closed_port: str) -> None:
    """A pause that would outlast the call is not begun."""
    started = time.monotonic()
    with pytest.raises(cipherrun.ConnectionError):
        make(base_url=closed_port, retry_backoff=60, timeout=2)("get_api_stats")
    assert time.monotonic() - started < 1


@given(st.integers(1, 2000), st.floats(0.001, 1000))
def test_pauses_grow_and_differ(attempt: int, backoff: float) -> None:
    """Each pause is twice the one before, up to a minute, shortened by chance to no less than half."""
    whole = min(backoff * 2.0 ** min(attempt - 1, 100), 60.0)
    assert whole / 2 <= Retries(3, backoff).pause(attempt) <= whole


def test_a_redirect_takes_the_key_nowhere(call: Caller, server: Running) -> None:
    """A server that points elsewhere is an error; nobody else gets the key."""
    server.standin.played.append(RedirectResponse(f"{server.url}/elsewhere"))
    with pytest.raises(cipherrun.APIError, match="307"):
        call("get_api_stats")
    assert len(server.standin.requests) == 1


@pytest.mark.parametrize(
    "body", ["<html>", "[]", "{}", '{"total_scans": "many"}', "\udcff".encode("utf-8", "surrogateescape")]
)
def test_a_good_status_is_not_enough(call: Caller, server: Running, body: str | bytes) -> None:
    """An answer that is not what was asked for is an API error that has the body, never one of pydantic's."""
    server.standin.played.append(Response(body, 200))
    with pytest.raises(cipherrun.APIError, match="no StatsResponse") as caught:
        call("get_api_stats")
    assert caught.value.status_code == 200
    assert caught.value.details


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://a", "http://", "http://a?b", ""])
def test_what_is_no_base_url(colour: str, make: MakeCaller, url: str) -> None:
    """A base URL that no request can be made of is refused where it is given."""
    with pytest.raises(cipherrun.ValidationError, match="base_url"):
        make(base_url=url) if url else cipherrun.CipherRunClient("")


def test_a_key_that_no_header_can_hold(make: MakeCaller) -> None:
    """A key with a line break is refused, and not repeated in the message."""
    with pytest.raises(cipherrun.ValidationError) as caught:
        make("secret\r\nX: 1")
    assert "secret" not in str(caught.value)


def test_what_is_sent(call: Caller, server: Running, colour: str) -> None:
    """Requests say who sends them, carry the key, and leave out what was not given."""
    call("create_scan", "a.test")
    headers = server.standin.requests[-1][2]
    assert headers["X-API-Key"] == "user"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == f"CipherRun-Python-SDK{'-Async' if colour == 'async' else ''}/1.0.0"


def test_a_closed_client_says_so(make: MakeCaller) -> None:
    """After close() a call fails with this package's exception, and closing again is harmless."""
    call = make()
    call("close")
    call("close")
    with pytest.raises(cipherrun.ConnectionError, match="closed"):
        call("health_check")
