"""Finding profiles: by name among those that come with the package, or by path."""

from __future__ import annotations

import os

from ._exceptions import InvalidOption

_FOLDER = os.path.join(os.path.dirname(__file__), "profiles")

_documents: dict[str, str] = {}


def profiles() -> list[str]:
    """Return the names of the profiles that come with this package, e.g. ``"chrome-156-linux"``."""
    return sorted(name[:-5] for name in os.listdir(_FOLDER) if name.endswith(".json"))


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


def _read(reference: str) -> str:
    path = reference if _is_path(reference) else os.path.join(_FOLDER, _newest(reference) + ".json")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidOption(f"profile={reference!r} cannot be read: {exc}") from exc


def _is_path(reference: str) -> bool:
    return reference.endswith(".json") or os.path.basename(reference) != reference


def _newest(name: str) -> str:
    """Return the newest profile of a name that may leave out system and version: chrome, chrome-156, chrome_156."""
    stem = name.lower().replace("_", "-")
    known = profiles()
    found = [candidate for candidate in known if f"{candidate}-".startswith(f"{stem}-")]
    if found:
        return max(found, key=_version)
    from difflib import get_close_matches

    close = get_close_matches(stem, [*known, *{candidate.partition("-")[0] for candidate in known}], 3, 0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
    raise InvalidOption(f"there is no profile {name!r}: {hint}")


def _version(name: str) -> tuple[int, ...]:
    """Return the numbers in a profile's name: chrome-99 is older than chrome-156."""
    return tuple([int(part) for part in name.replace(".", "-").split("-") if part.isdigit()])
