"""The profiles that there are, as values. cycletls.profiles is the only instance of this module's class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike

from ._exceptions import InvalidOption
from ._profiles import add_document, profile_names, remove_document, resolve_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._models import Profile


class Profiles:
    """The profiles that can be named: those of the package, of a folder of the user's, and registered ones.

    Iterating gives their full names. The folder is the one that the environment
    variable ``CYCLETLS_PROFILES_DIR`` names, else ``cycletls/profiles`` among the
    user's data (``XDG_DATA_HOME``, or ``~/.local/share``); its files replace
    profiles of the package that have the same name, and registered ones replace
    both. Names
    may leave parts out: ``"chrome"`` is the newest desktop Chrome,
    ``"chrome-android"`` and ``"safari-26-ios"`` the newest of their kind.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(profile_names())

    def __len__(self) -> int:
        return len(profile_names())

    def __contains__(self, name: object) -> bool:
        """Report whether ``get`` finds the name, whole or in part."""
        try:
            return isinstance(name, str) and bool(resolve_name(name))
        except InvalidOption:
            return False

    def list(self) -> tuple[Profile, ...]:
        """Return all profiles; ``profile.source`` says of which browser, when and how it was captured."""
        return tuple([self.get(name) for name in self])

    def get(self, name: str) -> Profile:
        """Return a profile by its name, whole or in part.

        Raises:
            InvalidOption: there is none, or its file is no profile.
        """
        from ._models import Profile  # 80 ms that most programs never spend

        return Profile.load(resolve_name(name))

    def register(self, profile: Profile | Mapping[str, Any] | str | PathLike[str], name: str | None = None) -> str:
        """Let a name mean a profile in this process, and return the name as ``get`` finds it.

        Sessions that were made with the name before keep what it meant then.

        Args:
            profile: a Profile, its mapping, the path of its file, or the name of another.
            name: its name from now on; None keeps its own.

        Raises:
            InvalidOption: it is no profile, or the name would be read as a path.
        """
        from ._models import Profile, as_profile

        made = Profile.load(profile) if isinstance(profile, (str, PathLike)) else as_profile(profile)
        if name is not None:
            made = made.model_copy(update={"name": name})
        return add_document(made.name, made.document())

    def unregister(self, name: str) -> bool:
        """Forget a registered profile; return whether there was one. Those that are files stay."""
        return remove_document(name)


profiles = Profiles()
