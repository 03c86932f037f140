"""The public names of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

import cycletls
from cycletls import _lazy

PUBLIC_MODULES = {"testing"}


def test_public_names_are_exactly_all() -> None:
    """Nothing is public by accident, and everything promised is there."""
    for name in cycletls.__all__:
        assert getattr(cycletls, name) is not None
    public = {name for name in vars(cycletls) if not name.startswith("_")}
    assert public - {"TYPE_CHECKING", *PUBLIC_MODULES} == set(cycletls.__all__) - set(_lazy._HOMES) - {"__version__"}


def test_modules_are_private() -> None:
    """There is one page of public names, the package itself, and one of what only tests need."""
    modules = {path.stem for path in Path(cycletls.__file__).parent.glob("*.py")}
    assert {name for name in modules if not name.startswith("_")} == PUBLIC_MODULES


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    """As with any module, although some names are found by a function."""
    with pytest.raises(AttributeError, match="no attribute 'gte'"):
        cycletls.gte  # noqa: B018  # that is the point


def test_session_is_the_name_that_requests_has() -> None:
    """One class, two names."""
    assert cycletls.Session is cycletls.CycleTLS
