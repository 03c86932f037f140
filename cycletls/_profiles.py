"""Finding profiles: by name, whole or in part, or by path; and names that stand for options instead."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ._exceptions import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

_FOLDER = os.path.join(os.path.dirname(__file__), "browsers")

_DESKTOPS: Final = frozenset({"linux", "macos", "windows"})

_NEAREST: Final = {
    "brave-1-63": "brave-146",
    "chrome-121": "chrome-120",
    "chrome-122": "chrome-123",
    "chrome-125": "chrome-124",
    "edge-121": "edge-120",
    "edge-122": "edge-120",
    "firefox-121": "firefox-133",
    "firefox-122": "firefox-133",
    "firefox-123": "firefox-133",
    "firefox-124": "firefox-133",
    "opera-106": "opera-131",
    "samsung-browser-23": "chrome-131-android",
}
"""CycleTLS' names of versions that nobody has described: the nearest of the same browser (Samsung's is Chromium)."""

_COMMON: Final = ("chrome", "firefox", "safari", "edge")

_registered: dict[str, str] = {}
_documents: dict[str, str] = {}
_shipped: set[str] = set()  # documents that are the package's


class StandIn:
    """What profile= takes in place of the options that it stands for."""

    def options(self) -> dict[str, Any]:
        """Return the options."""
        raise NotImplementedError


stand_ins: Final[dict[str, StandIn]] = {}
"""Registered ones, by name."""


def profile_names() -> list[str]:
    """Return the full names of all profiles, browser by browser from the oldest version to the newest."""
    return sorted({*_files(), *_registered}, key=_parts)


def profile_document(reference: str | None) -> str:
    """Return the JSON text of a profile; each file is read once.

    Args:
        reference: a name, a path, or the JSON text itself; None is no browser's.

    Raises:
        InvalidOption: there is no such profile.
    """
    if reference is None:
        reference = "plain"
    if reference.startswith("{"):
        return reference
    if reference not in _documents:
        _documents[reference] = _read(reference)
    return _documents[reference]


def is_shipped(reference: str | None) -> bool:
    """Report whether a profile is one of the package's, which can all be sent."""
    return profile_document(reference) in _shipped


def base_documents() -> list[str]:
    """Return the JSON texts of all profiles, in the order of base_names."""
    return [profile_document(name) for name in base_names()]


def base_names() -> list[str]:
    """Return the full names of all profiles; desktops, common browsers and their newest versions come first."""
    names = sorted(profile_names(), key=_newness, reverse=True)
    names.sort(key=lambda name: (not _newness(name)[0], (*_COMMON, _parts(name)[0]).index(_parts(name)[0])))
    return names


def resolve_name(name: str) -> str:
    """Return the full name of the profile that a name means.

    A name may leave out system and version, which then are a desktop's and the
    newest: ``"chrome"``, ``"chrome-android"``, ``"safari-26-ios"``,
    ``"chrome_120"``. Where several are equal, Windows comes before macOS before
    Linux. CycleTLS' names of versions that nobody has described mean the
    nearest version.

    Raises:
        InvalidOption: there is no such profile.
    """
    known = profile_names()
    found = _resolve(_canonical(name), known)
    if found is None:
        raise InvalidOption(f"there is no profile {name!r}: {_hint(_parts(_canonical(name))[0], known)}")
    return found


def all_names() -> dict[str, list[str]]:
    """Return what :func:`resolve_name` takes, in lower case and with hyphens, by the full name that it returns."""
    known = profile_names()
    meanings: dict[str, list[str]] = {full: [] for full in known}
    for name in sorted({*known, *_NEAREST, *(part for full in known for part in _in_part(full))}):
        meant = _resolve(name, known)
        if meant is not None:
            meanings[meant].append(name)
    return meanings


def _in_part(full: str) -> Iterable[str]:
    """Return a name without some of what it consists of: the end of the version, the system."""
    browser, version, system = _parts(full)
    for length in range(len(version) + 1):
        for mark in ".-":
            number = mark.join(map(str, version[:length]))
            for parts in ((number,), (number, system), (system, number)):
                yield "-".join([browser, *filter(None, parts)])


def _resolve(stem: str, known: list[str]) -> str | None:
    if stem in known:
        return stem
    browser, version, system = _parts(_NEAREST.get(stem, stem))
    fitting = []
    for candidate in known:
        its_browser, its_version, its_system = _parts(candidate)
        if its_browser == browser and its_version[: len(version)] == version and system in ("", its_system):
            fitting.append(candidate)
    return max(fitting, key=_newness, default=None)


def lasting_reference(reference: str) -> str:
    """Return what means the same profile as a name, a path or a text does now, whatever is registered later.

    Raises:
        InvalidOption: there is no such profile.
    """
    document = profile_document(reference)
    return document if document in _registered.values() else reference


def add_document(name: str, document: str) -> str:
    """Let a name mean a document, and return it as it is looked up."""
    stem = _canonical(name)
    if not stem or _is_path(stem) or stem.startswith("{"):
        raise InvalidOption(f"{name!r} cannot be the name of a profile: it would be read as a path")
    _registered[stem] = document
    _documents.clear()
    return stem


def remove_document(name: str) -> bool:
    """Undo add_document; return whether there was anything to undo."""
    _documents.clear()
    return _registered.pop(_canonical(name), None) is not None


def add_stand_in(name: str, meant: StandIn) -> None:
    """Let a name stand for options."""
    remove_stand_in(name)
    stand_ins[name] = meant


def remove_stand_in(name: str) -> bool:
    """Undo add_stand_in; return whether there was anything to undo."""
    known = [other for other in stand_ins if _canonical(other) == _canonical(name)]
    for other in known:
        del stand_ins[other]
    return bool(known)


def stand_in(value: object) -> StandIn | None:
    """Return what a value of profile= or its name stands for, if it is none of a profile."""
    if isinstance(value, str) and stand_ins:
        return next((meant for name, meant in stand_ins.items() if _canonical(name) == _canonical(value)), None)
    return value if isinstance(value, StandIn) else None


def _read(reference: str) -> str:
    path = reference
    if not _is_path(reference):
        name = resolve_name(reference)
        if name in _registered:
            return _registered[name]
        path = _files()[name]
    try:
        with open(path, encoding="utf-8") as file:
            document = file.read()
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidOption(f"profile={reference!r} cannot be read: {exc}") from exc
    if os.path.dirname(path) == _FOLDER:
        _shipped.add(document)
    return document


def users_folder() -> str:
    """Return the folder of the user's profiles: CYCLETLS_PROFILES_DIR, or one among the user's data.

    The latter is where the XDG Base Directory Specification has it; it need not
    exist.
    """
    data = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(data):  # others must be ignored, says the specification
        data = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.environ.get("CYCLETLS_PROFILES_DIR") or os.path.join(data, "cycletls", "profiles")


def _files() -> dict[str, str]:
    """Return the paths of the profiles that are files, by name: the user's replace those of the package."""
    found = {}
    for folder in (_FOLDER, users_folder()):
        found.update({_canonical(file[:-5]): os.path.join(folder, file) for file in _profile_files(folder)})
    return found


def _profile_files(folder: str) -> Iterable[str]:
    try:
        return [file for file in os.listdir(folder) if file.endswith(".json")]
    except OSError as exc:
        if folder != os.environ.get("CYCLETLS_PROFILES_DIR"):
            return []  # nobody has asked for it
        raise InvalidOption(f"CYCLETLS_PROFILES_DIR={folder!r} cannot be read: {exc}") from exc


def _is_path(reference: str) -> bool:
    return reference.endswith(".json") or os.path.basename(reference) != reference


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _parts(name: str) -> tuple[str, tuple[int, ...], str]:
    """Return what a name consists of: chrome-156-linux is Chrome's, of version (156,), on Linux."""
    browser, *rest = name.split("-")
    version = [int(number) for part in rest for number in part.split(".") if number.isdigit()]
    return browser, tuple(version), "-".join([part for part in rest if not part[:1].isdigit()])


def _newness(name: str) -> tuple[bool, tuple[int, ...], str]:
    """Return what ranks a browser's profiles: a desktop's, the newest, Windows before macOS before Linux."""
    _, version, system = _parts(name)
    return system in _DESKTOPS, version, system


def _hint(browser: str, known: Iterable[str]) -> str:
    browsers = list(dict.fromkeys(_parts(name)[0] for name in known))
    if browser in browsers:
        its = [name for name in known if _parts(name)[0] == browser]
        versions = dict.fromkeys([".".join(map(str, _parts(name)[1])) or name for name in its])
        return f"of {browser} there are the versions {', '.join(versions)}"
    from difflib import get_close_matches

    close = get_close_matches(browser, browsers, 1, 0.5)
    return f"did you mean {close[0]}?" if close else f"there are profiles of {', '.join(browsers)}"
