"""Messages in a stream: however it is cut, the same messages come out, and what is too long harms no other."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mb_client import FramingError, MessageTooLarge
from mb_client._framing import FrameDecoder, frame_message


def read_all(decoder: FrameDecoder) -> list[str]:
    """Return what is whole."""
    messages = []
    while (message := decoder.next_message()) is not None:
        messages.append(message.decode())
    return messages


def test_the_length_is_big_endian() -> None:
    """The broker's first message, byte by byte."""
    assert frame_message("publish:system.initialize:1.0.0\n{}")[:5] == b"\x00\x00\x00\x22p"
    assert frame_message("é") == b"\x00\x00\x00\x02\xc3\xa9"


@given(st.lists(st.text(max_size=40), max_size=8), st.lists(st.integers(0, 200)))
def test_cuts_do_not_matter(messages: list[str], cuts: list[int]) -> None:
    """Whatever the pieces in which a stream arrives, its messages are the same."""
    stream = b"".join(map(frame_message, messages))
    places = [0, *sorted(cuts), len(stream)]
    decoder = FrameDecoder()
    found = []
    for start, end in pairwise(places):
        decoder.feed(stream[start:end])
        found += read_all(decoder)
    assert found == messages
    assert not decoder.pending


def test_one_byte_at_a_time() -> None:
    """A stream may come as slowly as it likes."""
    messages = ["a" * 300, "", "é" * 20]
    decoder = FrameDecoder()
    found = []
    for byte in b"".join(map(frame_message, messages)):
        decoder.feed(bytes([byte]))
        found += read_all(decoder)
    assert found == messages


def test_a_thousand_messages_at_once() -> None:
    """A segment may hold any number of messages."""
    messages = [f"message {number}" for number in range(1_000)]
    decoder = FrameDecoder()
    decoder.feed(b"".join(map(frame_message, messages)))
    assert read_all(decoder) == messages


@pytest.mark.parametrize("piece", [1, 7, 1_000_000])
def test_what_is_too_long_is_passed_over(piece: int) -> None:
    """The message after one that is too long is read, and the long one is not kept in memory."""
    stream = frame_message("a") + frame_message("b" * 1_001) + frame_message("c")
    decoder = FrameDecoder(max_message=1_000)
    found, refused = [], 0
    for start in range(0, len(stream), piece):
        decoder.feed(stream[start : start + piece])
        try:
            found += read_all(decoder)
        except MessageTooLarge:
            refused += 1
            found += read_all(decoder)
    assert "".join(found) == "c" if piece == 1_000_000 else "ac"
    assert refused == 1


@pytest.mark.parametrize("start", [b"HTTP/1.1 400", struct.pack("<I", 34), b"\x16\x03\x01\x02"])
def test_another_protocol_is_noticed(start: bytes) -> None:
    """A length that no message has means that nothing after it can be understood."""
    decoder = FrameDecoder()
    decoder.feed(start + b"rest")
    with pytest.raises(FramingError):
        decoder.next_message()
