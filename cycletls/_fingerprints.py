"""CycleTLS' fingerprints: bundles of strings that fingerprint= takes, and the registry of their names."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ._exceptions import InvalidOption
from ._profiles import StandIn, add_stand_in, remove_stand_in, resolve_name, stand_in, stand_ins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from typing import Any, Final

    CHROME_120: TLSFingerprint
    CHROME_121: TLSFingerprint
    FIREFOX_121: TLSFingerprint
    SAFARI_17: TLSFingerprint
    EDGE_120: TLSFingerprint
    CHROME_ANDROID: TLSFingerprint
    SAFARI_IOS: TLSFingerprint

CYCLETLS_NAMES: Final = (
    "chrome_120",
    "chrome_121",
    "firefox_121",
    "safari_17",
    "edge_120",
    "chrome_android",
    "safari_ios",
    "chrome_122",
    "chrome_123",
    "chrome_124",
    "chrome_125",
    "firefox_122",
    "firefox_123",
    "firefox_124",
    "edge_121",
    "edge_122",
    "opera_106",
    "brave_1_63",
    "chrome_linux",
    "firefox_linux",
    "samsung_browser_23",
)
"""The names that CycleTLS registers itself; each means a profile here."""


@dataclass(frozen=True)
class TLSFingerprint(StandIn):
    """What CycleTLS calls a fingerprint: strings, and a user agent and header order that go with them.

    ``fingerprint=`` takes one, or the name of a registered one, as the options
    of the same names; what is said beside it counts more. Where both ja3 and
    ja4r are there, ja4r counts, as in CycleTLS.
    """

    name: str
    ja3: str | None = None
    ja4r: str | None = None
    http2_fingerprint: str | None = None
    quic_fingerprint: str | None = None
    """Not used yet: this version does not speak HTTP/3."""
    user_agent: str | None = None
    header_order: Sequence[str] | None = None
    disable_grease: bool = False
    force_http1: bool = False
    force_http3: bool = False
    profile: str | None = None
    """The profile that gives what the strings leave out; None takes the closest."""

    def options(self) -> dict[str, Any]:
        """Return the options that the fingerprint stands for."""
        unused = {"name", "quic_fingerprint", "ja3" if self.ja4r else "name"}
        return {word: value for word, value in self.to_dict().items() if word not in unused}

    def apply_to_kwargs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return keyword arguments with the fingerprint's options among them; those that are there stay."""
        return {**self.options(), **kwargs}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TLSFingerprint:
        """Make a fingerprint of a mapping.

        Raises:
            InvalidOption: a field that fingerprints do not have, of the wrong type, or no name.
        """
        if not isinstance(data, Mapping):
            raise InvalidOption(f"a fingerprint is a mapping, not a {type(data).__name__}")
        said = {word: value for word, value in data.items() if value is not None}
        for word, value in said.items():
            if not isinstance(value, _TYPES.get(word, ())):
                raise InvalidOption(f"fingerprint {data.get('name')!r:.100} cannot have {word}={value!r:.100}")
        if not said.get("name"):
            raise InvalidOption("a fingerprint has a name")
        return cls(**said)

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> TLSFingerprint:
        """Read a fingerprint from a file.

        Raises:
            InvalidOption: the file cannot be read or is no fingerprint.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError) as exc:  # InvalidOption is a ValueError
            raise InvalidOption(f"{os.fspath(path)}: {exc}") from exc

    def to_dict(self) -> dict[str, Any]:
        """Return what is said, without the fields that say nothing."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {word: list(value) if word == "header_order" else value for word, value in said.items() if value}

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write the fingerprint to a file that from_json reads."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    field.name: (bool,) if field.default is False else (list, tuple) if field.name == "header_order" else (str,)
    for field in fields(TLSFingerprint)
}


class _Description(TLSFingerprint):
    """A fingerprint that describes a profile, which says more than the strings can."""

    def options(self) -> dict[str, Any]:
        return {"profile": self.profile}


def _describe(name: str) -> TLSFingerprint:
    """Return what a profile's name means, as a fingerprint of that name."""
    from ._models import Profile

    meant = resolve_name(name)
    profile = Profile.load(meant)
    rows = profile.headers.get("navigate", ())
    names = [row if isinstance(row, str) else row[0] for row in profile.http1.headers.get("navigate", rows)]
    agents = [row[1] for row in rows if not isinstance(row, str) and row[0].lower() == "user-agent"]
    return _Description(
        name=name,
        ja3=profile.ja3,
        ja4r=profile.ja4_r,
        http2_fingerprint=profile.akamai,
        user_agent=agents[0] if agents else None,
        header_order=tuple([name.lower() for name in names if name != "*"]),
        profile=meant,
    )


class FingerprintRegistry:
    """Fingerprints by name: CycleTLS' own names, which mean profiles of this package, and registered ones."""

    @classmethod
    def register(cls, fingerprint: TLSFingerprint) -> None:
        """Let ``fingerprint="its name"`` mean a fingerprint in this process."""
        if not isinstance(fingerprint, TLSFingerprint):
            raise InvalidOption(f"a TLSFingerprint can be registered here, not a {type(fingerprint).__name__}")
        add_stand_in(fingerprint.name, fingerprint)

    @classmethod
    def unregister(cls, name: str) -> bool:
        """Forget a registered fingerprint; return whether there was one."""
        return remove_stand_in(name)

    @classmethod
    def get(cls, name: str) -> TLSFingerprint:
        """Return a registered fingerprint, or the description of the profile that the name means.

        Raises:
            KeyError: there is neither.
        """
        registered = stand_in(name)
        if isinstance(registered, TLSFingerprint):
            return registered
        try:
            return _describe(name)
        except InvalidOption as exc:
            raise KeyError(str(exc)) from exc

    @classmethod
    def get_or_none(cls, name: str) -> TLSFingerprint | None:
        """Return what ``get`` does, or None."""
        try:
            return cls.get(name)
        except KeyError:
            return None

    @classmethod
    def all(cls) -> dict[str, TLSFingerprint]:
        """Return all fingerprints by name."""
        return {name: cls.get(name) for name in cls.list()}

    @classmethod
    def clear(cls) -> None:
        """Forget all registered fingerprints."""
        stand_ins.clear()

    @classmethod
    def list(cls) -> list[str]:
        """Return CycleTLS' names and the registered ones."""
        return [*dict.fromkeys((*CYCLETLS_NAMES, *stand_ins))]


def load_fingerprint_from_file(path: str | PathLike[str]) -> TLSFingerprint:
    """Read a fingerprint from a JSON file, register it, and return it."""
    fingerprint = TLSFingerprint.from_json(path)
    FingerprintRegistry.register(fingerprint)
    return fingerprint


def load_fingerprints_from_dir(directory: str | PathLike[str]) -> int:
    """Register the fingerprints of all JSON files of a folder; return how many there were.

    Raises:
        InvalidOption: there is no such folder, or a file is no fingerprint; then none is registered.
    """
    if not os.path.isdir(directory):
        raise InvalidOption(f"{os.fspath(directory)!r} is no folder")
    found = [TLSFingerprint.from_json(path) for path in sorted(Path(directory).glob("*.json"))]
    for fingerprint in found:
        FingerprintRegistry.register(fingerprint)
    return len(found)


def load_fingerprints_from_env() -> int:
    """Register those of the folder that CYCLETLS_FINGERPRINTS_DIR names, if it does; return how many there were."""
    folder = os.environ.get("CYCLETLS_FINGERPRINTS_DIR")
    return load_fingerprints_from_dir(folder) if folder else 0


def create_fingerprint_template(path: str | PathLike[str], name: str = "custom_browser") -> None:
    """Write a fingerprint to edit: the strings of today's Chrome, under a name."""
    said = {**_describe("chrome").to_dict(), "name": name}
    TLSFingerprint.from_dict({word: value for word, value in said.items() if word != "ja3"}).to_json(path)


def __getattr__(name: str) -> TLSFingerprint:
    """Describe a profile when its constant is first asked for (PEP 562): reading strings out starts the core."""
    if name.isupper() and name.lower() in CYCLETLS_NAMES:
        fingerprint = _describe(name.lower())
        globals()[name] = fingerprint
        return fingerprint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
