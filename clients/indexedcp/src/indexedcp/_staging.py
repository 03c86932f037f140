"""The bytes of an upload until its file is whole.

A part is one file: the data in its place, and behind it a table with an entry for each chunk: the SHA-256 of a chunk
that is there, and how many bytes have arrived of one that broke off. One sync covers both. The table is not believed
after a restart: a chunk counts only where its data still has the hash.

A sync that fails may have dropped what was written before it, while the next one succeeds. So it takes back all that
was written since the last good one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from collections.abc import Callable
from typing import Final

from ._folder import Folder, hash_range, read_pieces, sync_data, write_at
from ._wire import Whole

_ENTRY: Final = struct.Struct("<32sQ")
_LENGTH: Final = struct.Struct("<Q")
_EMPTY: Final = bytes(32)


class Part:
    """The data and the table of an upload.

    Attributes:
        received: chunks that are on disk and verified.
        partial: bytes that have arrived of others.
        sealed: the table is off, and what is left is the file.
    """

    def __init__(self, descriptor: int, whole: Whole) -> None:
        self.whole = whole
        self.received: set[int] = set()
        self.partial: dict[int, int] = {}
        self.sealed = False
        self.descriptor = descriptor
        self._hash, self._hashed = hashlib.sha256(), 0
        self._hashing: asyncio.Task[None] | None = None
        self._sync = SharedSync(descriptor, self._doubt)

    @classmethod
    def create(cls, folder: Folder, name: str, whole: Whole) -> Part:
        """Make the part of a new upload."""
        folder.remove(name)  # of an upload whose making was interrupted
        part = cls(folder.create(name), whole)
        os.ftruncate(part.descriptor, part._table(whole.layout.count))
        sync_data(part.descriptor)
        folder.sync()
        return part

    @classmethod
    def load(cls, folder: Folder, name: str, whole: Whole) -> Part:
        """Find out what there is of an upload, by its data.

        Raises:
            FileNotFoundError: there is none.
        """
        part = cls(folder.open(name), whole)
        try:
            part._survey()
        except BaseException:
            part.close()
            raise
        return part

    def _survey(self) -> None:
        layout = self.whole.layout
        self.sealed = os.fstat(self.descriptor).st_size == layout.size and self.file_is_whole()
        if self.sealed:
            self.received.update(range(layout.count))
            return
        os.ftruncate(self.descriptor, self._table(layout.count))  # which it is, unless its making was interrupted
        table = b"".join(read_pieces(self.descriptor, self._table(0), layout.count * _ENTRY.size))
        for index in range(layout.count):
            digest, arrived = _ENTRY.unpack_from(table, index * _ENTRY.size)
            if digest != _EMPTY and self._digest(index) == digest:
                self.received.add(index)
            elif digest == _EMPTY and 0 < arrived <= layout.length(index):
                self.partial[index] = arrived
        sync_data(self.descriptor)  # what was written but not synced before is about to be reported

    @property
    def is_whole(self) -> bool:
        """Whether every chunk is there."""
        return len(self.received) == self.whole.layout.count

    @property
    def failures(self) -> int:
        """How many syncs have failed."""
        return self._sync.failures

    def digest_of(self, index: int) -> str:
        """Return the SHA-256 of a chunk that was received."""
        return (self._digest(index)).hex()

    @property
    def is_busy(self) -> bool:
        """Whether its data is being read."""
        return self._hashing is not None and not self._hashing.done()

    def file_is_whole(self) -> bool:
        """Read the file back and compare its SHA-256."""
        whole = hashlib.sha256()
        hash_range(whole, self.descriptor, 0, self.whole.layout.size)
        return whole.hexdigest() == self.whole.sha256

    async def is_intact(self) -> bool:
        """Do the same where every chunk is there; most has been read back before."""
        self._hash_ahead()
        if self._hashing is not None:
            await self._hashing
        return self._hash.hexdigest() == self.whole.sha256

    def _hash_ahead(self) -> None:
        """Begin to read back what is there from the file's beginning, unless that is under way."""
        if not self.is_busy and self._hashed in self.received:
            self._hashing = asyncio.ensure_future(self._hash_chunks())

    async def _hash_chunks(self) -> None:
        while self._hashed in self.received:
            await asyncio.to_thread(self._hash_received)

    def _hash_received(self) -> None:
        layout = self.whole.layout
        while self._hashed in self.received:
            ahead = self._hash.copy()  # which a failure leaves as it was
            hash_range(ahead, self.descriptor, layout.start(self._hashed), layout.length(self._hashed))
            self._hash, self._hashed = ahead, self._hashed + 1

    async def keep(self, index: int, failures: int) -> None:
        """Put a chunk whose data and hash have been written on disk.

        Args:
            index: which chunk.
            failures: how many syncs had failed before the first byte of it was written.

        Raises:
            OSError: it is not on disk, and counts as not sent.
        """
        try:
            await self._sync.wait()
            if self.failures != failures:
                raise OSError("a sync has failed while the chunk was written")
        except OSError:
            self.drop(index)
            raise
        self.received.add(index)
        self.partial.pop(index, None)
        self._hash_ahead()

    def drop(self, index: int) -> None:
        """Forget what has arrived of a chunk."""
        self.partial.pop(index, None)
        write_at(self.descriptor, bytes(_ENTRY.size), self._table(index))

    def _doubt(self) -> None:
        """Take back all that may have been lost with a sync.

        It happens in the event loop, at once: a chunk whose writing begins afterwards must not be taken back with it.
        """
        for index in list(self.partial):
            self.drop(index)

    def note(self, index: int, arrived: int) -> None:
        """Note how many bytes of a chunk have been written."""
        self.partial[index] = arrived
        write_at(self.descriptor, _LENGTH.pack(arrived), self._table(index) + 32)

    def certify(self, index: int, digest: bytes) -> None:
        """Note the hash of a chunk that is whole."""
        write_at(self.descriptor, digest, self._table(index))

    def seal(self) -> None:
        """Take the table off and put the file on disk."""
        os.ftruncate(self.descriptor, self.whole.layout.size)
        os.fsync(self.descriptor)
        self.sealed = True

    def reset(self) -> None:
        """Forget all that has been received."""
        os.ftruncate(self.descriptor, self.whole.layout.size)
        os.ftruncate(self.descriptor, self._table(self.whole.layout.count))
        self.received.clear()
        self.partial.clear()
        self._hash, self._hashed = hashlib.sha256(), 0
        self.sealed = False

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)

    def _table(self, index: int) -> int:
        return self.whole.layout.size + index * _ENTRY.size

    def _digest(self, index: int) -> bytes:
        layout, digest = self.whole.layout, hashlib.sha256()
        hash_range(digest, self.descriptor, layout.start(index), layout.length(index))
        return digest.digest()


class ChunkWriter:
    """One body on its way into its chunk.

    Args:
        part: where it goes.
        index: which chunk.
        skip: bytes of the chunk that are there already.
    """

    def __init__(self, part: Part, index: int, skip: int) -> None:
        self._part, self._index, self._arrived = part, index, skip
        self._start = part.whole.layout.start(index)
        self._hash = hashlib.sha256()
        self._hashed = 0
        self.failures = part.failures

    def write(self, data: bytes | memoryview) -> None:
        """Write the next bytes of the body, and only then hash them: a process that dies has kept what it has written.

        Raises:
            OSError: they are not written, or those before may have been lost.
        """
        self._check_failures()
        write_at(self._part.descriptor, data, self._start + self._arrived)
        self._part.note(self._index, self._arrived + len(data))
        self._check_failures()  # one meanwhile has not taken back what is noted now
        self._catch_up()
        self._hash.update(data)
        self._arrived = self._hashed = self._arrived + len(data)

    def finish(self, sha256: str) -> bool:
        """Note that the chunk is whole, if it is the one of this hash; say whether it is.

        Raises:
            OSError: the note is not written, or bytes before may have been lost.
        """
        self._check_failures()
        self._catch_up()
        if self._hash.hexdigest() != sha256:
            return False
        self._part.certify(self._index, self._hash.digest())
        return True

    def _check_failures(self) -> None:
        if self.failures != self._part.failures:
            raise OSError("a sync has failed while the chunk was written")

    def _catch_up(self) -> None:
        """Hash what had arrived with another body."""
        if self._hashed < self._arrived:
            hash_range(self._hash, self._part.descriptor, self._start, self._arrived)
            self._hashed = self._arrived


class SharedSync:
    """Syncs of one file which all share that wait for one: as many as there are take one flush of the disk.

    Args:
        descriptor: of the file.
        failed: called when one has failed, before anybody else goes on.

    Attributes:
        failures: how many have failed.
    """

    def __init__(self, descriptor: int, failed: Callable[[], None]) -> None:
        self._descriptor, self._failed = descriptor, failed
        self._lock = asyncio.Lock()
        self._asked = self._done = 0
        self.failures = 0

    async def wait(self) -> None:
        """Return when all that was written before the call is on disk.

        Raises:
            OSError: it may not be.
        """
        self._asked += 1
        mine, failures = self._asked, self.failures
        async with self._lock:
            if self.failures != failures:
                raise OSError("a sync that others waited for has failed")
            if self._done >= mine:
                return
            covered = self._asked
            try:
                await asyncio.to_thread(sync_data, self._descriptor)
            except OSError:
                self.failures += 1
                self._failed()
                raise
            self._done = covered
