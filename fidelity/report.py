"""The table."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Final

from cycletls import __version__

from .draws import CONNECTIONS, Check
from .scenes import Subject

WIDTH: Final = 120


def write(checks: Sequence[tuple[Subject, list[Check]]]) -> str:
    """Write the report: the sums, what differs, the draws, and all facets by name."""
    return "\n".join([*_head(checks), *_differing(checks), *_draws(checks), *_all(checks)]) + "\n"


def differing(checks: Sequence[tuple[Subject, list[Check]]]) -> int:
    """Count the facets that differ."""
    return sum(len(found) for subject, _ in checks for _, found in subject.scenes.values())


def _head(checks: Sequence[tuple[Subject, list[Check]]]) -> Iterator[str]:
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    names = " and ".join([f"{subject.browser.name} {subject.browser.version}" for subject, _ in checks])
    yield "# Fidelity\n"
    yield f"Written by `make fidelity` on {today}: {names}, headless on {platform.system()}, live against"
    yield f"a capture server on loopback, and cycletls {__version__} with the profile captured from each.\n"
    yield "A facet is one thing that the server can see. `h2` is a server as most are, `http/1.1` one without HTTP/2,"
    yield "`retry` one that asks for another key (HelloRetryRequest); on each the browser opens a page, sends each kind"
    yield "of request, follows redirects, comes again and resumes its TLS session. `profile` compares the profile that"
    yield "the replay implies with the one that was replayed. Of values that are drawn the rule is compared, and the"
    yield "draws further down.\n"
    yield "Chromium's setting *Preload pages* is off: on, it opens connections ahead of any request, by what it guesses"
    yield "and not by what it is asked. The server's HTTP/2 windows are wider than any body: one that ended in a body"
    yield "would cut its frames where the server's timing has it.\n"
    yield "| browser | scene | facets | differ |\n| --- | --- | ---: | ---: |"
    for subject, _ in checks:
        for scene, (facets, found) in subject.scenes.items():
            yield f"| {subject.browser.name} | {scene} | {len(facets)} | {len(found)} |"


def _differing(checks: Sequence[tuple[Subject, list[Check]]]) -> Iterator[str]:
    yield "\n## What differs\n"
    if not differing(checks):
        yield "Nothing."
        return
    yield "| browser | scene | facet | browser's | ours |\n| --- | --- | --- | --- | --- |"
    for subject, _ in checks:
        for scene, (_, found) in subject.scenes.items():
            for one in found:
                cells = [_cell(one.theirs), _cell(one.ours)]
                yield f"| {subject.browser.name} | {scene} | {one.name} | {' | '.join(cells)} |"


def _cell(value: str | None) -> str:
    if value is None:
        return "none"
    return "`" + (value if len(value) <= WIDTH else value[:WIDTH] + "…").replace("|", "/") + "`"


def _draws(checks: Sequence[tuple[Subject, list[Check]]]) -> Iterator[str]:
    yield f"\n## Draws, over {CONNECTIONS} connections of ours\n"
    yield "Limits of chi-square are those that fair draws pass once in 10,000 times.\n"
    yield "| browser | rule | found | holds |\n| --- | --- | --- | --- |"
    for subject, found in checks:
        for one in found:
            yield f"| {subject.browser.name} | {one.rule} | {one.found} | {'yes' if one.holds else '**no**'} |"


def _all(checks: Sequence[tuple[Subject, list[Check]]]) -> Iterator[str]:
    """Yield a table for each scene: every facet with the verdict for each browser."""
    yield "\n## All facets\n\n`=` is equal, `≠` differs, and a blank means that the browser has no such facet."
    for scene in checks[0][0].scenes:
        names = [subject.browser.name for subject, _ in checks]
        verdicts = [_verdicts(subject, scene) for subject, _ in checks]
        yield f"\n### {scene}\n\n| facet | {' | '.join(names)} |\n| --- |{' --- |' * len(names)}"
        for facet in dict.fromkeys([name for found in verdicts for name in found]):
            yield f"| {facet} | {' | '.join([found.get(facet, ' ') for found in verdicts])} |"


def _verdicts(subject: Subject, scene: str) -> dict[str, str]:
    facets, differing = subject.scenes[scene]
    return {facet.name: "=" for facet in facets} | {one.name: "≠" for one in differing}
