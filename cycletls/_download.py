"""Downloads to a file.

Bytes go to ``<path>.part``, which takes the file's name when it is complete: there
is never a finished file that is not whole. ``<path>.part.json`` remembers what the
bytes are a part of, so that a later download can go on (RFC 9110 section 14).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress

from ._exceptions import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any, BinaryIO, Final, TypeAlias

    from ._response import Response

    Progress: TypeAlias = bool | Callable[[int, int | None], object]

_PARTIAL: Final = 206
_NOT_SATISFIABLE: Final = 416
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Download:
    """A file on its way. Leaving its ``with`` block without :meth:`finish` leaves what can be gone on with at most.

    Args:
        url: where it is from.
        path: what the file is to be called.
        progress: True shows a bar on a terminal; or a function of the bytes that are there, and of how many there
            will be (None: unknown).
        resume: go on with what an earlier download has left, where that is possible.
    """

    def __init__(self, url: str, path: str | os.PathLike[str], progress: Progress, resume: bool) -> None:
        self._url = url
        self._path = os.fspath(path)
        self._part = f"{self._path}.part"
        self._state = f"{self._path}.part.json"
        self._resume = resume
        self._validator = self._left() if resume else None
        self._done = os.path.getsize(self._part) if self._validator else 0
        self._total: int | None = None
        self._file: BinaryIO | None = None
        self._show = progress if callable(progress) else _Bar(self._path) if progress else None

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the request, which are the caller's and what a part of a file needs."""
        if not self._resume:
            return dict(given)
        # A part of a compressed body is not the compression of a part.
        own = [("Accept-Encoding", "identity")]
        if self._validator is not None:
            own += [("Range", f"bytes={self._done}-"), ("If-Range", self._validator)]
        headers = given.get("headers") or ()
        pairs = headers.items() if hasattr(headers, "items") else headers
        return {**given, "headers": [*pairs, *own]}

    def begin(self, response: Response) -> bool:
        """Take the head of the response; False means that the request is to be made anew, from the beginning.

        Raises:
            HTTPError: the response is one of an error.
            ProtocolError: it is a part, which nobody has asked for.
        """
        if response.status_code == _NOT_SATISFIABLE and self._done:
            self._forget()
            return False
        response.raise_for_status()
        if response.status_code != _PARTIAL:
            self._done = 0
        elif not self._done:  # asking anew would go on for ever
            raise ProtocolError("the server sends a part where the whole was asked for", request=response.request)
        elif not self._continues(response):
            self._forget()
            return False
        length = response.headers.get("Content-Length", "")
        encoded = "Content-Encoding" in response.headers
        self._total = self._done + int(length) if length.isdigit() and not encoded else None
        self._remember(None if encoded else _validator(response))
        self._file = open(self._part, "ab" if self._done else "wb")  # noqa: SIM115  # __exit__ closes it
        self._tell()
        return True

    def write(self, piece: bytes) -> None:
        """Keep some more bytes."""
        assert self._file is not None
        self._file.write(piece)
        self._done += len(piece)
        self._tell()

    def finish(self) -> None:
        """Give the file its name: all of it is there."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._close()
        os.replace(self._part, self._path)
        self._forget()

    def __enter__(self) -> Download:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        if kind is not None and not self._resume:
            self._forget()

    def _left(self) -> str | None:
        """Return what guards the bytes that an earlier download has left; None where there are none to go on with."""
        try:
            with open(self._state, encoding="utf-8") as file:
                state = json.load(file)
            usable = state["url"] == self._url and os.path.getsize(self._part) > 0
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return str(state["validator"]) if usable else None

    def _remember(self, validator: str | None) -> None:
        if not self._resume or validator is None:
            _remove(self._state)
            return
        with open(self._state, "w", encoding="utf-8") as file:
            json.dump({"url": self._url, "validator": validator}, file)

    def _forget(self) -> None:
        self._close()
        _remove(self._part)
        _remove(self._state)
        self._done, self._validator = 0, None

    def _continues(self, response: Response) -> bool:
        """Report whether a part is what comes next, of the same file."""
        found = _RANGE.match(response.headers.get("Content-Range", ""))
        same = _validator(response) in (None, self._validator)
        return found is not None and int(found[1]) == self._done and same

    def _tell(self) -> None:
        if self._show:
            self._show(self._done, self._total)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if isinstance(self._show, _Bar):
            self._show.close()


class _Bar:
    """A progress bar on the terminal, and nothing where there is none.

    Args:
        name: what it says of itself.
    """

    def __init__(self, name: str) -> None:
        import sys

        self._progress: Any = None
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console)
        self._task = self._progress.add_task(os.path.basename(name))
        self._progress.start()

    def __call__(self, done: int, total: int | None) -> None:
        if self._progress:
            self._progress.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._progress:
            self._progress.stop()


def _validator(response: Response) -> str | None:
    """Return what If-Range takes: a strong entity tag, or else a date (RFC 9110 section 13.1.5)."""
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.remove(path)
