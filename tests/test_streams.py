"""Bodies that are read while they are sent."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cycletls import InvalidBody
from cycletls._streams import PIECE, FileStream, IterableStream


def test_a_file_is_sent_from_where_it_stands(tmp_path: Path) -> None:
    """Its length is known, and it can be sent again."""
    path = tmp_path / "file"
    path.write_bytes(b"head" + b"x" * (PIECE + 1))
    with path.open("rb") as file:
        file.seek(4)
        stream = FileStream(file)
        assert (stream.length, stream.replayable) == (PIECE + 1, True)
        assert [len(piece) for piece in stream] == [PIECE, 1]
        assert [len(piece) for piece in stream] == [PIECE, 1]


def test_a_file_that_grows_is_sent_as_announced(tmp_path: Path) -> None:
    """The length has been said by then; one that shrinks ends early, which the core refuses."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    with path.open("r+b", buffering=0) as file:
        stream = FileStream(file)
        path.write_bytes(b"1234567")
        assert b"".join(stream) == b"12345"
        path.write_bytes(b"12")
        assert b"".join(stream) == b"12"


def test_a_pipe_has_no_length() -> None:
    """Only its end tells, and it cannot be read twice."""
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:
        os.write(writing, b"abc")
        os.close(writing)
        stream = FileStream(pipe)
        assert (stream.length, stream.replayable) == (None, False)
        assert b"".join(stream) == b"abc"


def test_an_object_that_only_reads_will_do() -> None:
    """As with requests: anything with read()."""

    class Reader:
        def __init__(self) -> None:
            self.pieces = [b"ab", b"c"]

        def read(self, size: int) -> bytes:
            return self.pieces.pop(0) if self.pieces else b""

    assert list(FileStream(Reader())) == [b"ab", b"c"]


def test_text_files_are_refused() -> None:
    """Their length in bytes is unknown, and so is their encoding."""
    with pytest.raises(InvalidBody, match="binary mode"):
        FileStream(io.StringIO("text"))


def test_pieces_that_are_not_bytes_are_refused() -> None:
    """Whatever read() or the iterable gives is checked."""

    class Text:
        def read(self, size: int) -> str:
            return "text"

    with pytest.raises(InvalidBody, match="bytes, not of str"):
        list(FileStream(Text()))
    with pytest.raises(InvalidBody, match="bytes, not of int"):
        list(IterableStream(b"abc"))  # type: ignore[arg-type]  # iterating over bytes gives numbers


def test_a_list_can_be_sent_again_and_a_generator_cannot() -> None:
    """What is its own iterator is used up."""

    def generate() -> Iterator[bytes]:
        yield b"a"

    assert IterableStream([b"a"]).replayable
    assert not IterableStream(generate()).replayable
    assert list(IterableStream(generate())) == [b"a"]
