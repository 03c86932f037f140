"""What users configure, as pydantic models. Imported by their first use: pydantic takes longer than a request.

The shape of a profile is checked here, so that editors help and errors come
where the mistake is; what its values mean is checked where they are used, in
golang/internal/fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from ._carriers import current
from ._core import ask
from ._exceptions import InvalidOption
from ._profiles import profile_document

Code = Union[int, str]
"""A code point: a number, ``"0x1301"``, a registered name, or ``"GREASE"``."""

Row = Union[str, tuple[str, str]]
"""A header with its value, or the place of one that the request brings; ``"*"`` is the place of all others."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where the facts of a profile come from."""

    browser: str = ""
    version: str = ""
    os: str = ""
    captured: str = ""
    notes: tuple[str, ...] = ()


class KeyShare(_Part):
    """A key share that repeats the classical half of a hybrid one."""

    group: Code
    reuse_from: Code


class Extension(_Part):
    """One TLS extension: its type, and of the other fields those that the type has."""

    type: str
    id: Code | None = None
    data: str | None = None
    groups: tuple[Code, ...] | None = None
    formats: tuple[Code, ...] | None = None
    protocols: tuple[str, ...] | None = None
    algorithms: tuple[Code, ...] | None = None
    shares: tuple[Code | KeyShare, ...] | None = None
    modes: tuple[Code, ...] | None = None
    versions: tuple[Code, ...] | None = None
    limit: Code | None = None
    ids: tuple[str, ...] | None = None
    suites: tuple[tuple[Code, Code], ...] | None = None
    payload_lengths: tuple[int, ...] | None = None
    payload_policy: str | None = None
    inner_base: int | None = None
    omit_with_psk: bool | None = None
    always: bool | None = None


class Variation(_Part):
    """How the ClientHello of some connections differs from all others: see :class:`TLSProfile`."""

    protocols: tuple[str, ...]
    without: tuple[str, ...] = ()
    unless_http1: bool = False


class TLSProfile(_Part):
    """The ClientHello, and what is different in that of a WebSocket's connection."""

    min_version: Code
    max_version: Code
    legacy_version: Code = "0x0303"
    record_version: Code = "0x0301"
    session_id_length: int = 32
    ciphers: tuple[Code, ...]
    compression_methods: tuple[int, ...] = (0,)
    extension_order: Literal["fixed", "shuffle"] = "fixed"
    extensions: tuple[Extension, ...]
    websocket: Variation | None = None

    def model_post_init(self, context: Any) -> None:
        """Count the defaults as set: the core has none."""
        self.model_fields_set.update(name for name in type(self).model_fields if name != "websocket")


class HTTP1Profile(_Part):
    """HTTP/1.1: the headers by kind of request, where they differ from HTTP/2's in order or case.

    ``connect`` are those of a CONNECT request to a proxy; without, Chromium's.
    """

    headers: dict[str, tuple[Row, ...]] = Field(default_factory=dict)
    joined_body: int = Field(default=0, ge=0)
    connect: tuple[Row, ...] = ()


class Priority(_Part):
    """A stream's priority (RFC 7540 section 5.3)."""

    weight: int = Field(ge=1, le=256)
    exclusive: bool = False
    depends_on: int = 0


class PriorityFrame(_Part):
    """A PRIORITY frame that is sent before the first request."""

    stream: int
    priority: Priority


class Upload(_Part):
    """How bodies are cut by a client that sends a request as one text: by turns, and by the ends of a buffer."""

    first: int = Field(ge=1)
    turn: int = Field(ge=1)
    buffer: int = Field(ge=1)


class HTTP2Profile(_Part):
    """The frames of an HTTP/2 connection."""

    settings: tuple[tuple[int, int], ...] = ()
    window_update: int = 0
    stream_window: int = 0
    priority_frames: tuple[PriorityFrame, ...] = ()
    headers_priority: Priority | None = None
    urgency_weights: tuple[int, ...] | None = None
    data_size: int = 0
    upload: Upload | None = None
    first_stream_id: int = 1
    pseudo_order: str = "masp"
    hpack: Literal["quiche", "gecko", "plain"] = "plain"
    silent_close: bool = False


class Profile(_Part):
    """What a client looks like on the wire.

    A profile that differs in one thing is made with pydantic's ``model_copy(update=…)``.
    """

    name: str
    source: Source = Source()
    tls: TLSProfile
    http1: HTTP1Profile = HTTP1Profile()
    http2: HTTP2Profile = HTTP2Profile()
    headers: dict[str, tuple[Row, ...]] = Field(default_factory=dict)

    @classmethod
    def load(cls, profile: str | PathLike[str]) -> Profile:
        """Read a profile by its name or path.

        Raises:
            InvalidOption: there is none, or it is not a profile.
        """
        reference = fspath(profile)
        document = profile_document(reference)
        try:
            return as_profile(json.loads(document))
        except (ValueError, RecursionError) as exc:  # of json, or InvalidOption
            raise InvalidOption(f"{reference}: {exc}") from exc

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Profile:
        """Read a profile's file.

        Raises:
            InvalidOption: it cannot be read, or is not a profile.
        """
        return cls.load(Path(path).absolute())

    def save(self, path: str | PathLike[str]) -> None:
        """Write the profile to a file that ``profile=path`` takes."""
        Path(path).write_text(self.document() + "\n", encoding="utf-8")

    def document(self) -> str:
        """Return the profile as JSON."""
        return self.model_dump_json(exclude_unset=True, indent=1)

    def explicit(self) -> Profile:
        """Return the profile with nothing left to a rule: its headers are those of all kinds, over both protocols."""
        return as_profile(json.loads(self._described("document")))

    # What observers would call it. Where the order of extensions is drawn, JA3, JA4_o and JA4_ro are those of the
    # document's order: a sample.

    @property
    def ja3(self) -> str:
        """The JA3 string."""
        return self._described("ja3")

    @property
    def ja3_hash(self) -> str:
        """The JA3 hash."""
        return self._described("ja3Hash")

    @property
    def ja4(self) -> str:
        """JA4, the hash."""
        return self._described("ja4")

    @property
    def ja4_r(self) -> str:
        """JA4_r: JA4 in clear, its lists sorted."""
        return self._described("ja4r")

    @property
    def ja4_o(self) -> str:
        """JA4_o: the hash of the lists as they are sent."""
        return self._described("ja4o")

    @property
    def ja4_ro(self) -> str:
        """JA4_ro: the lists as they are sent."""
        return self._described("ja4ro")

    @property
    def akamai(self) -> str:
        """Akamai's HTTP/2 fingerprint."""
        return self._described("akamai")

    @property
    def akamai_hash(self) -> str:
        """The hash of Akamai's HTTP/2 fingerprint."""
        return self._described("akamaiHash")

    @property
    def peetprint(self) -> str:
        """The PeetPrint of tls.peet.ws."""
        return self._described("peetprint")

    @property
    def peetprint_hash(self) -> str:
        """The hash of the PeetPrint."""
        return self._described("peetprintHash")

    def _described(self, notation: str) -> str:
        text: str = _description(self.document())[notation]
        return text


def profile_schema() -> dict[str, Any]:
    """Return the JSON Schema of a profile's document."""
    return {"$schema": GenerateJsonSchema.schema_dialect, **Profile.model_json_schema()}


@lru_cache(maxsize=64)
def _description(document: str) -> dict[str, Any]:
    return ask(current(), 0, {"type": "describe", "profile": document})


def as_profile(profile: Any) -> Profile:
    """Return a Profile, or make one of a mapping.

    Raises:
        InvalidOption: it is neither, or a field of it is wrong; the message names the path.
    """
    if isinstance(profile, Profile):
        return profile
    if not isinstance(profile, Mapping):
        raise InvalidOption(f"profile= is a name, a path, a mapping or a Profile, not a {type(profile).__name__}")
    try:
        return Profile.model_validate(profile)
    except ValidationError as exc:
        raise InvalidOption(f"profile= {_explain(exc)}") from exc


def coerce(word: str, value: object, types: Iterable[type]) -> Any:
    """Make one of the types of an option's value.

    Raises:
        InvalidOption: it cannot be made; the message says why.
    """
    union: Any = Union[tuple(types)]
    try:
        return TypeAdapter(union).validate_python(value)
    except ValidationError as exc:
        raise InvalidOption(f"{word}={value!r:.100}: {_explain(exc)}") from exc


def _explain(exc: ValidationError) -> str:
    """Return what pydantic found, each with the path within the value."""
    found = [(".".join(map(str, error["loc"])), error["msg"]) for error in exc.errors(include_url=False)]
    return "; ".join(dict.fromkeys(f"{path}: {message}" if path else message for path, message in found))
