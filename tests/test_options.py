"""The table of options: what callers give becomes what the rest relies on, or one clear error."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from cycletls import Cookie, CycleTLSError, InvalidHeader, InvalidOption, Timeouts, UnknownOption, _options, _types
from cycletls._options import CONNECTION, NAMES, REQUEST_ONLY, SESSION_ONLY, SYNONYMS, Options, resolve
from cycletls._proxies import Proxies


def names_of(typed: Any) -> set[str]:
    """The keys of a TypedDict."""
    return set(typed.__required_keys__ | typed.__optional_keys__)


def test_types_of_keyword_arguments_are_the_table() -> None:
    """What a type checker lets pass is what is accepted, synonyms included."""
    words = NAMES | SYNONYMS.keys()
    request = {word for word in words if SYNONYMS.get(word, word) not in SESSION_ONLY}
    session = {word for word in words if SYNONYMS.get(word, word) not in REQUEST_ONLY}
    assert names_of(_types.RequestOptions) == request
    assert names_of(_types.ClientOptions) == session
    assert names_of(_types.BodyOptions) == request - {"params"}
    assert names_of(_types.QueryOptions) == request - {"data", "json"}


def test_sets_are_of_the_table() -> None:
    """No set names what is not in the table, and what only one side can say makes no variant by itself."""
    assert NAMES >= REQUEST_ONLY | SESSION_ONLY | CONNECTION | set(SYNONYMS.values())
    assert not REQUEST_ONLY & SESSION_ONLY
    assert not CONNECTION & (REQUEST_ONLY | SESSION_ONLY)


def test_every_option_is_documented() -> None:
    """The table is the reference: each row is followed by its meaning."""
    lines = pathlib.Path(_options.__file__).read_text(encoding="utf-8").splitlines()
    for name in NAMES:
        [row] = [number for number, line in enumerate(lines) if line.startswith(f"    {name}: ")]
        assert lines[row + 1].startswith('    """'), name


def test_defaults_are_what_their_own_check_makes_of_them() -> None:
    """A default said aloud changes nothing."""
    plain = {name: getattr(Options, name) for name in NAMES if name not in {"resolve", "cert"}}
    assert resolve(plain, frozenset()) == plain


def test_said_goes_over_said_before_and_over_defaults() -> None:
    """Request over session over defaults; None is said, too."""
    session = Options({"timeout": Timeouts(3), "ja3": "771,4865,0,29,0"})
    request = session.over({"timeout": Timeouts(None), "force_http1": True})
    assert (request.timeout, request.ja3, request.force_http1, request.verify) == (
        Timeouts(),
        "771,4865,0,29,0",
        True,
        True,
    )
    assert session.timeout == Timeouts(3)


@pytest.mark.parametrize(
    ("word", "value", "name", "meaning"),
    [
        ("json_data", {"a": 1}, "json", {"a": 1}),
        ("body", "text", "content", "text"),
        ("body_bytes", b"x", "content", b"x"),
        ("fingerprint", "firefox", "profile", "firefox"),
        ("follow_redirects", False, "allow_redirects", False),
        ("disable_redirect", True, "allow_redirects", False),
        ("insecure_skip_verify", True, "verify", False),
        ("insecure_skip_verify", False, "verify", True),
        ("proxies", "http://h", "proxy", Proxies((("all", "http://h", "proxy"),))),
    ],
)
def test_synonyms_mean_the_canonical_option(word: str, value: object, name: str, meaning: object) -> None:
    """The words of requests, httpx and CycleTLS are understood."""
    assert resolve({word: value}, frozenset()) == {name: meaning}


def test_synonyms_that_disagree_are_refused() -> None:
    """Both are named; where they agree there is nothing to refuse."""
    with pytest.raises(InvalidOption, match=r"verify= and insecure_skip_verify="):
        resolve({"verify": True, "insecure_skip_verify": True}, frozenset())
    assert resolve({"json": 1, "json_data": 1}, frozenset()) == {"json": 1}


@pytest.mark.parametrize(
    ("given", "refused", "hint"),
    [
        ({"tiemout": 3}, SESSION_ONLY, r"a request has no option tiemout=: did you mean timeout=\?"),
        ({"jsondata": 3}, SESSION_ONLY, r"did you mean json_data=\?"),
        ({"base_url": "http://h"}, SESSION_ONLY, "base_url= is an option of a session, not of a request"),
        ({"json_data": 1}, REQUEST_ONLY, "json_data= is an option of a request, not of a session"),
        ({"base": "http://h"}, SESSION_ONLY, "no option base="),
    ],
)
def test_unknown_names_fail_at_once(given: dict[str, object], refused: frozenset[str], hint: str) -> None:
    """A typo is not ignored; the error says what was meant. It is a TypeError, as with any other function."""
    with pytest.raises(UnknownOption, match=hint) as caught:
        resolve(given, refused)
    assert isinstance(caught.value, TypeError)


def test_plain_values_of_another_type_are_coerced_or_explained() -> None:
    """pydantic makes a number of "5", and says why it makes none of "five"."""
    assert resolve({"max_redirects": "5", "force_http1": 1}, frozenset()) == {"max_redirects": 5, "force_http1": True}
    with pytest.raises(InvalidOption, match=r"max_redirects='five': .*integer"):
        resolve({"max_redirects": "five"}, frozenset())
    with pytest.raises(InvalidOption, match="disable_redirect="):
        resolve({"disable_redirect": "perhaps"}, frozenset())
    with pytest.raises(InvalidOption, match="ja3="):
        resolve({"ja3": ["771"]}, frozenset())


@pytest.mark.parametrize(
    "wrong",
    [
        {"verify": "missing.pem"},
        {"verify": None},
        {"verify": b"bytes.pem"},
        {"cert": "missing.pem"},
        {"cert": ()},
        {"cert": ("a", "b", 3)},
        {"auth": "user:password"},
        {"auth": ("user", 1)},
        {"hooks": {"respond": print}},
        {"hooks": {"response": [1]}},
        {"hooks": print},
        {"header_order": "accept"},
        {"header_order": [1]},
        {"resolve": {"host": 1}},
        {"resolve": "host"},
        {"proxy": 8080},
        {"proxy": b"http://h"},
        {"proxies": {"https": 1}},
        {"proxies": ["http://h"]},
        {"base_url": "example.org"},
        {"base_url": "https://example.org/?a=b"},
        {"min_tls": "1.0"},
        {"min_tls": 1.2},
        {"max_redirects": -1},
        {"max_connections": 0},
        {"max_expansion": 0.5},
        {"idle_timeout": float("nan")},
        {"idle_timeout": float("inf")},
        {"expect_continue": float("inf")},
        {"max_expansion": float("inf")},
        {"max_redirects": 10**30},
        {"max_body_bytes": 10**30},
        {"profile": "netscape"},
        {"profile": "missing.json"},
        {"profile": 5},
        {"timeout": 0},
        {"cookies": 5},
        {"cookies": {"a": 1}},
        {"key_log_file": 5},
    ],
)
def test_wrong_values_are_one_clear_error(wrong: dict[str, object]) -> None:
    """It names the option, and can be caught as ValueError."""
    with pytest.raises(InvalidOption) as caught:
        resolve(wrong, frozenset())
    assert isinstance(caught.value, ValueError)
    [name] = wrong
    assert SYNONYMS.get(name, name).rstrip("s") in str(caught.value)


def test_wrong_headers_are_an_invalid_header() -> None:
    """The exception of headers is the same wherever they are given."""
    with pytest.raises(InvalidHeader):
        resolve({"headers": {"X": 1}}, frozenset())


def test_paths_become_text(tmp_path: pathlib.Path) -> None:
    """Files are named by str or Path."""
    file = tmp_path / "a.pem"
    file.write_text("")
    assert resolve({"verify": file, "cert": (file, str(file), "secret")}, frozenset()) == {
        "verify": str(file),
        "cert": (str(file), str(file), "secret"),
    }
    assert resolve({"cert": file}, frozenset()) == {"cert": (str(file),)}
    assert resolve({"key_log_file": tmp_path / "new"}, frozenset()) == {"key_log_file": str(tmp_path / "new")}


def test_collections_become_values_that_can_be_compared() -> None:
    """Connection options are the key of a pool, and the caller's own objects may change later."""
    hosts = {"b": "2", "a": "1"}
    said = resolve({"resolve": hosts, "header_order": ["b", "a"], "cookies": {"n": "v"}}, frozenset())
    assert said == {"resolve": (("a", "1"), ("b", "2")), "header_order": ("b", "a"), "cookies": (Cookie("n", "v"),)}
    assert resolve({"hooks": {"response": print}}, frozenset()) == {"hooks": (print,)}
    assert resolve({"auth": ["u", "p"]}, frozenset()) == {"auth": ("u", "p")}
    assert all(hash(value) for value in said.values())


@pytest.mark.parametrize("name", ["headers", "cookies", "auth", "hooks", "header_order", "resolve", "proxy", "cert"])
def test_none_means_none_of_them(name: str) -> None:
    """Where nothing can be meant, None is it."""
    assert not resolve({name: None}, frozenset())[name]


def test_a_profile_that_is_a_value_becomes_its_document() -> None:
    """So that two equal ones share connections."""
    with pytest.raises(CycleTLSError, match=r"tls: Field required"):
        resolve({"profile": {"name": "x"}}, frozenset())
    assert resolve({"profile": None}, frozenset()) == {"profile": None}
