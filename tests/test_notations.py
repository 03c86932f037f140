"""Notations of fingerprints: what is given arrives as given, and profiles tell what observers would call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cycletls import CycleTLS, InvalidOption, Profile
from cycletls._profiles import profile_document
from cycletls.testing import CaptureServer

TESTDATA = Path(__file__).parent.parent / "golang" / "internal" / "fingerprint" / "testdata"
GIVEN = json.loads((TESTDATA / "notations.json").read_text())
FACTS = json.loads((TESTDATA / "facts.json").read_text())
CHROME_H2 = "1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p"
FIREFOX_87_H2 = "1:65536;4:131072;5:16384|12517377|3:0:0:201,5:0:0:101,7:0:0:1,9:0:7:1,11:0:3:1,13:0:0:241|m,p,a,s"


def names(given: list[dict[str, str]]) -> list[Any]:
    """The strings as parameters, each with its client's name."""
    return [pytest.param(notation["text"], notation["hash"], id=notation["client"]) for notation in given]


@pytest.mark.parametrize(("text", "digest"), names(GIVEN["ja3"]))
def test_ja3_of_any_client_arrives_with_its_hash(text: str, digest: str, cycletls_capture: CaptureServer) -> None:
    """What it leaves out comes from the closest profile."""
    with CycleTLS(ja3=text, verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url).raise_for_status()
    assert (cycletls_capture.last.ja3, cycletls_capture.last.ja3_hash) == (text, digest)


@pytest.mark.parametrize(("text", "digest"), names(GIVEN["ja4r"]))
def test_ja4_r_of_any_client_arrives_with_its_hash(text: str, digest: str, cycletls_capture: CaptureServer) -> None:
    """And so says the response."""
    with CycleTLS(ja4r=text, verify=cycletls_capture.ca_file) as session:
        response = session.get(cycletls_capture.url)
    assert (cycletls_capture.last.ja4_r, cycletls_capture.last.ja4) == (text, digest)
    assert response.tls
    assert response.tls.ja4 == digest


@pytest.mark.parametrize("text", [FIREFOX_87_H2, CHROME_H2.replace("|15663105|", "|00|")])
def test_http2_fingerprint_arrives_as_given(text: str, cycletls_capture: CaptureServer) -> None:
    """With commas between the settings, too."""
    with CycleTLS(profile="chrome", verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url, http2_fingerprint=text)
        assert cycletls_capture.last.akamai == text
        session.get(cycletls_capture.url, http2_fingerprint=text.replace(";", ","))
        assert cycletls_capture.last.akamai == text
        session.get(cycletls_capture.url)
        assert cycletls_capture.last.akamai == CHROME_H2


def test_a_profile_that_is_said_lends_what_a_notation_leaves_out(cycletls_capture: CaptureServer) -> None:
    """The default does not: requests that differ in nothing else get connections of their own."""
    firefox = next(notation["text"] for notation in GIVEN["ja3"] if notation["client"] == "Firefox 133")
    with CycleTLS(ja3=firefox, verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url)
        session.get(cycletls_capture.url, profile="chrome")
    agents = [request.headers["user-agent"] for request in cycletls_capture.requests]
    assert ["Firefox/" in agent for agent in agents] == [True, False]
    assert {request.ja3 for request in cycletls_capture.requests} == {firefox}
    assert len({request.connection for request in cycletls_capture.requests}) == 2


def test_a_ja4_hash_is_that_of_a_profile(cycletls_capture: CaptureServer) -> None:
    """It names the profile, with its headers."""
    digest = Profile.load("firefox").ja4
    with CycleTLS(ja4r=digest, verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url)
    assert cycletls_capture.last.ja4 == digest
    assert "Firefox/" in cycletls_capture.last.headers["user-agent"]


def test_grease_can_be_left_out(cycletls_capture: CaptureServer) -> None:
    """Nothing else changes."""
    with CycleTLS(verify=cycletls_capture.ca_file) as session:
        session.get(cycletls_capture.url)
        session.get(cycletls_capture.url, disable_grease=True)
    chrome, bare = cycletls_capture.requests
    assert "GREASE" in chrome.peetprint
    assert "GREASE" not in bare.peetprint
    assert chrome.ja4 == bare.ja4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ja3": "771,4865,x,29,0"}, r'^ja3: extensions\[0\]: "x"'),
        ({"ja4r": "t13d0103h2_1301,_000a"}, r'^ja4r: ciphers\[1\]: ""'),
        ({"ja4r": "t13d0203h2_1301_000a"}, r"start says 02 ciphers, the list has 1"),
        ({"ja4r": "t13d1516h2_8daaf6152771_000000000000"}, r"a hash that none of \d+ profiles has"),
        ({"http2_fingerprint": "1:65536;x|0|0|m,a,s,p"}, r'settings\[1\]: "x"'),
        ({"ja3": "771,47,,,", "ja4r": "t12i010000_002f_"}, r"ja3 and ja4r"),
        (
            {"ja4r": "t12i010000_002f_", "http2_fingerprint": CHROME_H2},
            r"^http2_fingerprint: .*JA4.* does not offer h2",
        ),
        ({"profile": {**json.loads(profile_document("plain")), "name": ""}}, r"name: missing"),
    ],
)
def test_what_cannot_be_sent_is_refused(options: Any, says: str) -> None:
    """When the session is made; the message tells field and position, or both of what contradicts."""
    with pytest.raises(InvalidOption, match=says):
        CycleTLS(**options)


def test_a_file_that_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    """When the session is made, not with its first request."""
    (tmp_path / "broken.json").write_text(profile_document("plain").replace('"X25519"', '"X25518"'))
    with pytest.raises(InvalidOption, match="X25518"):
        CycleTLS(profile=tmp_path / "broken.json")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"http2_fingerprint": CHROME_H2, "force_http1": True}, r"http2_fingerprint and force_http1"),
        ({"ja4r": GIVEN["ja4r"][0]["text"], "force_http1": True}, r"ja4r and force_http1"),
        ({"ja3": "771,47,,,", "min_tls": "1.3"}, r"JA3 .* reaches TLS 1.2, min_tls is TLS 1.3"),
    ],
)
def test_what_contradicts_the_connection_is_refused(options: Any, says: str) -> None:
    """With the first request; nothing is sent."""
    with CycleTLS(**options) as session, pytest.raises(InvalidOption, match=says):
        session.get("https://127.0.0.1:1/")


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["profile"])
def test_a_profile_tells_its_notations(fact: dict[str, str]) -> None:
    """They are those that its browser was seen with."""
    profile = Profile.load(fact["profile"])
    assert (profile.ja3, profile.akamai) == (fact["ja3"], fact["akamai"])
    if fact["ja4"]:
        assert (profile.ja4, profile.ja4_r) == (fact["ja4"], fact["ja4r"])
    assert profile.ja4_ro.split("_")[0] == profile.ja4_o.split("_")[0] == profile.ja4.split("_")[0]
    assert len(profile.peetprint.split("|")) == 8
    assert {len(digest) for digest in (profile.ja3_hash, profile.akamai_hash, profile.peetprint_hash)} == {32}


def test_a_changed_copy_tells_its_own_notations(tmp_path: Path) -> None:
    """Also once it has been saved."""
    chrome = Profile.load("chrome")
    mine = chrome.model_copy(update={"http2": chrome.http2.model_copy(update={"window_update": 1})})
    mine.save(tmp_path / "mine.json")
    assert chrome.akamai == CHROME_H2
    assert Profile.from_file(tmp_path / "mine.json").akamai == mine.akamai == CHROME_H2.replace("|15663105|", "|1|")


def test_only_a_file_is_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is also one of a profile is not."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match="cannot be read"):
        Profile.from_file("chrome")


def test_a_profile_that_cannot_be_sent_tells_nothing() -> None:
    """The core says what is wrong."""
    chrome = Profile.load("chrome")
    broken = chrome.model_copy(update={"tls": chrome.tls.model_copy(update={"ciphers": ("0x0005",)})})
    with pytest.raises(InvalidOption, match=r"tls\.ciphers: none may be agreed on"):
        assert broken.ja3
