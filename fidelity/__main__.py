"""Capture the browsers, replay them, compare facet by facet: `python -m fidelity`, written to docs/FIDELITY.md."""

from __future__ import annotations

import sys
from pathlib import Path

from . import draws, install, report, scenes

RESULTS = Path(__file__).parent.parent / "docs" / "FIDELITY.md"


def main() -> int:
    """Return the exit status: 0 where no facet differs and every rule of the draws holds."""
    subjects = [scenes.compare(browser) for browser in install.browsers()]
    checks = [(subject, draws.check(subject.profile, subject.hellos)) for subject in subjects]
    text = report.write(checks)
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    return int(report.differing(checks) > 0 or not all(check.holds for _, found in checks for check in found))


if __name__ == "__main__":
    sys.exit(main())
