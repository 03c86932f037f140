"""Headers: what is refused before sending, what is read, and that both are the same language."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mb_client import InvalidMessage, MalformedMessage, MessageHeader
from mb_client._header import format_header, parse_header

ID = "245830df-edc8-4b55-8bed-75ddeedc4065"
PARENT = "72b1759c-0f0e-4c7a-9f0a-2b9c8b0c1d2e"

LEVELS = st.from_regex(r"[a-zA-Z][a-zA-Z0-9]{0,20}", fullmatch=True)
IDS = st.uuids().map(str)
NUMBERS = st.integers(0, 2**53 - 1)
VERSIONS = st.builds(
    "{}.{}.{}{}".format, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["", "-rc.1", "+b7", "-a-b.0+001"])
)
HEADERS = st.builds(
    MessageHeader,
    st.sampled_from(["publish", "response", "request"]),
    st.lists(LEVELS, min_size=1, max_size=5).map(".".join),
    VERSIONS,
    st.none() | IDS,
    st.none() | IDS,
    st.none() | st.integers(1, 3_600_000),
)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (MessageHeader("PUBLISH", "test.events", "1.0.0", ""), "publish:test.events:1.0.0"),
        (MessageHeader("Response", "a", "1.0.0", ID), f"response:a:1.0.0:{ID}"),
        (MessageHeader("request", "a", "1.0.0", ID, PARENT), f"request:a:1.0.0:{ID}:{PARENT}"),
        (MessageHeader("request", "a", "1.0.0", ID, None, 30000), f"request:a:1.0.0:{ID}::30000"),
        (MessageHeader("request", "a", "1.0.0", None, None, 1), "request:a:1.0.0:::1"),
        (MessageHeader("request", "a", "1.0.0", None, PARENT), f"request:a:1.0.0::{PARENT}"),
        (MessageHeader("publish", "a", "v2.1.0-rc.1+b", ID, None, 500), f"publish:a:v2.1.0-rc.1+b:{ID}"),
    ],
)
def test_fields_keep_their_places(header: MessageHeader, line: str) -> None:
    """A field that is missing in the middle is empty; only a request has a timeout."""
    assert format_header(header) == line


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", "subscribe"),
        ("action", ""),
        ("topic", ""),
        ("topic", "a..b"),
        ("topic", "1a"),
        ("topic", "a.b.c.d.e.f"),
        ("topic", "a" * 256),
        ("topic", "with-dash"),
        ("topic", "with_line"),
        ("topic", "orders.+"),
        ("topic", "orders.#"),
        ("topic", "orders.*"),
        ("topic", "ünder"),
        ("topic", "a\n"),
        ("topic", "a\r"),
        ("topic", "a\0b"),
        ("topic", "a:b"),
        ("version", "1.0"),
        ("version", ""),
        ("version", "1.0.0\n"),
        ("version", "01.0.0"),
        ("version", "1.0.0-"),
        ("version", "9007199254740992.0.0"),
        ("version", "1.0.٣"),
        ("version", "1.0.0-" + "a" * 400),
        ("request_id", ID.upper()),
        ("request_id", ID[:-1]),
        ("request_id", ID + "\n"),
        ("request_id", "7"),
        ("parent_id", "30000"),
        ("timeout", 0),
        ("timeout", -5),
        ("timeout", 3_600_001),
        ("timeout", True),
        ("timeout", 1.5),
    ],
)
def test_what_the_broker_refuses_is_refused_here(field: str, value: object) -> None:
    """A header that would be answered without an id, or not at all, is never sent."""
    fields = {"action": "request", "topic": "a", "version": "1.0.0", "request_id": ID, field: value}
    with pytest.raises(InvalidMessage):
        format_header(MessageHeader(**fields))  # type: ignore[arg-type]  # that it is wrong is the point


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("REQUEST:A.b:v1.0.0", MessageHeader("request", "A.b", "v1.0.0", None)),
        (f"publish:a:1.0.0:{ID}:{PARENT}", MessageHeader("publish", "a", "1.0.0", ID, PARENT)),
        ("request:a:1.0.0:::12.7", MessageHeader("request", "a", "1.0.0", None, None, 12)),
        ("request:a:1.0.0:::500x", MessageHeader("request", "a", "1.0.0", None, None, 500)),
        ("response:a:1.0.0:::abc", MessageHeader("response", "a", "1.0.0", None)),
        ("request:a:1.0.0::::more:and more", MessageHeader("request", "a", "1.0.0", None)),
        ("response:system.log:1.0.0", MessageHeader("response", "system.log", "1.0.0", None)),
    ],
)
def test_reading_is_as_tolerant_as_the_broker(line: str, header: MessageHeader) -> None:
    """Actions in any case, timeouts that begin with a number, and more fields than there are."""
    assert parse_header(line) == header


@pytest.mark.parametrize("timeout", ["0", "-5", "abc", "3600001"])
def test_timeouts_that_are_none_are_malformed(timeout: str) -> None:
    """What no broker takes as a timeout is not taken here either."""
    with pytest.raises(MalformedMessage, match="timeout"):
        parse_header(f"request:a:1.0.0:::{timeout}")


@given(HEADERS)
def test_what_is_written_is_read(header: MessageHeader) -> None:
    """Every header that may be sent is read as the same one."""
    if header.action != "request":
        header.timeout = None
    assert parse_header(format_header(header)) == header


@given(st.text(max_size=400))
def test_any_text_is_a_header_or_malformed(line: str) -> None:
    """Nothing else is ever raised."""
    with suppress(MalformedMessage):
        parse_header(line)
