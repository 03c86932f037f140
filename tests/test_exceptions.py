"""The tree of exceptions: closed, drawn, named as requests names it, and carrying what failed."""

from __future__ import annotations

import inspect
import json
import pickle
import re
from pathlib import Path

import pytest

import cycletls
from cycletls import _exceptions
from cycletls._exceptions import ERRORS, RequestException

KINDS = Path(__file__).parent.parent / "golang" / "internal" / "envelope" / "testdata" / "kinds.json"
CLASSES = {
    name: value
    for name, value in vars(_exceptions).items()
    if inspect.isclass(value) and issubclass(value, Exception) and value.__name__ == name
}


def test_every_kind_has_exactly_one_class() -> None:
    """The list of the core and the mapping here are the same, and no class stands for two kinds."""
    assert set(ERRORS) == set(json.loads(KINDS.read_text()))
    assert len(set(ERRORS.values())) == len(ERRORS)


def test_the_docstring_draws_the_tree() -> None:
    """Each class is drawn below its first base, with a sentence."""
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (_exceptions.__doc__ or "").splitlines()[2:]:
        match = re.match(r"([│├└─ ]*)(\w+)\s+\S+", line)
        assert match, line
        depth = len(match[1]) // 4
        path[depth:] = [match[2]]
        drawn[match[2]] = path[depth - 1] if depth else "Exception"
    assert drawn.pop("JSONDecodeError") == "RequestException"
    exceptions = {name: value.__bases__[0].__name__ for name, value in CLASSES.items()}
    assert exceptions.pop("ConnectTimeout") == "ConnectionError"  # drawn below Timeout, its second base
    assert drawn.pop("ConnectTimeout") == "Timeout"
    assert drawn == exceptions


def test_all_are_public() -> None:
    """What can be raised can be caught by its name."""
    assert CLASSES.keys() | {"JSONDecodeError"} <= set(cycletls.__all__)


@pytest.mark.parametrize(
    "name",
    """RequestException HTTPError ConnectionError Timeout ConnectTimeout ReadTimeout TooManyRedirects SSLError
    InvalidURL InvalidHeader ChunkedEncodingError ContentDecodingError UnrewindableBodyError JSONDecodeError""".split(),
)
def test_names_of_requests_exist(name: str) -> None:
    """Code that catches requests' exceptions catches these."""
    assert issubclass(getattr(cycletls, name), RequestException)


def test_requests_relations_hold() -> None:
    """A connect timeout is both, a TLS failure is a connection error."""
    assert issubclass(cycletls.ConnectTimeout, cycletls.ConnectionError)
    assert issubclass(cycletls.ConnectTimeout, cycletls.Timeout)
    assert issubclass(cycletls.SSLError, cycletls.ConnectionError)
    assert not issubclass(cycletls.ReadTimeout, cycletls.ConnectionError)


def test_the_message_says_what_happened_to_which_request_and_what_to_do() -> None:
    """One line has it all."""
    error = cycletls.ReadTimeout("read timeout of 1s passed", request=cycletls.Request("GET", "http://h/"))
    assert str(error) == "GET http://h/: read timeout of 1s passed (Timeouts(read=) sets the limit)"
    assert str(cycletls.DNSError("no such host")) == "no such host"


def test_the_response_brings_its_request() -> None:
    """An exception about a response is about its request, too."""
    response = cycletls.Response(404, {"method": "GET", "url": "http://h/"}, b"")
    error = cycletls.HTTPError("404", response=response)
    assert error.response is response
    assert error.request is response.request


@pytest.mark.parametrize("kind", ERRORS.values(), ids=list(ERRORS))
def test_exceptions_can_be_pickled(kind: type[RequestException]) -> None:
    """They travel between processes with all they carry."""
    error = kind("what", request=cycletls.Request("GET", "http://h/"), detail={"delivery": "sent"})
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert copy.detail == {"delivery": "sent"}
