"""What a request's body becomes."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cycletls import InvalidBody, InvalidOption
from cycletls._body import flatten, make_body
from cycletls._options import Options
from cycletls._streams import Body

FORM = "application/x-www-form-urlencoded"


def body(**options: Any) -> Body:
    """Make the body of a request with these options."""
    made = make_body(Options(options))
    assert made is not None
    return made


def test_no_option_no_body() -> None:
    """An empty form is none, as in requests."""
    empty: list[dict[str, Any]] = [{}, {"data": None}, {"data": {}}, {"data": []}, {"files": {}}]
    for options in empty:
        assert make_body(Options(options)) is None


def test_empty_bytes_are_a_body() -> None:
    """Somebody who says b"" means a body without bytes."""
    assert body(data=b"").content == b""
    assert body(content="").content == b""


def test_a_mapping_is_a_form() -> None:
    """Lists repeat the name, None leaves it out, values are text."""
    form = body(data={"a": ["1", "2"], "b": None, "c": 3, "ü": "ä ö&="})
    assert (form.content, form.content_type) == (b"a=1&a=2&c=3&%C3%BC=%C3%A4+%C3%B6%26%3D", FORM)
    assert body(data=[("a", "1"), ("a", "2")]).content == b"a=1&a=2"
    assert body(data={"a": b"\xff"}).content == b"a=%FF"


def test_text_and_bytes_are_sent_as_they_are() -> None:
    """Without a content type, as in requests."""
    for given_body in ("ü", "ü".encode(), bytearray("ü".encode()), memoryview("ü".encode())):
        made = body(data=given_body)
        assert (made.content, made.content_type) == ("ü".encode(), "")
        assert body(content=given_body).content == "ü".encode()


def test_json_is_compact_utf8() -> None:
    """As JSON.stringify writes it; False, 0 and [] are values like others."""
    made = body(json={"ü": [1, None, True]})
    assert (made.content, made.content_type) == ('{"ü":[1,null,true]}'.encode(), "application/json")
    assert body(json=False).content == b"false"
    assert body(json=0).content == b"0"


def test_an_empty_json_list_is_a_body() -> None:
    """Only None is no JSON."""
    assert body(json=[]).content == b"[]"
    assert body(json={}).content == b"{}"


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, {("a",): 1}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidBody, match="json="):
        body(json=value)


def test_files_and_iterables_are_streamed() -> None:
    """Under both words."""
    for word in ("data", "content"):
        stream = body(**{word: io.BytesIO(b"abc")}).stream
        assert stream is not None
        assert stream.length == 3
        assert body(**{word: iter([b"a", b"b"])}).content is None
    assert body(data=[b"a", b"b"]).stream is not None


@pytest.mark.parametrize(
    "options",
    [
        {"json": 1, "data": "x"},
        {"json": 1, "content": "x"},
        {"content": b"x", "data": {"a": "b"}},
        {"files": {"f": b"x"}, "json": 1},
        {"files": {"f": b"x"}, "content": b"x"},
    ],
)
def test_two_bodies_are_refused(options: dict[str, Any]) -> None:
    """Rather than one of them dropped; data beside files is one form."""
    with pytest.raises(InvalidOption, match="two bodies"):
        make_body(Options(options))
    assert make_body(Options({"files": {"f": b"x"}, "data": {"a": "b"}}))


@pytest.mark.parametrize("options", [{"data": 5}, {"content": {"a": "b"}}, {"content": object()}])
def test_what_is_no_body_is_refused(options: dict[str, Any]) -> None:
    """The option is named."""
    [word] = options
    with pytest.raises(InvalidBody, match=f"{word}="):
        make_body(Options(options))


@pytest.mark.parametrize(
    "options", [{"content": "\ud800"}, {"data": {"a": "\ud800"}}, {"json": "\ud800"}, {"files": {"a": "\ud800"}}]
)
def test_half_a_surrogate_pair_is_refused(options: dict[str, Any]) -> None:
    """UTF-8 has no bytes for it, wherever it stands."""
    [word] = options
    with pytest.raises(InvalidBody, match=f"{word}="):
        make_body(Options(options))


@pytest.mark.parametrize("wrong", [5, "ab", [("a",)], [1]])
def test_what_is_no_pairs_is_refused(wrong: object) -> None:
    """The option is named here, too."""
    with pytest.raises(InvalidOption, match="params="):
        flatten(wrong, "params")


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_a_form_is_read_back_as_it_was(pairs: list[tuple[str, str]]) -> None:
    """Whatever the text."""
    pairs = [(name, value) for name, value in pairs if (name + value).isprintable()]
    if pairs:
        content = body(data=pairs).content
        assert content is not None
        assert parse_qsl(content.decode(), keep_blank_values=True) == pairs
