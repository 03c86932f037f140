"""What is drawn per connection, over many connections, against the browsers' rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, NamedTuple

from cycletls import CycleTLS, Profile
from cycletls.testing import CaptureServer

from . import hello

CONNECTIONS: Final = 200

QUANTILE: Final = 3.719
"""Of the normal distribution: a fair draw fails once in 10,000 times."""


class Check(NamedTuple):
    """A rule, what was found, and whether it holds."""

    rule: str
    found: str
    holds: bool


def check(profile: Profile, theirs: Sequence[bytes]) -> list[Check]:
    """Open many connections with a profile, and check the rules on them; the supports on the browser's own too."""
    ours = _hellos(profile)
    live = [hello.parse(message) for message in theirs]
    checks = [
        Check("random, session id and keys never come again", f"{len(ours)} connections", _all_differ(ours)),
        *_ech(ours, live),
    ]
    if profile.tls.extension_order == "shuffle":
        checks += [*_grease(ours), _order(ours)]
    else:
        orders = {tuple(code for code, _ in one.extensions) for one in ours}
        checks.append(Check("one order of extensions", f"{len(orders)}", len(orders) == 1))
    return checks


def _hellos(profile: Profile) -> list[hello.Hello]:
    """Return the first flights of connections that offer no session, as there are no tickets."""
    with (
        CaptureServer(tickets=False) as server,
        CycleTLS(profile=profile, verify=server.ca_file, enable_connection_reuse=False) as session,
    ):
        for _ in range(CONNECTIONS):
            session.get(server.url)
        return [hello.parse(bytes.fromhex(seen["tls"]["hellos"][0])) for seen in server.connections]


def _all_differ(hellos: Sequence[hello.Hello]) -> bool:
    drawn = [[one.random for one in hellos], [one.session_id for one in hellos]]
    drawn.append([dict(one.extensions)[hello.KEY_SHARE] for one in hellos])
    return all(len(set(values)) == len(values) for values in drawn)


def _grease(hellos: Sequence[hello.Hello]) -> Iterable[Check]:
    places = [_places(one) for one in hellos]
    for place in places[0]:
        values = [found[place] for found in places]
        yield _uniform(f"GREASE of {place}: each of 16 values", values, [0x0A0A + 0x1010 * at for at in range(16)])
    pairs = {found["the first extension"] == found["the last extension"] for found in places}
    yield Check("the two GREASE extensions differ", f"equal: {True in pairs}", True not in pairs)
    same = all(found["the groups"] == found["the key shares"] for found in places)
    yield Check("groups and key shares have the same GREASE", str(same), same)


def _places(one: hello.Hello) -> dict[str, int]:
    """Return the GREASE values of a hello by their places."""
    extensions = dict(one.extensions)
    drawn = [code for code, _ in one.extensions if hello.is_grease(code)]
    found = {
        "the ciphers": one.ciphers[0],
        "the first extension": drawn[0],
        "the last extension": drawn[-1],
        "the groups": hello.codes(extensions[hello.GROUPS][2:])[0],
        "the key shares": hello.shares(extensions[hello.KEY_SHARE])[0][0],
        "the versions": hello.codes(extensions[hello.VERSIONS][1:])[0],
        "the signature algorithms": hello.codes(extensions[hello.ALGORITHMS][2:])[0],
    }
    return {place: value for place, value in found.items() if hello.is_grease(value)}


def _order(hellos: Sequence[hello.Hello]) -> Check:
    """Check that each extension comes at each place equally often."""
    orders = [[code for code, _ in one.extensions if not hello.is_grease(code)] for one in hellos]
    size = len(orders[0])
    expected = len(orders) / size
    found = Counter((at, code) for order in orders for at, code in enumerate(order))
    statistic = sum((found[at, code] - expected) ** 2 / expected for at in range(size) for code in orders[0])
    return _verdict(f"{size} extensions, each at each place", statistic, (size - 1) ** 2)


def _ech(ours: Sequence[hello.Hello], live: Sequence[hello.Hello]) -> Iterable[Check]:
    mine = [hello.ech_parts(dict(one.extensions)[hello.ECH]) for one in ours]
    theirs = {hello.ech_parts(dict(one.extensions)[hello.ECH]) for one in live if not _resumes(one)}
    for at, name in enumerate(("AEAD", "key length", "payload length")):
        values, seen = [parts[at] for parts in mine], {parts[at] for parts in theirs}
        yield Check(f"ECH: every {name} of the browser comes", _list(seen), seen <= set(values))
        if len(set(values)) > 1:
            yield _uniform(f"ECH: each {name} of {_list(set(values))}", values, sorted(set(values), key=str))


def _resumes(one: hello.Hello) -> bool:
    return hello.PSK in dict(one.extensions)


def _list(values: set[str] | set[int] | set[str | int]) -> str:
    return ", ".join(sorted(map(str, values)))


def _uniform(rule: str, values: Sequence[Hashable], possible: Sequence[Hashable]) -> Check:
    found, expected = Counter(values), len(values) / len(possible)
    statistic = sum((found[value] - expected) ** 2 / expected for value in possible)
    verdict = _verdict(rule, statistic, len(possible) - 1)
    return verdict._replace(holds=verdict.holds and found.keys() <= set(possible))


def _verdict(rule: str, statistic: float, freedom: int) -> Check:
    """Compare with the quantile of chi-square, by Wilson and Hilferty's approximation."""
    limit = freedom * (1 - 2 / (9 * freedom) + QUANTILE * math.sqrt(2 / (9 * freedom))) ** 3
    return Check(rule, f"chi-square {statistic:.1f}, limit {limit:.1f}", statistic <= limit)
