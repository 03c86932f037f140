"""What the package offers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import indexedcp
from indexedcp import _exceptions

import cycletls

ROOT = Path(__file__).parent.parent


def test_public_names_are_exactly_all() -> None:
    """The package has the names of ``__all__``, and all else is private."""
    public = {name for name in vars(indexedcp) if not name.startswith("_")}
    assert public == set(indexedcp.__all__)


def test_exceptions_are_drawn_as_they_are() -> None:
    """The tree in the module's docstring has each exception below its base."""
    drawn = re.findall(r"^[│ ]*[├└]── (\w+)", _exceptions.__doc__ or "", re.MULTILINE)
    home = _exceptions.__name__
    defined = [name for name, value in vars(_exceptions).items() if getattr(value, "__module__", "") == home]
    assert set(drawn) == {*defined, "FolderInUse"}
    assert issubclass(indexedcp.IndexedCPError, cycletls.RequestException)


def test_signatures_are_those_of_the_documentation() -> None:
    """What other implementations offer by position is here in the same place, with the same defaults."""
    signatures: dict[Callable[..., object], dict[str, object]] = {
        indexedcp.IndexCPClient: {"db_name": "indexcp", "chunk_size": 1024 * 1024},
        indexedcp.IndexCPServer: {"output_dir": None, "port": 3000, "api_key": None, "filename_generator": None},
        indexedcp.create_simple_server: {"output_file": None, "port": 3000},
    }
    for callable_, defaults in signatures.items():
        parameters = [
            parameter
            for parameter in inspect.signature(callable_).parameters.values()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        assert {parameter.name: parameter.default for parameter in parameters} == defaults


def test_changelog_has_the_version() -> None:
    """The version of the package heads its changelog."""
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version is not None
    assert heading is not None
    assert version[1] == heading[1]
