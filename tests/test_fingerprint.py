"""What a server sees is what the browser shows: captures of Chromium 156 and Firefox 153 are the judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cycletls

CHROME = "t13d1517h2_8daaf6152771_cb7bf5808d99", "1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"
LIBRARY = json.loads((Path(__file__).parent.parent / "golang/internal/fingerprint/testdata/library.json").read_text())
FIREFOX = "t13d1617h2_86a278354501_3cbfd9057e0d", "1:65536;2:0;4:131072;5:16384|12517377|0|m,p,a,s"


def seen(url: str, **options: Any) -> dict[str, Any]:
    """What the server reports of a first request on a first connection."""
    with cycletls.CycleTLS(**options) as session:
        report: dict[str, Any] = session.get(url).json()
    return report


@pytest.mark.parametrize(("profile", "expected"), [("chrome", CHROME), ("firefox-153", FIREFOX)])
def test_profile_shows_the_fingerprints_of_its_browser(
    profile: str, expected: tuple[str, str], echo_tls: str, ca_file: str
) -> None:
    """JA4 and the HTTP/2 fingerprint are those of the real browser."""
    report = seen(echo_tls, profile=profile, verify=ca_file)
    assert (report["tls"]["ja4"], report["akamai"]) == expected


@pytest.mark.parametrize("name", LIBRARY)
def test_every_profile_is_seen_as_its_browser(name: str, echo_tls: str, ca_file: str) -> None:
    """JA4 and the HTTP/2 fingerprint arrive, whichever way the draw about padding goes."""
    known = LIBRARY[name]
    report = seen(echo_tls, profile=name, verify=ca_file)
    assert report["tls"]["ja4"] in (known["ja4"], known.get("padded_ja4"))
    assert report.get("akamai", "|00|0|m,a,s,p") == known["akamai"]  # of who speaks no HTTP/2, the default


def test_ja3_given_is_ja3_seen(echo_tls: str, ca_file: str) -> None:
    """The hello of a JA3 string has this JA3."""
    wanted = "771,4865-4866-4867-49195-49199,0-23-65281-10-11-35-16-5-13-51-45-43,29-23-24,0"
    report = seen(echo_tls, ja3=wanted, verify=ca_file)
    assert report["tls"]["ja3"] == wanted


def test_each_connection_has_a_hello_of_its_own(echo_tls: str, ca_file: str) -> None:
    """Chrome shuffles extensions and draws key shares and GREASE anew for every connection."""
    hellos = [seen(echo_tls, profile="chrome", verify=ca_file)["tls"] for _ in range(4)]
    assert len({hello["hellos"][0] for hello in hellos}) == 4
    assert len({hello["ja3"] for hello in hellos}) > 1
    assert len({hello["ja4"] for hello in hellos}) == 1
