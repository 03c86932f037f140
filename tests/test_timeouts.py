"""Time limits, in the shapes that callers give them."""

from __future__ import annotations

import pytest

from cycletls import InvalidOption, Timeouts


def test_a_number_limits_the_whole() -> None:
    """As CycleTLS' timeout."""
    assert Timeouts.of(3) == Timeouts(total=3)
    assert Timeouts.of(0.25).total == 0.25


def test_a_pair_is_connect_and_read() -> None:
    """As in requests."""
    assert Timeouts.of((3.05, None)) == Timeouts(connect=3.05)
    assert Timeouts.of([1, 2]) == Timeouts(connect=1, read=2)


def test_none_waits_for_ever() -> None:
    """None is an answer, not a missing one."""
    assert Timeouts.of(None) == Timeouts()


def test_timeouts_pass_as_they_are() -> None:
    """The full form needs no reading."""
    full = Timeouts(10, connect=1, read=2, write=3, pool=4)
    assert Timeouts.of(full) is full


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), 1e300, "5", True, (1, 2, 3), (1, "2"), object()])
def test_what_is_no_limit_is_refused(wrong: object) -> None:
    """Zero would mean for ever to some and at once to others, so it means nothing."""
    with pytest.raises(InvalidOption, match="timeout"):
        Timeouts.of(wrong)
