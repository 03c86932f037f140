"""Files that grow by chunks whose number nobody tells, as the Node client sends them.

Such a client has neither an id nor an end, so each chunk must be at the file's name when it is acknowledged. The body
is first stored on its own, so that one which breaks off leaves nothing behind; then it is appended where the ledger
says that the file ends, or held until the chunks before it are there.

A chunk 0 begins a new file, unless it is all that came so far: the same name again is another upload, and never
appended to the first.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
import time
from typing import Final
from weakref import WeakValueDictionary

from starlette.requests import Request

from ._body import Body, Refused
from ._folder import read_pieces, sync_data, write_at
from ._ledger import Stored, Stream
from ._limits import Limits
from ._output import Output
from ._uploads import FilenameGenerator, Outcome, choose_name
from ._wire import ChunkHead

_log: Final = logging.getLogger("indexedcp")
_HELD: Final = "held-"
_RECENT: Final = 3600.0
"""Seconds in which a stream may yet go on, where it must be told from a later one of its name."""


class Streams:
    """All streams of an output folder.

    Args:
        output: the folder.
        limits: what is put up with.
        generator: chooses names.
    """

    def __init__(self, output: Output, limits: Limits, generator: FilenameGenerator | None) -> None:
        self._output, self._limits, self._generator = output, limits, generator
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._mend()

    async def receive(self, head: ChunkHead, request: Request) -> Outcome:
        """Store a chunk; when this returns, it is on disk.

        Raises:
            Refused: it is not stored.
            Disconnected: the client went away before the chunk was whole.
            OSError: the disk failed.
        """
        name = _HELD + secrets.token_hex(8)
        try:
            chunk = await self._spool(name, head, request)
            async with self._turns.setdefault(head.upload_id or head.name, asyncio.Lock()):
                stream = await asyncio.to_thread(self._place, head, chunk, request)
            return Outcome(stream.server_name, complete=False)
        finally:
            await asyncio.to_thread(self._discard, name)

    async def _spool(self, name: str, head: ChunkHead, request: Request) -> Stored:
        """Store a body on its own."""
        descriptor = await asyncio.to_thread(self._output.hidden.create, name)
        try:
            digest, size = hashlib.sha256(), 0

            def write(data: bytes | memoryview) -> None:
                nonlocal size
                write_at(descriptor, data, size)
                digest.update(data)
                size += len(data)

            await Body(request, self._limits.max_chunk_bytes, None, self._limits).pour(write)
            if head.sha256 not in (None, digest.hexdigest()):
                raise Refused(422, "Checksum mismatch", "the chunk is not what its SHA-256 says")
            await asyncio.to_thread(sync_data, descriptor)
            return Stored(digest.hexdigest(), size, name)
        finally:
            os.close(descriptor)

    def _discard(self, name: str) -> None:
        """Remove a spooled body, unless it is held."""
        if name not in self._output.ledger.held():
            self._output.hidden.remove(name)

    def _place(self, head: ChunkHead, chunk: Stored, request: Request) -> Stream:
        """Put a spooled chunk where it belongs: on record first, so that a crash at any point can be mended."""
        peer = _peer(request)
        stream = self._belongs_to(head, chunk, peer) or self._begin(head, peer, request)
        known = self._output.ledger.stored(stream, head.index)
        if known is None:
            self._check_held(stream, head.index, chunk)
            self._output.hidden.sync()
            stream = self._output.ledger.store(stream, head.index, chunk, peer)
        elif known.sha256 != chunk.sha256:
            raise Refused(409, "Another chunk", "the chunk of this index is there, and is another one")
        return self._promote(stream)

    def _belongs_to(self, head: ChunkHead, chunk: Stored, peer: str) -> Stream | None:
        """Return the stream that a chunk belongs to, None for a new one."""
        streams = self._output.ledger.streams(head)
        if not streams or head.upload_id is not None:
            return streams[0] if streams else None
        if head.index == 0:
            return self._begun_by(streams[0], chunk)
        same_peer = [stream for stream in streams if stream.peer == peer]
        if same_peer:
            return same_peer[0]
        stored = {stream.number: self._output.ledger.stored(stream, head.index) for stream in streams}
        repeated = [stream for stream in streams if (known := stored[stream.number]) and known.sha256 == chunk.sha256]
        lacking = [stream for stream in streams if stored[stream.number] is None]
        waiting = [stream for stream in lacking if stream.next_index == head.index]
        if repeated and (not waiting or repeated[0].number > waiting[0].number):
            return repeated[0]
        if waiting or lacking:
            return _only(waiting or lacking)
        raise Refused(409, "Another chunk", "the chunk of this index is there, and is another one")

    def _begun_by(self, newest: Stream, chunk: Stored) -> Stream | None:
        """Return the newest stream if a chunk 0 is its beginning: missing so far, or all that there is."""
        first = self._output.ledger.stored(newest, 0)
        if first is None:
            return newest
        repeated = first.sha256 == chunk.sha256 and self._output.ledger.last_index(newest) == 0
        return newest if repeated else None

    def _begin(self, head: ChunkHead, peer: str, request: Request) -> Stream:
        name = self._output.names.take(choose_name(self._generator, head, request))
        return self._output.ledger.open_stream(head, peer, name)

    def _check_held(self, stream: Stream, index: int, chunk: Stored) -> None:
        if index > stream.next_index:
            held = sum(self._output.ledger.held(stream).values())
            if held + chunk.size > self._limits.max_held_bytes:
                raise Refused(413, "Too far ahead", "the chunks before this one are missing")

    def _promote(self, stream: Stream) -> Stream:
        """Put what is held and is next into the file."""
        while (chunk := self._output.ledger.stored(stream, stream.next_index)) is not None:
            assert chunk.held is not None
            if stream.next_index == 0:
                stream = self._link(stream, chunk.held)
            else:
                self._append(stream, chunk.held, chunk.size)
            appended = Stored(chunk.sha256, chunk.size, None)
            stream = self._output.ledger.store(stream, stream.next_index, appended, stream.peer)
            self._output.hidden.remove(chunk.held)
        return stream

    def _link(self, stream: Stream, held: str) -> Stream:
        """Make the first chunk the file."""
        while True:
            try:
                self._output.folder.link(self._output.hidden, held, stream.server_name)
                return stream
            except FileExistsError:  # put there by somebody else
                name = self._output.names.take(stream.server_name)
                stream = self._output.ledger.rename_stream(stream, name)

    def _append(self, stream: Stream, held: str, size: int) -> None:
        """Write a chunk behind what is accounted for; what is there beyond it is of a try that failed."""
        end = stream.length
        with self._output.folder.opened(stream.server_name) as target, self._output.hidden.opened(held) as source:
            if os.fstat(target).st_size < end:
                raise OSError("the file was changed by somebody else")
            os.ftruncate(target, end)
            for piece in read_pieces(source, 0, size):
                write_at(target, piece, end)
                end += len(piece)
            sync_data(target)

    def _mend(self) -> None:
        """Take away bodies that nobody waits for, and finish what a crash has interrupted."""
        held = self._output.ledger.held()
        for name in self._output.hidden.names():
            if name.startswith(_HELD) and name not in held:
                self._output.hidden.remove(name)
        for stream in self._output.ledger.waiting_streams():
            try:
                self._promote(stream)
            except OSError as exc:  # the chunk stays on record, and its next sender is told
                _log.warning("%s is not complete: %s", stream.server_name, exc.strerror or exc)


def _only(fitting: list[Stream]) -> Stream:
    """Return the one stream that may yet go on.

    Raises:
        Refused: there are several, and a guess would mix two files.
    """
    recent = [stream for stream in fitting if time.time() - stream.touched < _RECENT]
    if len(recent) > 1:
        raise Refused(409, "Ambiguous", "several uploads of this name go on; this chunk may belong to each of them")
    return recent[0] if recent else fitting[0]


def _peer(request: Request) -> str:
    return "" if request.client is None else f"{request.client.host}:{request.client.port}"
