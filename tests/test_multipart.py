"""multipart/form-data: what a parser that is not ours reads of it, and what it must not be talked into."""

from __future__ import annotations

import email.parser
import email.policy
import io
import re
import tracemalloc
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cycletls import InvalidBody, InvalidHeader, InvalidOption
from cycletls._multipart import multipart_body
from cycletls._streams import PIECE, Body


def content_of(body: Body) -> bytes:
    """Return the bytes of a body."""
    if body.content is not None:
        return body.content
    assert body.stream is not None
    return b"".join(body.stream)


def parse(body: Body) -> list[tuple[str, str | None, str | None, bytes]]:
    """Read the parts with the standard library: field, file name, content type, content."""
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + content_of(body))
    assert message.is_multipart()
    return [describe(part) for part in message.get_payload() if isinstance(part, Message)]


def describe(part: Message) -> tuple[str, str | None, str | None, bytes]:
    """Return what a part says of itself."""
    disposition = str(part["Content-Disposition"])
    name = re.search(r' name="([^"]*)"', disposition)
    file_name = re.search(r' filename="([^"]*)"', disposition)
    content = part.get_payload(decode=True)
    assert name
    assert isinstance(content, bytes)
    return name[1], file_name[1] if file_name else None, part["Content-Type"], content


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (b"x", ("f", "application/octet-stream", b"x")),
        ("ü", ("f", "application/octet-stream", "ü".encode())),
        (("a.txt", b"x"), ("a.txt", "text/plain", b"x")),
        (("a", b"x", "text/csv"), ("a", "text/csv", b"x")),
        (("a.txt", b"x", None), ("a.txt", "text/plain", b"x")),
        ((None, "x"), (None, None, b"x")),
        ((None, "{}", "application/json"), (None, "application/json", b"{}")),
    ],
)
@pytest.mark.parametrize("shape", [dict, list])
def test_every_shape_of_requests(file: Any, expected: tuple[str | None, str | None, bytes], shape: type) -> None:
    """A value is a file or bytes, alone or with its name, type and headers, in a mapping or pairs."""
    assert parse(multipart_body([], shape([("f", file)]))) == [("f", *expected)]


@pytest.mark.parametrize("shape", [dict, list])
def test_open_files_stand_where_bytes_do(shape: type) -> None:
    """Alone, or with a name."""
    assert parse(multipart_body([], shape([("f", io.BytesIO(b"x"))])))[0][3] == b"x"
    assert parse(multipart_body([], shape([("f", ("a.txt", io.BytesIO(b"x")))])))[0][1:] == (
        "a.txt",
        "text/plain",
        b"x",
    )


def test_a_file_is_named_after_its_path(tmp_path: Path) -> None:
    """The folder stays here."""
    path = tmp_path / "photo.png"
    path.write_bytes(b"png")
    with path.open("rb") as file:
        assert parse(multipart_body([], {"f": file})) == [("f", "photo.png", "image/png", b"png")]


def test_further_headers_of_a_part() -> None:
    """Those of the fourth place are there."""
    content = content_of(multipart_body([], {"f": ("a", b"x", "text/plain", {"X-Part": "1"})}))
    assert b"Content-Type: text/plain\r\nX-Part: 1\r\n\r\nx\r\n" in content


def test_fields_come_first_and_in_order() -> None:
    """As in requests; a repeated name has several parts."""
    body = multipart_body([("a", "1"), ("a", "2")], [("f", ("x", b"3")), ("f", ("y", b"4"))])
    assert [(name, content) for name, _, _, content in parse(body)] == [
        ("a", b"1"),
        ("a", b"2"),
        ("f", b"3"),
        ("f", b"4"),
    ]


def test_names_cannot_break_out_of_their_quotes() -> None:
    """CR, LF and quotes are escaped as WHATWG's forms do it (CVE-2019-11236's kin)."""
    evil = 'a"\r\nX-Evil: 1\r\n\r\nbody'
    content = content_of(multipart_body([(evil, "1")], {evil: (evil, b"x", "text/plain")}))
    assert b"\r\nX-Evil" not in content
    assert content.count(b'name="a%22%0D%0AX-Evil: 1%0D%0A%0D%0Abody"') == 3
    assert content.count(b"\r\n\r\n") == 2


@pytest.mark.parametrize(
    "file",
    [
        ("a", b"x", "text/plain\r\nX: 1"),
        ("a", b"x", "text/plain", {"X": "1\r\nY: 2"}),
        ("a", b"x", "text/plain", {"X\n": "1"}),
        ("a", b"x", "text/plain", {"X: 1\nY": "1"}),
        ("a", b"x", "text/plain", {"X:": "1"}),
        ("a", b"x", "text/plain", {"X": "\0"}),
    ],
)
def test_headers_of_a_part_cannot_bring_others(file: Any) -> None:
    """They are refused, since nobody means them."""
    with pytest.raises(InvalidHeader):
        multipart_body([], {"f": file})


def test_boundaries_have_128_bits_and_are_new_each_time() -> None:
    """From the system's generator: what cannot be guessed cannot be put into a file (CVE-2025-7783)."""
    boundaries = {multipart_body([("a", "1")], []).content_type.partition("boundary=")[2] for _ in range(100)}
    assert len(boundaries) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", boundary) for boundary in boundaries)


def test_small_forms_are_sent_in_one_piece() -> None:
    """Head and body then cross and leave together, and can be sent again."""
    assert multipart_body([("a", "1")], {"f": io.BytesIO(b"x" * 100)}).stream is None


def test_large_files_are_streamed_with_a_known_length() -> None:
    """No more than a piece of a file is in memory, however large it is."""
    body = multipart_body([("a", "1")], {"f": io.BytesIO(b"x" * PIECE * 3), "g": ("g", b"y" * PIECE)})
    assert body.stream is not None
    pieces = list(body.stream)
    assert sum(map(len, pieces)) == body.stream.length
    assert max(map(len, pieces)) <= PIECE
    assert body.stream.replayable
    assert [len(content) for *_, content in parse(body)] == [1, 3 * PIECE, PIECE]


def test_memory_stays_flat_however_large_the_file(tmp_path: Path) -> None:
    """100 MiB pass through a few pieces."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    with path.open("rb", buffering=0) as file:
        body = multipart_body([], {"f": file})
        assert body.stream is not None
        tracemalloc.start()
        sent = sum(len(piece) for piece in body.stream)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert sent == body.stream.length
    assert peak < 8 * PIECE


def test_a_file_of_unknown_length_makes_the_form_so() -> None:
    """It is sent in chunks, and only once."""

    class Reader:
        def __init__(self) -> None:
            self.pieces = [b"abc", b""]

        def read(self, size: int) -> bytes:
            return self.pieces.pop(0)

    stream = multipart_body([], {"f": ("f", Reader())}).stream
    assert stream is not None
    assert (stream.length, stream.replayable) == (None, False)
    assert b"\r\n\r\nabc\r\n--" in b"".join(stream)


@pytest.mark.parametrize(
    "files",
    [
        5,
        ["f"],
        [("f",)],
        {1: b"x"},
        {"f": ()},
        {"f": ("a",)},
        {"f": 5},
        {"f": ("a", 5)},
        {"f": [io.BytesIO(b"x"), io.BytesIO(b"y")]},
        {"f": (5, b"x")},
        {"f": (b"a", b"x")},
        {"f": ("a", b"x", 5)},
        {"f": ("a", b"x", None, {"X": 5})},
        {"f": ("a", b"x", None, {5: "X"})},
        {"f": ("a", b"x", None, "X: 5")},
    ],
)
def test_other_shapes_are_refused(files: Any) -> None:
    """The option is named."""
    with pytest.raises(InvalidOption, match="files="):
        multipart_body([], files)


def test_text_files_are_refused() -> None:
    """A file must be opened in binary mode."""
    with pytest.raises(InvalidBody, match="binary mode"):
        multipart_body([], {"f": io.StringIO("x")})


@given(st.lists(st.tuples(st.text('ab"\r\n;=ü', min_size=1), st.binary(max_size=20)), min_size=1, max_size=5))
def test_any_names_and_contents_are_read_back(files: list[tuple[str, bytes]]) -> None:
    """Part by part, in order, byte for byte."""
    body = multipart_body([], [(name, ("f", content, "text/x")) for name, content in files])
    boundary = body.content_type.partition("boundary=")[2].encode()
    parts = content_of(body).split(b"--" + boundary)[1:-1]
    assert [part.partition(b"\r\n\r\n")[2][:-2] for part in parts] == [content for _, content in files]
