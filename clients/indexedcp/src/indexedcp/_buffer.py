"""The client's buffer: files cut into chunks, in an SQLite file, until a server has them.

The table ``chunks`` has the bytes. The others say what they are chunks of, and how far servers without upload ids are.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import stat
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ._exceptions import BufferInUse, FileChanged
from ._wire import Layout, Whole

Progress = Callable[[str, int, int], object]
"""Called with a file's path, how many of its bytes are done, and how many it has."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS chunks (
    id TEXT PRIMARY KEY, file_name TEXT NOT NULL, chunk_index INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, file_name TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, chunk_size INTEGER NOT NULL, sha256 TEXT NOT NULL,
    hashes BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    file TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE, url TEXT NOT NULL, next_index INTEGER NOT NULL,
    sending INTEGER NOT NULL, server_name TEXT,
    PRIMARY KEY (file, url)
);
"""
_PAGE: Final = 65536
"""Bytes: chunks are large, and take a sixteenth of the time that they take with pages of 4096."""
_DIGEST: Final = 32


@dataclass(frozen=True, slots=True)
class BufferedFile:
    """A file in the buffer.

    Attributes:
        id: of its upload.
        path: as it was given.
        source: where it is, absolutely.
        mtime_ns: when it had been changed last.
        whole: what it is.
        hashes: the SHA-256 of each chunk, one behind the other.
    """

    id: str
    path: str
    source: str
    mtime_ns: int
    whole: Whole
    hashes: bytes

    @property
    def layout(self) -> Layout:
        """How it is cut."""
        return self.whole.layout

    def chunk_sha256(self, index: int) -> str:
        """Return the SHA-256 of a chunk."""
        return self.hashes[index * _DIGEST : (index + 1) * _DIGEST].hex()

    def has_changed(self) -> bool:
        """Report whether the file is another than the one that was buffered; one that is gone is not."""
        try:
            now = os.stat(self.source)
        except OSError:
            return False
        return (now.st_size, now.st_mtime_ns) != (self.layout.size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a file is on a server without upload ids.

    Attributes:
        next_index: the chunk to send.
        sending: that chunk may have been sent.
        server_name: what the server calls the file, once it has said so.
    """

    next_index: int = 0
    sending: bool = False
    server_name: str | None = None


class Buffer:
    """The buffer of a name, in the user's home.

    What a method has written is on disk when it returns. Threads may share it, and processes may use the same file.

    Args:
        name: without extension.

    Raises:
        ValueError: it is no name of a file.
    """

    def __init__(self, name: str) -> None:
        if not name or name != os.path.basename(name) or name.startswith("."):
            raise ValueError(f"a buffer's name is one of a file, not {name!r}")
        self.path = Path.home() / ".indexcp" / f"{name}.db"
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def add(self, path: str, chunk_size: int, progress: Progress | None = None) -> BufferedFile:
        """Read a file into the buffer; one that is there already, unchanged, stays as it is.

        Args:
            path: the file.
            chunk_size: bytes of a chunk.
            progress: called after each chunk.

        Raises:
            FileNotFoundError: there is none.
            FileChanged: it changed meanwhile.
            ValueError: it is no regular file.
        """
        with open(path, "rb", opener=_open_file) as file, self._transaction() as db:
            before = os.fstat(file.fileno())
            file_id = secrets.token_hex(16)
            hashes, sha256 = self._read_chunks(db, file, (file_id, path), Layout(before.st_size, chunk_size), progress)
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise FileChanged(f"{path} changed while it was read")
            whole = Whole(Layout(before.st_size, chunk_size), sha256)
            new = BufferedFile(file_id, path, os.path.abspath(path), before.st_mtime_ns, whole, hashes)
            return self._replace(db, new)

    def _read_chunks(
        self,
        db: sqlite3.Connection,
        file: BinaryIO,
        names: tuple[str, str],
        layout: Layout,
        progress: Progress | None,
    ) -> tuple[bytes, str]:
        """Insert a file's chunks; return the SHA-256 of each, and of all."""
        hashes, whole = bytearray(), hashlib.sha256()
        for index in range(layout.count):
            data = file.read(layout.length(index))
            if len(data) < layout.length(index):
                raise FileChanged(f"{names[1]} became shorter while it was read")
            hashes += hashlib.sha256(data).digest()
            whole.update(data)
            row = (_chunk_id(names[0], index), names[1], index, data)
            db.execute("INSERT INTO chunks (id, file_name, chunk_index, data) VALUES (?, ?, ?, ?)", row)
            if progress is not None:
                progress(names[1], layout.start(index) + len(data), layout.size)
        return bytes(hashes), whole.hexdigest()

    def _replace(self, db: sqlite3.Connection, new: BufferedFile) -> BufferedFile:
        """Put a file in the place of the one that had its path; the same content goes on as it was."""
        old = next((file for file in self.files() if file.path == new.path), None)
        if old is not None and (old.layout.size, old.whole.sha256) == (new.layout.size, new.whole.sha256):
            self._delete(db, new.id, new.layout.count)
            db.execute("UPDATE files SET source = ?, mtime_ns = ? WHERE id = ?", (new.source, new.mtime_ns, old.id))
            return BufferedFile(old.id, old.path, new.source, new.mtime_ns, old.whole, old.hashes)
        if old is not None:
            self._delete(db, old.id, old.layout.count)
        db.execute(
            "INSERT INTO files (id, file_name, source, size, mtime_ns, chunk_size, sha256, hashes) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.id,
                new.path,
                new.source,
                new.layout.size,
                new.mtime_ns,
                new.layout.chunk_size,
                new.whole.sha256,
                new.hashes,
            ),
        )
        return new

    def files(self) -> list[BufferedFile]:
        """Return what is in the buffer, in the order in which it was added."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, file_name, source, mtime_ns, size, chunk_size, sha256, hashes FROM files ORDER BY number"
            ).fetchall()
        return [
            BufferedFile(file_id, path, source, mtime_ns, Whole(Layout(size, chunk_size), sha256), hashes)
            for file_id, path, source, mtime_ns, size, chunk_size, sha256, hashes in rows
        ]

    def chunk(self, file: BufferedFile, index: int) -> bytes:
        """Return the bytes of a chunk.

        Raises:
            KeyError: it is not in the buffer any more.
        """
        with self._lock:
            row = self._db.execute("SELECT data FROM chunks WHERE id = ?", (_chunk_id(file.id, index),)).fetchone()
        if row is None:
            raise KeyError(f"chunk {index} of {file.path} is not in the buffer")
        data: bytes = row[0]
        return data

    def remove(self, file: BufferedFile) -> None:
        """Take a file out, and give its space back where it was the last."""
        with self._transaction() as db:
            self._delete(db, file.id, file.layout.count)
        self._shrink()

    def clear(self) -> None:
        """Take everything out."""
        with self._transaction() as db:
            db.execute("DELETE FROM chunks")
            db.execute("DELETE FROM files")
        self._shrink()

    def delivery(self, file: BufferedFile, url: str) -> Delivery:
        """Return how far a file is on a server."""
        with self._lock:
            row = self._db.execute(
                "SELECT next_index, sending, server_name FROM deliveries WHERE file = ? AND url = ?", (file.id, url)
            ).fetchone()
        return Delivery() if row is None else Delivery(row[0], bool(row[1]), row[2])

    def note(self, file: BufferedFile, url: str, delivery: Delivery) -> None:
        """Note how far a file is on a server."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO deliveries (file, url, next_index, sending, server_name) "
                "VALUES (?, ?, ?, ?, ?)",
                (file.id, url, delivery.next_index, delivery.sending, delivery.server_name),
            )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes, and other clients of this one, from uploading what is in the buffer.

        Raises:
            BufferInUse: somebody else does.
        """
        self._make_folder()
        lock = sqlite3.connect(self.path.with_suffix(".lock"), timeout=0, isolation_level=None, check_same_thread=False)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")  # which the system ends with the process, on every platform
            except sqlite3.OperationalError as exc:
                raise BufferInUse(f"another upload from {self.path} is going on") from exc
            yield
        finally:
            lock.close()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            self._make_folder()
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._connection.close)
            self._connection.execute(f"PRAGMA page_size = {_PAGE}")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA secure_delete = OFF")  # Debian's SQLite writes zeros over what goes
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.executescript(_TABLES)
        return self._connection

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            db = self._db
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @staticmethod
    def _delete(db: sqlite3.Connection, file_id: str, count: int) -> None:
        db.executemany("DELETE FROM chunks WHERE id = ?", ((_chunk_id(file_id, index),) for index in range(count)))
        db.execute("DELETE FROM files WHERE id = ?", (file_id,))

    def _shrink(self) -> None:
        """Give space back where nothing is left to copy."""
        with self._lock:
            if self._db.execute("SELECT 1 FROM files LIMIT 1").fetchone() is None:
                self._db.execute("VACUUM")


def _chunk_id(file_id: str, index: int) -> str:
    return f"{file_id}:{index}"


def _open_file(path: str, flags: int) -> int:
    """Open a file, and nothing that would wait or never end."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = IsADirectoryError if stat.S_ISDIR(mode) else ValueError
        raise kind(f"{path} is not a file")
    return descriptor
