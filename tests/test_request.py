"""Requests as callables and exceptions see them."""

from __future__ import annotations

import pytest

from cycletls import Headers, Request
from cycletls._request import without_userinfo


def test_a_request_copies_the_headers_it_is_given() -> None:
    """The caller's object stays the caller's."""
    headers = Headers({"A": "1"})
    request = Request("GET", "http://h/", headers)
    request.headers["A"] = "2"
    assert headers["A"] == "1"
    assert repr(request) == "<Request [GET]>"


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
