"""Finding, starting and ending browsers, with a script in the place of one: no browser is needed here."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cycletls import InvalidOption, Profile
from cycletls._browsers import Browser, capture_browser, find_browser, visit
from cycletls.testing import capture_server

FAKE = """#!{python}
import os, sys, time
if "--version" in sys.argv:
    print("{name} 12.3.4 built for a test")
    sys.exit()
child = os.fork()
if not child:
    time.sleep(60)
    sys.exit()
open({log!r}, "a").write(f"{{child}} {{' '.join(sys.argv[1:])}}\\n")
{act}
time.sleep(60)
"""

SENDING = """
import cycletls
url = sys.argv[-1].removesuffix("/pages/start")
with cycletls.CycleTLS(profile="chrome-156", verify=False, user_agent="HeadlessChrome/12") as session:
    for path in ("all", "done"):
        session.get(f"{url}/pages/{path}")
"""


def fake(folder: Path, name: str = "Chromium", act: str = "") -> Path:
    """Write an executable that calls itself a browser, has a child, and never ends by itself."""
    path = folder / "fake-browser"
    path.write_text(FAKE.format(python=sys.executable, name=name, log=str(folder / "log"), act=act))
    path.chmod(0o755)
    return path


def started(folder: Path) -> tuple[Path, list[str]]:
    """The child's place in /proc and the arguments of a fake, once it runs."""
    end = time.monotonic() + 20
    while not (folder / "log").exists() or not (folder / "log").read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.01)
    process, *arguments = (folder / "log").read_text().split("\n")[0].split(" ")
    return Path("/proc", process), arguments


def runs(process: Path) -> bool:
    """Whether a process does; one that has ended may wait for init to notice."""
    return process.exists() and (process / "stat").read_text().rpartition(") ")[2][0] not in "ZX"


def ends(process: Path) -> bool:
    """Whether a process does within 20 s: a killed one may take its time on a busy machine."""
    try:
        notice = os.pidfd_open(int(process.name))
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([notice], [], [], 20)[0])
    finally:
        os.close(notice)


def test_a_browser_is_found_by_path_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says its name and version itself."""
    path = fake(tmp_path)
    browser = find_browser(str(path))
    assert (browser.name, browser.version, browser.is_firefox) == ("Chromium", "12.3.4", False)
    path.rename(tmp_path / "firefox-esr")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser("firefox").path == str(tmp_path / "firefox-esr")


def test_a_browser_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With all that was looked for; and what is no browser is refused."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidOption, match="looked for chromium, chromium-browser, google-chrome"):
        find_browser("chromium")
    with pytest.raises(InvalidOption, match="no browser that is known here"):
        Browser(sys.executable)


@pytest.mark.parametrize("name", ["Chromium", "Mozilla Firefox"])
def test_a_browser_is_ended_with_its_children(name: str, tmp_path: Path) -> None:
    """And its folder is gone."""
    browser = Browser(str(fake(tmp_path, name)))
    with capture_server() as server, browser.opened(server.start_page, server):
        child, arguments = started(tmp_path)
        (folder,) = [
            argument.removeprefix("--user-data-dir=") for argument in arguments if "cycletls-browser-" in argument
        ]
        assert os.path.isdir(folder)
        assert runs(child)
        assert arguments[-1] == server.start_page
    assert ends(child)
    assert not os.path.exists(folder)


OPENING = """
import sys
from cycletls._browsers import Browser
from cycletls.testing import capture_server
with capture_server() as server, Browser(sys.argv[1]).opened(server.start_page, server):
    sys.stdin.read()
"""


def test_a_browser_does_not_outlive_who_opened_it(tmp_path: Path) -> None:
    """Also where that is killed and can end nothing itself; the folder goes, too."""
    command = [sys.executable, "-c", OPENING, str(fake(tmp_path))]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as opener:
        child, arguments = started(tmp_path)
        assert runs(child)
        opener.kill()
    assert ends(child)
    (folder,) = [argument.removeprefix("--user-data-dir=") for argument in arguments if "--user-data-dir=" in argument]
    end = time.monotonic() + 20
    while os.path.exists(folder):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_chromium_trusts_this_server_only(tmp_path: Path) -> None:
    """By the key of its certificate, and it reaches no other host."""
    browser = Browser(str(fake(tmp_path)))
    with capture_server() as server, browser.opened(server.start_page, server):
        _, arguments = started(tmp_path)
        assert f"--ignore-certificate-errors-spki-list={server.key_pin}" in arguments
        assert "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost" in " ".join(arguments)


def test_firefox_trusts_this_server_only(tmp_path: Path) -> None:
    """By an exception for its certificate, and all else goes nowhere."""
    browser = Browser(str(fake(tmp_path, "Mozilla Firefox")))
    with capture_server() as server, browser.opened(server.start_page, server):
        _, arguments = started(tmp_path)
        folder = Path(arguments[arguments.index("--profile") + 1])
        assert (folder / "cert_override.txt").read_text().startswith(server.url.removeprefix("https://") + ":\t")
        assert 'user_pref("network.proxy.http_port", 9);\n' in (folder / "user.js").read_text()
        assert 'user_pref("toolkit.telemetry.enabled", false);\n' in (folder / "user.js").read_text()


def test_a_browser_that_never_arrives_is_a_timeout(tmp_path: Path) -> None:
    """And it is ended."""
    with pytest.raises(TimeoutError):
        visit(Browser(str(fake(tmp_path))), 0.01)


def test_capture_names_the_profile_after_the_browser(tmp_path: Path) -> None:
    """The fake is our own client; a headless name is written as with a window."""
    profile = capture_browser(str(fake(tmp_path, act=SENDING)))
    assert isinstance(profile, Profile)
    assert profile.name.startswith("chromium-12-")
    assert (profile.source.browser, profile.source.version) == ("Chromium", "12.3.4")
    assert ("user-agent", "Chrome/12") in profile.headers["navigate"]
    assert "Captured headless; Chrome is written for the name HeadlessChrome." in profile.source.notes
