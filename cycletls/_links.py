"""The Link header (RFC 8288 section 3)."""

from __future__ import annotations

import re

_TARGET = re.compile(r"\s*<([^>]*)>\s*")
_PARAMETER = re.compile(r';\s*([^\s=;,]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?\s*')


def parse_links(value: str) -> list[dict[str, str]]:
    """Return each link's parameters, the target as ``url``; what is malformed ends the list."""
    links = []
    place = 0
    while target := _TARGET.match(value, place):
        link = {"url": target[1]}
        place = target.end()
        while parameter := _PARAMETER.match(value, place):
            name, quoted, token = parameter.groups("")
            link.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or token)
            place = parameter.end()
        links.append(link)
        if value[place : place + 1] != ",":
            break
        place += 1
    return links
