"""Facets: a profile taken apart into named values, and what differs between two.

Everything that a profile puts on the wire is in exactly one facet, beside the
notations that sum some of it up. Profiles are compared with nothing left to a
rule, so that two ways to write the same thing are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from ._models import Profile

KINDS: Final = ("navigate", "fetch", "xhr", "image", "websocket")
"""Kinds of requests, in the order of their facets."""

REDIRECTED: Final = "-redirected"
"""Behind a kind: its requests that follow a redirect, where the profile tells them apart."""

SETTINGS: Final = {
    1: "HEADER_TABLE_SIZE",
    2: "ENABLE_PUSH",
    3: "MAX_CONCURRENT_STREAMS",
    4: "INITIAL_WINDOW_SIZE",
    5: "MAX_FRAME_SIZE",
    6: "MAX_HEADER_LIST_SIZE",
    8: "ENABLE_CONNECT_PROTOCOL",
    9: "NO_RFC7540_PRIORITIES",
}
"""Of HTTP/2 (RFC 9113 section 6.5.2, RFC 8441, RFC 9218); each is a facet, whether it is sent or not."""

STAYING: Final = frozenset({"grease", "padding", "pre_shared_key"})
"""Extensions that keep their places where the order of the others is drawn."""


class Facet(NamedTuple):
    """One thing about a client that can be seen on the wire."""

    name: str
    value: str


class Difference(NamedTuple):
    """A facet of two profiles; None is the value of one that has no such facet."""

    name: str
    ours: str | None
    theirs: str | None


def facets(profile: Profile) -> list[Facet]:
    """Return all facets of a profile: its notations, TLS, HTTP/2, and per protocol and kind of request the headers.

    Raises:
        InvalidOption: the core refuses the profile.
    """
    full = profile.explicit().model_dump(mode="json")
    pairs = [
        *_notations(profile, full["tls"]["extension_order"] == "shuffle"),
        *_tls(full["tls"]),
        *_http2(full["http2"]),
        *_headers("h2", full["headers"]),
        *[(f"http/1.1.{name}", _text(value)) for name, value in full["http1"].items() if name != "headers"],
        *_headers("http/1.1", full["http1"]["headers"]),
    ]
    return [Facet(name, value) for name, value in pairs]


def differences(ours: Iterable[Facet], theirs: Iterable[Facet]) -> list[Difference]:
    """Return what differs, in the order of ours; what only they have comes last."""
    one, other = dict(ours), dict(theirs)
    names = dict.fromkeys([*one, *other])
    return [Difference(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)]


_Pairs = Iterator[tuple[str, str]]


def _notations(profile: Profile, shuffled: bool) -> _Pairs:
    """Yield the notations; those that show the order of extensions say nothing where it is drawn."""
    for name in ("ja4", "ja4_r", "akamai", "peetprint"):
        yield f"notation.{name}", getattr(profile, name)
    for name in ("ja3", "ja3_hash", "ja4_o", "ja4_ro"):
        yield f"notation.{name}", "drawn per connection" if shuffled else getattr(profile, name)


def _tls(tls: Mapping[str, Any]) -> _Pairs:
    for name, value in tls.items():
        if name not in ("extensions", "websocket"):
            yield f"tls.{name}", _text(value)
    for name, value in (tls.get("websocket") or _NO_VARIATION).items():
        yield f"tls.websocket.{name}", _text(value)
    names = _unique([_extension_name(extension) for extension in tls["extensions"]])
    yield "tls.extensions", ", ".join(_placed(names) if tls["extension_order"] == "shuffle" else names)
    for name, extension in zip(names, tls["extensions"], strict=True):
        content = {field: value for field, value in extension.items() if field != "type" and value is not None}
        if not content:
            yield f"tls.{name}", "sent"
        for field, value in content.items():
            yield f"tls.{name}.{field}", _text(value)


_NO_VARIATION: Final[Mapping[str, Any]] = {"protocols": ("http/1.1",), "without": (), "unless_http1": False}


def _extension_name(extension: Mapping[str, Any]) -> str:
    """Return an extension's type; of one that the types do not name, its number."""
    return f"generic-{extension['id']}" if extension["type"] == "generic" else str(extension["type"])


def _unique(names: list[str]) -> list[str]:
    """Number the names that come again: there may be two GREASE extensions."""
    return [name if name not in names[:at] else f"{name}-{names[:at].count(name) + 1}" for at, name in enumerate(names)]


def _placed(names: list[str]) -> list[str]:
    """Return the names in the one order that stands for all that can be drawn."""
    moving = iter(sorted(name for name in names if not _stays(name)))
    return [name if _stays(name) else next(moving) for name in names]


def _stays(name: str) -> bool:
    return name.partition("-")[0] in STAYING


def _http2(http2: Mapping[str, Any]) -> _Pairs:
    settings = dict(http2["settings"])
    yield "h2.settings", _text([SETTINGS.get(number, number) for number in settings])
    for number in dict.fromkeys([*SETTINGS, *settings]):
        yield f"h2.settings.{SETTINGS.get(number, number)}", str(settings.get(number, "not sent"))
    for name, value in http2.items():
        if isinstance(value, dict):
            yield from [(f"h2.{name}.{part}", _text(of_part)) for part, of_part in value.items()]
        elif name != "settings":
            yield f"h2.{name}", _text(value)


def _headers(protocol: str, headers: Mapping[str, Any]) -> _Pairs:
    for kind in [*KINDS, *[f"{kind}{REDIRECTED}" for kind in KINDS if f"{kind}{REDIRECTED}" in headers]]:
        rows = [(row, None) if isinstance(row, str) else row for row in headers[kind]]
        yield f"{protocol}.{kind}", ", ".join([name for name, value in rows if value is not None])
        before = "place in front"
        for name, value in rows:
            yield f"{protocol}.{kind}.{name.lower()}", before if value is None else value
            before = f"place after {name}"


def _text(value: object) -> str:
    """Return a value of a profile as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) if value else "none"
    if isinstance(value, dict):
        return " ".join([f"{name}={_text(part)}" for name, part in value.items()])
    return "none" if value is None else str(value)
