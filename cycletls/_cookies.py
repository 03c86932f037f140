"""Cookies: those that came with a response, and the jar of a session, which lives in the core."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ._exceptions import CookieConflict, InvalidOption
from ._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Jar(Protocol):
        """The jar of a session, as :class:`SessionCookies` sees it."""

        def all(self) -> list[Cookie]: ...
        def set(self, cookies: Sequence[Cookie]) -> None: ...
        def delete(self, name: str, domain: str, path: str) -> None: ...
        def clear(self) -> None: ...


class Cookie(Value):
    """One cookie (RFC 6265bis section 5.7).

    Args:
        name: its name.
        value: its value.
        domain: the host it belongs to; "" where it goes to every host (see :meth:`SessionCookies.set`).
        path: the path under which it is sent.
        host_only: whether subdomains of ``domain`` do not get it.
        secure: whether it is sent over https only.
        http_only: whether scripts of a page would not see it.
        same_site: "Lax", "Strict", "None", or "" where the server said nothing.
        expires: seconds since 1970, None for a cookie that ends with the session.
    """

    __slots__ = ("name", "value", "domain", "path", "host_only", "secure", "http_only", "same_site", "expires")

    def __init__(
        self,
        name: str,
        value: str,
        domain: str = "",
        path: str = "/",
        *,
        host_only: bool = False,
        secure: bool = False,
        http_only: bool = False,
        same_site: str = "",
        expires: int | None = None,
    ) -> None:
        self.name = name
        self.value = value
        self.domain = domain
        self.path = path
        self.host_only = host_only
        self.secure = secure
        self.http_only = http_only
        self.same_site = same_site
        self.expires = expires


class Cookies:
    """Cookies by name, as in requests: iterating gives :class:`Cookie`, the mapping's methods give values.

    A name that several domains or paths have raises :class:`CookieConflict`
    unless :meth:`get` is told which.
    """

    __slots__ = ("_cookies",)

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._cookies = tuple(cookies)

    def _all(self) -> Iterable[Cookie]:
        return self._cookies

    def get(self, name: str, default: str | None = None, domain: str = "", path: str = "") -> str | None:
        """Return the value of the cookie of that name, and domain and path where given."""
        found = [cookie for cookie in self._all() if _matches(cookie, name, domain, path)]
        if len(found) > 1:
            raise CookieConflict(f"{len(found)} cookies are named {name!r}: " + ", ".join(_places(found)))
        return found[0].value if found else default

    def get_dict(self, domain: str = "", path: str = "") -> dict[str, str]:
        """Return names and values of all, or of those of a domain or path."""
        return {cookie.name: cookie.value for cookie in self._all() if _matches(cookie, "", domain, path)}

    def keys(self) -> list[str]:
        """Return the names."""
        return [cookie.name for cookie in self._all()]

    def values(self) -> list[str]:
        """Return the values."""
        return [cookie.value for cookie in self._all()]

    def items(self) -> list[tuple[str, str]]:
        """Return names with their values."""
        return [(cookie.name, cookie.value) for cookie in self._all()]

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return any(cookie.name == name for cookie in self._all())

    def __iter__(self) -> Iterator[Cookie]:
        return iter(list(self._all()))

    def __len__(self) -> int:
        return len(list(self._all()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self._all())!r}>"


class SessionCookies(Cookies):
    """The cookies of a session: a view of its jar, and the cookies it sends everywhere."""

    __slots__ = ("_jar", "_lock", "everywhere")

    everywhere: tuple[Cookie, ...]
    """Cookies without a domain. Every change makes a new tuple, so that its identity tells of changes."""

    def __init__(self, jar: Jar, cookies: Iterable[Cookie] = ()) -> None:
        self._jar = jar
        self._lock = threading.RLock()  # a signal handler may change the cookies whose change it interrupts
        self.everywhere = ()
        self.update(cookies)

    def _all(self) -> Iterable[Cookie]:
        return [*self.everywhere, *self._jar.all()]

    def set(self, name: str, value: str, domain: str = "", path: str = "/", **attributes: Any) -> None:
        """Keep a cookie.

        Args:
            name: its name.
            value: its value.
            domain: the host it belongs to. Without one the session sends it with
                each of its requests, to whatever host, though never along a
                redirect to another.
            path: the path under which it is sent.
            attributes: the others of :class:`Cookie`.
        """
        self.update([Cookie(name, value, domain, path, **attributes)])

    def update(self, cookies: object) -> None:
        """Keep cookies: a mapping, pairs, :class:`Cookie` objects, or an ``http.cookiejar.CookieJar``."""
        parsed = parse_cookies(cookies)
        everywhere = {cookie.name: cookie for cookie in parsed if not cookie.domain}
        if everywhere:
            with self._lock:
                self.everywhere = (*[c for c in self.everywhere if c.name not in everywhere], *everywhere.values())
        placed = [cookie for cookie in parsed if cookie.domain]
        if placed:
            self._jar.set(placed)

    def delete(self, name: str, domain: str = "", path: str = "") -> None:
        """Forget the cookies of that name, and domain and path where given."""
        if not domain:
            with self._lock:
                self.everywhere = tuple([cookie for cookie in self.everywhere if cookie.name != name])
        self._jar.delete(name, domain, path)

    def clear(self) -> None:
        """Forget all cookies."""
        with self._lock:
            self.everywhere = ()
        self._jar.clear()

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.delete(name)


def parse_cookies(cookies: Any) -> tuple[Cookie, ...]:
    """Read what a caller gives as cookies.

    Raises:
        InvalidOption: it is none of the shapes, or a name or value is not text.
    """
    if not cookies:
        return ()
    try:
        given = cookies.items() if isinstance(cookies, Mapping) else cookies
        parsed = tuple([_cookie(item) for item in given])
    except (TypeError, ValueError, AttributeError) as exc:
        raise InvalidOption(f"cookies= is a mapping, pairs or Cookie objects, not {type(cookies).__name__}") from exc
    for cookie in parsed:
        if not (isinstance(cookie.name, str) and isinstance(cookie.value, str)):
            raise InvalidOption(f"the name and value of a cookie are text, not those of {cookie.name!r}")
    return parsed


def _cookie(item: Any) -> Cookie:
    if isinstance(item, Cookie):
        return item
    if isinstance(item, (tuple, list)):
        name, value = item
        return Cookie(name, value)
    # http.cookiejar.Cookie; a value of None is its word for an empty one.
    return Cookie(
        item.name,
        item.value or "",
        item.domain.lstrip("."),
        item.path,
        host_only=not item.domain_specified,
        secure=bool(item.secure),
        expires=item.expires,
    )


def _matches(cookie: Cookie, name: str, domain: str, path: str) -> bool:
    return (
        (not name or cookie.name == name)
        and (not domain or cookie.domain == domain.lstrip(".").lower())
        and (not path or cookie.path == path)
    )


def _places(cookies: Iterable[Cookie]) -> list[str]:
    return [f"domain={cookie.domain!r} path={cookie.path!r}" for cookie in cookies]
