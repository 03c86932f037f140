"""JSON, both ways."""

from __future__ import annotations

import json
import pickle

import pytest

from cycletls import JSONDecodeError, RequestException, Response
from cycletls._json import dumps


def response(content: bytes) -> Response:
    """Make a response with that body."""
    return Response(200, {"method": "GET", "url": "http://h/"}, content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_json_is_decoded_in_every_unicode_encoding(encoding: str) -> None:
    """As json.loads detects them."""
    assert response('{"ü": 1.5}'.encode(encoding)).json() == {"ü": 1.5}


def test_options_reach_the_decoder() -> None:
    """parse_float and its kin."""
    assert response(b"1.5").json(parse_float=str) == "1.5"


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"a": ', b'"\xff"'])
def test_what_is_not_json_is_an_error_of_both_trees(content: bytes) -> None:
    """It can be caught as requests', as the standard library's and as ValueError; it has the response."""
    bad = response(content)
    with pytest.raises(JSONDecodeError) as caught:
        bad.json()
    assert isinstance(caught.value, RequestException)
    assert isinstance(caught.value, json.JSONDecodeError)
    assert caught.value.response is bad
    assert "GET http://h/: " in str(caught.value)


def test_the_error_can_be_pickled() -> None:
    """With the place and what it carries."""
    with pytest.raises(JSONDecodeError) as caught:
        response(b'{"a"').json()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.pos, copy.lineno, copy.doc, str(copy)) == (4, 1, '{"a"', str(caught.value))


def test_json_is_written_compactly() -> None:
    """No spaces, no escapes that UTF-8 does not need."""
    assert dumps({"a": "ü", "b": [1, 2]}) == '{"a":"ü","b":[1,2]}'.encode()
