"""Exceptions: by status, from every shape of body, with what the server said."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
import re

import cipherrun
import pytest
from cipherrun import CipherRunError, RateLimitError, exceptions, handle_http_error

CLASSES = [
    value
    for value in vars(exceptions).values()
    if inspect.isclass(value) and issubclass(value, CipherRunError) and not value.__name__.startswith("_")
]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, cipherrun.BadRequestError),
        (401, cipherrun.UnauthorizedError),
        (403, cipherrun.ForbiddenError),
        (404, cipherrun.NotFoundError),
        (408, cipherrun.TimeoutError),
        (409, cipherrun.ConflictError),
        (422, cipherrun.ValidationError),
        (429, cipherrun.RateLimitError),
        (500, cipherrun.InternalServerError),
        (503, cipherrun.ServiceUnavailableError),
        (413, cipherrun.APIError),
        (502, cipherrun.APIError),
    ],
)
def test_status_chooses_the_class(status: int, kind: type[CipherRunError]) -> None:
    """Each status has its class, others are API errors, and none loses its status."""
    for body in ({"status": status, "error": "X", "message": "what", "details": "more"}, "what", "", None):
        error = handle_http_error(status, body)
        assert type(error) is kind
        assert error.status_code == status
        assert str(error).startswith(f"[{status}] ")
        assert error.message == "what" or not body


def test_shapes_of_bodies() -> None:
    """The server's own words are the message: of an API error, of the rate limiter, and as plain text."""
    assert str(handle_http_error(404, {"message": "Not found: x", "error": "NOT_FOUND"})) == "[404] Not found: x"
    assert str(handle_http_error(429, {"error": "Rate limit exceeded", "retry_after": 5})) == (
        "[429] Rate limit exceeded (retry after 5s)"
    )
    assert str(handle_http_error(413, "length limit exceeded")) == "[413] length limit exceeded"
    assert handle_http_error(400, {"message": "m", "details": "d"}).details == "d"


@pytest.mark.parametrize("body", [{"message": None}, {"error": 3}, {"retry_after": "x"}, {}, "\x1b[31m \n"])
def test_strange_bodies_do_no_harm(body: dict[str, object] | str) -> None:
    """A body that says nothing still makes the exception of its status."""
    error = handle_http_error(429, body)
    assert isinstance(error, RateLimitError)
    assert error.retry_after is None
    assert error.message
    assert "\x1b" not in str(error)


def test_long_bodies_are_cut() -> None:
    """A gateway's page of HTML does not fill the terminal."""
    assert len(str(handle_http_error(502, "<p>" * 10_000))) < 600


def test_the_header_counts_more_than_the_body() -> None:
    """Of two times to wait, the header's is taken."""
    error = handle_http_error(429, {"retry_after": 5}, retry_after=2.0)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 2.0


@pytest.mark.parametrize("kind", CLASSES)
def test_can_be_copied(kind: type[CipherRunError]) -> None:
    """Exceptions go through pickle and copy, as between processes, with all that they know."""
    error = kind("what")
    error.attempts, error.details = 3, "more"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert (str(twin), twin.__dict__) == (str(error), error.__dict__)


def test_builtin_names_catch_them() -> None:
    """Who catches Python's own TimeoutError and ConnectionError catches these, too."""
    assert issubclass(cipherrun.TimeoutError, builtins.TimeoutError)
    assert issubclass(cipherrun.ConnectionError, builtins.ConnectionError)


def test_the_tree_is_drawn_as_it_is() -> None:
    """The tree in the module's docstring has every class, at its place."""
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        found = re.match(r"^((?:[│ ]   )*)(?:[├└]── )?(\w+(?:Error))\b", line)
        if found:
            depth = len(found[1]) // 4 + ("── " in line)
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else "Exception"
    named = {kind.__name__ for kind in CLASSES}
    actual = {
        kind.__name__: next(base.__name__ for base in kind.__mro__[1:] if base.__name__ in {*named, "Exception"})
        for kind in CLASSES
    }
    assert drawn == actual
