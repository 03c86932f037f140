"""Real browsers, headless: finding one, sending it to a capture server, ending it without a trace."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ._capture import CaptureServer, implied_profile
from ._exceptions import InvalidOption
from ._models import Profile, as_profile

EXECUTABLES: Final = {
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
    "chrome": ("google-chrome-stable", "google-chrome"),
    "edge": ("microsoft-edge-stable", "microsoft-edge"),
    "firefox": ("firefox", "firefox-esr"),
}

VERSION: Final = re.compile(r"((?:Google |Microsoft )?(?:Chromium|Chrome|Edge|Firefox)) (\d+(?:\.\d+)*)")
"""In the answer to --version."""

LAST_PAGE: Final = "/pages/done"
"""What a browser asks for when it has sent everything (golang/internal/capture/pages.go)."""

CHROMIUM_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    # It must not call home, whatever else it has in mind.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
)

CHROMIUM_PREFERENCES: Final = {
    # "Preload pages: no": else it opens connections before it knows whether it needs them.
    "net": {"network_prediction_options": 2},
}

FIREFOX_PREFERENCES: Final[dict[str, bool | int | str]] = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.http.http3.enable": False,
    "toolkit.telemetry.enabled": False,
    # All but loopback goes to a proxy that is not there.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
}


class Browser:
    """A browser that is installed here.

    Args:
        path: its executable.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        found = VERSION.search(shown)
        if not found:
            raise InvalidOption(f"{path} is no browser that is known here: it calls itself {shown!r:.100}")
        self.name = found[1]
        """What it calls itself, such as Chromium or Firefox."""
        self.version = found[2]
        self.is_firefox = self.name == "Firefox"

    @contextmanager
    def opened(self, url: str, server: CaptureServer) -> Iterator[None]:
        """Run it on a page of a capture server, with a fresh profile, and end it with all its processes."""
        with tempfile.TemporaryDirectory(prefix="cycletls-browser-", ignore_cleanup_errors=True) as folder:
            prepare = self._firefox if self.is_firefox else self._chromium
            process = subprocess.Popen(
                [self.path, *prepare(Path(folder), server), url],
                env={**os.environ, "HOME": folder, "MOZ_CRASHREPORTER_DISABLE": "1", "LANG": "en_US.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that it can be ended with its children
            )
            with _watched(process.pid, folder):
                try:
                    yield
                finally:
                    _end(process)

    def _chromium(self, folder: Path, server: CaptureServer) -> list[str]:
        (folder / "Default").mkdir()
        (folder / "Default" / "Preferences").write_text(json.dumps(CHROMIUM_PREFERENCES))
        arguments = [*CHROMIUM_FLAGS, f"--user-data-dir={folder}"]
        if server.key_pin:
            arguments.append(f"--ignore-certificate-errors-spki-list={server.key_pin}")
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # which Chromium refuses to have as root
        return arguments

    def _firefox(self, folder: Path, server: CaptureServer) -> list[str]:
        preferences = [f'user_pref("{name}", {_javascript(value)});\n' for name, value in FIREFOX_PREFERENCES.items()]
        (folder / "user.js").write_text("".join(preferences))
        if server.certificate:
            digest = hashlib.sha256(server.certificate).digest().hex(":").upper()
            address = urlsplit(server.url)
            # The exception a user would make: this certificate, by its SHA-256, for this host and port.
            (folder / "cert_override.txt").write_text(
                f"{address.hostname}:{address.port}:\tOID.2.16.840.1.101.3.4.2.1\t{digest}\t\n"
            )
        return ["--headless", "--no-remote", "--profile", str(folder)]


def find_browser(name: str) -> Browser:
    """Find a browser by the name of its kind, such as chromium or firefox, of its executable, or by its path.

    Raises:
        InvalidOption: it is not installed; the message says what was looked for.
    """
    candidates = EXECUTABLES.get(name, (name,))
    for candidate in candidates:
        path = shutil.which(candidate)
        if path:
            return Browser(path)
    raise InvalidOption(f"no browser {name!r} is installed: looked for {', '.join(candidates)} on PATH")


def capture_browser(name: str = "chromium", *, timeout: float = 60.0) -> Profile:
    """Capture the profile of a browser that is installed here.

    It is sent twice to a page that makes it send every kind of request: over
    HTTP/2 and over HTTP/1.1, on new connections and on resumed ones.

    Args:
        name: see :func:`find_browser`.
        timeout: seconds that each visit may take.

    Raises:
        InvalidOption: the browser is not installed.
        TimeoutError: it did not get to the last page.
    """
    browser = find_browser(name)
    documents = [visit(browser, timeout, protocols=protocols) for protocols in (("h2", "http/1.1"), ("http/1.1",))]
    system = platform.system().lower()
    product = browser.name.lower().replace(" ", "-")
    name = f"{product}-{browser.version.partition('.')[0]}-{system}"
    return _with_window(implied_profile(documents, name, browser=browser.name, version=browser.version, os=system))


def _with_window(profile: Profile) -> Profile:
    """Write Chromium's name as it is with a window: only without one it calls itself HeadlessChrome."""
    text = profile.document()
    if "HeadlessChrome/" not in text:
        return profile
    profile = as_profile(json.loads(text.replace("HeadlessChrome/", "Chrome/")))
    notes = (*profile.source.notes, "Captured headless; Chrome is written for the name HeadlessChrome.")
    return profile.model_copy(update={"source": profile.source.model_copy(update={"notes": notes})})


def visit(browser: Browser, timeout: float, **options: Any) -> str:
    """Send a browser through all pages of a capture server, and return what that saw as JSON.

    Args:
        browser: the browser.
        timeout: seconds that the visit may take.
        options: those of the server.

    Raises:
        TimeoutError: it did not get to the last page.
    """
    with CaptureServer(**options) as server, browser.opened(server.start_page, server):
        server.wait(target=LAST_PAGE, timeout=timeout)
        return server.document()


WATCH: Final = 'read -r _; kill -s KILL -- "-$1"; rm -rf -- "$2"'
"""A shell that ends a browser, and deletes its profile, once nobody can write to it any more."""


@contextmanager
def _watched(group: int, folder: str) -> Iterator[None]:
    """Have a browser's processes ended should this one die without a chance to do it."""
    with subprocess.Popen(
        ["/bin/sh", "-c", WATCH, "sh", str(group), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that it outlives a signal to this process and its group
    ) as watch:
        try:
            yield
        finally:
            watch.kill()


def _javascript(value: bool | int | str) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it has started: they are the group of its session."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with suppress(ProcessLookupError):  # all have ended by themselves
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
