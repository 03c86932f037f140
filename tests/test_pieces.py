"""Cutting a body into pieces: whatever it comes in, the pieces are those of the whole."""

from __future__ import annotations

import asyncio
import codecs
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cycletls._pieces import Lines, Pieces, Sizes, Texts

Cuts = st.lists(st.binary(max_size=7), max_size=12)
LINES = st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"", b"\r\r\n", b"ab"]), max_size=14)


def cut(pieces: list[bytes], *cutters: Any) -> list[Any]:
    """What becomes of pieces of a body; empty ones are not brought by anybody."""
    left = [piece for piece in pieces if piece]
    return list(Pieces(lambda: left.pop(0) if left else b"", cutters))


@given(Cuts, st.integers(1, 9))
def test_pieces_have_the_size_that_was_asked_for(pieces: list[bytes], size: int) -> None:
    """All but the last one, and together they are the body."""
    whole = b"".join(pieces)
    assert cut(pieces, Sizes(size)) == [whole[start : start + size] for start in range(0, len(whole), size)]


@given(Cuts)
def test_without_a_size_pieces_come_as_they_are(pieces: list[bytes]) -> None:
    """Nothing is gathered, nothing is cut."""
    assert cut(pieces, Sizes(None)) == [piece for piece in pieces if piece]


@given(LINES)
def test_lines_are_those_of_the_whole(pieces: list[bytes]) -> None:
    """Also where the end of a line is cut in two."""
    assert cut(pieces, Lines()) == b"".join(pieces).splitlines()


@given(st.lists(st.sampled_from([b"a", b"--", b"-", b"ab-"]), max_size=12))
def test_a_delimiter_cuts_as_split_does(pieces: list[bytes]) -> None:
    """Also where it is cut in two."""
    whole = b"".join(pieces)
    assert cut(pieces, Lines(b"--")) == (whole.split(b"--") if whole else [])


@given(st.text(max_size=20), st.integers(1, 5))
def test_characters_are_not_cut(text: str, size: int) -> None:
    """A character whose bytes come apart is one character."""
    raw = text.encode()
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert "".join(cut(pieces, Texts(codecs.getincrementaldecoder("utf-8")("replace")))) == text


def test_half_a_character_at_the_end_is_replaced() -> None:
    """As in text that is decoded at once."""
    assert cut([b"caf\xc3"], Texts(codecs.getincrementaldecoder("utf-8")("replace"))) == ["caf", "�"]


def test_pieces_can_be_awaited() -> None:
    """The same cutters serve an event loop."""

    async def main() -> list[Any]:
        left = [b"ab", b"c", b""]

        async def pull() -> bytes:
            await asyncio.sleep(0)
            return left.pop(0)

        return [piece async for piece in Pieces(pull, [Sizes(2)])]

    assert asyncio.run(main()) == [b"ab", b"c"]


@pytest.mark.parametrize("times", [2, 3])
def test_an_iterator_that_has_ended_stays_so(times: int) -> None:
    """next() may be called again."""
    pieces = Pieces(lambda: b"", [])
    for _ in range(times):
        assert next(pieces, None) is None
