"""Uploads of files that are known as a whole: stored in any order, published when the last byte is verified."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias
from weakref import WeakValueDictionary

from starlette.requests import Request

from ._body import Body, Refused
from ._ledger import Upload
from ._limits import Limits
from ._names import InvalidName, server_name
from ._output import Output
from ._staging import ChunkWriter, Part
from ._wire import ChunkHead, Status

FilenameGenerator: TypeAlias = Callable[[str, int, Request], str]
"""Takes the client's name, the index of the chunk that came first, and the request; returns a name."""

_OPEN_PARTS: Final = 64
"""Parts that are kept open while nobody writes to them; opening one again verifies what it has."""
_SETTLING: Final = 0.5
"""Seconds in which a sender that has gone away is noticed; one that is still there then has lost its client."""
_COLLECTION: Final = 3600.0
"""Seconds between two looks for what has expired."""


class Outcome(NamedTuple):
    """What became of a chunk: it is on disk, in a file of this name, which may be complete."""

    actual_name: str
    complete: bool


def choose_name(generator: FilenameGenerator | None, head: ChunkHead, request: Request) -> str:
    """Return the name that a new file gets where nothing else has it.

    Raises:
        Refused: no file gets such a name.
    """
    wanted = head.name if generator is None else generator(head.name, head.index, request)
    try:
        return server_name(wanted)
    except InvalidName as exc:
        raise Refused(400, "Invalid filename", f"This name is not accepted: {exc}") from exc


class _Live:
    """An upload that somebody uses."""

    def __init__(self, upload: Upload, part: Part | None) -> None:
        self.upload = upload
        self.part = part
        self.users = 0
        self.bodies: dict[int, Body] = {}
        self.turns: dict[int, asyncio.Lock] = {}
        self.finishing = asyncio.Lock()

    @property
    def is_idle(self) -> bool:
        return self.users == 0 and not (self.part is not None and self.part.is_busy)

    def outcome(self) -> Outcome:
        return Outcome(self.upload.server_name, self.upload.complete)


class Uploads:
    """All uploads of an output folder.

    Args:
        output: the folder.
        limits: what is put up with.
        generator: chooses names.
    """

    def __init__(self, output: Output, limits: Limits, generator: FilenameGenerator | None) -> None:
        self._output, self._limits, self._generator = output, limits, generator
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._collected = 0.0

    async def receive(self, head: ChunkHead, request: Request) -> Outcome:
        """Store a chunk; when this returns, it is on disk.

        Raises:
            Refused: it is not stored.
            Disconnected: the client went away; what had arrived is kept.
            OSError: the disk failed.
        """
        assert head.upload_id is not None
        assert head.whole is not None
        live = await self._enter(head, request)
        try:
            if live.part is not None and head.index not in live.part.received:
                await self._store(live, live.part, head, request)
            else:
                await self._drain(live, head, request)
            if live.part is not None and live.part.is_whole:
                await self._finish(live)
            return live.outcome()
        finally:
            await self._leave(live)

    async def status(self, upload_id: str) -> Status | None:
        """Return what there is of an upload, None where it is unknown.

        Who asks is about to send the rest, so that senders from before are waited for, and then cut off.
        """
        async with self._turn(upload_id):
            live = await self._find(upload_id)
        if live is None:
            return None
        try:
            await self._settle(list(live.bodies.values()))
            if live.part is None:
                received = set(range(live.upload.whole.layout.count))
                return Status.of(True, received, {}, live.upload.server_name)
            return Status.of(False, set(live.part.received), dict(live.part.partial), live.upload.server_name)
        finally:
            await self._leave(live)

    @staticmethod
    async def _settle(bodies: list[Body]) -> None:
        """Let senders come to their end, those that have gone away by themselves, the others after a moment."""
        ends = [asyncio.ensure_future(body.ended.wait()) for body in bodies]
        if ends:
            await asyncio.wait(ends, timeout=_SETTLING)
            for body in bodies:
                body.supersede()
            await asyncio.wait(ends)

    def close(self) -> None:
        """Close every part."""
        for live in self._live.values():
            if live.part is not None:
                live.part.close()
        self._live.clear()

    # Finding the upload of a chunk.

    async def _enter(self, head: ChunkHead, request: Request) -> _Live:
        assert head.upload_id is not None
        assert head.whole is not None
        async with self._turn(head.upload_id):
            live = await self._find(head.upload_id)
            if live is None:
                upload = await asyncio.to_thread(self._begin, head, request)
                live = self._remember(upload, await asyncio.to_thread(self._create_part, upload))
                live.users += 1
        if live.upload.whole != head.whole:
            await self._leave(live)
            raise Refused(409, "Another file", "the upload of this id is of another file")
        return live

    async def _find(self, upload_id: str) -> _Live | None:
        live = self._live.get(upload_id)
        if live is None:
            upload = await asyncio.to_thread(self._output.ledger.upload, upload_id)
            if upload is None:
                return None
            live = self._remember(*await asyncio.to_thread(self._load, upload))
        live.users += 1
        return live

    def _turn(self, upload_id: str) -> asyncio.Lock:
        """Return the lock under which an upload is looked for, so that it is opened once."""
        return self._opening.setdefault(upload_id, asyncio.Lock())

    def _remember(self, upload: Upload, part: Part | None) -> _Live:
        self._live[upload.id] = live = _Live(upload, part)
        return live

    async def _leave(self, live: _Live) -> None:
        live.users -= 1
        if live.users == 0 and live.upload.id in self._live:
            self._live.move_to_end(live.upload.id)
        idle = [other for other in self._live.values() if other.is_idle]
        for other in idle[: max(0, len(idle) - _OPEN_PARTS)]:
            del self._live[other.upload.id]
            if other.part is not None:
                other.part.close()

    def _begin(self, head: ChunkHead, request: Request) -> Upload:
        assert head.upload_id is not None
        assert head.whole is not None
        layout, limits = head.whole.layout, self._limits
        if layout.size > limits.max_file_bytes or layout.count > limits.max_chunks:
            raise Refused(413, "File too large", f"a file has at most {limits.max_file_bytes} bytes here")
        self._collect()
        if self._output.ledger.unfinished() >= limits.max_unfinished:
            raise Refused(429, "Too many unfinished uploads", retry_after=60.0)
        name = self._output.names.take(choose_name(self._generator, head, request))
        upload = Upload(head.upload_id, name, head.whole, complete=False)
        self._output.ledger.begin(upload)
        return upload

    def _create_part(self, upload: Upload) -> Part:
        return Part.create(self._output.hidden, _part_name(upload), upload.whole)

    def _load(self, upload: Upload) -> tuple[Upload, Part | None]:
        """Find out where an upload stands that this process has not seen, or has put away."""
        if upload.complete:
            self._output.hidden.remove(_part_name(upload))
            return upload, None
        try:
            part = Part.load(self._output.hidden, _part_name(upload), upload.whole)
        except FileNotFoundError:
            if not self._is_published(upload):
                return upload, self._create_part(upload)
            self._output.ledger.complete(upload.id)
            return self._completed(upload), None
        return upload, part

    def _is_published(self, upload: Upload) -> bool:
        """Whether the file is there, as after a crash between publishing it and remembering that."""
        found = self._output.folder.stat(upload.server_name)
        if found is None or found.st_size != upload.whole.layout.size:
            return False
        published = Part(self._output.folder.open(upload.server_name), upload.whole)
        try:
            return published.file_is_whole()
        finally:
            published.close()

    # Storing a chunk.

    async def _store(self, live: _Live, part: Part, head: ChunkHead, request: Request) -> None:
        remaining = part.whole.layout.length(head.index) - head.skip
        body = Body(request, self._limits.max_chunk_bytes, remaining, self._limits)
        if older := live.bodies.get(head.index):
            older.supersede()
        live.bodies[head.index] = body
        async with live.turns.setdefault(head.index, asyncio.Lock()):
            try:
                if head.index in part.received:
                    await self._drain(live, head, request)
                else:
                    await self._write(part, head, body)
            finally:
                body.ended.set()
                if live.bodies.get(head.index) is body:
                    del live.bodies[head.index]

    async def _write(self, part: Part, head: ChunkHead, body: Body) -> None:
        if head.skip > part.partial.get(head.index, 0):
            raise Refused(409, "Bytes are missing", "the chunk goes on behind what has arrived of it")
        assert head.sha256 is not None
        writer = ChunkWriter(part, head.index, head.skip)
        try:
            await body.pour(writer.write)
            right = await asyncio.to_thread(writer.finish, head.sha256)
        except OSError:
            part.drop(head.index)
            raise
        if not right:
            await asyncio.to_thread(part.drop, head.index)
            raise Refused(422, "Checksum mismatch", "the chunk is not what its SHA-256 says")
        await part.keep(head.index, writer.failures)

    async def _drain(self, live: _Live, head: ChunkHead, request: Request) -> None:
        """Read a chunk that is there already."""
        if live.part is not None and await asyncio.to_thread(live.part.digest_of, head.index) != head.sha256:
            raise Refused(409, "Another chunk", "the chunk of this index is there, and is another one")
        await Body(request, self._limits.max_chunk_bytes, None, self._limits).pour(lambda data: None)

    # Publishing a file.

    async def _finish(self, live: _Live) -> None:
        async with live.finishing:
            if live.part is not None:
                part = live.part
                if not part.sealed and not await part.is_intact():
                    part.reset()
                    raise Refused(422, "Checksum mismatch", "the file is not what its SHA-256 says")
                live.upload = await asyncio.to_thread(self._publish, live.upload, part)
                live.part = None
                part.close()

    def _publish(self, upload: Upload, part: Part) -> Upload:
        if not part.sealed:
            part.seal()
        while True:
            try:
                self._output.folder.link(self._output.hidden, _part_name(upload), upload.server_name)
                break
            except FileExistsError:  # put there by somebody else
                name = self._output.names.take(upload.server_name)
                self._output.ledger.rename(upload.id, name)
                upload = Upload(upload.id, name, upload.whole, complete=False)
        self._output.ledger.complete(upload.id)
        self._output.hidden.remove(_part_name(upload))
        return self._completed(upload)

    @staticmethod
    def _completed(upload: Upload) -> Upload:
        return Upload(upload.id, upload.server_name, upload.whole, complete=True)

    # Forgetting.

    def _collect(self) -> None:
        """Forget uploads that nobody went on with, now and then; a client that comes back sends all of it."""
        if time.monotonic() - self._collected < _COLLECTION and self._collected:
            return
        self._collected = time.monotonic()
        oldest = time.time() - self._limits.expire_after
        for upload in self._output.ledger.aged(oldest):
            found = self._output.hidden.stat(_part_name(upload))
            if upload.id in self._live or (found is not None and found.st_mtime >= oldest):
                continue
            self._output.hidden.remove(_part_name(upload))
            self._output.ledger.forget(upload.id)
        self._output.ledger.forget_streams(oldest)


def _part_name(upload: Upload) -> str:
    return f"{upload.id}.part"
