"""The public names of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

import cycletls


def test_public_names_are_exactly_all() -> None:
    """Nothing is public by accident, and everything promised is there."""
    for name in cycletls.__all__:
        assert getattr(cycletls, name) is not None
    public = {name for name in vars(cycletls) if not name.startswith("_")}
    lazy = {"JSONDecodeError", "Profile"}
    assert public - {"TYPE_CHECKING"} == set(cycletls.__all__) - lazy - {"__version__"}


def test_modules_are_private() -> None:
    """There is one page of public names: the package itself."""
    assert all(path.name.startswith("_") for path in Path(cycletls.__file__).parent.glob("*.py"))


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    """As with any module, although some names are found by a function."""
    with pytest.raises(AttributeError, match="no attribute 'gte'"):
        cycletls.gte  # noqa: B018  # that is the point


def test_session_is_the_name_that_requests_has() -> None:
    """One class, two names."""
    assert cycletls.Session is cycletls.CycleTLS
