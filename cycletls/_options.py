"""The one table of options: their names, defaults and meanings, and how what callers give becomes them.

What a request says goes over what its session says, and that over the defaults.
"Not said" is the absence of a name, so that None can be said too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from ._cookies import parse_cookies
from ._exceptions import InvalidOption, UnknownOption
from ._headers import parse_changes
from ._profiles import lasting_reference, stand_in
from ._proxies import parse_proxies
from ._timeouts import LONGEST, Timeouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias

    from ._cancel import CancelToken
    from ._cookies import Cookie
    from ._headers import Changes
    from ._proxies import Proxies
    from ._request import Request
    from ._response import Response

    Hook: TypeAlias = Callable[[Response], Response | None]
    Auth: TypeAlias = tuple[str, str] | Callable[[Request], Request | None]


class Options:
    """Options that were said, over the defaults.

    A class attribute is the default, an instance attribute is what was said:
    Python's own look-up is the rule of precedence, and merging costs one
    dictionary. (A dataclass of 40 fields takes 20 times as long to make.)
    Values are in the form that ``_NORMAL`` gives them and never changed.
    """

    # What a request says about itself.

    params: object = None
    """Added to the URL's query: a mapping or pairs, lists repeat the name, None leaves it out."""
    data: object = None
    """The body: a mapping or pairs become a form, beside ``files`` its fields; else as ``content``."""
    json: object = None
    """The body: what json.dumps takes."""
    content: object = None
    """The body: str (as UTF-8), bytes, a binary file, or an iterable of bytes, which is streamed; AsyncCycleTLS
    takes an asynchronous one, too."""
    files: object = None
    """Files of a multipart form: a mapping or pairs of field name and
    file, bytes, or (file name, file or bytes[, content type[, headers]])."""
    kind: str | None = None
    """Which of the profile's header sets: "navigate", "fetch", "xhr", "image"; None chooses by the method."""
    decode_content: bool = True
    """Undo the content codings of the response."""
    stream: bool = False
    """Return as soon as the head of the response is there; its body is read as it comes, and the response closed."""
    cancel: CancelToken | None = None
    """Ends the request when its ``cancel()`` is called."""
    upload_progress: Callable[[int, int | None], object] | None = None
    """Called with the bytes of the body that were sent, and how many there are (None: unknown), after each piece."""
    expect_continue: float | None = None
    """Seconds to wait for the server's 100 (Continue) before a body is sent; None does not ask for it."""

    # What both can say; the request's word counts.

    headers: Changes = ()
    """Headers beside the profile's, in this order; None as a value takes one of the profile's or session's out."""
    cookies: tuple[Cookie, ...] = ()
    """Cookies to send. A session keeps those with a domain in its jar and sends the others everywhere."""
    auth: Auth | None = None
    """(user, password) for Basic authentication, or a callable that changes the Request."""
    timeout: Timeouts = Timeouts(30.0)
    """Seconds for the whole exchange, (connect, read) as in requests, Timeouts, or None: wait for ever."""
    allow_redirects: bool = True
    """Follow redirects."""
    max_redirects: int = 10
    """Redirects that are followed before TooManyRedirects."""
    allow_downgrade: bool = False
    """Follow redirects from https to http."""
    hooks: tuple[Hook, ...] = ()
    """{"response": callable or callables}: each is called with every response, redirects too, and may replace it."""
    header_order: tuple[str, ...] = ()
    """Names of headers in the order in which they are sent, at the profile's place."""
    profile: str | None = "chrome"
    """Whose wire image to take: a name, a path of a profile file, a dict, a Profile; None is no browser's."""
    ja3: str | None = None
    """A JA3 string that replaces the profile's ClientHello; without profile=, the closest one lends the rest."""
    ja4r: str | None = None
    """The same as JA4_r or JA4_ro, or the JA4 hash of one of the profiles."""
    http2_fingerprint: str | None = None
    """Akamai's notation ("1:65536;2:0|15663105|0|m,a,s,p"), which replaces how the profile opens HTTP/2."""
    disable_grease: bool = False
    """Leave GREASE values out of the ClientHello."""
    user_agent: str | None = None
    """Replaces the profile's User-Agent."""
    server_name: str | None = None
    """Name for SNI and for the certificate check, instead of the URL's host."""
    verify: bool | str = True
    """Check the server's certificate with the system's roots, with those of a file or folder, or (False) not at all."""
    cert: tuple[str, ...] = ()
    """Client certificate: a PEM file, or (certificate, key[, password])."""
    min_tls: str = "1.2"
    """The oldest TLS version to accept: "1.2" or "1.3"."""
    force_http1: bool = False
    """Do not offer HTTP/2."""
    resolve: tuple[tuple[str, str], ...] = ()
    """{host: address} that replaces the name look-up."""
    block_private: bool = False
    """Refuse to connect to loopback, private and link-local addresses, on every hop; what a name means that a proxy
    looks up, the proxy decides."""
    local_address: str | None = None
    """Address to connect from."""
    enable_connection_reuse: bool = True
    """Keep connections for later requests."""
    max_header_bytes: int = 256 * 1024
    """Largest header block of a response."""
    max_informational: int = 8
    """1xx responses that may come before the final one."""
    max_expansion: float = 100.0
    """How many times larger decoding may make a body of more than 10 MiB."""
    max_body_bytes: int | None = None
    """Largest body of a response, decoded; None is no limit."""
    proxy: Proxies | None = None
    """URL of a proxy, or a mapping as requests' and httpx's ``proxies``; "" connects directly, None asks the
    environment. Schemes: http, https, socks4a, socks5h, and with names looked up on this side socks4, socks5."""
    trust_env: bool = True
    """Without ``proxy``, take HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY from the environment."""

    # What only a session can say.

    base_url: str | None = None
    """Put before URLs that have no scheme."""
    max_connections: int | None = None
    """Open connections at once; None is no limit."""
    max_connections_per_host: int | None = None
    """The same for one origin."""
    max_idle_connections: int = 100
    """Idle connections that are kept."""
    idle_timeout: float = 90.0
    """Seconds after which an idle connection is closed."""
    sidecar: bool | str | None = None
    """Go through a sidecar process: True starts one, "ws://127.0.0.1:9119" is one that runs; None does so in the forked
    child of a process that had used the library itself, False never."""
    sidecar_token: str | None = None
    """What a sidecar that runs asks for."""
    sidecar_token_file: str | None = None
    """The file that holds it."""
    key_log_file: str | None = None
    """File for TLS secrets in NSS format; None takes the environment's SSLKEYLOGFILE."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.__dict__.update(said)

    def says(self, name: str) -> bool:
        """Report whether an option was said, and is not left to its default."""
        return name in self.__dict__

    def over(self, said: Mapping[str, Any]) -> Options:
        """Return these options with what was said put over them."""
        return Options({**self.__dict__, **said})


REQUEST_ONLY: Final = frozenset(
    {
        "params",
        "data",
        "json",
        "content",
        "files",
        "kind",
        "decode_content",
        "stream",
        "cancel",
        "upload_progress",
        "expect_continue",
    }
)
SESSION_ONLY: Final = frozenset(
    {
        "base_url",
        "max_connections",
        "max_connections_per_host",
        "max_idle_connections",
        "idle_timeout",
        "sidecar",
        "sidecar_token",
        "sidecar_token_file",
        "key_log_file",
    }
)
CONNECTION: Final = frozenset(
    {
        "profile",
        "ja3",
        "ja4r",
        "http2_fingerprint",
        "disable_grease",
        "server_name",
        "verify",
        "cert",
        "min_tls",
        "force_http1",
        "resolve",
        "block_private",
        "local_address",
        "proxy",
        "trust_env",
        "enable_connection_reuse",
        "max_header_bytes",
        "max_informational",
        "max_expansion",
        "max_body_bytes",
    }
)
"""Options that a connection is made with: requests that differ in one share no connection."""

NAMES: Final = frozenset(Options.__annotations__)

SYNONYMS: Final[Mapping[str, str]] = {
    "json_data": "json",
    "body": "content",
    "body_bytes": "content",
    "fingerprint": "profile",
    "proxies": "proxy",
    "follow_redirects": "allow_redirects",
    "disable_redirect": "allow_redirects",
    "insecure_skip_verify": "verify",
}
"""CycleTLS', requests' and httpx's words for options that have another name here."""

NEGATED: Final = frozenset({"disable_redirect", "insecure_skip_verify"})
"""Those that say the opposite."""


def resolve(given: Mapping[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    """Return what was given under the canonical names, checked and in the form that Options has.

    Args:
        given: keyword arguments.
        refused: names that exist, but not here.

    Raises:
        UnknownOption: a name that is none.
        InvalidOption: a value that is none, or two synonyms with different values.
    """
    if "fingerprint" in given or "profile" in given:
        given = _spelled_out(given)
    said: dict[str, Any] = {}
    words: dict[str, str] = {}
    for word, value in given.items():
        name = canonical_name(word, refused)
        value = _normal(word, name, value)
        if name in said and said[name] != value:
            raise InvalidOption(f"{words[name]}= and {word}= are the same option and say different things")
        said[name], words[name] = value, word
    return said


def canonical_name(word: str, refused: frozenset[str]) -> str:
    """Return the name that Options has for an option.

    Raises:
        UnknownOption: it has none, or one of those that are refused.
    """
    name = SYNONYMS.get(word, word)
    if name not in NAMES or name in refused:
        raise _unknown(word, refused)
    return name


def _spelled_out(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the options that a fingerprint stands for in its place; what is said beside it counts more."""
    for word in ("fingerprint", "profile"):
        meant = stand_in(given.get(word))
        if meant is not None:
            given = {**meant.options(), **{other: value for other, value in given.items() if other != word}}
    return given


def _unknown(word: str, refused: frozenset[str]) -> UnknownOption:
    here, there = ("session", "request") if refused is REQUEST_ONLY else ("request", "session")
    if SYNONYMS.get(word, word) in refused:
        return UnknownOption(f"{word}= is an option of a {there}, not of a {here}")
    from difflib import get_close_matches  # not on anybody's way who spells well

    words = [known for known in sorted(NAMES | SYNONYMS.keys()) if SYNONYMS.get(known, known) not in refused]
    close = get_close_matches(word, words, 1)
    hint = f": did you mean {close[0]}=?" if close else ""
    return UnknownOption(f"a {here} has no option {word}={hint}")


def _normal(word: str, name: str, value: Any) -> Any:
    if word in NEGATED:
        return not (value if type(value) is bool else _coerced(word, value, {bool}))
    if name in _NORMAL:
        return _NORMAL[name](value)
    if name in _PLAIN and type(value) not in _PLAIN[name]:
        value = _coerced(word, value, _PLAIN[name])
    if name in _RANGE and value is not None:
        least, most = _RANGE[name]
        if not least <= value <= most:  # which NaN is not, either
            raise InvalidOption(f"{word}= is from {least} to {most}, not {value!r:.100}")
    return value


def _coerced(word: str, value: Any, types: Iterable[type]) -> Any:
    """Let pydantic make one of the types of a value of another, or explain why it cannot."""
    from ._models import coerce  # 80 ms that most programs never spend

    return coerce(word, value, types)


_BASIC: Final[Mapping[str, set[type]]] = {
    "str": {str},
    "int": {int},
    "bool": {bool},
    "float": {float, int},
    "None": {type(None)},
}

_PLAIN: Final[Mapping[str, frozenset[type]]] = {
    name: frozenset[type]().union(*[_BASIC[word] for word in annotation.split(" | ")])
    for name, annotation in Options.__annotations__.items()
    if _BASIC.keys() >= set(annotation.split(" | "))
}
"""The types that each plain option takes as they are, read off the table."""

_MANY: Final = 2**31 - 1
_LARGE: Final = 2**53
"""Bytes: what a double still counts exactly."""

_RANGE: Final[Mapping[str, tuple[float, float]]] = {
    "expect_continue": (0, LONGEST),
    "max_redirects": (0, _MANY),
    "max_header_bytes": (1, _MANY),
    "max_informational": (1, _MANY),
    "max_expansion": (1, _MANY),
    "max_body_bytes": (1, _LARGE),
    "max_connections": (1, _MANY),
    "max_connections_per_host": (1, _MANY),
    "max_idle_connections": (0, _MANY),
    "idle_timeout": (0, LONGEST),
}
"""The least and the most that the core can take."""


def _path(word: str, value: object) -> str:
    """Return a path as text."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else value
    if not isinstance(path, str):
        raise InvalidOption(f"{word}= is a path, not {value!r:.100}")
    return path


def _existing_path(word: str, value: object) -> str:
    """Return the path of a file or folder as text."""
    path = _path(word, value)
    if not os.path.exists(path):
        raise InvalidOption(f"{word}={path!r}: there is no such file")
    return path


def _profile(value: Any) -> str | None:
    """Return what stands for a profile: the name or path that was given, or its JSON text."""
    if value is None:
        return None
    if isinstance(value, (str, os.PathLike)):
        return lasting_reference(os.fspath(value))
    from ._models import as_profile  # values are rarer than names, and pydantic takes 80 ms

    return as_profile(value).document()


def _verify(value: object) -> bool | str:
    return value if isinstance(value, bool) else _existing_path("verify", value)


def _cert(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    parts = value if isinstance(value, (tuple, list)) else (value,)
    if not 1 <= len(parts) <= 3 or not all(isinstance(password, str) for password in parts[2:]):
        raise InvalidOption("cert= is a path, (certificate, key) or (certificate, key, password)")
    return (*[_existing_path("cert", part) for part in parts[:2]], *parts[2:])


def _auth(value: Any) -> Auth | None:
    if value is None or callable(value):
        return value  # type: ignore[no-any-return]  # what a callable takes and returns shows when it is called
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return (value[0], value[1])
    raise InvalidOption(f"auth= is (user, password) or a callable, not a {type(value).__name__}")


def _hooks(value: Any) -> tuple[Hook, ...]:
    if not value:
        return ()
    if not isinstance(value, Mapping) or value.keys() != {"response"}:
        raise InvalidOption('hooks= is {"response": callable or callables}')
    hooks = value["response"]
    hooks = (hooks,) if callable(hooks) else tuple(hooks)
    if not all(callable(hook) for hook in hooks):
        raise InvalidOption(f"a hook is callable, which one of {hooks!r:.100} is not")
    return hooks


def _header_order(value: Any) -> tuple[str, ...]:
    names = tuple(value or ())
    if isinstance(value, str) or not all(isinstance(name, str) for name in names):
        raise InvalidOption(f"header_order= is a list of header names, not {value!r:.100}")
    return names


def _resolve(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = tuple(sorted(value.items())) if isinstance(value, Mapping) else value or ()
    if isinstance(pairs, tuple) and all(isinstance(part, str) for pair in pairs for part in pair):
        return pairs
    raise InvalidOption(f"resolve= is {{host: address}}, not {value!r:.100}")


def _base_url(value: object) -> str | None:
    if value is None or (isinstance(value, str) and "://" in value and not {"?", "#"} & set(value)):
        return value
    raise InvalidOption(f"base_url= is a URL without query and fragment, not {value!r:.100}")


def _min_tls(value: object) -> str:
    if value in ("1.2", "1.3"):
        return str(value)
    raise InvalidOption(f'min_tls= is "1.2" or "1.3", not {value!r:.100}')


def _cancel(value: Any) -> Any:
    if value is None or (hasattr(value, "cancel") and hasattr(value, "handle")):
        return value
    raise InvalidOption(f"cancel= is a CancelToken, not {value!r:.100}")


def _upload_progress(value: Any) -> Any:
    if value is None or callable(value):
        return value
    raise InvalidOption(f"upload_progress= is called with two numbers, and {value!r:.100} is not callable")


_NORMAL: Final[Mapping[str, Callable[[Any], Any]]] = {
    "headers": parse_changes,
    "cookies": parse_cookies,
    "auth": _auth,
    "timeout": Timeouts.of,
    "hooks": _hooks,
    "header_order": _header_order,
    "profile": _profile,
    "verify": _verify,
    "cert": _cert,
    "min_tls": _min_tls,
    "resolve": _resolve,
    "proxy": parse_proxies,
    "base_url": _base_url,
    "sidecar_token_file": lambda value: None if value is None else _existing_path("sidecar_token_file", value),
    "cancel": _cancel,
    "upload_progress": _upload_progress,
    "key_log_file": lambda value: None if value is None else _path("key_log_file", value),
}
"""For each option that takes several shapes: what makes the one of Options of them, or refuses."""
