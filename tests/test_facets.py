"""Facets: every part of a profile has a name, and what differs is found by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import cycletls
from cycletls import Profile
from cycletls._facets import KINDS, differences, facets

CHROME = Profile.load("chrome-156-linux")


def changed(path: str, value: object) -> Profile:
    """Chrome with another value somewhere."""
    document: Any = json.loads(CHROME.document())
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    part = document
    for step in way:
        part = part[step]
    part[last] = value
    return Profile.model_validate(document)


@pytest.mark.parametrize("name", ["chrome", "edge", "firefox", "safari"])
def test_a_browser_has_at_least_150_facets(name: str) -> None:
    """Each has a name of its own, over all parts and kinds of request."""
    names = [facet.name for facet in facets(Profile.load(name))]
    assert len(names) == len(set(names)) >= 150
    parts = {"notation", "tls", "h2", *[f"{version}.{kind}" for version in ("h2", "http/1.1") for kind in KINDS]}
    assert not {part for part in parts if not any(name.startswith(f"{part}.") for name in names)}


def test_every_profile_has_facets_and_equals_itself() -> None:
    """None of those that are shipped is refused."""
    for profile in cycletls.profiles.list():
        found = facets(profile)
        assert len(found) > 80
        assert not differences(found, facets(profile.explicit()))


@pytest.mark.parametrize(
    ("path", "value", "facet"),
    [
        ("tls.ciphers.1", "0x1302", "tls.ciphers"),
        ("tls.session_id_length", 0, "tls.session_id_length"),
        ("tls.extension_order", "fixed", "tls.extensions"),
        ("tls.extensions.4.groups.4", "0x0019", "tls.supported_groups.groups"),
        ("http2.settings.2", [4, 65535], "h2.settings.INITIAL_WINDOW_SIZE"),
        ("http2.settings", [[2, 0], [1, 65536], [4, 6291456], [6, 262144]], "h2.settings"),
        ("http2.window_update", 1, "h2.window_update"),
        ("http2.headers_priority.weight", 1, "h2.headers_priority.weight"),
        ("http2", {"window_update": 15663105}, "h2.headers_priority"),
        ("http2.pseudo_order", "mpas", "h2.pseudo_order"),
        ("http2.hpack", "gecko", "h2.hpack"),
        ("headers.fetch.7", ["accept", "text/html"], "http/1.1.fetch.accept"),
        ("http1.headers.image.1", ["connection", "keep-alive"], "http/1.1.image"),
    ],
)
def test_one_change_is_found_by_its_name(path: str, value: object, facet: str) -> None:
    """Wherever it is made."""
    found = differences(facets(CHROME), facets(changed(path, value)))
    assert facet in [difference.name for difference in found]


def test_a_place_that_moves_is_found() -> None:
    """Where the cookies go is as visible as what accept says."""
    rows = list(CHROME.headers["navigate"])
    rows.insert(0, rows.pop(rows.index("cookie")))
    headers = {**CHROME.headers, "navigate": tuple(rows)}
    found = differences(facets(CHROME), facets(CHROME.model_copy(update={"headers": headers})))
    assert ("h2.navigate.cookie", "place after accept-language", "place in front") in found


def test_a_sample_of_a_drawn_order_is_like_another() -> None:
    """The document's order says nothing where the order is drawn, but for what stays."""
    extensions = list(CHROME.tls.extensions)
    extensions[1:-2] = extensions[-3:0:-1]
    tls = CHROME.tls.model_copy(update={"extensions": tuple(extensions)})
    assert not differences(facets(CHROME), facets(CHROME.model_copy(update={"tls": tls})))
    extensions.insert(0, extensions.pop(-2))
    tls = CHROME.tls.model_copy(update={"extensions": tuple(extensions)})
    found = differences(facets(CHROME), facets(CHROME.model_copy(update={"tls": tls})))
    assert [difference.name for difference in found] == ["tls.extensions"]


def test_two_ways_to_write_a_code_point_are_equal() -> None:
    """Numbers, hexadecimals and names."""
    other = changed("tls.extensions.4.groups", ["GREASE", 4588, "0x001d", "P-256", "0x18"])
    assert not differences(facets(CHROME), facets(other))


def test_a_profile_that_says_little_has_facets() -> None:
    """What it leaves out has defaults."""
    groups = {"type": "supported_groups", "groups": ["X25519"]}
    tls = {"min_version": "0x0303", "max_version": "0x0303", "ciphers": ["0xc02f"], "extensions": [groups]}
    profile = Profile.model_validate({"name": "small", "tls": tls, "headers": {"navigate": ["*"]}})
    found = dict(facets(profile))
    assert (found["tls.legacy_version"], found["h2.settings"], found["http/1.1.image.host"]) == (
        "0x0303",
        "none",
        "place in front",
    )


def test_what_only_one_has_differs() -> None:
    """And what only the other has comes last."""
    found = differences([*facets(CHROME)[:1], *facets(CHROME)[2:]], facets(CHROME))
    assert [(found[0].name, found[0].ours)] == [("notation.ja4_r", None)]
    assert len(found) == 1
