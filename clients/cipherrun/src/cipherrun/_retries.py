"""Sending a request until it is answered: what may be sent again, and when."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

import cycletls

from ._answers import error_of, failure_of, is_api_error, retry_after
from ._endpoints import Answer, Endpoint
from ._steps import Deadline, Request, Steps, send, sleep
from .exceptions import TimeoutError

_LONGEST: Final = 60.0
"""Seconds of the longest pause of our own."""

_OUTAGES: Final = frozenset({502, 503, 504})


class Retries(NamedTuple):
    """How often to try again.

    Attributes:
        most: retries after the first attempt.
        backoff: seconds of the first pause; each further one is twice as long, and all are shortened by chance.
    """

    most: int
    backoff: float

    def pause(self, attempt: int) -> float:
        """Return the seconds between an attempt and the next."""
        whole = min(self.backoff * 2.0 ** min(attempt - 1, 30), _LONGEST)
        return whole * random.uniform(0.5, 1.0)


def deliver(
    endpoint: Endpoint[Answer], request: Request, retries: Retries, deadline: Deadline
) -> Steps[cycletls.Response]:
    """Send a request, again where that cannot do it twice, and return the good answer.

    Pauses and attempts all end by the deadline; a pause that would not is not begun.

    Raises:
        CipherRunError: there is none.
    """
    attempt = 0
    while True:
        if deadline.over:
            raise _late(request, deadline, attempt)
        attempt += 1
        pause = retries.pause(attempt)
        try:
            response = yield from send(request._replace(timeout=deadline.limit()))
        except cycletls.RequestException as failure:
            again = _may_follow_failure(endpoint, failure)
            error = failure_of(failure)
            error.__cause__ = failure
        else:
            if 200 <= response.status_code < 300:
                return response
            again = _may_follow_answer(endpoint, response)
            error = error_of(response)
            asked = retry_after(response) if response.status_code == 503 else getattr(error, "retry_after", None)
            # Not sooner than asked for, and not together with everybody who was asked.
            pause = asked * random.uniform(1.0, 1.1) if asked else pause
        error.attempts = attempt
        if not again or attempt > retries.most or pause >= deadline.left:
            raise error
        yield from sleep(pause)


def _late(request: Request, deadline: Deadline, attempts: int) -> TimeoutError:
    error = TimeoutError(f"{request.method} {request.url}: no answer within {deadline.seconds:g} s")
    error.attempts = attempts
    return error


def _may_follow_answer(endpoint: Endpoint[Answer], response: cycletls.Response) -> bool:
    """Report whether another attempt after an answer may help and cannot do the work twice."""
    if response.status_code == 429:
        return True
    if response.status_code == 503:
        # A server that has no database will not have one in a moment; a gateway's 503 is another matter.
        return not (endpoint.needs and is_api_error(response))
    return endpoint.repeatable and response.status_code in _OUTAGES


def _may_follow_failure(endpoint: Endpoint[Answer], failure: cycletls.RequestException) -> bool:
    """Report whether another attempt after no answer may help and cannot do the work twice."""
    if isinstance(failure, (cycletls.CertificateError, cycletls.BlockedAddress)):
        return False
    if not isinstance(failure, cycletls.ConnectionError):
        return isinstance(failure, cycletls.ContentDecodingError) and endpoint.repeatable
    return endpoint.repeatable or failure.detail.get("delivery") == "unsent"
