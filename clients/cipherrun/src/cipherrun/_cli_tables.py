"""Answers as tables for a terminal."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table

from .models import (
    CertificateAnalysisResult,
    CertificateListResponse,
    ComplianceReport,
    PolicyEvaluationResponse,
    ScanHistoryResponse,
    ScanResults,
    StatsResponse,
    VulnerabilityResult,
)
from .models._base import Model
from .models._results import protocol_name


@functools.singledispatch
def rendered(answer: Model) -> RenderableType:
    """Return what shows an answer: by default, its fields."""
    return fields(answer)


def fields(answer: Model, leave_out: Iterable[str] = ()) -> Table:
    """Return the fields of an answer that say something, one to a line."""
    table = Table(show_header=False, box=None)
    hidden = set(leave_out)
    for name, value in answer:
        if value not in (None, [], {}) and name not in hidden:
            table.add_row(name.replace("_", " "), _text(value))
    return table


def listing(title: str, columns: str, rows: Iterable[tuple[object, ...]]) -> Table:
    """Return a table of rows under names of columns."""
    table = Table(title=printable(title), title_justify="left")
    for column in columns.split():
        table.add_column(column, overflow="fold")  # whoever copies a fingerprint wants all of it
    for row in rows:
        table.add_row(*[_text(cell) for cell in row])
    return table


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    return "" if value is None else printable(str(value))


def printable(text: str) -> str:
    """Take out what would move the cursor or colour the terminal: a server may say anything."""
    return "".join(character for character in text if character.isprintable() or character == "\n")


@rendered.register
def _(results: ScanResults) -> RenderableType:
    parts: list[RenderableType] = [_headline(results)]
    if results.protocols:
        rows = [(each.display_name, each.supported, each.preferred or None) for each in results.protocols]
        parts.append(listing("Protocols", "protocol supported preferred", rows))
    if results.ciphers:
        suites = [
            (protocol_name(each.protocol), suite.iana_name, suite.bits, suite.key_exchange)
            for each in results.ciphers.values()
            for suite in each.supported_ciphers
        ]
        parts.append(listing("Cipher suites", "protocol suite bits exchange", suites))
    if results.certificate_chain:
        parts.append(_chain(results.certificate_chain))
    if results.vulnerabilities:
        parts.append(_weaknesses(results.vulnerabilities))
    if results.http_headers:
        rows_of_issues = [(each.header_name, each.severity, each.description) for each in results.http_headers.issues]
        parts.append(listing(f"HTTP headers: {results.http_headers.grade}", "header severity issue", rows_of_issues))
    if results.client_simulations:
        clients = [
            (each.client_name, each.protocol and protocol_name(each.protocol), each.cipher or each.error)
            for each in results.client_simulations
        ]
        parts.append(listing("Clients", "client protocol outcome", clients))
    return Group(*parts)


def _headline(results: ScanResults) -> str:
    grade = f"{results.rating.grade} ({results.rating.score})" if results.rating else "not rated"
    return printable(f"{results.target}: {grade}, scanned in {results.scan_time_ms / 1000:.1f} s")


def _chain(found: CertificateAnalysisResult) -> Table:
    title = "Certificates: " + ("valid" if found.validation.valid else "not valid")
    rows = [(each.subject, each.issuer, each.not_after) for each in found.chain.certificates]
    issues = [(f"! {each.description}", each.severity, "") for each in found.validation.issues]
    return listing(title, "subject issuer until", [*rows, *issues])


def _weaknesses(tests: list[VulnerabilityResult]) -> Table:
    found = [each for each in tests if each.vulnerable or each.inconclusive]
    rows = [
        (each.vuln_type, each.severity, each.cve, each.details if each.vulnerable else f"inconclusive: {each.details}")
        for each in found
    ]
    vulnerable = sum(each.vulnerable for each in tests)
    return listing(f"Vulnerabilities: {vulnerable} of {len(tests)} tests", "name severity cve details", rows)


@rendered.register
def _(report: ComplianceReport) -> RenderableType:
    rows = [
        (each.id, each.name, each.status, each.severity, [violation.message for violation in each.violations or ()])
        for each in report.requirements or ()
    ]
    return Group(
        printable(report.message), *([listing("", "id requirement status severity violations", rows)] if rows else [])
    )


@rendered.register
def _(evaluation: PolicyEvaluationResponse) -> RenderableType:
    verdict = "complies with" if evaluation.compliant else "breaks"
    rows = [(each.check, each.severity, each.message, each.expected, each.actual) for each in evaluation.checks]
    headline = printable(f"{evaluation.target} {verdict} {evaluation.policy_name}")
    return Group(headline, *([listing("", "rule severity message expected actual", rows)] if rows else []))


@rendered.register
def _(page: CertificateListResponse) -> RenderableType:
    rows = [
        (each.common_name, each.issuer, each.valid_until, each.days_until_expiry, each.fingerprint)
        for each in page.certificates
    ]
    title = f"{len(rows)} of {page.total} certificates"
    return listing(title, "name issuer until days fingerprint", rows)


@rendered.register
def _(history: ScanHistoryResponse) -> RenderableType:
    rows = [(each.scan_id, each.timestamp, each.grade, each.score, each.duration_ms) for each in history.scans]
    title = f"{history.domain}:{history.port}, {len(rows)} of {history.total_scans} scans"
    return listing(title, "id at grade score ms", rows)


@rendered.register
def _(stats: StatsResponse) -> RenderableType:
    domains = [(each.domain, each.scan_count, each.last_scan) for each in stats.top_domains]
    return Group(
        fields(stats, ("top_domains", "api_usage")),
        fields(stats.api_usage),
        listing("Domains", "domain scans last", domains),
    )
