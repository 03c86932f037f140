"""Which proxies a session uses: what callers say, or the environment. What a proxy's URL means, the core knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from ._exceptions import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias

    from ._options import Options

    Rule: TypeAlias = tuple[str, str, str]
    """Which URLs, the URL of their proxy ("" connects directly), and the option or variable that says so."""


class Proxies(NamedTuple):
    """Which requests go through which proxy.

    Attributes:
        rules: of those that match, the most particular holds.
        exceptions: hosts that are connected to directly, in the manner of NO_PROXY.
    """

    rules: tuple[Rule, ...] = ()
    exceptions: str = ""

    def __repr__(self) -> str:
        return f"<Proxies for {', '.join([match for match, _, _ in self.rules]) or 'nothing'}>"  # URLs hold passwords


_EXCEPTIONS: Final = frozenset({"no", "no_proxy"})
"""requests' key, in a mapping of proxies, for what is connected to directly."""

_PASSED_OVER: Final = frozenset({"ftp", "ftps"})
"""Schemes in such mappings that no request can have."""


def parse_proxies(value: Any) -> Proxies | None:
    """Return what ``proxy=`` says: a URL for everything, or requests' or httpx's mapping."""
    if value is None or isinstance(value, Proxies):
        return value
    if isinstance(value, str):
        return Proxies((("all", value, "proxy"),) if value else ())
    if not isinstance(value, Mapping):
        raise InvalidOption(f"proxy= is a URL or a mapping, not a {type(value).__name__}")
    exceptions = ""
    rules: list[Rule] = []
    for match, url in value.items():
        if not isinstance(match, str) or not isinstance(url, (str, type(None))):
            raise InvalidOption('proxy= is a URL or {"http", "https" or "all", or these with "://host": URL or None}')
        if match in _EXCEPTIONS:
            exceptions = url or ""
        elif match.partition(":")[0] not in _PASSED_OVER:
            rules.append((match, url or "", f"proxies[{match!r}]"))
    return Proxies(tuple(rules), exceptions) if value else None


def proxies_of(options: Options) -> Proxies:
    """Return those that options say; where they say nothing and trust it, the environment's."""
    if options.proxy is not None:
        return options.proxy
    return _of_environment() if options.trust_env else Proxies()


def _of_environment() -> Proxies:
    """Read the variables that curl, requests and others share, once for each session of the core."""
    rules = []
    for match in ("http", "https", "all"):
        name, url = _variable(f"{match}_proxy")
        if url:
            rules.append((match, url, name))
    return Proxies(tuple(rules), _variable("no_proxy")[1])


def _variable(name: str) -> tuple[str, str]:
    """Return a variable by its name in lower case, which counts more, or in upper case."""
    upper = name.upper()
    if name in os.environ or (upper == "HTTP_PROXY" and "REQUEST_METHOD" in os.environ):
        return name, os.environ.get(name, "")  # in a CGI script HTTP_PROXY is a request's header: CVE-2016-5386
    return upper, os.environ.get(upper, "")
