"""Models keep what they do not know, and read what servers of two versions say."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import timedelta

import pydantic
import pytest
import samples
from cipherrun import (
    ComplianceReport,
    ProgressMessage,
    ScanOptions,
    ScanResults,
    ScanStatus,
    ScanStatusResponse,
    SecurityGrade,
    Severity,
)
from cipherrun.models import ProtocolTestResult
from hypothesis import given
from hypothesis import strategies as st


def results(**changes: object) -> ScanResults:
    """Results as a server sends them, with some fields changed."""
    return ScanResults.model_validate({**samples.results("a.test:443", "0.3"), **changes})


@pytest.mark.parametrize("shape", ["0.2", "0.3"])
def test_results_of_both_shapes_read_the_same(shape: str) -> None:
    """Rating, HTTP headers and simulations are where they were before servers nested them."""
    found = ScanResults.model_validate_json(json.dumps(samples.results("a.test:443", shape)))
    assert found.rating is not None
    assert found.rating.grade is SecurityGrade.A_PLUS
    assert found.http_headers is not None
    assert found.http_headers.grade == "B"
    assert found.client_simulations is not None
    assert [client.success for client in found.client_simulations] == [True, False]
    assert found.certificate_chain is not None
    assert found.certificate_chain.validation.issues[0].issue_type == "ExpiringSoon"


def test_results_survive_being_written() -> None:
    """Results that are saved as JSON are the same when they are read again."""
    found = results()
    assert ScanResults.model_validate_json(found.model_dump_json()) == found


def test_a_scan_without_rating_has_none() -> None:
    """Parts that a scan did not look at are None or empty, however the server says that."""
    for rating in (None, {"ssl_rating": None}):
        assert results(rating=rating, vulnerabilities=None, http=None).rating is None
    assert results(vulnerabilities=None).vulnerabilities == []


def test_fields_that_are_new_are_kept() -> None:
    """A field that this package does not know can be read as an attribute, and is written again."""
    found = results(quantum_safe=True)
    assert found.quantum_safe is True  # type: ignore[attr-defined]  # that is the point
    assert found.model_dump()["quantum_safe"] is True


def test_a_new_grade_is_kept() -> None:
    """A grade that this package does not know is a member that is its text, prints as such and can be saved."""
    rating = {"ssl_rating": {**samples.RATING, "grade": "A++"}}
    found = results(rating=rating).rating
    assert found is not None
    assert isinstance(found.grade, SecurityGrade)
    assert found.grade == "A++" == str(found.grade) == f"{found.grade}"
    assert not found.grade.is_known
    assert "A++" not in [str(grade) for grade in SecurityGrade]
    assert copy.deepcopy(found.grade) == pickle.loads(pickle.dumps(found.grade)) == "A++"
    assert json.loads(found.model_dump_json())["grade"] == "A++"


@given(st.text())
def test_any_text_is_a_member_of_every_enum(text: str) -> None:
    """Whatever a server calls a status, a severity or a grade can be read, and known values are found in any case."""
    for kind in (ScanStatus, Severity, SecurityGrade):
        member = kind(text)
        assert member.value == text or member.value.casefold() == text.casefold()
    assert ScanStatus("RUNNING") is ScanStatus.RUNNING


@pytest.mark.parametrize("written", ["critical", "Critical", "CRITICAL"])
def test_severity_in_any_case(written: str) -> None:
    """Servers write severities in upper and lower case; they are the same."""
    assert Severity(written) is Severity.CRITICAL


def test_nanoseconds_are_read() -> None:
    """The server's times are more precise than Python's, which is no reason to refuse them."""
    report = ComplianceReport.model_validate(samples.compliance("pci-dss-v4", "a.test:443", True))
    assert report.evaluated_at.microsecond == 123456
    assert report.evaluated_at.utcoffset() == timedelta(0)


def test_report_in_one_line() -> None:
    """A report has the id of its framework and says in a line how it went."""
    report = ComplianceReport.model_validate(samples.compliance("pci-dss-v4", "a.test:443", False))
    assert report.framework == "pci-dss-v4"
    assert report.message == "a.test:443: fail, 1 of 2 requirements of PCI DSS 4.0 are met (50.0%)"
    assert report.requirements is None


def test_presets() -> None:
    """A full scan looks at everything, a quick one at protocols and certificates."""
    assert [name for name, on in ScanOptions.full() if on is True] == [
        "test_protocols",
        "test_ciphers",
        "test_vulnerabilities",
        "analyze_certificates",
        "test_http_headers",
        "client_simulation",
        "full_scan",
    ]
    assert [name for name, on in ScanOptions.quick() if on is True] == ["test_protocols", "analyze_certificates"]


def test_protocols_have_names_for_people() -> None:
    """A protocol is shown as people write it, and one that is new as the server does."""
    shown = [ProtocolTestResult(protocol=name, supported=True).display_name for name in ("SSLv3", "TLS13", "QUIC")]
    assert shown == ["SSL 3.0", "TLS 1.3", "QUIC"]


def test_ends_are_told_apart() -> None:
    """Whether a scan has ended can be asked of its status and of a message."""
    assert [status.value for status in ScanStatus if status.is_terminal] == ["completed", "failed", "cancelled"]
    message = {"scan_id": "1", "progress": 1, "stage": "x", "timestamp": "2026-01-01T00:00:00Z"}
    assert ProgressMessage.model_validate({**message, "msg_type": "failed"}).is_terminal
    assert not ProgressMessage.model_validate({**message, "msg_type": "paused"}).is_terminal


def test_what_must_be_there_must_be_there() -> None:
    """A status without its scan is none: models are lenient about what is new, not about what is missing."""
    with pytest.raises(pydantic.ValidationError):
        ScanStatusResponse.model_validate({"status": "running", "progress": 1})
