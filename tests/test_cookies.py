"""Cookies: by name as in requests, over the jar of a session or what a response set."""

from __future__ import annotations

import http.cookiejar
import io
import sys
import threading
from collections.abc import Sequence
from email.message import Message
from typing import Any
from urllib.request import Request
from urllib.response import addinfourl

import pytest

from cycletls import Cookie, CookieConflict, Cookies, InvalidOption, SessionCookies
from cycletls._cookies import parse_cookies


class MemoryJar:
    """Stands for the jar in the core."""

    def __init__(self) -> None:
        self.cookies: list[Cookie] = []

    def all(self) -> list[Cookie]:
        return self.cookies

    def set(self, cookies: Sequence[Cookie]) -> None:
        self.cookies += cookies

    def delete(self, name: str, domain: str, path: str) -> None:
        kept = [
            c for c in self.cookies if c.name != name or (domain and c.domain != domain) or (path and c.path != path)
        ]
        self.cookies = kept

    def clear(self) -> None:
        self.cookies = []


@pytest.fixture
def jar() -> MemoryJar:
    return MemoryJar()


def test_cookies_are_a_mapping_by_name() -> None:
    """keys, values, items, in, get, len, dict; iterating gives the cookies themselves."""
    cookies = Cookies([Cookie("a", "1", "h"), Cookie("b", "2", "h")])
    assert dict(cookies) == cookies.get_dict() == {"a": "1", "b": "2"}
    assert (cookies.keys(), cookies.values(), cookies.items()) == (["a", "b"], ["1", "2"], [("a", "1"), ("b", "2")])
    assert "a" in cookies
    assert "c" not in cookies
    assert cookies.get("c", "default") == "default"
    assert len(cookies) == 2
    assert next(iter(cookies)) == Cookie("a", "1", "h")
    assert repr(cookies).startswith("<Cookies [Cookie(name='a', value='1', domain='h'")
    with pytest.raises(KeyError):
        cookies["c"]


def test_a_name_that_is_there_twice_is_a_conflict() -> None:
    """Which one is meant must be said: by domain, or by path."""
    cookies = Cookies([Cookie("a", "1", "h"), Cookie("a", "2", "other.h", "/x")])
    with pytest.raises(CookieConflict, match=r"domain='h' path='/', domain='other.h' path='/x'"):
        cookies["a"]
    assert cookies.get("a", domain=".Other.H") == "2"
    assert cookies.get("a", path="/") == "1"
    assert cookies.get_dict(domain="h") == {"a": "1"}


def test_cookies_without_a_domain_stay_here(jar: MemoryJar) -> None:
    """They go everywhere, so no jar can have them; those with a domain go to the jar."""
    cookies = SessionCookies(jar, parse_cookies({"a": "1"}))
    cookies["a"] = "2"
    cookies.set("b", "3", domain="h", path="/x", secure=True)
    assert cookies.everywhere == (Cookie("a", "2"),)
    assert jar.cookies == [Cookie("b", "3", "h", "/x", secure=True)]
    assert cookies.get_dict() == {"a": "2", "b": "3"}


def test_changes_make_a_new_tuple(jar: MemoryJar) -> None:
    """Sessions see by its identity that cookies were changed."""
    cookies = SessionCookies(jar)
    before = cookies.everywhere
    cookies.update({"a": "1"})
    assert cookies.everywhere is not before


def test_threads_lose_no_cookie_of_another(jar: MemoryJar) -> None:
    """A change that reads what it replaces waits for the one before it."""
    cookies = SessionCookies(jar)
    start = threading.Barrier(4)

    def fill(thread: int) -> None:
        start.wait()
        for number in range(100):
            cookies[f"{thread}-{number}"] = "1"

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=fill, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(cookies) == 400


def test_deleting_and_clearing(jar: MemoryJar) -> None:
    """Of one name, of one name and domain, or all."""
    cookies = SessionCookies(
        jar, [Cookie("a", "0"), Cookie("a", "1", "h"), Cookie("a", "2", "i"), Cookie("b", "3", "h")]
    )
    cookies.delete("a", domain="h")
    assert cookies.items() == [("a", "0"), ("a", "2"), ("b", "3")]
    del cookies["a"]
    assert cookies.items() == [("b", "3")]
    with pytest.raises(KeyError):
        del cookies["a"]
    cookies.clear()
    assert len(cookies) == 0


def test_all_shapes_are_read() -> None:
    """Mapping, pairs, Cookie objects, Cookies."""
    expected = (Cookie("a", "1"),)
    assert parse_cookies({"a": "1"}) == parse_cookies([("a", "1")]) == parse_cookies([Cookie("a", "1")]) == expected
    assert parse_cookies(Cookies(expected)) == expected
    assert parse_cookies(None) == ()


def test_a_jar_of_the_standard_library_is_read() -> None:
    """With domain, expiry and the rest."""
    message = Message()
    message["Set-Cookie"] = "a=1; Domain=example.org; Path=/x; Secure; Max-Age=100"
    message.add_header("Set-Cookie", "b=2")
    answer: Any = addinfourl(io.BytesIO(), message, "")
    jar = http.cookiejar.CookieJar()
    jar.extract_cookies(answer, Request("https://www.example.org/x/"))
    first, second = sorted(parse_cookies(jar), key=lambda cookie: cookie.name)
    assert (first.domain, first.path, first.secure, first.host_only) == ("example.org", "/x", True, False)
    assert first.expires
    assert (second.domain, second.host_only, second.expires) == ("www.example.org", True, None)


@pytest.mark.parametrize("wrong", [5, "a=b", [("a",)], {"a": 1}, {1: "a"}, [object()]])
def test_other_shapes_are_refused(wrong: object) -> None:
    """One error for all."""
    with pytest.raises(InvalidOption, match="cookie"):
        parse_cookies(wrong)
