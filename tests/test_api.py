"""The functions of the module and the session they share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import cycletls
from cycletls import _api


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Begin and end without a shared session."""
    cycletls.close_global_session()
    yield
    cycletls.reset_defaults()
    cycletls.close_global_session()


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_every_method_has_a_function(httpbin: str, method: str) -> None:
    """Which takes the same options as that of a session."""
    response = getattr(cycletls, method)(f"{httpbin}/{method}", headers={"X": "1"}, timeout=30)
    assert response.json()["headers"]["X"] == "1"
    assert cycletls.request(method, f"{httpbin}/{method}").ok


def test_head_and_options(httpbin: str) -> None:
    """They are there, too."""
    assert cycletls.head(f"{httpbin}/get").ok
    assert "GET" in cycletls.options(f"{httpbin}/get").headers["Allow"]


def test_body_by_position(httpbin: str) -> None:
    """data and json, as in requests."""
    assert cycletls.post(f"{httpbin}/post", {"a": "1"}).json()["form"] == {"a": "1"}
    assert cycletls.post(f"{httpbin}/post", None, {"a": 1}).json()["json"] == {"a": 1}


def test_connections_are_shared(httpbin: str) -> None:
    """Unlike those of requests' functions."""
    cycletls.get(f"{httpbin}/get")
    assert cycletls.get(f"{httpbin}/get").connection.reused


def test_defaults_can_be_set_and_forgotten(httpbin: str) -> None:
    """CycleTLS' set_default, get_default and reset_defaults."""
    cycletls.set_default(user_agent="mine/1", timeout=20)
    assert cycletls.get(f"{httpbin}/user-agent").json()["user-agent"] == "mine/1"
    assert (cycletls.get_default("timeout"), cycletls.get_default("ja3")) == (20, None)
    cycletls.reset_defaults()
    assert cycletls.get(f"{httpbin}/user-agent").json()["user-agent"] != "mine/1"


def test_a_default_is_changed_under_any_of_its_names() -> None:
    """What was set last holds, and is told as the name that is asked for means it."""
    cycletls.set_default(insecure_skip_verify=True, fingerprint="chrome")
    assert (cycletls.get_default("verify"), cycletls.get_default("profile")) == (False, "chrome")
    cycletls.set_default(verify=True, profile="firefox")
    assert (cycletls.get_default("insecure_skip_verify"), cycletls.get_default("fingerprint")) == (False, "firefox")
    with pytest.raises(cycletls.UnknownOption, match="did you mean timeout"):
        cycletls.get_default("tiemout")


def test_a_wrong_default_changes_nothing() -> None:
    """It is refused when it is set, also where only the core knows that it is wrong."""
    cycletls.set_default(timeout=20)
    shared = _api._shared()
    with pytest.raises(cycletls.InvalidOption):
        cycletls.set_default(ja3="nonsense")
    with pytest.raises(cycletls.InvalidOption):
        cycletls.set_default(verify=True, insecure_skip_verify=True)
    assert cycletls.get_default("ja3") is None
    assert _api._shared() is shared
    with pytest.raises(cycletls.UnknownOption):
        cycletls.set_default(tiemout=3)  # type: ignore[call-arg]  # that is the point
    assert cycletls.get_default("timeout") == 20


def test_threads_that_come_at_once_share_one_session() -> None:
    """The first of them makes it."""
    start = threading.Barrier(8)
    sessions: list[cycletls.CycleTLS] = []

    def ask() -> None:
        start.wait()
        sessions.append(_api._shared())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, sessions))) == 1


def test_after_closing_the_next_request_begins_anew(httpbin: str) -> None:
    """close_global_session() may be called at any time."""
    cycletls.get(f"{httpbin}/get")
    cycletls.close_global_session()
    cycletls.close_global_session()
    assert not cycletls.get(f"{httpbin}/get").connection.reused


@pytest.mark.parametrize("options", [{}, {"hooks": {"response": lambda response: None}}], ids=["core", "python"])
def test_cookies_last_as_long_as_the_call(httpbin: str, options: dict[str, Any]) -> None:
    """A cookie reaches the later hops of its own call, whoever follows them, and no other call."""
    assert cycletls.get(f"{httpbin}/cookies/set?login=1", **options).json() == {"cookies": {"login": "1"}}
    assert cycletls.get(f"{httpbin}/cookies", **options).json() == {"cookies": {}}
