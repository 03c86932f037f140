"""Records: objects that are compared and shown by their fields."""

from __future__ import annotations


class Value:
    """Base of a record whose fields are the public ones of its ``__slots__``.

    Not a dataclass: importing dataclasses takes longer than importing the whole
    of this package.
    """

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__ if not name.startswith("_")}

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._fields().values()))

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={value!r}" for name, value in self._fields().items()])
        return f"{type(self).__name__}({fields})"
