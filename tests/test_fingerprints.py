"""CycleTLS' fingerprints: TLSFingerprint, the registry of names, and what fingerprint= makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cycletls
from cycletls import FingerprintRegistry, InvalidOption, Profile, TLSFingerprint
from cycletls import _profiles as finding
from cycletls._fingerprints import CYCLETLS_NAMES
from cycletls._options import resolve

JA3 = "771,4865-4866-4867-49195-49199,0-23-65281-10-11-35-16-5-13-51-45-43,29-23-24,0"
JA4R = "t13d0512h2_1301,1302,1303,c02b,c02f_0005,000a,000b,000d,0017,0023,002b,002d,0033,ff01_0403,0804,0401"
AKAMAI = "1:65536;4:131072|1000000|0|m,p,a,s"


@pytest.fixture(autouse=True)
def nothing_registered() -> Iterator[None]:
    """Forget what a test registered."""
    yield
    FingerprintRegistry.clear()
    finding._registered.clear()
    finding._documents.clear()


def options(**given: Any) -> dict[str, Any]:
    """What a session's keyword arguments say."""
    return resolve(given, frozenset())


@pytest.mark.parametrize("name", CYCLETLS_NAMES)
def test_every_name_of_cycletls_describes_a_profile(name: str) -> None:
    """The strings are those of the profile that the name means."""
    fingerprint = FingerprintRegistry.get(name)
    profile = Profile.load(name)
    assert (fingerprint.name, fingerprint.profile) == (name, profile.name)
    assert (fingerprint.ja3, fingerprint.ja4r, fingerprint.http2_fingerprint) == (
        profile.ja3,
        profile.ja4_r,
        profile.akamai,
    )
    assert fingerprint.header_order
    assert "host" in fingerprint.header_order
    assert fingerprint.user_agent
    assert "Mozilla/5.0" in fingerprint.user_agent


@pytest.mark.parametrize("name", ["plain", "okhttp", "bare"])
def test_any_profile_can_be_described(name: str) -> None:
    """Not only browsers, and one without headers of HTTP/1.1, too."""
    if name == "bare":
        plain = Profile.load("plain")
        cycletls.profiles.register(plain.model_copy(update={"http1": type(plain.http1)(headers={})}), name="bare")
    fingerprint = FingerprintRegistry.get(name)
    assert fingerprint.profile == cycletls.profiles.get(name).name
    assert fingerprint.header_order
    assert {"accept-encoding", "user-agent"} <= set(fingerprint.header_order)


def test_constants_are_these_fingerprints() -> None:
    """CHROME_120 is what its name gives, and the same object each time."""
    assert cycletls.CHROME_120 == FingerprintRegistry.get("chrome_120")
    assert cycletls.CHROME_120 is cycletls.CHROME_120
    assert cycletls.SAFARI_IOS.profile == "safari-26.0.1-ios"
    with pytest.raises(AttributeError, match="CHROME_1"):
        cycletls.CHROME_1  # noqa: B018  # that is the point


def test_a_description_is_used_as_its_profile() -> None:
    """A profile says more than its strings: shuffled orders, GREASE, headers of every kind."""
    assert options(fingerprint=cycletls.CHROME_120) == {"profile": "chrome-120-macos"}
    assert options(fingerprint="chrome_120") == {"profile": "chrome_120"}


def test_a_fingerprint_becomes_the_options_it_stands_for() -> None:
    """Each part is the option of its name."""
    fingerprint = TLSFingerprint("mine", JA3, user_agent="me", header_order=["accept", "user-agent"], force_http1=True)
    assert options(fingerprint=fingerprint) == {
        "ja3": JA3,
        "user_agent": "me",
        "header_order": ("accept", "user-agent"),
        "force_http1": True,
    }


def test_what_is_said_beside_a_fingerprint_counts_more() -> None:
    """An explicit option is meant."""
    fingerprint = TLSFingerprint("mine", JA3, user_agent="me", profile="firefox")
    assert options(fingerprint=fingerprint, user_agent="other") == {
        "ja3": JA3,
        "user_agent": "other",
        "profile": "firefox",
    }


def test_ja4r_goes_before_ja3() -> None:
    """CycleTLS wants a ja3 in every fingerprint and does not use it where there is a ja4r."""
    assert TLSFingerprint("mine", JA3, JA4R).options() == {"ja4r": JA4R}


def test_a_registered_name_stands_for_the_fingerprint() -> None:
    """Under any spelling, until it is unregistered."""
    FingerprintRegistry.register(TLSFingerprint("My_Browser", JA3))
    assert "My_Browser" in FingerprintRegistry.list()
    assert FingerprintRegistry.get("my-browser").ja3 == JA3
    assert options(fingerprint="my_browser") == options(profile="My_Browser") == {"ja3": JA3}
    FingerprintRegistry.register(TLSFingerprint("my-browser", JA3, user_agent="second"))
    assert options(fingerprint="My_Browser")["user_agent"] == "second"
    assert FingerprintRegistry.unregister("MY_BROWSER")
    assert not FingerprintRegistry.unregister("My_Browser")
    with pytest.raises(InvalidOption, match="no profile 'My_Browser'"):
        options(fingerprint="My_Browser")


def test_the_registry_knows_what_it_has() -> None:
    """list, all and clear agree; what is unknown is a KeyError, as in CycleTLS, or None."""
    FingerprintRegistry.register(TLSFingerprint("mine", JA3))
    assert list(FingerprintRegistry.all()) == FingerprintRegistry.list() == [*CYCLETLS_NAMES, "mine"]
    FingerprintRegistry.clear()
    assert FingerprintRegistry.list() == [*CYCLETLS_NAMES]
    assert FingerprintRegistry.get_or_none("mine") is None
    with pytest.raises(KeyError, match="no profile 'mine'"):
        FingerprintRegistry.get("mine")
    with pytest.raises(InvalidOption, match="not a dict"):
        FingerprintRegistry.register({"name": "mine"})  # type: ignore[arg-type]


def test_a_fingerprint_survives_its_file(tmp_path: Path) -> None:
    """What is written and read again is equal, and fields that say nothing are not written."""
    fingerprint = TLSFingerprint("mine", JA3, http2_fingerprint=AKAMAI, header_order=("accept",), disable_grease=True)
    fingerprint.to_json(tmp_path / "mine.json")
    assert TLSFingerprint.from_json(tmp_path / "mine.json").to_dict() == fingerprint.to_dict()
    assert json.loads((tmp_path / "mine.json").read_text()) == {
        "name": "mine",
        "ja3": JA3,
        "http2_fingerprint": AKAMAI,
        "header_order": ["accept"],
        "disable_grease": True,
    }


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"name": "x", "jar3": JA3}, "'x' cannot have jar3="),
        ({"name": "x", "ja3": 771}, "'x' cannot have ja3=771"),
        ({"name": "x", "header_order": "accept"}, "'x' cannot have header_order='accept'"),
        ({"name": "x", "force_http1": "no"}, "'x' cannot have force_http1='no'"),
        ({"ja3": JA3}, "a fingerprint has a name"),
        ([], "a fingerprint is a mapping, not a list"),
    ],
)
def test_a_mistake_in_a_fingerprint_is_named(data: Any, problem: str, tmp_path: Path) -> None:
    """From a mapping, and from a file with its path."""
    with pytest.raises(InvalidOption, match=problem):
        TLSFingerprint.from_dict(data)
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(data))
    with pytest.raises(InvalidOption, match=rf"bad\.json: .*{problem}"):
        TLSFingerprint.from_json(file)


def test_none_in_a_file_says_nothing() -> None:
    """CycleTLS' own writers leave some fields null."""
    assert TLSFingerprint.from_dict({"name": "x", "ja3": JA3, "user_agent": None}) == TLSFingerprint("x", JA3)


def test_folders_of_fingerprints_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of a folder, of the one that the environment names, or one file."""
    for name in ("one", "two"):
        TLSFingerprint(name, JA3).to_json(tmp_path / f"{name}.json")
    assert cycletls.load_fingerprints_from_dir(tmp_path) == 2
    assert FingerprintRegistry.list()[-2:] == ["one", "two"]
    assert cycletls.load_fingerprints_from_env() == 0
    monkeypatch.setenv("CYCLETLS_FINGERPRINTS_DIR", str(tmp_path))
    assert cycletls.load_fingerprints_from_env() == 2
    FingerprintRegistry.clear()
    assert cycletls.load_fingerprint_from_file(tmp_path / "one.json") is FingerprintRegistry.get("one")


def test_a_folder_with_a_broken_file_registers_nothing(tmp_path: Path) -> None:
    """The file is named; a missing folder, too."""
    TLSFingerprint("one", JA3).to_json(tmp_path / "one.json")
    (tmp_path / "two.json").write_text("{")
    with pytest.raises(InvalidOption, match=r"two\.json: Expecting property name"):
        cycletls.load_fingerprints_from_dir(tmp_path)
    assert FingerprintRegistry.get_or_none("one") is None
    with pytest.raises(InvalidOption, match=r"missing' is no folder"):
        cycletls.load_fingerprints_from_dir(tmp_path / "missing")


def test_a_template_is_a_fingerprint_to_edit(tmp_path: Path) -> None:
    """It can be loaded as it is."""
    cycletls.create_fingerprint_template(tmp_path / "mine.json", "mine")
    fingerprint = cycletls.load_fingerprint_from_file(tmp_path / "mine.json")
    assert fingerprint.name == "mine"
    assert fingerprint.ja4r == Profile.load("chrome").ja4_r


def test_keyword_arguments_take_a_fingerprint_in() -> None:
    """apply_to_kwargs gives a new dictionary, in which what was there stays."""
    given = {"ja3": "mine", "headers": {}}
    assert TLSFingerprint("x", JA3, user_agent="me").apply_to_kwargs(given) == {**given, "user_agent": "me"}
    assert given == {"ja3": "mine", "headers": {}}


def test_a_fingerprint_is_seen_on_the_wire(echo_tls: str, ca_file: str) -> None:
    """Its JA3 and its user agent arrive, from a session and from a request."""
    fingerprint = TLSFingerprint("mine", JA3, user_agent="me")
    with cycletls.CycleTLS(fingerprint=fingerprint, verify=ca_file) as session:
        response = session.get(echo_tls)
    assert response.json()["tls"]["ja3"] == JA3
    assert response.request.headers["User-Agent"] == "me"
    with cycletls.CycleTLS(verify=ca_file) as session:
        report = session.get(echo_tls, fingerprint=fingerprint).json()
        assert report["tls"]["ja3"] == JA3
        report = session.get(echo_tls, fingerprint="firefox_121").json()
    assert report["tls"]["ja3"] == Profile.load("firefox_121").ja3


def test_http3_only_is_refused() -> None:
    """A fingerprint that demands what this version cannot do is not used without it."""
    with pytest.raises(cycletls.UnknownOption, match="force_http3"):
        options(fingerprint=TLSFingerprint("x", JA3, force_http3=True))
