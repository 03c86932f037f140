"""Requests as callables and exceptions see them."""

from __future__ import annotations

import pytest

from cycletls import Headers, Request, RequestException
from cycletls._request import without_userinfo


def test_a_request_copies_the_headers_it_is_given() -> None:
    """The caller's object stays the caller's."""
    headers = Headers({"A": "1"})
    request = Request("GET", "http://h/", headers)
    request.headers["A"] = "2"
    assert headers["A"] == "1"
    assert repr(request) == "<Request [GET]>"


def test_control_characters_are_shown_escaped() -> None:
    """Nothing that was given as method or URL writes lines of its own into a log, or colours into a terminal."""
    request = Request("G\r\nET", "http://h/\x1b[2J\u202e\ud800ü")
    assert repr(request) == r"<Request [G\r\nET]>"
    assert str(RequestException("no", request=request)) == r"G\r\nET http://h/\x1b[2J\u202e\ud800ü: no"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@h/p?q=a@b", "http://h/p?q=a@b"),
        ("http://h/a@b", "http://h/a@b"),
        ("https://a@b@h", "https://h"),
        (" http:\\\\user:secret@h", "http://h"),
        ("http:user:secret@h", "http://h"),
        ("//user:secret@h/x", "//h/x"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_url_is_shown_without_userinfo(url: str, shown: str) -> None:
    """Also where it is malformed: it was going to be in an exception's text."""
    assert without_userinfo(url) == shown
