"""The Link header."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cycletls._links import parse_links


def test_links_have_parameters() -> None:
    """Quoted or not, several in one field."""
    value = '<https://h/?page=2,3>; rel="next"; title="a \\"b\\"; c", </x>;rel=prev ; Anchor=#a'
    assert parse_links(value) == [
        {"url": "https://h/?page=2,3", "rel": "next", "title": 'a "b"; c'},
        {"url": "/x", "rel": "prev", "anchor": "#a"},
    ]


def test_the_first_of_a_parameter_counts() -> None:
    """RFC 8288 section 3.3: later occurrences of rel are ignored."""
    assert parse_links("<a>; rel=x; rel=y") == [{"url": "a", "rel": "x"}]


def test_what_is_malformed_ends_the_list() -> None:
    """What came before is kept."""
    assert parse_links("<a>; rel=x, oops, <b>") == [{"url": "a", "rel": "x"}]
    assert parse_links("") == []


@given(st.text(alphabet='<>;,="\\ a', max_size=60))
def test_no_input_fails(value: str) -> None:
    """It comes from a server."""
    assert all("url" in link for link in parse_links(value))
