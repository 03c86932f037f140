"""CHANGELOG.md keeps up with the version."""

import re
from pathlib import Path

from cycletls._version import __version__

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def test_latest_entry_is_this_version() -> None:
    """The first entry is the version that the package has."""
    headings = re.findall(r"^## ([\d.]+)", CHANGELOG.read_text(), re.MULTILINE)
    assert headings[0] == __version__
