"""Targets held against frameworks such as PCI DSS."""

from __future__ import annotations

from datetime import datetime

from ._base import Model, OpenEnum


class Severity(OpenEnum):
    """How bad a finding is; servers write it in upper and lower case."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class ComplianceCheckRequest(Model):
    """What a check of compliance is asked."""

    target: str
    framework: str
    detailed: bool = False


class ComplianceSummary(Model):
    """How many requirements are met."""

    total: int
    passed: int
    failed: int
    warnings: int
    compliance_percentage: float


class ViolationDetail(Model):
    """What breaks a requirement."""

    rule_type: str
    message: str
    evidence: str | None = None


class RequirementResult(Model):
    """One requirement of a framework, and whether it is met."""

    id: str
    name: str
    category: str
    status: str
    severity: Severity
    violation_count: int
    violations: list[ViolationDetail] | None = None
    remediation: str | None = None


class ComplianceReport(Model):
    """A target held against a framework.

    Attributes:
        status: ``pass``, ``fail`` or ``warning``.
        requirements: each of them, where details were asked for.
    """

    framework_id: str
    framework_name: str
    framework_version: str
    target: str
    status: str
    summary: ComplianceSummary
    requirements: list[RequirementResult] | None = None
    evaluated_at: datetime

    @property
    def framework(self) -> str:
        """The id of the framework."""
        return self.framework_id

    @property
    def message(self) -> str:
        """The report in one line."""
        counts = self.summary
        return (
            f"{self.target}: {self.status}, {counts.passed} of {counts.total} requirements of "
            f"{self.framework_name} {self.framework_version} are met ({counts.compliance_percentage:.1f}%)"
        )
