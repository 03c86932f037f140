"""What one call becomes: messages, and where somebody wants to see each hop, one after the other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from core import FakeCore, Message

import cycletls
from cycletls import CycleTLS, Request, Response, _ffi

URL = "http://h/a"


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> FakeCore:
    """A core that only notes what it is told."""
    fake = FakeCore()
    for name in ("exchange", "perform", "message", "close"):
        monkeypatch.setattr(_ffi, name, getattr(fake, name))
    return fake


def redirects(times: int, **redirect: Any) -> Any:
    """Answer so many requests with a redirect."""

    def answer(request: Message) -> Message:
        hops = request.get("hops", 0)
        if hops >= times:
            return {}
        url = f"http://h/{hops + 1}"
        prepared = {"method": "GET", "url": url, "headers": request.get("headers", []), "hops": hops + 1, **redirect}
        return {"status": 302, "headers": [["Location", url]], "redirect": prepared}

    return answer


def test_a_request_without_options_is_made_once(core: FakeCore) -> None:
    """Its envelope is kept and sent again as long as nothing changes."""
    with CycleTLS() as session:
        for _ in range(3):
            session.get(URL)
        [kept] = session._ready.values()
        session.get(URL)
        assert list(session._ready.values()) == [kept]
        assert [message for _, message in core.requests] == [{"type": "request", "method": "GET", "url": URL}] * 4


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        (lambda session: session.headers.update({"X": "1"}), "headers", [["X", "1"]]),
        (lambda session: session.cookies.update({"a": "1"}), "cookies", [["a", "1"]]),
        (lambda session: setattr(session, "auth", ("u", "p")), "auth", ["u", "p"]),
        (
            lambda session: setattr(session, "timeout", 1),
            "timeouts",
            {"total": 1000, "connect": 0, "read": 0, "write": 0, "pool": 0},
        ),
        (
            lambda session: setattr(session, "max_redirects", 1),
            "redirects",
            {"follow": True, "max": 1, "allowDowngrade": False},
        ),
    ],
)
def test_a_change_to_the_session_holds_from_the_next_request(
    core: FakeCore, change: Any, field: str, value: object
) -> None:
    """The kept envelope is made anew, and says what the core's session does not know."""
    with CycleTLS() as session:
        session.get(URL)
        change(session)
        session.get(URL)
    assert field not in core.requests[0][1]
    assert core.requests[1][1][field] == value


def test_a_change_of_a_connection_option_takes_another_session_of_the_core(core: FakeCore) -> None:
    """As requests' `session.verify = False`, but without touching connections that exist."""
    with CycleTLS() as session:
        session.get(URL)
        session.verify = False
        session.get(URL)
        session.verify = True
        session.get(URL)
    assert [handle for handle, _ in core.requests] == [100, 101, 100]


def test_headers_of_request_over_session_over_profile(core: FakeCore) -> None:
    """What the core's session knows crosses once; None takes a header out."""
    with CycleTLS(headers={"A": "1", "B": "2", "Accept": None}) as session:
        session.get(URL)
        assert core.sessions[100]["headers"] == [["Accept", None], ["A", "1"], ["B", "2"]]
        session.get(URL, headers={"b": "3", "A": None})
        assert core.requests[1][1]["headers"] == [["b", "3"], ["A", None]]
        del session.headers["A"]
        session.headers["C"] = "4"
        session.get(URL, headers={"c": "5"})
        assert core.requests[2][1]["headers"] == [["A", None], ["c", "5"]]


def test_user_agent_of_a_request_is_a_header(core: FakeCore) -> None:
    """It needs no connection of its own; a header that says it as well is the more precise one."""
    with CycleTLS(user_agent="session/1") as session:
        assert session.get(URL, user_agent="me/1")
        assert session.get(URL, user_agent="me/1", headers={"user-agent": "header/1"})
    assert core.sessions[100]["userAgent"] == "session/1"
    assert [message["headers"] for _, message in core.requests] == [
        [["User-Agent", "me/1"]],
        [["user-agent", "header/1"]],
    ]


def test_cookies_of_request_over_session(core: FakeCore) -> None:
    """By name; one with a domain belongs into the jar, since a request has one host."""
    with CycleTLS(cookies={"a": "1", "b": "2"}) as session:
        session.get(URL, cookies={"a": "3"})
        assert core.requests[0][1]["cookies"] == [["b", "2"], ["a", "3"]]
        with pytest.raises(cycletls.InvalidOption, match="jar"):
            session.get(URL, cookies=[cycletls.Cookie("a", "1", "other")])


def test_body_is_announced_and_sent_beside_the_message(core: FakeCore) -> None:
    """At once where it is bytes, in pieces where it is a stream."""
    with CycleTLS() as session:
        session.post(URL, json={"a": 1})
        session.put(URL, io.BytesIO(b"stream"))
        session.patch(URL, content=iter([b"a", b"b"]))
    announced = [message["body"] for _, message in core.requests]
    assert announced == [
        {"length": 7, "contentType": "application/json"},
        {"length": 6, "streamed": True, "replayable": True},
        {"length": -1, "streamed": True, "replayable": False},
    ]
    assert core.bodies == [b'{"a":1}', b"stream", b"ab"]


def test_a_failure_names_the_request(core: FakeCore) -> None:
    """With the method, the URL and what the caller had said."""
    core.answer = lambda request: {"kind": "connect", "message": "refused", "detail": {"delivery": "unsent"}}
    with CycleTLS() as session, pytest.raises(cycletls.ConnectError, match="POST http://h/a: refused") as caught:
        session.post(URL, b"body", headers={"A": "1"})
    assert caught.value.request is not None
    assert (caught.value.request.body, caught.value.request.headers["a"]) == (b"body", "1")
    assert caught.value.detail == {
        "delivery": "unsent",
    }


def test_hooks_see_every_hop(core: FakeCore) -> None:
    """With the history so far; the core is told to follow nothing by itself."""
    core.answer = redirects(2)
    seen: list[tuple[str, int]] = []
    with CycleTLS(hooks={"response": lambda response: seen.append((response.url, len(response.history)))}) as session:
        response = session.get(URL)
    assert seen == [("http://h/a", 0), ("http://h/1", 1), ("http://h/2", 2)]
    assert [hop.url for hop in response.history] == ["http://h/a", "http://h/1"]
    assert all(message["manualRedirects"] for _, message in core.requests)


def test_a_hook_may_replace_the_response(core: FakeCore) -> None:
    """The next hook gets what the one before returned."""
    other = Response(499, {"method": "GET", "url": "http://other/"}, b"")
    with CycleTLS() as session:
        response = session.get(URL, hooks={"response": [lambda response: other, lambda response: None]})
    assert response is other


def test_hooks_without_following(core: FakeCore) -> None:
    """allow_redirects=False ends with the first response."""
    core.answer = redirects(2)
    with CycleTLS() as session:
        response = session.get(URL, allow_redirects=False, hooks={"response": lambda response: None})
    assert response.status_code == 302
    assert len(core.requests) == 1


def test_callable_auth_changes_each_hop(core: FakeCore) -> None:
    """It is asked anew for each, as long as the core says that credentials may go along."""
    core.answer = redirects(2)
    asked: list[str] = []

    def auth(request: Request) -> Request:
        asked.append(request.url)
        request.headers["Authorization"] = f"Token {len(asked)}"
        return request

    with CycleTLS(auth=auth, headers={"A": "1"}) as session:
        session.get(URL, headers={"B": "2", "Accept": None})
    assert asked == ["http://h/a", "http://h/1", "http://h/2"]
    assert core.requests[0][1]["headers"] == [["Accept", None], ["B", "2"], ["Authorization", "Token 1"]]
    assert core.requests[2][1]["headers"] == [["Accept", None], ["B", "2"], ["Authorization", "Token 3"]]


def test_callable_auth_ends_for_good_where_credentials_must(core: FakeCore) -> None:
    """Another origin never sees it, nor does the first one when a later hop returns to it."""
    core.answer = redirects(2, foreign=True)
    asked: list[str] = []
    with CycleTLS() as session:
        session.get(URL, auth=lambda request: asked.append(request.url))
    assert asked == ["http://h/a"]


def test_auth_none_switches_the_sessions_off(core: FakeCore) -> None:
    """None is an answer."""
    with CycleTLS(auth=("u", "p")) as session:
        session.get(URL)
        session.get(URL, auth=None)
    assert ["auth" in message for _, message in core.requests] == [True, False]


def test_a_body_is_sent_again_where_the_redirect_keeps_it(core: FakeCore) -> None:
    """307 and 308; a file from its beginning, a generator not at all."""
    core.answer = redirects(1, method="POST", keepBody=True)
    hooks = {"response": lambda response: None}
    with CycleTLS(hooks=hooks) as session:
        session.post(URL, io.BytesIO(b"again"))
        assert core.bodies == [b"again", b"again"]

        def generate() -> Iterator[bytes]:
            yield b"once"

        with pytest.raises(cycletls.UnrewindableBodyError) as caught:
            session.post(URL, generate())
    assert caught.value.response is not None
    assert caught.value.response.status_code == 302


def test_a_body_is_dropped_where_the_redirect_says_so(core: FakeCore) -> None:
    """303 and its kin become GET."""
    core.answer = redirects(1, foreign=True)
    with CycleTLS(hooks={"response": lambda response: None}) as session:
        session.post(URL, b"once", auth=("u", "p"), cookies={"a": "1"}, params={"q": "1"})
    assert core.bodies == [b"once", None]
    first, second = (message for _, message in core.requests)
    assert {"body", "auth", "cookies", "params"} <= first.keys()
    assert not {"body", "auth", "cookies", "params"} & second.keys()
    assert second["hops"] == 1


def test_later_hops_have_what_is_left_of_the_time(core: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The total limit is of the whole exchange, whoever follows the redirects."""
    clock = iter([0.0, 4.0])
    monkeypatch.setattr("cycletls._exchange.time.monotonic", lambda: next(clock))
    core.answer = redirects(1)
    with CycleTLS(timeout=10, hooks={"response": lambda response: None}) as session:
        response = session.get(URL)
    assert core.requests[1][1]["timeouts"]["total"] == 6000
    assert response.elapsed.total_seconds() == 4
