"""Profiles are found by name, whole or in part, or by path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cycletls import InvalidOption, profiles
from cycletls._profiles import _version, profile_document


def test_profiles_lists_what_can_be_named() -> None:
    """Each name is the one inside its document."""
    assert {"plain"} < set(profiles())
    for name in profiles():
        assert json.loads(profile_document(name))["name"] == name


@pytest.mark.parametrize("browser", ["chrome", "firefox"])
def test_a_short_name_is_the_newest(browser: str) -> None:
    """chrome, chrome-156, chrome_156 and CHROME mean the newest that they fit."""
    name = json.loads(profile_document(browser))["name"]
    version = name.split("-")[1]
    assert name.startswith(f"{browser}-")
    for spelling in (f"{browser}-{version}", f"{browser}_{version}", browser.upper(), name):
        assert json.loads(profile_document(spelling))["name"] == name


def test_versions_are_compared_as_numbers() -> None:
    """Chrome 99 is older than Chrome 156."""
    assert _version("chrome-99-linux") < _version("chrome-156-linux") < _version("chrome-156.1-linux")


def test_none_is_no_browser() -> None:
    """It is the plain profile, which names itself."""
    assert profile_document(None) == profile_document("plain")


def test_a_name_does_not_match_the_middle_of_another() -> None:
    """chrom, chrome-15 and linux are no profiles, and the error offers what is near."""
    for name in ("chrom", "chrome-15", "linux", ""):
        with pytest.raises(InvalidOption):
            profile_document(name)
    with pytest.raises(InvalidOption, match=r"did you mean chrome\?"):
        profile_document("chrom")
    with pytest.raises(InvalidOption, match="there are chrome-"):
        profile_document("zzz")


def test_a_path_is_read(tmp_path: Path) -> None:
    """A file's text is taken as it is; the core says what is wrong with it."""
    file = tmp_path / "mine.json"
    file.write_text('{"name": "mine"}', encoding="utf-8")
    assert profile_document(str(file)) == '{"name": "mine"}'
    with pytest.raises(InvalidOption, match=r"missing\.json"):
        profile_document(str(tmp_path / "missing.json"))


def test_a_document_stands_for_itself() -> None:
    """JSON text is what a mapping or Profile was made into."""
    assert profile_document('{"name": "x"}') == '{"name": "x"}'
