"""What both ends say to each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indexedcp._wire import BadRequest, ChunkHead, Layout, Status, Whole, status_url
from starlette.datastructures import Headers

ID = "0" * 32
SHA256 = "a" * 64


def as_seen(headers: dict[str, str]) -> Headers:
    """Headers as the server sees them."""
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()])


@given(st.integers(0, 10**12), st.integers(1, 10**9))
def test_chunks_make_the_file(size: int, chunk_size: int) -> None:
    """The chunks of a layout follow each other without a gap and end where the file does."""
    layout = Layout(size, max(chunk_size, size // 1000 or 1))
    end = 0
    for index in range(layout.count):
        assert layout.start(index) == end
        assert 0 <= layout.length(index) <= layout.chunk_size
        end += layout.length(index)
    assert end == size


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(names, st.integers(0, 10**6), st.booleans())
def test_heads_survive_the_wire(name: str, index: int, whole: bool) -> None:
    """What a client says is what the server reads, whatever the name."""
    layout = Layout((index + 1) * 10, 10)
    head = ChunkHead(name, index, ID, SHA256, 3 if whole else 0, Whole(layout, SHA256) if whole else None)
    headers = head.headers()
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert ChunkHead.parse(as_seen(headers)) == head


def test_headers_of_a_plain_chunk() -> None:
    """Without ids a chunk has the two headers that every server knows."""
    expected = {"Content-Type": "application/octet-stream", "X-Chunk-Index": "7", "X-File-Name": "a b.txt"}
    assert ChunkHead("a b.txt", 7).headers() == expected


@pytest.mark.parametrize(
    "change",
    [
        {"X-Chunk-Index": "-1"},
        {"X-Chunk-Index": "NaN"},
        {"X-Chunk-Index": "1e3"},
        {"X-Chunk-Index": "³"},
        {"X-Chunk-Index": "3"},
        {"X-Chunk-Index": "9" * 30},
        {"X-Upload-Id": "../../etc/passwd"},
        {"X-Upload-Id": "A" * 32},
        {"X-Chunk-SHA256": "a" * 63},
        {"X-Chunk-Offset": "9"},
        {"X-Chunk-Offset": "21"},
        {"X-Chunk-Size": "0"},
        {"X-Total-Chunks": "4"},
        {"X-File-Size": "31"},
        {"X-File-SHA256": "short"},
        {"X-File-Name-Encoding": "base64"},
    ],
)
def test_headers_that_make_no_sense(change: dict[str, str]) -> None:
    """What is malformed or contradicts itself is refused, before anything is done."""
    head = ChunkHead("a", 1, ID, SHA256, 0, Whole(Layout(30, 10), SHA256))
    with pytest.raises(BadRequest):
        ChunkHead.parse(as_seen({**head.headers(), **change}))


@pytest.mark.parametrize("missing", ["X-Upload-Id", "X-Chunk-SHA256", "X-Chunk-Index", "X-File-SHA256"])
def test_headers_that_are_missing(missing: str) -> None:
    """A size alone does not make an upload that can be gone on with."""
    headers = ChunkHead("a", 1, ID, SHA256, 0, Whole(Layout(30, 10), SHA256)).headers()
    del headers[missing]
    with pytest.raises(BadRequest):
        ChunkHead.parse(as_seen(headers))


def test_names_as_other_clients_send_them() -> None:
    """Raw UTF-8 is read as such, Latin-1 as such, and a percent sign means itself."""
    for sent, meant in ((b"gr\xc3\xb6\xc3\x9fe", "größe"), (b"gr\xf6\xdfe", "größe"), (b"%41", "%41")):
        headers = as_seen({"X-Chunk-Index": "0", "X-File-Name": sent.decode("latin-1")})
        assert ChunkHead.parse(headers).name == meant


@given(st.sets(st.integers(0, 50)), st.booleans())
def test_status_survives_the_wire(received: set[int], complete: bool) -> None:
    """What a server has is what the client learns."""
    status = Status.of(complete, received, {60: 3}, "a.bin")
    again = Status.parse(status.document())
    assert again == status
    assert again.chunks() == received


def test_status_is_beside_the_upload() -> None:
    """The question goes to where the upload goes, query and slash or not."""
    assert status_url("http://h:1/upload", "i") == "http://h:1/upload/status?id=i"
    assert status_url("https://h/a/upload/?x=1", "i") == "https://h/a/upload/status?id=i"
