"""The buffer by itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from conftest import MakeFile
from indexedcp import FileChanged
from indexedcp._buffer import Buffer, Delivery


@pytest.fixture
def buffer() -> Buffer:
    """A buffer."""
    return Buffer("test")


@pytest.mark.parametrize("change", [lambda path: os.truncate(path, 10), lambda path: os.utime(path, (1, 1))])
def test_file_that_changes_while_it_is_read(buffer: Buffer, make_file: MakeFile, change: object) -> None:
    """It is not buffered, not even in part."""
    assert callable(change)
    path = make_file("a.bin", b"a" * 3000)
    with pytest.raises(FileChanged):
        buffer.add(str(path), 1000, lambda _path, done, _size: change(path) if done == 1000 else None)
    assert buffer.files() == []


def test_interrupted_reading_leaves_nothing(buffer: Buffer, make_file: MakeFile) -> None:
    """An exception while a file is read undoes all of it."""

    def interrupt(path: str, done: int, size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        buffer.add(str(make_file("a.bin", b"a" * 3000)), 1000, interrupt)
    assert buffer.files() == []


def test_what_is_no_file(buffer: Buffer, tmp_path: Path) -> None:
    """Folders and pipes are refused at once: a pipe that nobody writes to would be waited for."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        buffer.add(str(tmp_path), 1000)
    with pytest.raises(ValueError, match="not a file"):
        buffer.add(str(tmp_path / "pipe"), 1000)


def test_chunks_and_their_hashes(buffer: Buffer, make_file: MakeFile) -> None:
    """A file's chunks are its content, each with its hash, and they go with it."""
    file = buffer.add(str(make_file("a.bin", bytes(range(250)))), 100)
    chunks = [buffer.chunk(file, index) for index in range(file.layout.count)]
    assert b"".join(chunks) == bytes(range(250))
    assert [file.chunk_sha256(index) for index in range(3)] == [hashlib.sha256(chunk).hexdigest() for chunk in chunks]
    buffer.remove(file)
    with pytest.raises(KeyError):
        buffer.chunk(file, 0)


def test_deliveries_go_with_their_file(buffer: Buffer, make_file: MakeFile) -> None:
    """How far a file is, is known for each server, and forgotten with the file."""
    path = str(make_file("a.bin", b"abc"))
    file = buffer.add(path, 1)
    buffer.note(file, "http://one", Delivery(2, True, "a"))
    assert buffer.delivery(file, "http://one") == Delivery(2, True, "a")
    assert buffer.delivery(file, "http://two") == Delivery()
    buffer.clear()
    assert buffer.delivery(buffer.add(path, 1), "http://one") == Delivery()
