"""Messages: the bytes that the broker exchanges, both forms of errors, and what is no message."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mb_client import (
    BrokerError,
    InvalidMessage,
    MalformedMessage,
    MessageHeader,
    NoRouteFound,
    RequestTimeout,
    create_message,
    parse_message,
)
from mb_client._message import error_of, error_payload

from .test_header import HEADERS, ID

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EXCHANGED = [
    "publish:system.initialize:1.0.0\n{}",
    'request:system.service.register:1.0.0:245830df-edc8-4b55-8bed-75ddeedc4065\n{"name": "TestService"}',
    'response:system.service.register:1.0.0:245830df-edc8-4b55-8bed-75ddeedc4065\n{"status":"success"}',
    'publish:Test.Messages:2.1.0:ce66efa9-0000-4000-8000-000000000000\n{"a":"é"}',
    'response:error:1.0.0\n{"error":{"code":"MALFORMED_MESSAGE","message":"Invalid parent request ID format: 30000"}}',
    'response:system.log:1.0.0\n{"module":"ConnectionManager","level":"error","message":"[INVALID_REQUEST_ID]"}',
    'response:a:1.0.0:ce66efa9-0000-4000-8000-000000000000\nerror:{"code":"INVALID_REQUEST","message":"no"}',
    "publish:a:1.0.0\nnot JSON",
    "publish:a:1.0.0\n",
]
"""What a real broker sends, or passes on."""

MALFORMED = {
    "no line feed": "publish:a:1.0.0",
    "nothing": "",
    "no fields": "\n{}",
    "one field": "publish\n{}",
    "two fields": "publish:a\n{}",
    "seven fields, the fourth wrong": "publish:a:1.0.0:b:c:d:e\n{}",
    "unknown action": "subscribe:a:1.0.0\n{}",
    "id in upper case": f"publish:a:1.0.0:{ID.upper()}\n{{}}",
    "bad id": "response:a:1.0.0:7\n{}",
    "bad version": "publish:a:1.0\n{}",
    "topic of 256": f"publish:{'a' * 256}:1.0.0\n{{}}",
    "six levels": "publish:a.b.c.d.e.f:1.0.0\n{}",
    "wildcard": "publish:a.#:1.0.0\n{}",
    "carriage return": "publish:a:1.0.0\r\n{}",
    "NUL in the topic": "publish:a\0:1.0.0\n{}",
    "not UTF-8": b"publish:a:1.0.0\n\xff\xfe",
    "cut within a character": b"publish:a:1.0.0\n\xc3",
    "header of 10 MB": "publish:" + "a" * 10_000_000 + ":1.0.0\n{}",
    "JSON too deep": "publish:a:1.0.0\n" + "[" * 100_000,
    "JSON too deep, and whole": "publish:a:1.0.0\n" + '{"a":' * 5_000 + "1" + "}" * 5_000,
    "a number of 5,000 digits": "publish:a:1.0.0\n" + "7" * 5_000,
}


def test_create_message_is_the_broker_s_format() -> None:
    """A line of header with every field in its place, a line feed, and JSON as Python writes it."""
    header = MessageHeader("REQUEST", "test.service", "1.0.0", ID, None, 30000)
    assert create_message(header, {"a": "é"}) == f'request:test.service:1.0.0:{ID}::30000\n{{"a": "\\u00e9"}}'


@given(HEADERS, JSON)
def test_what_is_written_is_read(header: MessageHeader, payload: Any) -> None:
    """Every message that may be sent is read as the same one."""
    if header.action != "request":
        header.timeout = None
    assert parse_message(create_message(header, payload).encode()) == (header, payload)


@pytest.mark.parametrize("payload", [{1, 2}, b"bytes", float("nan"), object()])
def test_what_is_no_json_is_not_sent(payload: object) -> None:
    """A payload that JSON cannot hold is refused, not a number among them that is none."""
    with pytest.raises(InvalidMessage, match="payload"):
        create_message(MessageHeader("publish", "a", "1.0.0", ID), payload)


def test_a_payload_without_end_is_not_sent() -> None:
    """One that contains itself is refused."""
    payload: list[Any] = []
    payload.append(payload)
    with pytest.raises(InvalidMessage):
        create_message(MessageHeader("publish", "a", "1.0.0", ID), payload)


@pytest.mark.parametrize(
    ("topic", "most"), [("system.heartbeat", 16_384), ("a", 16_751 - len(f"publish:a:1.0.0:{ID}"))]
)
def test_size_is_limited_as_the_broker_does(topic: str, most: int) -> None:
    """The broker reads 16,384 bytes of payload, and relays 16,751 of payload and header: one more is refused."""
    header = MessageHeader("publish", topic, "1.0.0", ID)
    assert create_message(header, "a" * (most - 2))
    with pytest.raises(InvalidMessage, match=str(most)):
        create_message(header, "a" * (most - 1))


@pytest.mark.parametrize("text", EXCHANGED)
def test_everything_the_broker_sends_is_read(text: str) -> None:
    """None of it is malformed."""
    header, _ = parse_message(text)
    assert header.action in text


def test_text_stays_text() -> None:
    """What is not JSON is relayed by the broker, and read as what it is."""
    assert parse_message("publish:a:1.0.0\nplain: text")[1] == "plain: text"
    assert parse_message("publish:a:1.0.0\nNaN")[1] == "NaN"
    assert parse_message("publish:a:1.0.0\nerror:not JSON")[1] == "error:not JSON"


def test_of_equal_keys_the_last_holds() -> None:
    """As it does in JavaScript."""
    assert parse_message('publish:a:1.0.0\n{"a":1,"a":2}')[1] == {"a": 2}


def test_deep_brackets_within_a_text_are_no_depth() -> None:
    """Only what nests counts."""
    payload = ['["\\"[[[', "[" * 100, ["}" * 100]]
    assert parse_message("publish:a:1.0.0\n" + json.dumps(payload))[1] == payload
    flat = [[] for _ in range(500)]  # type: list[list[int]]
    assert parse_message("publish:a:1.0.0\n" + json.dumps(flat))[1] == flat


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_message_is_malformed(message: str | bytes) -> None:
    """Each of these is refused with one line that is fit to be logged."""
    with pytest.raises(MalformedMessage) as caught:
        parse_message(message)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_mutations_of_messages_are_read_or_malformed() -> None:
    """Bytes that are changed, lost, doubled or swapped in what a broker sends raise nothing else."""
    chance = random.Random(20_261_126)
    outcomes = {True: 0, False: 0}
    for _ in range(20_000):
        data = bytearray(chance.choice(EXCHANGED).encode())
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data)) if data else 0
            end = place + chance.randint(1, 8)
            data[place:end] = chance.choice(
                [b"", bytes([chance.randrange(256)]), data[place:end] * 2, b":", b"\n", b"{"]
            )
        try:
            parse_message(bytes(data))
            outcomes[True] += 1
        except MalformedMessage:
            outcomes[False] += 1
    assert min(outcomes.values()) > 1_000


@given(st.binary(max_size=500))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    """Nothing else is ever raised."""
    with suppress(MalformedMessage):
        parse_message(data)


def test_both_forms_of_errors_are_errors() -> None:
    """An object with the key error, and one behind the word error, mean the same."""
    fields = (
        '{"code":"NO_ROUTE_FOUND","message":"No subscribers","timestamp":"2026-11-20T18:12:02.743Z","details":{"a":1}}'
    )
    for payload in (f'{{"error":{fields}}}', f"error:{fields}"):
        error = error_of(parse_message(f"response:a:1.0.0:{ID}\n{payload}")[1])
        assert isinstance(error, NoRouteFound)
        assert (error.code, error.message, error.details) == ("NO_ROUTE_FOUND", "No subscribers", {"a": 1})
        assert error.timestamp == "2026-11-20T18:12:02.743Z"
        assert str(error) == "NO_ROUTE_FOUND: No subscribers"


@pytest.mark.parametrize(
    "payload", [{"error": None}, {"error": "text"}, {"error": {}}, {"error": {"code": 7}}, [], "error"]
)
def test_a_payload_that_only_mentions_errors_is_none(payload: Any) -> None:
    """A service may use the word for something else."""
    assert error_of(payload) is None


def test_errors_are_answers_in_the_broker_s_form() -> None:
    """What a handler raises is read as the same error at the other end."""
    error = error_of(error_payload(BrokerError("INVALID_REQUEST", "no such sku", details={"sku": 7})))
    assert error is not None
    assert (error.code, error.message, error.details) == ("INVALID_REQUEST", "no such sku", {"sku": 7})
    other = error_of(error_payload(KeyError("sku")))
    assert other is not None
    assert (other.code, other.message) == ("INTERNAL_ERROR", "KeyError: 'sku'")
    assert isinstance(error_of(error_payload(RequestTimeout("TIMEOUT"))), TimeoutError)
