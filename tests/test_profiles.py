"""Profiles are found by name, whole or in part, or by path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cycletls import CycleTLS, InvalidOption, Profile, profiles
from cycletls import _profiles as finding
from cycletls._profiles import all_names, profile_document, resolve_name, users_folder


@pytest.fixture(autouse=True)
def nothing_registered() -> Iterator[None]:
    """Forget what a test registered, and what was looked up in its folder."""
    yield
    finding._registered.clear()
    finding._documents.clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's."""
    monkeypatch.setenv("CYCLETLS_PROFILES_DIR", str(tmp_path))
    finding._documents.clear()
    return tmp_path


def newest(browser: str, *systems: str) -> str:
    """The full name of the newest profile of a browser, on one of the systems: what an alias must mean."""
    found = [profile for profile in profiles.list() if profile.name.startswith(f"{browser}-")]
    found = [profile for profile in found if profile.source.os in systems]
    return max(found, key=lambda profile: [int(part) for part in profile.source.version.split(".")]).name


def test_names_are_those_inside_the_documents() -> None:
    """Each name is listed once, and is the one that the document says."""
    names = list(profiles)
    assert len(names) == len(set(names)) == len(profiles) > 50
    assert "plain" in profiles
    assert all(name in profiles for name in ("chrome", "Chrome_120", "safari-ios"))
    assert "netscape" not in profiles
    assert "" not in profiles
    assert [profile.name for profile in profiles.list()] == names


def test_every_profile_says_what_it_is() -> None:
    """Browser, version, system, and how its facts were come by."""
    for profile in profiles.list():
        assert profile.source.browser
        assert profile.source.notes
        assert profile.name == "plain" or (profile.source.version and profile.source.os)


@pytest.mark.parametrize(
    ("alias", "browser", "systems"),
    [
        ("chrome", "chrome", ("windows", "macos", "linux")),
        ("firefox", "firefox", ("windows", "macos", "linux")),
        ("safari", "safari", ("macos",)),
        ("edge", "edge", ("windows", "macos", "linux")),
        ("chrome-android", "chrome", ("android",)),
        ("safari-ios", "safari", ("ios",)),
        ("okhttp", "okhttp", ("android",)),
        ("tor", "tor", ("macos",)),
    ],
)
def test_an_alias_is_the_newest_of_its_kind(alias: str, browser: str, systems: tuple[str, ...]) -> None:
    """Without a system a desktop is meant, never a telephone."""
    assert resolve_name(alias) == newest(browser, *systems)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("chrome-156", "chrome-156-linux"),
        ("chrome_156", "chrome-156-linux"),
        ("CHROME", "chrome-156-linux"),
        ("chrome-156-linux", "chrome-156-linux"),
        ("chrome-150", "chrome-150-windows"),
        ("chrome-151-ios", "chrome-151-ios"),
        ("chrome-152", "chrome-152-android"),
        ("safari-26-ios", "safari-26.0.1-ios"),
        ("safari-26.0-ios", "safari-26.0-ios"),
        ("safari-18", "safari-18.4-macos"),
    ],
)
def test_parts_of_a_name_may_be_left_out(name: str, meant: str) -> None:
    """The rest says enough: the newest version that fits, and the desktop where there is one."""
    assert resolve_name(name) == meant
    assert listed(name) == [meant]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("chrome_120", "chrome-120-macos"),
        ("chrome_121", "chrome-120-macos"),
        ("chrome_122", "chrome-123-macos"),
        ("chrome_125", "chrome-124-macos"),
        ("chrome_linux", "chrome-156-linux"),
        ("chrome_android", "chrome-152-android"),
        ("firefox_121", "firefox-133-macos"),
        ("firefox_linux", "firefox-153-linux"),
        ("safari_17", "safari-17.0-macos"),
        ("safari_ios", "safari-26.0.1-ios"),
        ("edge_120", "edge-120-linux"),
        ("edge_122", "edge-120-linux"),
        ("opera_106", "opera-131-windows"),
        ("brave_1_63", "brave-146-windows"),
        ("samsung_browser_23", "chrome-131-android"),
    ],
)
def test_the_names_of_cycletls_are_understood(name: str, meant: str) -> None:
    """Where nobody has described a version, the nearest of the same browser is meant."""
    assert resolve_name(name) == meant
    assert listed(name) == [meant]


def listed(name: str) -> list[str]:
    """The profiles that a name means according to the list of all names."""
    return [full for full, names in all_names().items() if name.lower().replace("_", "-") in names]


def test_versions_are_compared_as_numbers(folder: Path) -> None:
    """Chrome 1000 is newer than Chrome 999, and both are newer than what the package has."""
    for version in (999, 1000):
        (folder / f"chrome-{version}-linux.json").write_text("{}", encoding="utf-8")
    assert resolve_name("chrome") == "chrome-1000-linux"


def test_none_is_no_browser() -> None:
    """It is the plain profile, which names itself."""
    assert profile_document(None) == profile_document("plain")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("chrom", r"did you mean chrome\?"),
        ("chrome-15", r"of chrome there are the versions 120, 123, .*156"),
        ("chrome-130", r"of chrome there are the versions"),
        ("chrome-156-amiga", r"of chrome there are the versions"),
        ("linux", "there is no profile 'linux'"),
        ("", "there are profiles of brave, chrome,"),
        ("zzz", "there are profiles of brave, chrome,"),
    ],
)
def test_a_name_that_is_none_is_answered_with_what_is_near(name: str, hint: str) -> None:
    """A part of a number or of a word means nothing, and no version is taken for another."""
    with pytest.raises(InvalidOption, match=hint):
        profile_document(name)


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


def test_a_folder_adds_and_replaces(folder: Path) -> None:
    """A captured browser is found by its file's name, also where the package has one of that name."""
    profiles.get("plain").model_copy(update={"name": "mine"}).save(folder / "Mine_One.json")
    profiles.get("tor").model_copy(update={"name": "okhttp-5-android"}).save(folder / "okhttp-5-android.json")
    assert "mine-one" in profiles
    assert profiles.get("mine_one").name == "mine"
    assert profiles.get("okhttp").source.browser == "Tor Browser"


def test_a_folder_that_is_none_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named with its value, because nobody remembers having set it."""
    monkeypatch.setenv("CYCLETLS_PROFILES_DIR", str(folder / "missing"))
    with pytest.raises(InvalidOption, match=r"CYCLETLS_PROFILES_DIR='.*missing' cannot be read"):
        profile_document("firefox")


def test_the_users_folder_need_not_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is among the user's data, where XDG_DATA_HOME or the home folder says; and need not exist."""
    monkeypatch.delenv("CYCLETLS_PROFILES_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert "mine" not in profiles
    folder = tmp_path / "cycletls" / "profiles"
    folder.mkdir(parents=True)
    profiles.get("plain").model_copy(update={"name": "mine"}).save(folder / "mine.json")
    assert "mine" in profiles
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "mine" not in profiles
    assert users_folder() == str(tmp_path / ".local/share/cycletls/profiles")


def test_a_registered_profile_is_found_by_name(tmp_path: Path) -> None:
    """A Profile, a mapping, a file or another's name can be registered, and forgotten."""
    file = tmp_path / "mine.json"
    profiles.get("plain").model_copy(update={"name": "mine"}).save(file)
    assert profiles.register(file) == "mine"
    assert profiles.register(json.loads(file.read_text(encoding="utf-8")), name="Second_One") == "second-one"
    assert profiles.register("chrome", name="usual") == "usual"
    assert profiles.get("second-one").name == "Second_One"
    assert profiles.get("usual").source.version == "156"
    assert {"mine", "second-one", "usual"} <= set(profiles)
    assert profiles.unregister("usual")
    assert not profiles.unregister("usual")
    with pytest.raises(InvalidOption, match="no profile 'usual'"):
        profiles.get("usual")


def test_a_registered_name_is_believed_before_files_and_aliases() -> None:
    """Who registers "chrome" means it, until it is unregistered."""
    assert Profile.load("chrome").source.browser == "Google Chrome"
    profiles.register("firefox", name="chrome")
    assert Profile.load("chrome").source.browser == "Firefox"
    assert profiles.unregister("chrome")
    assert Profile.load("chrome").source.browser == "Google Chrome"


def test_a_request_means_what_is_registered_at_its_time(echo_tls: str, ca_file: str) -> None:
    """A session does not take a connection made under what the name meant before."""
    with CycleTLS(verify=ca_file) as session:
        seen = []
        for meant in ("chrome", "okhttp", "firefox"):
            profiles.register(meant, name="mine")
            seen.append(session.get(echo_tls, profile="mine").json()["tls"]["ja4"])
        profiles.unregister("mine")
    assert seen == [profiles.get(meant).ja4 for meant in ("chrome", "okhttp", "firefox")]


def test_what_is_registered_is_checked() -> None:
    """A broken profile, and a name that would be read as a path, are refused at once."""
    with pytest.raises(InvalidOption, match="tls: Field required"):
        profiles.register({"name": "broken"})
    for name in ("", "a/b", "mine.json", "{}"):
        with pytest.raises(InvalidOption, match="cannot be the name of a profile"):
            profiles.register("plain", name=name)
