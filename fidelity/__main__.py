"""Capture the browsers, replay them, compare facet by facet: `python -m fidelity`, written to docs/FIDELITY.md."""

from __future__ import annotations

from pathlib import Path

from . import draws, install, report, scenes

RESULTS = Path(__file__).parent.parent / "docs" / "FIDELITY.md"


def main() -> None:
    subjects = [scenes.compare(browser) for browser in install.browsers()]
    checks = [(subject, draws.check(subject.profile, subject.hellos)) for subject in subjects]
    text = report.write(checks)
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)


if __name__ == "__main__":
    main()
