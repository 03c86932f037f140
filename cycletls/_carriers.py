"""Which way leads to the library: the one in this process, or a sidecar's."""

from __future__ import annotations

import os

from . import _ffi
from ._exceptions import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._transfer import Carrier


def choose(sidecar: bool | str | None, token: str | None, token_file: str | None) -> Carrier:
    """Return the way that a session's options ask for; the arguments are those of the same names there.

    Raises:
        InvalidOption: there is no such way.
        LibraryError: the sidecar cannot be started.
        SidecarDied: there is none at this address.
    """
    if not isinstance(sidecar, str) and (token is not None or token_file is not None):
        raise InvalidOption("sidecar_token= and sidecar_token_file= belong to sidecar='ws://…'")
    if sidecar is None:
        return current()
    if sidecar is False:
        return _ffi
    from . import _sidecar

    if sidecar is True:
        return _sidecar.own()
    return _sidecar.running(sidecar, _token(token, token_file))


def current() -> Carrier:
    """Return the way that nobody has asked for: a sidecar's after a fork, unless CYCLETLS_FORK=error forbids it."""
    if _ffi.alive or os.environ.get("CYCLETLS_FORK") == "error":
        return _ffi
    from . import _sidecar

    return _sidecar.own()


def _token(token: str | None, token_file: str | None) -> str:
    if (token is None) == (token_file is None):
        raise InvalidOption("sidecar='ws://…' needs either sidecar_token= or sidecar_token_file=")
    if token is not None:
        return token
    assert token_file is not None
    with open(token_file, encoding="ascii") as file:
        return file.read().strip()


def _before_fork() -> None:
    """Load what a child needs: a module that another thread was just loading stays locked there for ever."""
    if _ffi.started():
        import atexit  # noqa: F401  # weakref.finalize loads it

        from . import _sidecar  # noqa: F401

        _ffi.shim()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
