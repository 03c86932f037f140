"""The command line, called in this process and as a real one."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cycletls
from cycletls import Profile, profiles
from cycletls._cli import main

COMMAND = [str(Path(sys.executable).with_name("cycletls"))]


def run(*arguments: str) -> Result:
    """Call a command."""
    return CliRunner().invoke(main, arguments)


def failed(result: Result, status: int) -> str:
    """The one line that a command ends with when it cannot do what it was asked."""
    assert result.exit_code == status
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("cycletls: ")
    return line


def other_window(folder: Path) -> str:
    """The path of a Chrome with another window."""
    chrome = Profile.load("chrome-156-linux")
    path = folder / "mine.json"
    http2 = chrome.http2.model_copy(update={"window_update": 1000})
    chrome.model_copy(update={"name": "mine", "http2": http2}).save(path)
    return str(path)


def test_profiles_are_listed() -> None:
    """One line each, and without a terminal no line is cut or coloured."""
    result = run("profiles")
    assert result.exit_code == 0
    title, *lines = result.stdout.splitlines()
    assert title.split() == ["name", "browser", "version", "os", "ja4", "source", "age"]
    assert [line.split()[0] for line in lines] == [profiles.get(name).name for name in profiles]
    assert re.search(
        r"^chrome-156-linux +Google Chrome +156 +linux +t13d1517h2_8daaf6152771_cb7bf5808d99 ", result.stdout, re.M
    )
    assert "\x1b" not in result.stdout


def test_profiles_are_listed_as_json() -> None:
    """With the same columns."""
    rows = json.loads(run("profiles", "--json").stdout)
    assert len(rows) == len(profiles)
    assert rows[0].keys() == {"name", "browser", "version", "os", "ja4", "source", "age"}


def test_a_profile_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its name from then on, and is not replaced by accident."""
    folder = tmp_path / "profiles"
    path = other_window(tmp_path)
    monkeypatch.setenv("CYCLETLS_PROFILES_DIR", str(folder))
    assert run("profiles", "add", path).output == ""
    profiles.unregister("mine")
    assert profiles.get("mine").http2.window_update == 1000
    assert "--force" in failed(run("profiles", "add", path), 2)
    assert run("profiles", "add", "--force", path).exit_code == 0
    profiles.unregister("mine")


def test_a_profile_is_added_among_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder is named, and is found there."""
    monkeypatch.delenv("CYCLETLS_PROFILES_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert run("profiles", "add", other_window(tmp_path)).output == ""
    profiles.unregister("mine")
    assert (tmp_path / "data/cycletls/profiles/mine.json").exists()
    assert profiles.get("mine").http2.window_update == 1000


def test_the_schema_is_shown() -> None:
    """The same that is published."""
    published = Path(__file__).parent.parent / "docs" / "profile.schema.json"
    assert run("schema").stdout == published.read_text(encoding="utf-8")


def test_what_is_no_profile_is_not_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is no JSON, or nothing that can be sent."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    monkeypatch.setenv("CYCLETLS_PROFILES_DIR", str(folder))
    path = tmp_path / "bad.json"
    path.write_text("{")
    assert "bad.json" in failed(run("profiles", "add", str(path)), 2)
    path = tmp_path / "worse.json"
    path.write_text(Profile.load("chrome").document().replace('"X25519"', '"X25518"'))
    assert "X25518" in failed(run("profiles", "add", str(path)), 2)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("notation", ["ja3", "ja4", "ja4_r", "akamai", "peetprint"])
def test_a_notation_is_shown(notation: str) -> None:
    """As the profile says it, and nothing else."""
    assert run("show", "firefox", "--as", notation).stdout == f"{getattr(Profile.load('firefox'), notation)}\n"


def test_json_that_is_shown_is_the_profile() -> None:
    """Without being asked for a notation."""
    assert Profile.model_validate_json(run("show", "chrome").stdout) == Profile.load("chrome")


def test_equal_profiles_compare_as_equal() -> None:
    """Exit status 0, and how much was compared."""
    result = run("compare", "chrome", "chrome-156-linux")
    assert result.exit_code == 0
    assert re.fullmatch(r"\d{3} facets, 0 differ\n", result.stdout)


def test_a_difference_is_named(tmp_path: Path) -> None:
    """Exit status 1, the facet, both values."""
    path = other_window(tmp_path)
    result = run("compare", path, "chrome-156-linux")
    assert result.exit_code == 1
    assert re.search(r"^h2\.window_update +1000 +15663105 *$", result.stdout, re.M)
    assert result.stdout.endswith(" facets, 2 differ\n")
    found = json.loads(run("compare", path, "chrome-156-linux", "--json").stdout)
    assert [difference["name"] for difference in found["differences"]] == ["notation.akamai", "h2.window_update"]


@pytest.mark.parametrize("name", ["chrome", "firefox", "safari", "okhttp", "chrome-120-linux", "curl", "requests"])
def test_what_is_sent_is_the_profile(name: str) -> None:
    """Every facet of it that a request shows, over both protocols, on first and resumed connections."""
    result = run("check", name)
    assert (result.stdout.partition(",")[2], result.exit_code) == (" 0 differ\n", 0)


def test_every_place_of_a_profile_is_checked(tmp_path: Path) -> None:
    """Also that of a field which a browser sends when a page is loaded anew."""
    firefox = Profile.load("firefox-153-linux")
    rows = ("cache-control", *firefox.headers["navigate"])
    path = tmp_path / "mine.json"
    firefox.model_copy(update={"headers": {**firefox.headers, "navigate": rows}}).save(path)
    assert run("check", str(path)).stdout.endswith(" facets, 0 differ\n")


def test_what_is_sent_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a client that has another profile in mind."""
    monkeypatch.setattr("cycletls._cli.replay", lambda profile: Profile.load("chromium"))
    result = run("check", "chrome-156-linux")
    assert result.exit_code == 1
    assert re.search(r"^h2\.fetch\.sec-ch-ua +", result.stdout, re.M)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Missing command"),
        (["sohw"], "No such command"),
        (["show", "netscape"], "there is no profile 'netscape'"),
        (["show", "chrome", "--as", "ja5"], "'ja5' is not one of"),
        (["compare", "chrome", "none.json"], "none.json"),
        (["capture", "-o", "x"], "either --browser or --listen"),
        (["capture", "--browser", "a", "--listen", "1", "-o", "x"], "either --browser or --listen"),
        (["capture", "--browser", "netscape", "-o", "x"], "no browser 'netscape' is installed"),
        (["capture", "--listen", "99999", "-o", "x"], "is no port"),
    ],
)
def test_what_cannot_be_asked_is_one_line(arguments: list[str], reason: str) -> None:
    """On stderr, with exit status 2."""
    assert reason in failed(run(*arguments), 2)


@contextmanager
def listening(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A capture of any client, as a process that ends with the test, and its address."""
    with subprocess.Popen(
        [*COMMAND, "capture", "--listen", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            yield process, line.removeprefix("listening on ").partition(";")[0]
        finally:
            process.kill()


def test_any_client_is_captured(tmp_path: Path) -> None:
    """Until it has been silent; the profile is named after its file."""
    with listening("--idle", "0.1", "-o", str(tmp_path / "mine.json")) as (process, url):
        cycletls.get(f"{url}/page", profile="firefox-153-linux", verify=False)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    captured = Profile.from_file(tmp_path / "mine.json")
    assert captured.name == "mine"
    assert captured.ja4 == Profile.load("firefox-153-linux").ja4


def test_ctrl_c_ends_a_capture_with_what_there_is() -> None:
    """On stdout where that is asked for."""
    with listening("--idle", "600", "-o", "-") as (process, url):
        cycletls.get(f"{url}/page", profile="firefox-153-linux", verify=False)
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")
    assert Profile.model_validate_json(shown).name == "captured"


def test_ctrl_c_without_anything_captured_is_one_line(tmp_path: Path) -> None:
    """And there is no file."""
    with listening("-o", str(tmp_path / "mine.json")) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "cycletls: interrupted\n")
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())


def test_a_reader_that_leaves_is_no_error() -> None:
    """As head does."""
    with subprocess.Popen([*COMMAND, "profiles"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


def test_import_cycletls_needs_neither_click_nor_rich() -> None:
    """They are for those who type commands."""
    script = "import sys, cycletls; print({'click', 'rich', 'cycletls._cli'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", script]) == b"set()\n"
