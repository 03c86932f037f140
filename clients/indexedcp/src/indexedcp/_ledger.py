"""What the server must remember through a restart, beside the bytes themselves."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ._wire import ChunkHead, Layout, Whole

_TABLES = """
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, server_name TEXT NOT NULL, size INTEGER NOT NULL, chunk_size INTEGER NOT NULL,
    sha256 TEXT NOT NULL, complete INTEGER NOT NULL, touched REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams (
    number INTEGER PRIMARY KEY, client_name TEXT NOT NULL, upload_id TEXT, peer TEXT NOT NULL,
    server_name TEXT NOT NULL, next_index INTEGER NOT NULL, length INTEGER NOT NULL, touched REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS unfinished ON uploads (id) WHERE NOT complete;
CREATE INDEX IF NOT EXISTS streams_by_id ON streams (upload_id);
CREATE INDEX IF NOT EXISTS streams_by_name ON streams (client_name, number);
CREATE TABLE IF NOT EXISTS stream_chunks (
    stream INTEGER NOT NULL REFERENCES streams ON DELETE CASCADE, chunk_index INTEGER NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, held TEXT,
    PRIMARY KEY (stream, chunk_index)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_chunks ON stream_chunks (held, stream, size) WHERE held IS NOT NULL;
"""
_STREAM = "number, client_name, upload_id, peer, server_name, next_index, length, touched"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload of a file that is known as a whole."""

    id: str
    server_name: str
    whole: Whole
    complete: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """A chunk of a stream: in the file, or held in a file of its own until those before it are there."""

    sha256: str
    size: int
    held: str | None


@dataclass(frozen=True, slots=True)
class Stream:
    """A file that grows by chunks whose number nobody knows.

    Attributes:
        number: later streams have higher ones.
        upload_id: None from clients that know no ids.
        peer: the connection that wrote last.
        next_index: the chunk that the file goes on with.
        length: bytes of the file that are accounted for.
        touched: when it was written to, in seconds since 1970.
    """

    number: int
    client_name: str
    upload_id: str | None
    peer: str
    server_name: str
    next_index: int
    length: int
    touched: float


class Ledger:
    """An SQLite file. What a method has written is on disk when it returns; threads may share it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_TABLES)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def reserved_names(self) -> list[str]:
        """Return the names of all files that are, or are to be."""
        with self._lock:
            rows = self._db.execute("SELECT server_name FROM uploads UNION SELECT server_name FROM streams").fetchall()
        return [name for (name,) in rows]

    def upload(self, upload_id: str) -> Upload | None:
        """Return the upload of an id."""
        with self._lock:
            row = self._db.execute(
                "SELECT server_name, size, chunk_size, sha256, complete FROM uploads WHERE id = ?", (upload_id,)
            ).fetchone()
        if row is None:
            return None
        name, size, chunk_size, sha256, complete = row
        return Upload(upload_id, name, Whole(Layout(size, chunk_size), sha256), bool(complete))

    def unfinished(self) -> int:
        """Return how many uploads are not complete."""
        with self._lock:
            (count,) = self._db.execute("SELECT count(*) FROM uploads WHERE NOT complete").fetchone()
        return int(count)

    def begin(self, upload: Upload) -> None:
        """Remember a new upload."""
        layout, values = upload.whole.layout, (upload.whole.sha256, upload.complete, time.time())
        with self._transaction() as db:
            db.execute(
                "INSERT INTO uploads (id, server_name, size, chunk_size, sha256, complete, touched) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (upload.id, upload.server_name, layout.size, layout.chunk_size, *values),
            )

    def rename(self, upload_id: str, server_name: str) -> None:
        """Remember that an upload gets another name."""
        with self._transaction() as db:
            db.execute("UPDATE uploads SET server_name = ? WHERE id = ?", (server_name, upload_id))

    def complete(self, upload_id: str) -> None:
        """Remember that an upload's file is there."""
        with self._transaction() as db:
            db.execute("UPDATE uploads SET complete = 1, touched = ? WHERE id = ?", (time.time(), upload_id))

    def aged(self, before: float) -> list[Upload]:
        """Return the uploads that were begun or completed before a time."""
        with self._lock:
            rows = self._db.execute("SELECT id FROM uploads WHERE touched < ?", (before,)).fetchall()
        return [upload for (upload_id,) in rows if (upload := self.upload(upload_id)) is not None]

    def forget(self, upload_id: str) -> None:
        """Forget an upload."""
        with self._transaction() as db:
            db.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))

    def streams(self, head: ChunkHead) -> list[Stream]:
        """Return the streams that a chunk may belong to; the newest first."""
        if head.upload_id is not None:
            return self._streams("upload_id = ?", head.upload_id)
        return self._streams("client_name = ? AND upload_id IS NULL", head.name)

    def waiting_streams(self) -> list[Stream]:
        """Return the streams of which chunks are held."""
        return self._streams("number IN (SELECT stream FROM stream_chunks WHERE held IS NOT NULL)")

    def _streams(self, condition: str, *values: str) -> list[Stream]:
        query = f"SELECT {_STREAM} FROM streams WHERE {condition} ORDER BY number DESC"
        with self._lock:
            return [Stream(*row) for row in self._db.execute(query, values).fetchall()]

    def open_stream(self, head: ChunkHead, peer: str, server_name: str) -> Stream:
        """Remember a new stream."""
        values = (head.name, head.upload_id, peer, server_name, 0, 0, time.time())
        with self._transaction() as db:
            number = db.execute(
                "INSERT INTO streams (client_name, upload_id, peer, server_name, next_index, length, touched) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
        assert number is not None
        return Stream(number, *values)

    def rename_stream(self, stream: Stream, server_name: str) -> Stream:
        """Remember that a stream gets another name."""
        with self._transaction() as db:
            db.execute("UPDATE streams SET server_name = ? WHERE number = ?", (server_name, stream.number))
        return replace(stream, server_name=server_name)

    def stored(self, stream: Stream, index: int) -> Stored | None:
        """Return what there is of a chunk of a stream."""
        with self._lock:
            row = self._db.execute(
                "SELECT sha256, size, held FROM stream_chunks WHERE stream = ? AND chunk_index = ?",
                (stream.number, index),
            ).fetchone()
        return None if row is None else Stored(*row)

    def last_index(self, stream: Stream) -> int:
        """Return the highest index of a stream's chunks."""
        with self._lock:
            query = "SELECT max(chunk_index) FROM stream_chunks WHERE stream = ?"
            (index,) = self._db.execute(query, (stream.number,)).fetchone()
        return int(index)

    def held(self, stream: Stream | None = None) -> dict[str, int]:
        """Return the files in which chunks of a stream, or of all, are held, with their sizes."""
        where, values = ("", ()) if stream is None else ("AND stream = ?", (stream.number,))
        with self._lock:
            rows = self._db.execute(f"SELECT held, size FROM stream_chunks WHERE held IS NOT NULL {where}", values)
            return dict(rows.fetchall())

    def store(self, stream: Stream, index: int, chunk: Stored, peer: str) -> Stream:
        """Remember a chunk of a stream, and who sent it; one that is not held is the next of the file."""
        grown = (
            stream
            if chunk.held is not None
            else replace(stream, next_index=index + 1, length=stream.length + chunk.size)
        )
        grown = replace(grown, peer=peer, touched=time.time())
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO stream_chunks (stream, chunk_index, sha256, size, held) VALUES (?, ?, ?, ?, ?)",
                (stream.number, index, chunk.sha256, chunk.size, chunk.held),
            )
            db.execute(
                "UPDATE streams SET peer = ?, next_index = ?, length = ?, touched = ? WHERE number = ?",
                (grown.peer, grown.next_index, grown.length, grown.touched, stream.number),
            )
        return grown

    def forget_streams(self, before: float) -> None:
        """Forget streams that nobody has written to since a time and that wait for nothing."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM streams WHERE touched < ? AND NOT EXISTS "
                "(SELECT 1 FROM stream_chunks WHERE stream = number AND held IS NOT NULL)",
                (before,),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
