"""Header fields as HTTP has them: an ordered list of pairs, found by name without regard to case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping

from ._exceptions import InvalidHeader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Text: TypeAlias = str | bytes
    HeaderTypes: TypeAlias = Mapping[str, Text] | Mapping[bytes, Text] | Iterable[tuple[Text, Text]]
    ChangeTypes: TypeAlias = Mapping[str, Text | None] | Iterable[tuple[Text, Text | None]]
    Pairs: TypeAlias = tuple[tuple[str, str], ...]
    Changes: TypeAlias = tuple[tuple[str, str | None], ...]


class Headers(MutableMapping[str, str]):
    """Header fields in their order and spelling, repeats included.

    As a mapping it joins repeats: ``h["Accept"]`` is ``"text/html, */*"`` where
    two lines had one each (RFC 9110 section 5.3). :meth:`get_list` and
    :meth:`multi_items` keep them apart. Assigning replaces all lines of a name.

    Args:
        headers: a mapping, or pairs of name and value.
    """

    __slots__ = ("pairs",)

    pairs: Pairs
    """The fields as an immutable tuple: every change makes a new one, so that its identity tells of changes."""

    def __init__(self, headers: HeaderTypes | None = None) -> None:
        self.pairs = headers.pairs if isinstance(headers, Headers) else _set(parse_changes(headers))

    @classmethod
    def _of(cls, pairs: Iterable[Iterable[str]]) -> Headers:
        """Wrap pairs of text that are known to be such."""
        headers = cls.__new__(cls)
        headers.pairs = tuple([(name, value) for name, value in pairs])
        return headers

    def get_list(self, name: str) -> list[str]:
        """Return the values of all lines of that name, in order."""
        folded = name.lower()
        return [value for known, value in self.pairs if known.lower() == folded]

    def multi_items(self) -> list[tuple[str, str]]:
        """Return all lines as pairs of name and value."""
        return list(self.pairs)

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """All lines as pairs of bytes."""
        return [(_encode(name), _encode(value)) for name, value in self.pairs]

    def add(self, name: str, value: str | bytes) -> None:
        """Append a line, beside others of that name."""
        self.pairs += _set(parse_changes([(name, value)]))

    def copy(self) -> Headers:
        """Return an independent copy."""
        return Headers(self)

    def __getitem__(self, name: str) -> str:
        values = self.get_list(name)
        if not values:
            raise KeyError(name)
        return values[0] if len(values) == 1 else ", ".join(values)

    def __setitem__(self, name: str, value: str | bytes) -> None:
        [(name, text)] = _set(parse_changes([(name, value)]))
        folded = name.lower()
        place = next((i for i, (known, _) in enumerate(self.pairs) if known.lower() == folded), len(self.pairs))
        after = tuple([pair for pair in self.pairs[place:] if pair[0].lower() != folded])
        self.pairs = (*self.pairs[:place], (name, text), *after)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        folded = name.lower()
        self.pairs = tuple([pair for pair in self.pairs if pair[0].lower() != folded])

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        folded = name.lower()
        return any(known.lower() == folded for known, _ in self.pairs)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, each once, in its first spelling."""
        names: dict[str, str] = {}
        for name, _ in self.pairs:
            names.setdefault(name.lower(), name)
        return iter(names.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __eq__(self, other: object) -> bool:
        """Two are equal when they have the same lines in the same order, whatever the case of the names."""
        if not isinstance(other, (Headers, Mapping)):
            return NotImplemented
        return _folded(self) == _folded(other if isinstance(other, Headers) else Headers(other))

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"


class SessionHeaders(Headers):
    """The headers of a session. Assigning None keeps the profile's header of that name from being sent.

    Args:
        headers: a mapping, or pairs of name and value.
    """

    __slots__ = ("changes",)

    changes: Changes
    """The fields, and the names that are not sent with None; as immutable as ``pairs``."""

    def __init__(self, headers: ChangeTypes | HeaderTypes | None = None) -> None:
        self.changes = headers.changes if isinstance(headers, SessionHeaders) else parse_changes(headers)

    @property
    def pairs(self) -> Pairs:
        """The fields."""
        return _set(self.changes)

    @pairs.setter
    def pairs(self, pairs: Pairs) -> None:
        named = {name.lower() for name, _ in pairs}
        removed = [(name, value) for name, value in self.changes if value is None and name.lower() not in named]
        self.changes = (*removed, *pairs)

    def __setitem__(self, name: str, value: str | bytes | None) -> None:
        if value is not None:
            super().__setitem__(name, value)
            return
        [removed] = parse_changes([(name, None)])
        self.changes = (*[change for change in self.changes if change[0].lower() != name.lower()], removed)


def parse_changes(headers: ChangeTypes | HeaderTypes | None) -> Changes:
    """Read what a caller gives as headers; a value of None takes the header out.

    Raises:
        InvalidHeader: a name or value is not text.
    """
    if not headers:
        return ()
    if isinstance(headers, Headers):
        return headers.pairs
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    try:
        return tuple([(_text(name), None if value is None else _text(value)) for name, value in pairs])
    except (TypeError, ValueError) as exc:
        if isinstance(exc, InvalidHeader):
            raise
        raise InvalidHeader(f"headers are a mapping or pairs of name and value, not {headers!r:.100}") from exc


def changes_between(old: Changes, new: Changes) -> Changes:
    """Return what must be said to somebody who knows ``old`` so that ``new`` holds."""
    before, after = _by_name(old), _by_name(new)
    removed = dict.fromkeys([(name, None) for name, _ in old if name.lower() not in after])
    changed = [(name, value) for name, value in new if before.get(name.lower()) != after[name.lower()]]
    return (*removed, *changed)


def _by_name(changes: Changes) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = {}
    for name, value in changes:
        found.setdefault(name.lower(), []).append(value)
    return found


def _set(changes: Changes) -> Pairs:
    """Leave out the headers without a value: there is nothing that they could be taken out of."""
    return tuple([(name, value) for name, value in changes if value is not None])


def _text(part: object) -> str:
    if type(part) is str:
        return part
    if isinstance(part, bytes):
        return part.decode("utf-8", "surrogateescape")
    if isinstance(part, str):
        return str(part)
    raise InvalidHeader(f"header names and values are str or bytes, not {type(part).__name__}: {part!r:.100}")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _folded(headers: Headers) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.pairs]
