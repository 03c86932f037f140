"""Header fields: order, case and repeats are kept, names are found without regard to case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cycletls import Headers, InvalidHeader
from cycletls._headers import changes_between, parse_changes

PAIRS = st.lists(st.tuples(st.sampled_from(["A", "a", "B", "c", "C-d"]), st.text(max_size=3)), max_size=8)


def test_order_case_and_repeats_survive() -> None:
    """What went in comes out, line by line."""
    lines = [("X-B", "1"), ("x-a", "2"), ("X-B", "3")]
    assert Headers(lines).multi_items() == lines


def test_lookup_ignores_case() -> None:
    """A name is found in any spelling."""
    headers = Headers({"Content-Type": "text/html"})
    assert headers["content-type"] == headers.get("CONTENT-TYPE") == "text/html"
    assert "cOnTent-type" in headers
    assert not headers.__contains__(5)


def test_repeats_are_joined_or_listed() -> None:
    """A repeated name is one value as a mapping, and a list for who asks for one."""
    headers = Headers([("Accept", "a"), ("accept", "b")])
    assert headers["Accept"] == "a, b"
    assert headers.get_list("ACCEPT") == ["a", "b"]
    assert list(headers) == ["Accept"]
    assert len(headers) == 1


def test_missing_name_is_a_key_error() -> None:
    """As with a dict."""
    headers = Headers()
    with pytest.raises(KeyError):
        headers["X"]
    with pytest.raises(KeyError):
        del headers["X"]
    assert headers.get_list("X") == []


def test_assigning_replaces_all_lines_in_place() -> None:
    """The first line's place is kept, the others go."""
    headers = Headers([("A", "1"), ("b", "2"), ("a", "3"), ("c", "4")])
    headers["a"] = "new"
    assert headers.multi_items() == [("a", "new"), ("b", "2"), ("c", "4")]
    headers["D"] = b"5"
    assert headers.multi_items()[-1] == ("D", "5")


def test_adding_and_deleting() -> None:
    """add() keeps what is there, del takes every line of the name."""
    headers = Headers({"A": "1"})
    headers.add("a", "2")
    assert headers.get_list("A") == ["1", "2"]
    del headers["A"]
    assert headers.multi_items() == []


def test_every_change_makes_a_new_tuple() -> None:
    """Sessions see by its identity that headers were changed."""
    headers = Headers({"A": "1"})
    before = headers.pairs
    headers["A"] = "1"
    assert headers.pairs is not before


def test_copies_are_independent() -> None:
    """The caller's object stays the caller's."""
    original = Headers({"A": "1"})
    copy, other = original.copy(), Headers(original)
    copy["A"] = other["A"] = "2"
    assert original["A"] == "1"


def test_bytes_are_kept_as_they_are() -> None:
    """Bytes that are no text come out as the same bytes."""
    headers = Headers([(b"X", b"caf\xe9"), ("Y", "ü")])
    assert headers.raw == [(b"X", b"caf\xe9"), (b"Y", "ü".encode())]


def test_equality_ignores_case_but_not_order() -> None:
    """Order is a property of a header section here."""
    assert Headers([("A", "1"), ("B", "2")]) == {"a": "1", "b": "2"}
    assert Headers([("A", "1"), ("B", "2")]) != Headers([("B", "2"), ("A", "1")])
    assert Headers() != 1


def test_update_and_setdefault_work_as_with_a_dict() -> None:
    """The mapping's other methods are there."""
    headers = Headers({"A": "1"})
    headers.update({"a": "2", "B": "3"})
    assert headers.setdefault("b", "4") == "3"
    assert dict(headers) == {"a": "2", "B": "3"}
    assert repr(headers) == "Headers([('a', '2'), ('B', '3')])"


@pytest.mark.parametrize("wrong", [{"X": 1}, {1: "x"}, [("a",)], [("a", "b", "c")], 5, "text", {"X": object()}])
def test_what_is_not_text_is_refused(wrong: object) -> None:
    """A number is not guessed at, and the error says what was given."""
    with pytest.raises(InvalidHeader, match="header"):
        Headers(wrong)  # type: ignore[arg-type]  # that is the point


def test_subclasses_of_str_become_plain_text() -> None:
    """An enum's member, say, is sent as its text."""

    class Name(str):
        __slots__ = ()

    [(name, _)] = parse_changes([(Name("A"), "1")])
    assert type(name) is str


def test_none_is_a_removal_only_where_there_is_something_to_remove() -> None:
    """A change may take a header out, a header section has no such line."""
    assert parse_changes({"A": None, "B": "1"}) == (("A", None), ("B", "1"))
    assert Headers(parse_changes({"A": None, "B": "1"})).multi_items() == [("B", "1")]  # type: ignore[arg-type]


@given(PAIRS, PAIRS)
def test_changes_lead_from_old_to_new(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> None:
    """Who knows the old headers and is told the changes has the values of the new ones."""
    changes = changes_between(tuple(old), tuple(new))
    changed = {name.lower() for name, _ in changes}
    kept = [(name, value) for name, value in old if name.lower() not in changed]
    result = Headers(kept + [(name, value) for name, value in changes if value is not None])
    expected = Headers(new)
    assert set(map(str.lower, result)) == set(map(str.lower, expected))
    assert all(result.get_list(name) == expected.get_list(name) for name in expected)
