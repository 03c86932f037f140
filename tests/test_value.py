"""Records are compared and shown by their public fields."""

from __future__ import annotations

from cycletls._value import Value


class Point(Value):
    """A record with a field that is nobody's business."""

    __slots__ = ("x", "y", "_secret")

    def __init__(self, x: int, y: int, secret: object) -> None:
        self.x = x
        self.y = y
        self._secret = secret


def test_equal_fields_make_equal_records() -> None:
    """Private fields do not count, other types are never equal."""
    assert Point(1, 2, "a") == Point(1, 2, "b") != Point(1, 3, "a")
    assert Point(1, 2, "a") != (1, 2)
    assert len({Point(1, 2, "a"), Point(1, 2, "b")}) == 1


def test_repr_shows_the_fields() -> None:
    """But not the private ones."""
    assert repr(Point(1, 2, "a")) == "Point(x=1, y=2)"
