"""The message schema: the golden messages of the core, and what options become in it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cycletls import Cookie, Timeouts, profiles
from cycletls import _exceptions as exceptions
from cycletls._core import failure, pack, unpack
from cycletls._envelope import (
    cookie_of,
    cookies_message,
    next_message,
    request_message,
    seconds,
    session_message,
    set_total_timeout,
)
from cycletls._options import CONNECTION, NAMES, REQUEST_ONLY, SESSION_ONLY, Options
from cycletls._profiles import resolve_name
from cycletls._proxies import parse_proxies
from cycletls._request import Request
from cycletls._streams import Body, IterableStream

GOLDEN = Path(__file__).parent.parent / "golang" / "internal" / "envelope" / "testdata"


def golden(file: str) -> dict[str, dict[str, Any]]:
    """Read the messages of a golden file by name."""
    return {entry["name"]: entry for entry in json.loads((GOLDEN / file).read_text(encoding="utf-8"))}


TO_CORE, FROM_CORE = golden("to-core.json"), golden("from-core.json")


def listed(value: Any) -> Any:
    """Return a message with lists for tuples, as JSON has them."""
    return json.loads(json.dumps(value))


def in_json(value: Any) -> Any:
    """Return a message with base64 for bytes, which JSON does not have."""
    if isinstance(value, dict):
        return {name: in_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [in_json(item) for item in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("name", TO_CORE)
def test_golden_messages_are_packed_as_the_core_reads_them(name: str) -> None:
    """Byte for byte: the order of fields, the size of numbers."""
    entry = TO_CORE[name]
    assert pack(entry["message"]) == entry["envelope"].encode()


@pytest.mark.parametrize("name", FROM_CORE)
def test_golden_messages_of_the_core_are_understood(name: str) -> None:
    """What the core writes is what was meant."""
    entry = FROM_CORE[name]
    assert in_json(unpack(entry["envelope"].encode())) == entry["message"]


def test_a_request_with_everything_has_every_field() -> None:
    """No field of the schema is out of reach, and none is spelled otherwise here."""
    options = Options(
        {
            "params": [("q", "ü"), ("q", "2")],
            "auth": ("user", "pässword"),
            "kind": "fetch",
            "expect_continue": 1,
            "timeout": Timeouts(10, pool=0.001, connect=2.5, write=0.003, read=0.004),
            "max_redirects": 3,
            "allow_downgrade": True,
            "decode_content": False,
            "header_order": ("b", "a"),
            "stream": True,
        }
    )
    body = Body(None, IterableStream([b"x"]), "text/plain")
    changes = (("X-B", "1"), ("x-a", "2"), ("X-B", "3"), ("Accept", None))
    message = request_message("POST", "https://example.org/", options, Options({}), changes, [Cookie("a", "b")], body)
    callers_own = {
        "cancel": 0x1_0000_0003,
        "ownCookies": True,
        "jar": 0x1_0000_0002,
        "manualRedirects": True,
        "hops": 2,
        "foreign": True,
    }
    assert listed({**message, **callers_own}) == TO_CORE["request with everything"]["message"]


def test_a_request_says_only_what_is_its_own() -> None:
    """What the core's session knows does not cross again."""
    known = Options({"timeout": Timeouts(3), "header_order": ("a",)})
    message = request_message("GET", "https://example.org/a?b=c", known, known, (), (), None)
    assert message == TO_CORE["plain request"]["message"]


def test_a_session_with_everything_has_every_field(tmp_path: Path) -> None:
    """The values are those of the options, under the schema's names."""
    options = Options(
        {
            "profile": "{}",
            "ja3": "771,4865,0,29,0",
            "ja4r": "t12i010000_002f_",
            "http2_fingerprint": "|00|0|m,a,s,p",
            "disable_grease": True,
            "user_agent": "me/1",
            "server_name": "inner.example",
            "verify": "ca.pem",
            "cert": ("c.pem", "k.pem", "secret"),
            "min_tls": "1.3",
            "key_log_file": "keys.log",
            "force_http1": True,
            "header_order": ("x-a",),
            "resolve": (("example.org", "127.0.0.1"),),
            "block_private": True,
            "local_address": "127.0.0.2",
            "proxy": parse_proxies({"https": "socks5h://u:p@h", "no_proxy": "a, .b"}),
            "max_connections": 100,
            "max_connections_per_host": 6,
            "max_idle_connections": 20,
            "max_body_bytes": 1 << 20,
        }
    )
    message = session_message(options, (("X-A", "1"), ("Accept", None)), 0x1_0000_0001, True)
    expected = {
        **TO_CORE["session"]["message"],
        "insecureSkipVerify": False,
        "timeouts": {"total": 30000, "connect": 0, "read": 0, "write": 0, "pool": 0},
        "redirects": {"follow": True, "max": 10, "allowDowngrade": False},
    }
    expected["proxies"] = expected["proxies"][:1]
    del expected["bases"]  # instead of a profile, see below
    assert listed(message) == expected


CONNECTING: Any = {
    "profile": "{}",
    "ja3": "771,4865,0,29,0",
    "ja4r": "t12i010000_002f_",
    "http2_fingerprint": "|00|0|m,a,s,p",
    "disable_grease": True,
    "server_name": "inner.example",
    "verify": False,
    "cert": ("c.pem",),
    "min_tls": "1.3",
    "force_http1": True,
    "resolve": (("example.org", "127.0.0.1"),),
    "block_private": True,
    "local_address": "127.0.0.2",
    "proxy": parse_proxies("http://h"),
    "enable_connection_reuse": False,
    "max_header_bytes": 1,
    "max_informational": 1,
    "max_expansion": 1.0,
    "max_body_bytes": 1,
}
"""A value other than the default for each option that only the core's session can be told."""


@pytest.mark.parametrize("name", CONNECTING)
def test_what_no_request_can_tell_is_of_its_connection(name: str) -> None:
    """An option that the core's session knows alone must make another session, or a request would say it in vain."""
    options = Options({name: CONNECTING[name]})
    assert session_message(options, (), 0, False) != session_message(Options({}), (), 0, False)
    told = request_message("GET", "u", options, Options({}), (), (), None)
    assert told == request_message("GET", "u", Options({}), Options({}), (), (), None)
    assert name in CONNECTION


def test_an_option_is_of_the_connection_or_told_with_the_request() -> None:
    """There is no third kind among those that both a session and a request can say."""
    redirects = {"allow_redirects", "max_redirects", "allow_downgrade"}
    told = {"headers", "header_order", "user_agent", "cookies", "auth", "hooks", "timeout", *redirects}
    assert NAMES - REQUEST_ONLY - SESSION_ONLY == CONNECTION | told
    assert CONNECTING.keys() | {"trust_env"} == CONNECTION  # and that shows only where there are proxies


def test_bases_stand_in_for_a_profile_that_was_not_said() -> None:
    """The core chooses among all profiles, but only for a notation that leaves something out."""
    message = session_message(Options({"ja3": "771,4865,0,29,0"}), (), 0, False)
    assert "profile" not in message
    assert json.loads(message["bases"][0])["name"] == resolve_name("chrome")
    assert sorted(json.loads(base)["name"] for base in message["bases"]) == sorted(profiles)
    for said in ({"ja4r": "t12i010000_002f_", "profile": None}, {"http2_fingerprint": "|00|0|m,a,s,p"}, {}):
        assert {"profile", "bases"} & session_message(Options(said), (), 0, False).keys() == {"profile"}


def test_verification_is_on_unless_it_is_switched_off() -> None:
    """Only False switches it off."""
    assert session_message(Options({}), (), 0, False)["insecureSkipVerify"] is False
    assert session_message(Options({"verify": False}), (), 0, False)["insecureSkipVerify"] is True
    assert "caFile" not in session_message(Options({"verify": False}), (), 0, False)


def test_key_log_file_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSLKEYLOGFILE counts where the option does not say otherwise."""
    monkeypatch.setenv("SSLKEYLOGFILE", "env.log")
    assert session_message(Options({}), (), 0, False)["keyLogFile"] == "env.log"
    assert session_message(Options({"key_log_file": "own.log"}), (), 0, False)["keyLogFile"] == "own.log"
    monkeypatch.delenv("SSLKEYLOGFILE")
    assert "keyLogFile" not in session_message(Options({}), (), 0, False)


def test_durations_are_milliseconds_and_never_round_to_for_ever() -> None:
    """0 means no limit in the core, so the shortest limit is 1 ms."""
    options = Options({"timeout": Timeouts(0.0001, read=1.5)})
    timeouts = request_message("GET", "u", options, Options({}), (), (), None)["timeouts"]
    assert timeouts == {"total": 1, "read": 1500, "connect": 0, "write": 0, "pool": 0}
    assert seconds(1500.0) == 1.5


def test_later_hops_have_what_is_left_of_the_total() -> None:
    """And at least a moment, in which the core finds that it has passed."""
    message: dict[str, Any] = {}
    set_total_timeout(message, Timeouts(10, read=2), 4)
    assert (message["timeouts"]["total"], message["timeouts"]["read"]) == (6000, 2000)
    set_total_timeout(message, Timeouts(10), 11)
    assert message["timeouts"]["total"] == 1
    set_total_timeout(message, Timeouts(), 11)
    assert message["timeouts"]["total"] == 0


@pytest.mark.parametrize("params", ["a=b&c=&d=%C3%BC", b"a=b&c=&d=%C3%BC", {"a": "b", "c": "", "d": "ü", "e": None}])
def test_params_are_pairs_whatever_they_were(params: object) -> None:
    """Text, bytes and mappings; None is left out."""
    message = request_message("GET", "u", Options({"params": params}), Options({}), (), (), None)
    assert message["params"] == [("a", "b"), ("c", ""), ("d", "ü")]


def test_bytes_that_are_no_text_reach_the_core_as_they_are() -> None:
    """A header or parameter may have any bytes; the field keeps them."""
    envelope = pack({"type": "request", "headers": [("X", b"caf\xe9".decode("utf-8", "surrogateescape"))]})
    assert b"\xa4caf\xe9" in base64.b64decode(envelope)


def test_the_next_request_leaves_what_must_not_cross_an_origin() -> None:
    """The core says what is kept: body, credentials; the query belongs to the first URL."""
    first = {
        "type": "request",
        "method": "POST",
        "url": "https://a/",
        "params": [("q", "1")],
        "headers": [("X", "1")],
        "auth": ("u", "p"),
        "cookies": [("c", "1")],
        "body": {"length": 1},
        "expectContinue": 1,
        "kind": "fetch",
    }
    crossed = {"method": "GET", "url": "https://b/", "kind": "fetch", "headers": [], "foreign": True, "hops": 1}
    assert next_message(first, crossed) == {"type": "request", **crossed}
    same = next_message(first, {"method": "POST", "url": "https://a/x", "keepBody": True, "hops": 1})
    kept = {name: first[name] for name in ("type", "method", "auth", "cookies", "body", "expectContinue", "kind")}
    assert same == {**kept, "url": "https://a/x", "hops": 1}


def test_cookies_go_both_ways() -> None:
    """A cookie that came from the core is the same when it goes back."""
    entry = FROM_CORE["cookies"]["message"]["cookies"][0]
    cookie = cookie_of(entry)
    assert cookies_message("set", [cookie])["set"] == [entry]
    assert (
        cookies_message("delete", name="a", domain="example.org", path="/") == TO_CORE["cookies to delete"]["message"]
    )


def test_a_session_cookie_has_no_expiry_and_an_ended_one_has() -> None:
    """0 is the core's word for the end of the session, not for 1970."""
    assert "expires" not in cookies_message("set", [Cookie("a", "1", "h")])["set"][0]
    assert cookies_message("set", [Cookie("a", "1", "h", expires=0)])["set"][0]["expires"] == 1
    assert cookie_of({"name": "a", "value": "1"}).expires is None


def test_a_failure_is_the_exception_of_its_kind_about_its_request() -> None:
    """The URL is the core's, without user and password; details are kept."""
    error = failure(FROM_CORE["error"]["message"], Request("GET", "http://u:p@a/"))
    assert type(error) is exceptions.IncompleteRead
    assert error.request is not None
    assert error.request.url == "http://a/"
    assert error.detail["delivery"] == "answered"


def test_a_failure_before_the_url_was_understood_shows_no_password() -> None:
    """The caller's URL is shown without userinfo."""
    error = failure({"kind": "invalid_url", "message": "no"}, Request("GET", "http://u:secret@[::1/"))
    assert "secret" not in str(error)


def test_a_kind_that_is_unknown_is_an_internal_error() -> None:
    """And a panic brings its stack."""
    error = failure({"kind": "new", "message": "what", "detail": {"stack": "goroutine 1"}})
    assert type(error) is exceptions.InternalError
    assert "goroutine 1" in str(error)
