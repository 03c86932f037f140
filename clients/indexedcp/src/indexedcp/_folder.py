"""The output folder, and the one place that opens files in it.

The folder is opened once; from then on everything in it is named relative to that descriptor, with one component, and
never followed where it is a symbolic link. So nothing that is planted in the folder, and no renaming of it, leads out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

from ._names import another, twin_key

BLOCK: Final = 1024 * 1024
"""Bytes that are read at once where a file is read back."""

_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW


class Hash(Protocol):
    """A hash that can be added to."""

    def update(self, data: memoryview, /) -> None:
        """Add data."""


class Folder:
    """A folder whose entries are opened without leaving it.

    Args:
        path: made with its parents where it is not there.
        mode: of the folder where it is made.
    """

    def __init__(self, path: Path, mode: int = 0o777) -> None:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def inner(self, name: str) -> Folder:
        """Return a folder in this one, made for this user alone where it is not there.

        Raises:
            OSError: something else has the name, a symbolic link too.
        """
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._descriptor)
        inner = Folder.__new__(Folder)
        inner.path = self.path / name
        inner._descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=self._descriptor)
        return inner

    def create(self, name: str) -> int:
        """Create a file and return its descriptor.

        Raises:
            FileExistsError: something has the name.
        """
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666, dir_fd=self._descriptor)

    def open(self, name: str) -> int:
        """Open a file for reading and writing and return its descriptor.

        Raises:
            FileNotFoundError: nothing has the name.
            OSError: something that is no file has it.
        """
        descriptor = os.open(name, os.O_RDWR | _FLAGS | os.O_NONBLOCK, dir_fd=self._descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a file", name)
        return descriptor

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Open a file for a while, see :meth:`open`."""
        descriptor = self.open(name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def stat(self, name: str) -> os.stat_result | None:
        """Return what there is of a name, None where nothing has it."""
        try:
            return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def link(self, hidden: Folder, name: str, final: str) -> None:
        """Give a file of another folder a name in this one, durably; once it has it, doing so again changes nothing.

        Its old name is left to be removed by who has put the new one on record.

        Raises:
            FileExistsError: something else has the name.
        """
        source, target = hidden._descriptor, self._descriptor
        try:
            os.link(name, final, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except FileExistsError:
            old, new = hidden.stat(name), self.stat(final)
            if old is None or new is None or not os.path.samestat(old, new):
                raise
        except OSError as exc:
            if exc.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
                raise
            os.close(self.create(final))  # a file system without links: hold the name, then replace it
            os.rename(name, final, src_dir_fd=source, dst_dir_fd=target)
        self.sync()

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def sync(self) -> None:
        """Make what was created, renamed and removed last through a crash."""
        os.fsync(self._descriptor)

    def names(self) -> Iterator[str]:
        """Yield what is in the folder."""
        yield from os.listdir(self._descriptor)

    def close(self) -> None:
        """Close the folder's descriptor."""
        os.close(self._descriptor)


class Names:
    """The names that are taken in a folder, with their twins.

    Args:
        folder: whose entries are taken.
        reserved: names that are taken without being there yet.
    """

    def __init__(self, folder: Folder, reserved: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._taken = {twin_key(name) for name in folder.names()} | {twin_key(name) for name in reserved}

    def take(self, name: str) -> str:
        """Take a name, or one like it where it has been taken."""
        attempt, free = 0, name
        with self._lock:
            while twin_key(free) in self._taken:
                free = another(name, attempt)
                attempt += 1
            self._taken.add(twin_key(free))
        return free


def write_at(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of the data at an offset."""
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


def read_pieces(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    """Yield a part of a file in blocks; it ends early where the file does."""
    end = offset + length
    while offset < end:
        piece = os.pread(descriptor, min(BLOCK, end - offset), offset)
        if not piece:
            return
        yield piece
        offset += len(piece)


def sync_data(descriptor: int) -> None:
    """Wait until what was written to a file is on disk."""
    (os.fdatasync if sys.platform == "linux" else os.fsync)(descriptor)


def hash_range(digest: Hash, descriptor: int, offset: int, length: int) -> None:
    """Add a part of a file to a hash; it ends early where the file does."""
    block, end = memoryview(bytearray(min(BLOCK, length))), offset + length
    while offset < end:
        count = os.preadv(descriptor, [block[: end - offset]], offset)
        if not count:
            return
        digest.update(block[:count])
        offset += count
