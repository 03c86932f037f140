"""Requests without a session of one's own: the functions of the module use one that they share.

It is made by the first of them, and safe for threads. As in requests, cookies
that a server sets last as long as the call: programs that serve many users make
these calls for all of them.
"""

from __future__ import annotations

import os
import threading

from ._session import CycleTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._response import Response
    from ._types import BodyOptions, ClientOptions, DataTypes, QueryOptions, QueryTypes, RequestOptions, Unpack


class _Shared(CycleTLS):
    _forgetful = True


_lock = threading.RLock()  # a signal handler may make a call inside another
_session: _Shared | None = None
_defaults: dict[str, Any] = {}


def request(method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
    """Send a request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().request(method, url, **options)


def get(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send a GET request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().get(url, params, **options)


def options(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send an OPTIONS request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().options(url, params, **options)


def head(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send a HEAD request with the shared session, see :meth:`CycleTLS.head`."""
    return _shared().head(url, params, **options)


def delete(url: str, params: QueryTypes = None, **options: Unpack[BodyOptions]) -> Response:
    """Send a DELETE request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().delete(url, params, **options)


def post(url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Response:
    """Send a POST request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().post(url, data, json, **options)


def put(url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Response:
    """Send a PUT request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().put(url, data, json, **options)


def patch(url: str, data: DataTypes = None, json: Any = None, **options: Unpack[QueryOptions]) -> Response:
    """Send a PATCH request with the shared session, see :meth:`CycleTLS.request`."""
    return _shared().patch(url, data, json, **options)


def set_default(**options: Unpack[ClientOptions]) -> None:
    """Set options of the shared session, which begins anew.

    Raises:
        InvalidOption: as :class:`CycleTLS` does; nothing is changed then.
    """
    _replace({**_defaults, **options})


def get_default(name: str) -> Any:
    """Return an option that was set with :func:`set_default`, None where it was not."""
    return _defaults.get(name)


def reset_defaults() -> None:
    """Forget what was set with :func:`set_default`; the shared session begins anew."""
    _replace({})


def close_global_session() -> None:
    """Close the shared session; the next request begins a new one."""
    global _session
    with _lock:
        closing, _session = _session, None
    if closing is not None:
        closing.close()


def _shared() -> CycleTLS:
    global _session
    session = _session
    if session is None:
        with _lock:
            session = _session = _session or _Shared(**_defaults)
    return session


def _replace(defaults: dict[str, Any]) -> None:
    """Put a new session in the place of the shared one, which ends with the last request that uses it."""
    global _session, _defaults
    session = _Shared(**defaults)
    with _lock:
        _session, _defaults = session, defaults


def _after_fork() -> None:
    """Begin anew in a forked child: the thread that held the lock is not there to release it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
