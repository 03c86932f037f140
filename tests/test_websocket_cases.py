"""Cases of the WebSocket protocol in the sections of the Autobahn test suite, played to a client that sends all back.

By section: 20 of framing, 12 of pings and pongs, 9 of reserved bits, 20 of reserved opcodes, 17 of fragmentation,
48 of UTF-8, 43 of closing and 10 of compression come from servers that write their frames byte by byte; 16 of size and
8 of many small messages from a server of the websockets package; 12 of compression from one of wsproto and 12 from
websockets. Each is played to a client in a thread and to one in an event loop.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import pytest
from servers import Peer, ScriptedServer
from sockets import accept, address, served
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.sync.server import ServerConnection
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Message, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

import cycletls

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
Frame = tuple[int, bytes]


class Case(NamedTuple):
    """What a server sends, and what a client that sends all back must answer.

    Attributes:
        name: begins with the number of its section.
        sent: the bytes, all of them frames of the server.
        answers: the frames that come back before a goodbye, the last of each run of pongs alone where ``latest``.
        code: of the client's goodbye; None where it has none of its own, and the server says it: 1000.
        chop: bytes in one write, 0 for all of them.
        field: of the server's handshake.
        latest: only the last ping has to be answered (RFC 6455 section 5.5.3).
    """

    name: str
    sent: bytes
    answers: Sequence[Frame] = ()
    code: int | None = None
    chop: int = 0
    field: str = ""
    latest: bool = False


def frame(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    """Write a frame as a server does."""
    size = len(payload)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 1 << 16
        else b"\x7f" + size.to_bytes(8, "big")
    )
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + payload


def fragments(opcode: int, *parts: bytes, between: bytes = b"") -> bytes:
    """Write a message in several frames, with something between each two."""
    last = len(parts) - 1
    return between.join(frame(CONTINUATION if at else opcode, part, fin=at == last) for at, part in enumerate(parts))


def goodbye(code: int, reason: bytes = b"") -> bytes:
    """Write a Close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def framing() -> Iterable[Case]:
    """Messages around every length that is written differently."""
    for opcode, letter in ((TEXT, b"*"), (BINARY, b"\xfe")):
        for size, chop in (
            (0, 0), (1, 0), (125, 0), (126, 0), (127, 0), (128, 0), (65535, 0), (65536, 0), (65536, 997), (200, 1)
        ):  # fmt: skip
            yield Case(f"1 {opcode} {size} {chop}", frame(opcode, letter * size), [(opcode, letter * size)], chop=chop)


def pings() -> Iterable[Case]:
    """Answered with what they carry; pongs that nobody asked for are nothing."""
    after = (frame(TEXT, b"x"), (TEXT, b"x"))
    for payload in (b"", b"Hello", b"\x00\xff\xfe\xfd", b"\xfe" * 125):
        yield Case(f"2 ping {len(payload)}", frame(PING, payload), [(PONG, payload)])
    yield Case("2 octets", frame(PING, b"\xfe" * 125), [(PONG, b"\xfe" * 125)], chop=1)
    yield Case("2 too long", frame(PING, b"\xfe" * 126), code=1002)
    yield Case("2 long pong", frame(PONG, b"\xfe" * 126), code=1002)
    yield Case("2 pong", frame(PONG) + after[0], [after[1]])
    yield Case("2 pong payload", frame(PONG, b"unasked") + after[0], [after[1]])
    yield Case("2 pong and ping", frame(PONG, b"unasked") + frame(PING, b"asked"), [(PONG, b"asked")])
    many = b"".join(frame(PING, b"ping-%d" % n) for n in range(10))
    yield Case("2 ten", many, [(PONG, b"ping-9")], latest=True)
    yield Case("2 ten octets", many, [(PONG, b"ping-9")], chop=1, latest=True)


def reserved_bits() -> Iterable[Case]:
    """None was agreed on."""
    first = frame(TEXT, b"first")
    for rsv in range(1, 8):
        yield Case(f"3 {rsv}", first + frame(TEXT, b"bad", rsv=rsv), [(TEXT, b"first")], 1002)
    yield Case("3 ping", frame(PING, rsv=4), code=1002)
    yield Case("3 close", frame(CLOSE, b"\x03\xe8", rsv=1), code=1002)


def opcodes() -> Iterable[Case]:
    """The reserved ones, of both kinds, with and without a payload."""
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield Case(f"4 {opcode}", frame(opcode), code=1002)
        sent = frame(TEXT, b"first") + frame(opcode, b"bad") + frame(PING)
        yield Case(f"4 {opcode} later", sent, [(TEXT, b"first")], 1002)


def fragmentation() -> Iterable[Case]:
    """Messages in pieces, and whatever is no such thing."""
    whole: list[Frame] = [(TEXT, b"fragments")]
    ping = frame(PING, b"p")
    for chop in (0, 1):
        yield Case(f"5 two {chop}", fragments(TEXT, b"frag", b"ments"), whole, chop=chop)
        sent = fragments(TEXT, b"frag", b"ments", between=ping)
        yield Case(f"5 ping between {chop}", sent, [(PONG, b"p"), *whole], chop=chop)
        yield Case(f"5 continuation {chop}", frame(CONTINUATION, b"x"), code=1002, chop=chop)
        yield Case(f"5 open continuation {chop}", frame(CONTINUATION, b"x", fin=False), code=1002, chop=chop)
    yield Case("5 five", fragments(TEXT, b"fr", b"ag", b"me", b"nt", b"s", between=frame(PONG)), whole)
    yield Case("5 empty parts", fragments(BINARY, b"", b"", b""), [(BINARY, b"")])
    yield Case("5 fragmented ping", fragments(PING, b"a", b"b"), code=1002)
    yield Case("5 fragmented pong", fragments(PONG, b"a", b"b"), code=1002)
    yield Case("5 fragmented close", frame(CLOSE, b"\x03\xe8", fin=False), code=1002)
    yield Case("5 text in text", frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), code=1002)
    yield Case("5 binary in text", frame(TEXT, b"a", fin=False) + frame(BINARY, b"b", fin=False), code=1002)
    sent = fragments(TEXT, b"frag", b"ments") + frame(CONTINUATION, b"x")
    yield Case("5 continuation after the end", sent, whole, 1002)
    yield Case("5 empty first", fragments(TEXT, b"", b"fragments"), whole)


VALID = (
    "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe",
    "\uffff", "\U00010000", "\U0010ffff", "\ufeff", "e\u0301",
)  # fmt: skip
INVALID = (
    b"\x80", b"\xbf", b"\x80\xbf", b"\xc0", b"\xc3", b"\xe0\xa0", b"\xf0\x90\x80", b"\xc0\xaf", b"\xc1\xbf",
    b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xed\xa0\x80",
    b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe", b"\xff",
    b"\xce\xba\xe1\xbd\xb9\xcf\xed",
)  # fmt: skip


def utf8() -> Iterable[Case]:
    """Text that is none ends the connection, as soon as that is certain."""
    for text in VALID:
        payload = text.encode()
        yield Case(f"6 {payload!r}", frame(TEXT, payload), [(TEXT, payload)])
    for payload in INVALID:
        yield Case(f"6 {payload!r}", frame(TEXT, b"ok" + payload), code=1007)
    payload = "κόσμε".encode()
    octets = [payload[at : at + 1] for at in range(len(payload))]
    yield Case("6 octets in frames", fragments(TEXT, *octets), [(TEXT, payload)])
    yield Case("6 octets in writes", frame(TEXT, payload), [(TEXT, payload)], chop=1)
    yield Case("6 across frames", fragments(TEXT, b"\xe2\x82", b"\xac"), [(TEXT, b"\xe2\x82\xac")])
    yield Case("6 cut by the end", fragments(TEXT, b"\xe2\x82", b""), code=1007)
    yield Case("6 broken across frames", fragments(TEXT, b"\xe2\x82", b"x"), code=1007)
    yield Case("6 binary need not be", frame(BINARY, b"\xff\xfe"), [(BINARY, b"\xff\xfe")])
    yield Case("6 before the last frame", frame(TEXT, b"\xce\xba\xed\xa0\x80", fin=False), code=1007)
    yield Case("6 before the rest of a frame", frame(TEXT, b"\xf4\x90" + b"x" * 98)[:20], code=1007)
    yield Case("6 surrogates in frames", fragments(TEXT, b"\xed\xa0", b"\x80"), code=1007)
    yield Case("6 large", frame(TEXT, payload * 10_000), [(TEXT, payload * 10_000)])
    yield Case("6 large and broken", frame(TEXT, payload * 10_000 + b"\xff"), code=1007)


def closing() -> Iterable[Case]:
    """The answer to a goodbye has its code; what comes after one is nothing."""
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        yield Case(f"7 {code}", goodbye(code), code=code)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield Case(f"7 wrong {code}", goodbye(code), code=1002)
    yield Case("7 empty", frame(CLOSE), code=1005)
    yield Case("7 one octet", frame(CLOSE, b"\x03"), code=1002)
    yield Case("7 reason", goodbye(1000, b"enough"), code=1000)
    yield Case("7 longest reason", goodbye(1000, b"x" * 123), code=1000)
    yield Case("7 too long", goodbye(1000, b"x" * 124), code=1002)
    yield Case("7 reason no text", goodbye(1000, b"\xce\xba\xff"), code=1007)
    yield Case("7 octets", goodbye(1001, b"enough"), code=1001, chop=1)
    yield Case("7 message after", goodbye(1000) + frame(TEXT, b"late"), code=1000)
    yield Case("7 ping after", goodbye(1000) + frame(PING, b"late"), code=1000)
    yield Case("7 close after", goodbye(1000) + goodbye(1001), code=1000)
    yield Case("7 violation after", goodbye(1000) + frame(3), code=1000)
    yield Case("7 before a message", frame(TEXT, b"x") + goodbye(1000), [(TEXT, b"x")], 1000)
    yield Case("7 within a message", frame(TEXT, b"x", fin=False) + goodbye(1000), code=1000)
    yield Case("7 after many", frame(TEXT, b"x") * 50 + goodbye(1000), [(TEXT, b"x")] * 50, 1000)


def deflated(payload: bytes) -> bytes:
    """Compress a message (RFC 7692 section 7.2.1)."""
    made = zlib.compressobj(wbits=-15)
    return (made.compress(payload) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


def compression() -> Iterable[Case]:
    """What was agreed on, and what is broken; the client may take no context over, so that its frames can be told."""
    agreed = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover"
    text, small = "κόσμε" * 1000, deflated("κόσμε".encode() * 1000)
    echo: list[Frame] = [(TEXT, text.encode())]
    yield Case("12 compressed", frame(TEXT, small, rsv=4), echo, field=agreed)
    yield Case("12 not compressed", frame(TEXT, text.encode()), echo, field=agreed)
    parts = frame(TEXT, small[:9], fin=False, rsv=4) + frame(CONTINUATION, small[9:])
    yield Case("12 fragments", parts, echo, field=agreed)
    yield Case("12 octets", parts, echo, field=agreed, chop=1)
    yield Case("12 ping between", parts[:11] + frame(PING, b"p") + parts[11:], [(PONG, b"p"), *echo], field=agreed)
    yield Case("12 empty", frame(TEXT, deflated(b""), rsv=4), [(TEXT, b"")], field=agreed)
    yield Case("12 bit of a continuation", parts[:11] + frame(CONTINUATION, small[9:], rsv=4), code=1002, field=agreed)
    yield Case("12 bit of a ping", frame(PING, b"p", rsv=4), code=1002, field=agreed)
    yield Case("12 no text", frame(TEXT, deflated(b"\xff"), rsv=4), code=1007, field=agreed)
    yield Case("12 no deflate", frame(BINARY, b"\xff" * 50, rsv=4), code=1007, field=agreed)


CASES = [
    case
    for section in (framing, pings, reserved_bits, opcodes, fragmentation, utf8, closing, compression)
    for case in section()
]


def next_frame(peer: Peer) -> tuple[bytes, bytes]:
    """Read a frame of the client's: its head with the mask, and its payload."""
    head = peer.read_exactly(2)
    assert head[1] & 0x80, "a client masks what it sends"
    size = head[1] & 0x7F
    if size >= 126:
        head += peer.read_exactly(2 if size == 126 else 8)
        size = int.from_bytes(head[2:], "big")
    return head + peer.read_exactly(4), peer.read_exactly(size)


def read_frame(peer: Peer) -> Frame:
    """Read a frame of the client's, and take off its mask and compression."""
    head, payload = next_frame(peer)
    size = len(payload)
    mask = (head[-4:] * (size // 4 + 1))[:size]
    payload = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
    if head[0] & 0x40:
        payload = zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff")
    return head[0] & 0x0F, payload


def play(case: Case, answers: list[Frame]) -> Callable[[Peer], None]:
    """Play a case, and keep what the client answers, its goodbye included."""

    def script(peer: Peer) -> None:
        accept(peer, *[case.field] if case.field else [])
        step = case.chop or len(case.sent)
        for at in range(0, len(case.sent), step):
            peer.send(case.sent[at : at + step])
        if case.code is None:
            while case.answers[-1] not in answers or len(answers) < len(case.answers):
                answers.append(read_frame(peer))
            peer.send(goodbye(1000))
        while not answers or answers[-1][0] != CLOSE:
            answers.append(read_frame(peer))

    return script


def converse(url: str, asynchronous: bool) -> int:
    """Send back what comes until the end, and return how that came."""

    async def main() -> int:
        async with cycletls.AsyncCycleTLS() as client, client.websocket(url) as ws:
            while True:
                try:
                    await ws.send(await ws.recv(timeout=30))
                except cycletls.WebSocketClosed as closed:
                    return closed.code

    if asynchronous:
        return asyncio.run(main())
    with cycletls.CycleTLS() as client, client.websocket(url) as ws:
        while True:
            try:
                ws.send(ws.recv(timeout=30))
            except cycletls.WebSocketClosed as closed:
                return closed.code


@pytest.mark.parametrize("asynchronous", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case(case: Case, asynchronous: bool) -> None:
    """The client answers with these frames, and says goodbye with this code."""
    answers: list[Frame] = []
    with ScriptedServer(play(case, answers)) as server:
        code = converse(server.url.replace("http", "ws"), asynchronous)
    expected = 1000 if case.code is None else case.code
    assert code == expected
    *frames, last = answers
    assert last == (CLOSE, b"" if expected == 1005 else expected.to_bytes(2, "big"))
    if case.latest:
        assert frames[-1] == case.answers[-1]
        assert {opcode for opcode, _ in frames} == {PONG}
    else:
        assert frames == list(case.answers)


SIZES = (1 << 16, 1 << 18, 1 << 20, 1 << 22)
LARGE = [(size, opcode, piece) for size in SIZES for opcode in (TEXT, BINARY) for piece in (0, 1300)]
SMALL = [(size, opcode) for size in (0, 16, 64, 1024) for opcode in (TEXT, BINARY)]
OFFERS: list[dict[str, bool | int]] = [
    {},
    {"server_no_context_takeover": True},
    {"client_no_context_takeover": True},
    {"server_max_window_bits": 9},
    {"client_max_window_bits": 9},
    {"server_no_context_takeover": True, "client_no_context_takeover": True, "client_max_window_bits": 15},
]
COMPRESSED = [(offer, opcode) for offer in OFFERS for opcode in (TEXT, BINARY)]


def message(opcode: int, size: int) -> str | bytes:
    """Return one that can be told from its parts, and compressed a little."""
    numbers = " ".join(map(str, range(size // 4 + 1)))[:size]
    return numbers if opcode == TEXT else numbers.encode()


@pytest.mark.parametrize("asynchronous", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize(("size", "opcode", "piece"), LARGE)
def test_section_9_large_messages(size: int, opcode: int, piece: int, asynchronous: bool) -> None:
    """Whole, and in thousands of frames."""
    sent = message(opcode, size)
    received: list[str | bytes] = []

    def handler(connection: ServerConnection) -> None:
        parts = [sent[at : at + piece] for at in range(0, size, piece)] if piece else sent
        connection.send(parts)  # type: ignore[arg-type]  # all of one type
        received.append(connection.recv(timeout=30))

    with served(handler, compression=None) as server:
        assert converse(address(server), asynchronous) == 1000
    assert received == [sent]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize(("size", "opcode"), SMALL)
def test_section_9_many_messages(size: int, opcode: int, asynchronous: bool) -> None:
    """A thousand, of which up to a hundred are on their way."""
    sent = message(opcode, size)
    received: list[str | bytes] = []

    def handler(connection: ServerConnection) -> None:
        for _ in range(10):
            for _ in range(100):
                connection.send(sent)
            received.extend(connection.recv(timeout=30) for _ in range(100))

    with served(handler, compression=None) as server:
        assert converse(address(server), asynchronous) == 1000
    assert received == [sent] * 1000


@pytest.mark.parametrize("asynchronous", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize(("offer", "opcode"), COMPRESSED)
def test_section_13_compression_of_websockets(offer: dict[str, bool | int], opcode: int, asynchronous: bool) -> None:
    """Whatever that server makes of the client's offer; some messages come in parts."""
    messages = [message(opcode, size) for size in (0, 10, 1000, 100_000)]
    received: list[str | bytes] = []

    def handler(connection: ServerConnection) -> None:
        for sent in messages:
            connection.send([sent[:7], sent[7:]])  # type: ignore[arg-type]  # as above
            received.append(connection.recv(timeout=30))
            connection.send(sent)
            received.append(connection.recv(timeout=30))

    factory = ServerPerMessageDeflateFactory(**offer)  # type: ignore[arg-type]  # of the right types
    with served(handler, compression=None, extensions=[factory]) as server:
        assert converse(address(server), asynchronous) == 1000
    assert received == [sent for sent in messages for _ in range(2)]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize(("offer", "opcode"), COMPRESSED)
def test_section_12_compression_of_wsproto(offer: dict[str, bool | int], opcode: int, asynchronous: bool) -> None:
    """Another maker's reading of RFC 7692."""
    sent = [message(opcode, size) for size in (0, 10, 1000, 100_000)]
    received: list[str | bytes] = []

    def script(peer: Peer) -> None:
        connection = WSConnection(ConnectionType.SERVER)
        connection.receive_data(peer.read_head())
        assert [type(event) for event in connection.events()] == [Request]
        extension = PerMessageDeflate(
            server_no_context_takeover=bool(offer.get("server_no_context_takeover")),
            client_no_context_takeover=bool(offer.get("client_no_context_takeover")),
            server_max_window_bits=offer.get("server_max_window_bits"),
            client_max_window_bits=offer.get("client_max_window_bits"),
        )
        peer.send(connection.send(AcceptConnection(extensions=[extension])))
        assert extension.enabled()
        for data in sent:
            peer.send(connection.send(Message(data=data[:7], message_finished=False)))
            peer.send(connection.send(Message(data=data[7:])))
        received.extend(whole(peer, connection) for _ in sent)
        peer.send(connection.send(CloseConnection(code=1000)))
        assert read_frame(peer)[0] == CLOSE

    with ScriptedServer(script) as server:
        assert converse(server.url.replace("http", "ws"), asynchronous) == 1000
    assert received == sent


def whole(peer: Peer, connection: WSConnection) -> str | bytes:
    """Return the next message."""
    parts: list[Any] = []
    while True:
        connection.receive_data(b"".join(next_frame(peer)))
        for event in connection.events():
            assert isinstance(event, (TextMessage, BytesMessage))
            parts.append(event.data)
            if event.message_finished:
                return type(parts[0])().join(parts)


def test_as_many_cases_as_are_promised() -> None:
    """The docstring counts them."""
    counts = [
        len([case for case in CASES if case.name.split()[0] == section]) for section in "1 2 3 4 5 6 7 12".split()
    ]
    assert counts == [20, 12, 9, 20, 17, 48, 43, 10]
    assert (len(LARGE), len(SMALL), len(COMPRESSED)) == (16, 8, 12)
